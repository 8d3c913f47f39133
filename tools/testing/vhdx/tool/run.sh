#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of vhdxctl that need neither the driver nor privileges. Prints KTAP;
# exit status 0 when nothing failed. Readers that others wrote (qemu-img,
# vhdiinfo) are asked where they are installed.
#
#   VHDXCTL      program to test (default: one built here, under ASan and UBSan)
#   VHDX_IMAGES  directory of images that others wrote, *.vhdx.xz

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../../.." && pwd)
images=${VHDX_IMAGES:-$top/../shared/images}
out=$top/build/tools-sanitized

make -s -C "$top" tools tools-test WERROR=1 TOOLS_OUT=build/tools-sanitized \
	VHDXCTL=build/tools-sanitized/vhdxctl \
	TOOLS_CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all' || exit 1
VHDXCTL=${VHDXCTL:-$out/vhdxctl}
out=$out/test

work=$(mktemp -d "${TMPDIR:-/tmp}/vhdxctl-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

nr=0 passed=0 failed=0 skipped=0 deny=

# ktap NAME FUNCTION: one test; it fails by a status other than 0, 4 skips.
# The function runs in a subshell: what it sets is gone afterwards.
ktap()
{
	nr=$((nr + 1))
	("$2") >log 2>&1
	status=$?
	case $status in
	0)
		passed=$((passed + 1))
		echo "ok $nr $1"
		;;
	4)
		skipped=$((skipped + 1))
		echo "ok $nr $1 # SKIP $(tail -n 1 log)"
		;;
	*)
		failed=$((failed + 1))
		sed 's/^/# /' log
		echo "not ok $nr $1"
		;;
	esac
}

skip()
{
	echo "$*"
	exit 4
}

fail()
{
	echo "failed: $*"
	exit 1
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# expect STATUS COMMAND...: run it and look at its exit status; output in "said".
expect()
{
	want=$1
	shift
	"$@" >said 2>&1
	status=$?
	cat said
	[ "$status" -eq "$want" ] || fail "exit status $status, not $want: $*"
}

says()
{
	grep -q -- "$1" said || fail "no '$1' in what it said"
}

# bytes OFFSET FILE: write the hexadecimal bytes from standard input there.
bytes()
{
	python3 -c 'import sys
with open(sys.argv[2], "r+b") as f:
    f.seek(int(sys.argv[1], 0))
    f.write(bytes.fromhex(sys.stdin.read()))' "$1" "$2"
}

json()
{
	python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    value = value[int(key) if key.isdigit() else key]
print(value)' "$@"
}

sum()
{
	sha256sum "$1" | cut -d' ' -f1
}

# An image of 256 MiB with 1 MiB blocks; the BAT is at 3 MiB, blocks from 4 MiB.
sample()
{
	expect 0 "$VHDXCTL" create -s 256M --block-size 1M -t fixed "$1"
}

# Let qemu hold FILE open; options of qemu-io before it. "let_go" ends it.
hold_qemu()
{
	mkfifo fifo
	qemu-io "$@" <fifo >qemu.log 2>&1 &
	exec 9>fifo
	echo 'read 0 512' >&9
	for _ in $(seq 100); do
		grep -q 'bytes at offset\|qemu-io:' qemu.log && break
		sleep 0.05
	done
	grep -q 'bytes at offset' qemu.log || { cat qemu.log; fail "qemu-io cannot open it"; }
}

hold()
{
	mkfifo fifo
	"$out/lock_hold" "$1" "$2" <fifo >lock.log 2>&1 &
	exec 9>fifo
	for _ in $(seq 100); do
		[ -s lock.log ] && break
		sleep 0.05
	done
	grep -q locked lock.log || { cat lock.log; fail "lock_hold cannot lock it"; }
}

let_go()
{
	exec 9>&-
	wait
	rm -f fifo
}

test_help()
{
	expect 0 "$VHDXCTL" --help
	for verb in attach detach list info create check set merge dump; do
		grep -q "^  $verb " said || fail "--help does not list $verb"
	done
	for verb in attach detach list info create check set merge dump; do
		expect 0 "$VHDXCTL" $verb --help
		says "Usage: vhdxctl $verb"
		man=$top/tools/vhdxctl/man/vhdxctl-$verb.8
		sed -n 's/^  .*\(--[a-z-]*\).*/\1/p' said | while read -r option; do
			sed 's/\\//g' "$man" | grep -q -- "$option" ||
				fail "$option is not in the manual page"
		done || exit 1
		expect 0 "$VHDXCTL" $verb --version
	done
	expect 0 "$VHDXCTL" --version
	says '^vhdxctl [0-9]'
}

test_usage()
{
	for verb in attach detach info create set merge dump; do
		expect 1 "$VHDXCTL" $verb
		says "Try 'vhdxctl $verb --help'"
		expect 1 "$VHDXCTL" $verb --no-such-option
	done
	expect 16 "$VHDXCTL" check
	expect 16 "$VHDXCTL" check --no-such-option x
	expect 1 "$VHDXCTL"
	expect 1 "$VHDXCTL" no-such-command
	expect 1 "$VHDXCTL" list --output NOTHING
	expect 1 "$VHDXCTL" attach --direct-io=maybe x
	expect 1 "$VHDXCTL" attach --snapshot -r x
	says 'excludes --read-only'
	expect 1 "$VHDXCTL" detach --all x
	expect 1 "$VHDXCTL" detach /dev/vhdx0p1
	says partition
}

check_with_others()
{
	if have qemu-img && [ "$2" = 512 ]; then
		expect 0 qemu-img check -f vhdx "$1"
		expect 0 qemu-img info -f vhdx "$1"
		says "($3 bytes)"
	fi
	if have vhdiinfo; then
		expect 0 vhdiinfo "$1"
		says "($3 bytes)"
	fi
}

# one_image TYPE SIZE BYTES BLOCK LOGICAL LOG
one_image()
{
	echo "create: $*"
	expect 0 "$VHDXCTL" create -t "$1" -s "$2" --block-size "$4" \
		--logical-sector-size "$5" --log-size "$6" image.vhdx
	expect 0 "$VHDXCTL" check image.vhdx
	says 'no errors, 0 notes'
	"$VHDXCTL" info --json image.vhdx >info.json || fail info
	[ "$(json info.json type)" = "$1" ] || fail type
	[ "$(json info.json virtual_size)" = "$3" ] || fail virtual_size
	[ "$(json info.json logical_sector_size)" = "$5" ] || fail logical_sector_size
	[ "$(json info.json log state)" = clean ] || fail log
	[ $(($(stat -c %s image.vhdx) % 1048576)) = 0 ] || fail "size is not a multiple of 1 MiB"
	check_with_others image.vhdx "$5" "$3"
	rm image.vhdx
}

test_create_dynamic()
{
	for block in 1M 2M 4M 8M 16M 32M 64M 128M 256M; do
		for logical in 512 4096; do
			one_image dynamic 64T 70368744177664 $block $logical 1M
		done
	done
	for block in 1M 256M; do
		one_image dynamic 1M 1048576 $block 4096 1M
		one_image dynamic 1T 1099511627776 $block 512 1M
	done
	one_image dynamic 4294967808 4294967808 32M 512 1M
	one_image dynamic 10G 10737418240 32M 512 2M
	one_image dynamic 10G 10737418240 32M 512 1G
	one_image dynamic 512 512 32M 512 1M
}

test_create_fixed()
{
	for block in 1M 2M 32M 256M; do
		for logical in 512 4096; do
			one_image fixed 1M 1048576 $block $logical 1M
			one_image fixed 257M 269484032 $block $logical 1M
		done
	done
	expect 0 "$VHDXCTL" create -t fixed -s 20M full.vhdx
	[ "$(stat -c '%b' full.vhdx)" -ge $((20 * 2048)) ] || fail "space is not reserved"
}

# More blocks than a chunk has: sector bitmap entries lie between them.
test_create_chunks()
{
	expect 0 "$VHDXCTL" create -t fixed -s 4100M --block-size 1M big.vhdx
	expect 0 "$VHDXCTL" check big.vhdx
	says 'no errors, 0 notes'
	"$VHDXCTL" info --json big.vhdx >info.json || fail info
	[ "$(json info.json bat entries)" = 4101 ] || fail entries
	[ "$(json info.json bat blocks fully-present)" = 4100 ] || fail blocks
	expect 0 "$VHDXCTL" dump --bat big.vhdx
	says '	4095 block 4095: '
	says '	4097 block 4096: '
	if have qemu-img; then
		expect 0 qemu-img check -f vhdx big.vhdx
	fi
}

test_create_raw_twin()
{
	have qemu-img || skip "no qemu-img"
	for type in dynamic fixed; do
		expect 0 "$VHDXCTL" create -t $type -s 100M --block-size 2M twin.vhdx
		truncate -s 100M twin.raw
		for offset in 0 3M 50M 104857088; do
			expect 0 qemu-io -f vhdx -c "write -P 0x5a $offset 512" twin.vhdx
			expect 0 qemu-io -f raw -c "write -P 0x5a $offset 512" twin.raw
		done
		expect 0 qemu-img compare -f vhdx -F raw twin.vhdx twin.raw
		expect 0 qemu-img check -f vhdx twin.vhdx
		expect 0 "$VHDXCTL" check twin.vhdx
		rm twin.vhdx twin.raw
	done
}

test_create_refusals()
{
	for bad in "-s 0" "-s 65T" "-s 1000" "-s 10X" "-s -1" "-s 1M --block-size 3M" \
		"-s 1M --block-size 512K" "-s 1M --block-size 512M" "-s 1M --log-size 1500K" \
		"-s 1M --log-size 2G" "-s 1M --logical-sector-size 1024" \
		"-s 1M --physical-sector-size 520" "-s 1M -t differencing" "-t fixed" \
		"-s 1536 --logical-sector-size 4096" "-s 99999999999999999999"; do
		# shellcheck disable=SC2086 # a list of options
		expect 1 "$VHDXCTL" create $bad bad.vhdx
		[ ! -e bad.vhdx ] || fail "$bad left a file"
	done
	expect 1 "$VHDXCTL" create -s 1M no-such-directory/bad.vhdx
	echo precious >old.vhdx
	expect 1 "$VHDXCTL" create -s 1M old.vhdx
	says 'use --force'
	[ "$(cat old.vhdx)" = precious ] || fail "the old file changed"
	mkdir directory
	expect 1 "$VHDXCTL" create --force -s 1M directory
	mkfifo pipe
	expect 1 "$VHDXCTL" create --force -s 1M pipe
	chmod 640 old.vhdx
	ln -s old.vhdx link.vhdx
	expect 0 "$VHDXCTL" create --force -s 1M link.vhdx
	[ -L link.vhdx ] || fail "the link was replaced"
	[ "$(stat -c %a old.vhdx)" = 640 ] || fail "the permissions changed"
	expect 0 "$VHDXCTL" check old.vhdx
	if [ "$(id -u)" = 0 ] && chown 1:2 old.vhdx && chmod 4644 old.vhdx; then
		expect 0 "$VHDXCTL" create --force -s 1M old.vhdx
		[ "$(stat -c %u:%g:%a old.vhdx)" = 1:2:644 ] || fail "the owner changed"
	fi
	(umask 027 && "$VHDXCTL" create -s 1M new.vhdx)
	[ "$(stat -c %a new.vhdx)" = 640 ] || fail "umask does not count"
	(ulimit -f 2000; expect 1 "$VHDXCTL" create -s 10M bad.vhdx; says 'File too large') || exit
	[ "$(find . -name '.vhdxctl.*')" = "" ] || fail "temporary files are left"
	long=$(printf '%0255d' 0)
	expect 0 "$VHDXCTL" create -s 1M "$long"
}

# Whoever ends it finds nothing left, or what was there before.
test_create_signal()
{
	"$out/deny_call" allocate true || skip "cannot filter system calls"
	echo precious >image.vhdx
	for signal in HUP INT TERM; do
		# Without fallocate() it writes zeros. A job would ignore SIGINT.
		env --default-signal "$out/deny_call" allocate \
			"$VHDXCTL" create --force -t fixed -s 10G image.vhdx &
		until ls .vhdxctl.* 2>/dev/null; do
			kill -0 $! || fail "no temporary file"
		done
		kill -$signal $!
		wait $! && fail "it came to an end"
		[ "$(echo .vhdxctl.*)" = '.vhdxctl.*' ] || fail "a temporary file is left"
		[ "$(cat image.vhdx)" = precious ] || fail "the old file changed"
	done
}

test_create_faults()
{
	expect 0 "$out/create_faults" faults.vhdx
}

test_overlay_model()
{
	expect 0 "$out/overlay_model"
}

# maps POSITION WHAT: what child.vhdx says to who has not scanned its BAT
maps()
{
	expect 0 "$out/map_block" child.vhdx "$1"
	[ "$(cat said)" = "$2" ] || fail "at $1: not $2"
}

# A block with some of its sectors, at 4 MiB, and the entry of its sector bitmap.
test_map_unscanned()
{
	expect 0 "$VHDXCTL" create -s 8M --block-size 1M base.vhdx
	expect 0 "$VHDXCTL" create --parent base.vhdx --block-size 1M child.vhdx
	maps 0 'parent 1048576 at 0'
	truncate -s 6M child.vhdx
	echo ff | bytes 0x500000 child.vhdx
	echo ff | bytes 0x400001 child.vhdx
	echo 0700400000000000 | bytes 0x300000 child.vhdx
	maps 0 'bat-bitmap-missing at 0x308000: a partially present block has no sector bitmap block'
	echo 0600500000000000 | bytes 0x308000 child.vhdx
	maps 0 'data 4096 at 0x400000'
	maps 4096 'parent 1044480 at 0'
}

test_resolve_paths()
{
	mkdir files
	expect 0 "$out/resolve_paths" files
}

# A child has its parent's size, sectors and identity, and names it.
test_create_child()
{
	expect 0 "$VHDXCTL" create -s 100M --logical-sector-size 4096 base.vhdx
	expect 0 "$VHDXCTL" create --parent base.vhdx child.vhdx
	expect 0 "$VHDXCTL" create --parent child.vhdx -s 50M --block-size 1M grandchild.vhdx
	expect 0 "$VHDXCTL" check grandchild.vhdx
	for image in base child; do
		expect 0 "$VHDXCTL" info --json $image.vhdx
		mv said $image.json
	done
	for key in virtual_size logical_sector_size physical_sector_size virtual_disk_id; do
		[ "$(json base.json $key)" = "$(json child.json $key)" ] || fail "$key"
	done
	[ "$(json child.json type)" = differencing ] || fail "type"
	[ "$(json child.json block_size)" = 2097152 ] || fail "block size"
	[ "$(json child.json parent_locator parent_linkage)" = \
		"{$(json base.json data_write_guid)}" ] || fail "linkage"
	expect 0 "$VHDXCTL" info --chain --json grandchild.vhdx
	[ "$(json said depth)" = 3 ] || fail "depth"
	[ "$(json said chain 0 virtual_size)" = 52428800 ] || fail "size of the leaf"
	[ "$(json said chain 2 type)" = dynamic ] || fail "type of the root"
	expect 0 "$VHDXCTL" info --chain grandchild.vhdx
	says 'parent linkage:'
	if have vhdiinfo; then
		expect 0 vhdiinfo child.vhdx
		says 'Differential'
	fi
	expect 1 "$VHDXCTL" create --parent base.vhdx --type fixed no.vhdx
	expect 1 "$VHDXCTL" create --parent base.vhdx --logical-sector-size 512 no.vhdx
	says 'must be 4096'
	expect 1 "$VHDXCTL" create --parent nothing.vhdx no.vhdx
	expect 1 "$VHDXCTL" create --parent base.vhdx -s 1000 no.vhdx
	expect 1 "$VHDXCTL" create --parent base.vhdx --force base.vhdx
	expect 1 "$VHDXCTL" info --parent base.vhdx child.vhdx
	[ ! -e no.vhdx ] || fail "an image was made"
	mv base.vhdx gone.vhdx
	expect 1 "$VHDXCTL" info --chain child.vhdx
	says 'child.vhdx: relative_path: .*base.vhdx: No such file'
	expect 0 "$VHDXCTL" info --chain --parent gone.vhdx child.vhdx
	mkdir dir
	mv gone.vhdx dir/BASE.vhdx
	expect 0 "$VHDXCTL" info --chain --parent-dir dir child.vhdx
}

# unopened STATUS FILE COMMAND...: FILE is made a socket, which cannot be opened:
# that it is refused for what it is shows that nothing was opened before.
unopened()
{
	rm -f "$2"
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$2"
	want=$1
	shift 2
	expect "$want" "$@"
	says 'regular file'
}

# To open a device may do something: a watchdog begins to count. What is neither a
# file nor a block device is not opened at all, and what a locator leads to is
# opened only if it is a regular file.
test_open_devices()
{
	expect 0 "$VHDXCTL" create -s 1M base.vhdx
	expect 0 "$VHDXCTL" create --parent base.vhdx child.vhdx
	mv base.vhdx elsewhere.vhdx
	for verb in info dump attach "create -s 1M --force" "create child2.vhdx --parent"; do
		# shellcheck disable=SC2086 # a command
		unopened 1 socket "$VHDXCTL" $verb socket
	done
	unopened 8 socket "$VHDXCTL" check socket
	unopened 1 socket "$VHDXCTL" info --chain --parent socket child.vhdx
	unopened 1 base.vhdx "$VHDXCTL" info --chain child.vhdx
	says 'base.vhdx: is not a regular file$'
	unopened 1 base.vhdx "$VHDXCTL" attach --read-only child.vhdx
	says 'base.vhdx: is not a regular file$'
	rm base.vhdx
	ln -s elsewhere.vhdx base.vhdx
	expect 0 "$VHDXCTL" info --chain child.vhdx
	rm base.vhdx
	mknod base.vhdx b 240 0 || skip "cannot make a device node"
	expect 1 "$VHDXCTL" info --chain child.vhdx
	says 'base.vhdx: is not a regular file$'
}

# Files are opened by way of /proc, and without it all the same. ASan needs /proc,
# so this is for the program that is installed.
test_open_without_proc()
{
	unshare -m true 2>/dev/null || skip "cannot make a mount namespace"
	VHDXCTL=$top/build/vhdxctl
	make -s -C "$top" tools
	sample image.vhdx
	without_proc()
	{
		# shellcheck disable=SC2016 # for the inner shell
		unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' - "$@"
	}
	without_proc true || skip "cannot mount over /proc"
	expect 0 without_proc "$VHDXCTL" info image.vhdx
	expect 1 without_proc "$VHDXCTL" info /dev/null
	says 'neither a regular file'
}

# What a child says of its parent leads to it, or the child is not made.
test_create_names()
{
	expect 0 "$VHDXCTL" create -s 1M base.vhdx
	for name in "$(printf 'a\377b')" 'back\slash' "$(printf 'new\nline')" \
		"$(printf 'c1\302\200')"; do
		mkdir "$name"
		for parent in "$name.vhdx" "$name/base.vhdx"; do
			cp base.vhdx "$parent"
			expect 1 "$VHDXCTL" create --parent "$parent" child.vhdx
			says 'cannot be named in child.vhdx: in an image paths are UTF-8'
			[ ! -e child.vhdx ] || fail "a child was made"
		done
	done
	for name in "$(printf 'a\303\244\360\237\222\276\357\277\275')" ' %41"' 'C:' '..a'; do
		cp base.vhdx "$name"
		expect 0 "$VHDXCTL" create --parent "./$name" child.vhdx
		expect 0 "$VHDXCTL" info --chain child.vhdx
		rm child.vhdx
	done
	# Through a link: the way to the parent begins at the file, not at the link.
	mkdir -p dir/ectory
	expect 0 "$VHDXCTL" create -s 1M dir/ectory/child.vhdx
	ln -s dir/ectory/child.vhdx link.vhdx
	expect 0 "$VHDXCTL" create --force --parent base.vhdx link.vhdx
	mkdir moved
	mv base.vhdx dir moved
	expect 0 "$VHDXCTL" info --chain --json moved/dir/ectory/child.vhdx
	[ "$(json said chain 1 found_by)" = relative_path ] || fail "not by relative_path"
}

# refuse TEXT FILE OPTION...: FILE is not replaced, for that reason, and is unchanged.
refuse()
{
	before=$(sum "$2")
	text=$1
	shift
	# shellcheck disable=SC2086 # a command before the command
	expect 1 $deny "$VHDXCTL" create --force "$@"
	says "$text"
	[ "$(sum "$1")" = "$before" ] || fail "$1 changed"
}

# Whatever --force replaces, it is none of the images that the new one is to stand on.
test_force_chain()
{
	expect 0 "$VHDXCTL" create -s 1M base.vhdx
	for level in "snap base" "top snap"; do
		expect 0 "$VHDXCTL" create --parent "${level#* }.vhdx" "${level% *}.vhdx"
	done
	ln base.vhdx hard.vhdx
	ln -s base.vhdx soft.vhdx
	for old in base snap hard soft; do
		refuse 'a parent of top.vhdx, and cannot be replaced' $old.vhdx --parent top.vhdx
	done
	refuse 'is the parent, and cannot be replaced' top.vhdx --parent top.vhdx
	refuse 'is the parent, and cannot be replaced' soft.vhdx --parent hard.vhdx
	cp base.vhdx other.vhdx
	mv base.vhdx elsewhere.vhdx
	refuse 'may be one of the parents' other.vhdx --parent top.vhdx
	mv elsewhere.vhdx base.vhdx
	expect 0 "$VHDXCTL" create --force --parent top.vhdx other.vhdx
	expect 0 "$VHDXCTL" info --chain --json other.vhdx
	[ "$(json said depth)" = 4 ] || fail "depth"
}

# A file in use is not replaced, however it is used, nor one of which nobody can tell.
test_force_in_use()
{
	sample old.vhdx
	exec 8>>old.vhdx
	refuse 'has it open for writing' old.vhdx -s 1M
	exec 8>&-
	hold read old.vhdx
	refuse 'in use by another process' old.vhdx -s 1M
	let_go
	"$out/deny_call" lock true || skip "cannot filter system calls"
	deny="$out/deny_call lock"
	refuse 'cannot be locked, and so may be in use' old.vhdx -s 1M
	for verb in info check "create new.vhdx --parent"; do
		# shellcheck disable=SC2086 # commands
		expect 0 $deny "$VHDXCTL" $verb old.vhdx
		says 'old.vhdx: warning: cannot be locked'
	done
	expect 0 "$VHDXCTL" create --force -s 1M old.vhdx
}

# The image is in place, and the message says so.
test_create_unstable()
{
	"$out/deny_call" directory true || skip "cannot filter system calls"
	expect 1 "$out/deny_call" directory "$VHDXCTL" create -s 1M image.vhdx
	says 'image.vhdx: was made, but a power cut may undo that'
	expect 0 "$VHDXCTL" check image.vhdx
}

# A file that is replaced between being opened and locked is let go: who writes to it
# would write to what has no name, who replaces it would replace another one.
test_replaced_meanwhile()
{
	"$out/before_lock" 1 true true || skip "cannot trace processes"
	# LeakSanitizer cannot be traced.
	export ASAN_OPTIONS=detect_leaks=0
	for command in "attach image.vhdx" "create --force -s 1M image.vhdx"; do
		sample image.vhdx
		expect 0 "$VHDXCTL" create -s 2M new.vhdx
		before=$(sum new.vhdx)
		# shellcheck disable=SC2086 # a command
		expect 1 "$out/before_lock" 1 "mv new.vhdx image.vhdx" "$VHDXCTL" $command
		says 'image.vhdx: was replaced by another process just now'
		[ "$(sum image.vhdx)" = "$before" ] || fail "the new file changed"
		rm image.vhdx
	done
	# Child and parent were read; now the child is opened to be merged and deleted.
	expect 0 "$VHDXCTL" create -s 1M base.vhdx
	expect 0 "$VHDXCTL" create --parent base.vhdx child.vhdx
	cp child.vhdx new.vhdx
	expect 1 "$out/before_lock" 7 "mv new.vhdx child.vhdx" \
		"$VHDXCTL" merge --delete child.vhdx
	says 'child.vhdx: was replaced by another process just now'
	[ -e child.vhdx ] || fail "the new file was deleted"
}

# A chain of three, the root in a folder of its own: base/0.vhdx, 1.vhdx, 2.vhdx.
chain()
{
	mkdir base
	expect 0 "$VHDXCTL" create -s 8M --block-size 1M base/0.vhdx
	expect 0 "$VHDXCTL" create --parent base/0.vhdx 1.vhdx
	expect 0 "$VHDXCTL" create --parent 1.vhdx 2.vhdx
}

# refused MESSAGE COMMAND...: it fails with that message, and no image changes.
refused()
{
	message=$1
	shift
	before=$(cat base/0.vhdx 1.vhdx 2.vhdx | sha256sum)
	expect 1 "$@"
	says "$message"
	[ "$before" = "$(cat base/0.vhdx 1.vhdx 2.vhdx | sha256sum)" ] || fail "an image changed"
}

# The images have a clean log, and no reader finds anything wrong with them.
sound()
{
	for image; do
		expect 0 "$VHDXCTL" check "$image"
		expect 0 python3 "$top/tools/testing/vhdx/images/vhdxmodel.py" --check --clean "$image"
	done
}

linkage()
{
	"$VHDXCTL" info --json "$1" >linkage.json || fail info
	json linkage.json parent_locator "$2"
}

test_set_parent()
{
	chain
	link=$(linkage 1.vhdx parent_linkage)
	mkdir moved
	mv base/0.vhdx moved/
	expect 1 "$VHDXCTL" info --chain 2.vhdx
	expect 0 "$VHDXCTL" set --parent moved/0.vhdx 1.vhdx
	expect 0 "$VHDXCTL" info --chain 2.vhdx
	[ "$(linkage 1.vhdx relative_path)" = '.\moved\0.vhdx' ] || fail "relative path"
	[ "$(linkage 1.vhdx absolute_win32_path)" = "\\\\?$(echo "$PWD/moved/0.vhdx" | tr / '\134')" ] ||
		fail "absolute path"
	[ "$(linkage 1.vhdx parent_linkage)" = "$link" ] || fail "the linkage changed"
	sound 1.vhdx
	# Through a link: the directory that counts is that of the file.
	mkdir links
	ln -s ../1.vhdx links/1.vhdx
	rmdir base
	mv moved base
	expect 0 "$VHDXCTL" set --parent base/0.vhdx links/1.vhdx
	expect 0 "$VHDXCTL" info --chain 2.vhdx
	# Pairs that mean nothing to us stay; a volume_path that is old does not.
	expect 0 "$top/tools/testing/selftests/vhdx/chain.py" locator 1.vhdx \
		'hello' 'world' volume_path '\\?\Volume{1}\0.vhdx' relative_path '.\gone.vhdx'
	expect 0 "$VHDXCTL" set --parent base/0.vhdx 1.vhdx
	[ "$(linkage 1.vhdx hello)" = world ] || fail "an unknown pair is lost"
	"$VHDXCTL" info --json 1.vhdx | grep -q volume_path && fail "volume_path is still there"
	sound 1.vhdx
	# Another identity: only if it is asked for.
	expect 0 "$VHDXCTL" create --force -s 8M base/0.vhdx
	refused 'chain-linkage.*--ignore-id-mismatch' "$VHDXCTL" set --parent base/0.vhdx 1.vhdx
	says "wanted is $(echo "$link" | tr -d '{}')"
	expect 0 "$VHDXCTL" set --parent base/0.vhdx --ignore-id-mismatch 1.vhdx
	expect 0 "$VHDXCTL" info --chain 2.vhdx
	sound 1.vhdx
}

test_set_refusals()
{
	chain
	expect 0 "$VHDXCTL" create -s 8M --logical-sector-size 4096 other.vhdx
	refused 'has no parent' "$VHDXCTL" set --parent 1.vhdx base/0.vhdx
	refused 'would be a loop' "$VHDXCTL" set --parent 1.vhdx 1.vhdx
	refused 'would be a loop' "$VHDXCTL" set --parent 2.vhdx --ignore-id-mismatch 1.vhdx
	refused 'chain-sector-size' "$VHDXCTL" set --parent other.vhdx 1.vhdx
	refused 'No such file' "$VHDXCTL" set --parent nothing.vhdx 1.vhdx
	refused '--parent must be given' "$VHDXCTL" set 1.vhdx
	refused 'is neither a regular file' "$VHDXCTL" set --parent /dev/null 1.vhdx
	for mode in read write; do
		hold $mode 1.vhdx
		refused '1.vhdx: is in use' "$VHDXCTL" set --parent base/0.vhdx 1.vhdx
		let_go
	done
	hold write base/0.vhdx
	refused '0.vhdx: is in use' "$VHDXCTL" set --parent base/0.vhdx 1.vhdx
	let_go
	cp 1.vhdx whole.vhdx
	echo 0f00400000000000 | bytes 0x300000 1.vhdx
	refused '1.vhdx: bat-reserved-bits' "$VHDXCTL" set --parent base/0.vhdx 1.vhdx
	cp whole.vhdx 1.vhdx
	echo 00 | bytes 0x211000 1.vhdx
	refused '1.vhdx: locator-type' "$VHDXCTL" set --parent base/0.vhdx 1.vhdx
}

test_merge_chains()
{
	seed=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
	mkdir chains
	expect 0 "$top/tools/testing/vhdx/tool/mergechains.py" merge "$VHDXCTL" chains "$seed"
}

# Power is cut in short merges, of one of four chains; with VHDX_CUT_VARIANTS, which
# says how often at each place, of all.
test_merge_cuts()
{
	seed=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
	mkdir chains
	if [ "${VHDX_CUT_VARIANTS:-}" ]; then
		set --
	else
		set -- differencing dirty fixed dynamic
		shift $((seed % 4))
		set -- "$1"
	fi
	expect 0 "$top/tools/testing/vhdx/tool/mergechains.py" cuts "$out/merge_cuts" chains "$seed" "$@"
}

# Into each good image of the crafted ones, the dirty ones among them.
test_merge_good()
{
	expect 0 "$top/tools/testing/vhdx/tool/mergechains.py" good "$VHDXCTL" crafted
	says '[1-9][0-9]* images'
}

test_merge_refusals()
{
	chain
	refused '0.vhdx: is not a differencing image' "$VHDXCTL" merge base/0.vhdx
	refused '2.vhdx: is not among the parents of 1.vhdx' "$VHDXCTL" merge --into 2.vhdx 1.vhdx
	refused 'nothing.vhdx: No such file' "$VHDXCTL" merge --into nothing.vhdx 1.vhdx
	for mode in read write; do
		for image in 2.vhdx 1.vhdx base/0.vhdx; do
			hold $mode $image
			refused "$(basename $image):* is in use" "$VHDXCTL" merge --into base/0.vhdx 2.vhdx
			let_go
		done
	done
	ln 2.vhdx other-name.vhdx
	refused '2.vhdx: is not a plain file' "$VHDXCTL" merge --delete 2.vhdx
	rm other-name.vhdx
	expect 0 "$VHDXCTL" create --parent 1.vhdx --force -s 5M 2.vhdx
	refused '2.vhdx: has a disk of 5M .* use --shrink' "$VHDXCTL" merge 2.vhdx
	for image in 2.vhdx 1.vhdx; do
		cp $image whole
		echo 0f00400000000000 | bytes 0x300000 $image
		refused "$image: bat-reserved-bits" "$VHDXCTL" merge --shrink 2.vhdx
		mv whole $image
	done
	cp 1.vhdx whole
	truncate -s 3M 1.vhdx
	refused '1.vhdx: region-range' "$VHDXCTL" merge --shrink 2.vhdx
	mv whole 1.vhdx
	mv base/0.vhdx base/1.vhdx
	: >base/0.vhdx
	refused '0.vhdx: file-too-small' "$VHDXCTL" merge 2.vhdx
	rm base/0.vhdx
	mv base/1.vhdx base/0.vhdx
	[ "$(id -u)" = 0 ] || {
		chmod 400 1.vhdx
		refused '1.vhdx: cannot be written to' "$VHDXCTL" merge --shrink 2.vhdx
		chmod 600 1.vhdx
	}
}

# What is left afterwards, and what is said.
test_merge_after()
{
	chain
	expect 0 "$VHDXCTL" create --parent base/0.vhdx sister.vhdx
	expect 0 "$VHDXCTL" merge --into base/0.vhdx 2.vhdx
	says '2.vhdx: is merged into .*0.vhdx and may be removed'
	says '1.vhdx: is merged into .*0.vhdx, too, and is of no use any more'
	sound base/0.vhdx 1.vhdx 2.vhdx
	expect 0 "$VHDXCTL" info --chain --json 2.vhdx
	[ "$(json said depth)" = 2 ] || fail "the merged child does not stand on the last one"
	for image in 1.vhdx sister.vhdx; do
		expect 1 "$VHDXCTL" info --chain $image
		says chain-linkage
	done
	rm ./*.vhdx
	expect 0 "$VHDXCTL" create --parent base/0.vhdx 1.vhdx
	expect 0 "$VHDXCTL" create --parent 1.vhdx 2.vhdx
	expect 0 "$VHDXCTL" merge --delete --into base/0.vhdx 2.vhdx
	[ "$(echo ./*.vhdx)" = './*.vhdx' ] || fail "something is left"
	[ ! -s said ] || fail "it said something"
	# A child of another size gives its size to the parent.
	expect 0 "$VHDXCTL" create --parent base/0.vhdx -s 20M larger.vhdx
	expect 0 "$VHDXCTL" merge larger.vhdx
	[ "$("$VHDXCTL" info --json base/0.vhdx >info.json; json info.json virtual_size)" = 20971520 ] ||
		fail "the parent did not grow"
	sound base/0.vhdx
	check_with_others base/0.vhdx 512 20971520
}

# A bar on a terminal, and nowhere else.
test_merge_progress()
{
	chain
	expect 0 python3 - "$VHDXCTL" <<-EOF
		import os, pty, sys
		def merge(*options):
		    said = bytearray()
		    def read(fd):
		        data = os.read(fd, 4096)
		        said.extend(data)
		        return data
		    status = pty.spawn([sys.argv[1], "merge", *options, "2.vhdx"], read, lambda fd: b"")
		    return status, b"100%" in said
		assert merge() == (0, True)
		assert merge("--no-progress") == (0, False)
	EOF
	expect 0 "$VHDXCTL" merge 2.vhdx
	grep -q % said && fail "a bar without a terminal"
	true
}

# The file system of the parent is full: then there is room, and it goes on.
test_merge_full()
{
	unshare -m true 2>/dev/null || skip "cannot make a mount namespace"
	mkdir small
	expect 0 "$VHDXCTL" create -s 8M --block-size 1M small.vhdx
	expect 0 "$VHDXCTL" create --parent small.vhdx child.vhdx
	python3 - <<-EOF || fail "cannot fill the child"
		import os, struct
		with open("child.vhdx", "r+b") as child:
		    child.truncate(12 << 20)
		    child.seek(0x300000)
		    child.write(struct.pack("<4Q", *(n << 20 | 6 for n in (4, 6, 8, 10))))
		    child.seek(4 << 20)
		    child.write(os.urandom(8 << 20))
	EOF
	expect 0 "$VHDXCTL" check child.vhdx
	# shellcheck disable=SC2016 # for the inner shell
	expect 0 unshare -m sh -ec '
		mount -t tmpfs -o size=7M none small
		cp --sparse=always small.vhdx small/
		"$1" set --parent small/small.vhdx child.vhdx
		! "$1" merge child.vhdx 2>message
		cat message
		grep "small.vhdx: No space left" message
		grep "nothing is lost" message
		"$1" check small/small.vhdx
		"$1" info --chain child.vhdx >/dev/null
		mount -o remount,size=20M small
		"$1" merge child.vhdx
		"$1" check small/small.vhdx
		cp --sparse=always small/small.vhdx merged.vhdx' - "$VHDXCTL"
	sound merged.vhdx
	python3 - <<-EOF || fail "the content differs"
		import sys
		sys.path.insert(0, "$top/tools/testing/vhdx/images")
		import vhdxmodel
		have = b"".join(data for _, data in vhdxmodel.Image("merged.vhdx").chunks())
		assert have == open("child.vhdx", "rb").read()[4 << 20:12 << 20]
	EOF
}

test_create_unique()
{
	for n in 1 2; do
		expect 0 "$VHDXCTL" create -s 1G u$n.vhdx
		"$VHDXCTL" info --json u$n.vhdx >u$n.json || fail info
	done
	for key in virtual_disk_id data_write_guid file_write_guid; do
		[ "$(json u1.json $key)" != "$(json u2.json $key)" ] || fail "$key is the same"
	done
	[ "$(json u1.json headers 0 sequence_number)" != \
		"$(json u1.json headers 1 sequence_number)" ] || fail "sequence numbers"
	[ "$(json u1.json regions 0 required)" = True ] || fail required
}

# damage NAME STATUS: an image whose damage is reported by that name.
damaged()
{
	expect "$2" "$VHDXCTL" check damaged.vhdx
	says "$1 at 0x"
	expect "$2" "$VHDXCTL" check --json damaged.vhdx
	python3 -c 'import json, sys
findings = json.load(open("said"))["findings"]
assert any(f["name"] == sys.argv[1] for f in findings), findings' "$1" || fail json
}

test_check_faults()
{
	sample whole.vhdx
	cp whole.vhdx damaged.vhdx
	echo 00 | bytes 0 damaged.vhdx
	damaged file-id-signature 4
	cp whole.vhdx damaged.vhdx
	echo ff | bytes 0x10008 damaged.vhdx
	damaged header-checksum 0
	echo ff | bytes 0x20008 damaged.vhdx
	damaged header-none-valid 4
	cp whole.vhdx damaged.vhdx
	echo ff | bytes 0x40020 damaged.vhdx
	damaged region-checksum 0
	echo ff | bytes 0x30020 damaged.vhdx
	damaged region-none-valid 4
	cp whole.vhdx damaged.vhdx
	echo 00 | bytes 0x200000 damaged.vhdx
	damaged metadata-signature 4
	cp whole.vhdx damaged.vhdx
	truncate -s 100M damaged.vhdx
	damaged bat-location 4
	truncate -s 1000 damaged.vhdx
	damaged file-too-small 4
}

# All of several faults in the BAT are found in one run, each with its place.
test_check_goes_on()
{
	sample damaged.vhdx
	echo 0e00400000000000 | bytes 0x300000 damaged.vhdx	# reserved bit
	echo 0600600000000000 | bytes 0x300008 damaged.vhdx	# block 2 is there
	echo 0400700000000000 | bytes 0x300018 damaged.vhdx	# state 4
	echo 0600000000000000 | bytes 0x300020 damaged.vhdx	# in the header section
	expect 4 "$VHDXCTL" check damaged.vhdx
	says 'bat-reserved-bits at 0x300000'
	says 'bat-overlap at 0x300010'
	says 'bat-payload-state at 0x300018'
	says 'bat-location at 0x300020'
	says ': 4 errors'
	says 'space-unused'
	"$VHDXCTL" info --json damaged.vhdx >info.json || fail info
	[ "$(json info.json bat faulty_entries)" = 4 ] || fail faulty_entries
}

test_check_trouble()
{
	expect 8 "$VHDXCTL" check no-such-file
	expect 8 "$VHDXCTL" check .
	expect 1 "$VHDXCTL" info no-such-file
	expect 1 "$VHDXCTL" info /dev/null
	: >empty
	expect 4 "$VHDXCTL" check empty
	expect 1 "$VHDXCTL" info empty
	says file-too-small
	expect 1 "$VHDXCTL" dump empty
}

each_image()
{
	[ -d "$images" ] || skip "no images of others in VHDX_IMAGES"
	have xz || skip "no xz"
	for xz in "$images"/*.vhdx.xz; do
		image=$(basename "$xz" .xz)
		xz -dc "$xz" >"$image" || fail "cannot unpack $xz"
		before=$(sum "$image")
		"$1" "$image"
		[ "$before" = "$(sum "$image")" ] || fail "$image changed"
		rm "$image"
	done
}

foreign_image()
{
	expect 0 "$VHDXCTL" check "$1"
	"$VHDXCTL" check --json "$1" >check.json || fail check
	[ "$(json check.json errors)" = 0 ] || fail errors
	"$VHDXCTL" info "$1" >info.txt || fail info
	"$VHDXCTL" info --json "$1" >info.json || fail info
	expect 0 "$VHDXCTL" dump --bat "$1"
	# The list of images says what others found in them.
	row=$(grep "^| $1 " "$images/README.md") || return 0
	echo "$row"
	field()
	{
		echo "$row" | cut -d'|' -f"$1" | tr -d ' '
	}
	[ "$(json info.json type)" = "$(field 3)" ] || fail type
	[ "$(json info.json physical_sector_size)" = "$(field 5)" ] || fail sector
	echo "$row" | grep -q "($(json info.json virtual_size))" || fail size
	[ "$(json info.json log state)" = "$(field 7 | tr '[:upper:]' '[:lower:]')" ] || fail log
	for state in fully-present partially-present not-present zero; do
		name=$(echo $state | tr '[:lower:]-' '[:upper:]_')
		count=$(echo "$row" | cut -d'|' -f9 | sed -n "s/(.*//;s/.*\\b$name:\\([0-9]*\\).*/\\1/p")
		[ $state != not-present ] || count=$(echo "$row" | cut -d'|' -f9 |
			sed -n 's/(.*//;s/\(^\| \)NOT_PRESENT:\([0-9]*\).*/ \2/;s/.* //p')
		[ "$(json info.json bat blocks $state)" = "${count:-0}" ] || fail "$state: $count"
	done
}

test_foreign_images()
{
	each_image foreign_image
}

dirty_image()
{
	case $1 in
	*dirtylog*) ;;
	*) return ;;
	esac
	expect 0 "$VHDXCTL" check "$1"
	says 'note: log-dirty'
	"$VHDXCTL" info --json "$1" >info.json || fail info
	[ "$(json info.json log state)" = dirty ] || fail state
	[ "$(json info.json log replayed_entries)" = 1 ] || fail replayed
	expect 0 "$VHDXCTL" dump --bat "$1"
	says '	17 block 17: fully-present 0x1d00000'
	# Without any valid entry the log cannot be replayed: an error, and the
	# check goes on without it.
	cp "$1" damaged.vhdx
	off=$(json info.json log offset)
	dd if=/dev/zero of=damaged.vhdx bs=1M count=1 seek=$((off / 1048576)) conv=notrunc 2>&1
	damaged log-no-sequence 4
	expect 1 "$VHDXCTL" info damaged.vhdx
	says log-no-sequence
	cp "$1" damaged.vhdx
	truncate -s 20M damaged.vhdx
	damaged log-truncated 4
	rm damaged.vhdx
}

test_dirty_image()
{
	each_image dirty_image
}

test_lock_qemu_writes()
{
	have qemu-io || skip "no qemu-io"
	sample locked.vhdx
	hold_qemu -f vhdx locked.vhdx
	expect 1 "$VHDXCTL" attach locked.vhdx
	says 'in use by another process, which writes'
	expect 1 "$VHDXCTL" attach --read-only locked.vhdx
	says 'in use by another process'
	expect 8 "$VHDXCTL" check locked.vhdx
	says 'in use'
	expect 0 "$VHDXCTL" info locked.vhdx
	says 'warning: another process writes'
	expect 1 "$VHDXCTL" create --force -s 1M locked.vhdx
	says 'in use'
	let_go
	expect 0 "$VHDXCTL" check locked.vhdx
}

test_lock_qemu_reads()
{
	have qemu-io || skip "no qemu-io"
	sample locked.vhdx
	hold_qemu -r -f vhdx locked.vhdx
	expect 1 "$VHDXCTL" attach locked.vhdx
	says 'stop it or attach with --read-only'
	expect 0 "$VHDXCTL" check locked.vhdx
	hold_status=$("$out/lock_hold" read locked.vhdx </dev/null) || fail "reader refused"
	echo "$hold_status"
	"$out/lock_hold" write locked.vhdx </dev/null && fail "writer accepted"
	let_go
}

test_lock_driver_writes()
{
	sample locked.vhdx
	hold write locked.vhdx
	"$out/lock_hold" write locked.vhdx </dev/null && fail "second writer accepted"
	"$out/lock_hold" read locked.vhdx </dev/null && fail "reader accepted"
	expect 8 "$VHDXCTL" check locked.vhdx
	if have qemu-img; then
		expect 1 qemu-img info -f vhdx locked.vhdx
		says 'Failed to get shared "write" lock'
		expect 1 qemu-img check -f vhdx locked.vhdx
		expect 1 qemu-io -f vhdx -c 'write 0 512' locked.vhdx
		expect 1 qemu-io -r -f vhdx -c 'read 0 512' locked.vhdx
		expect 0 qemu-img info -U -f vhdx locked.vhdx
	fi
	let_go
	"$out/lock_hold" write locked.vhdx </dev/null || fail "the lock stayed"
}

test_lock_driver_reads()
{
	sample locked.vhdx
	hold read locked.vhdx
	"$out/lock_hold" read locked.vhdx </dev/null || fail "second reader refused"
	"$out/lock_hold" write locked.vhdx </dev/null && fail "writer accepted"
	if have qemu-img; then
		expect 0 qemu-img check -f vhdx locked.vhdx
		expect 0 qemu-img info -f vhdx locked.vhdx
		expect 1 qemu-io -f vhdx -c 'write 0 512' locked.vhdx
		says 'lock'
	fi
	let_go
}

test_no_driver()
{
	[ ! -e /dev/vhdx-control ] || skip "the driver is loaded"
	sample image.vhdx
	expect 1 "$VHDXCTL" attach image.vhdx
	says 'modprobe vhdx'
	expect 1 "$VHDXCTL" detach /dev/vhdx0
	says 'modprobe vhdx'
	expect 1 "$VHDXCTL" detach image.vhdx
	says 'neither a VHDX device nor the image of one'
	expect 0 "$VHDXCTL" list
	expect 0 "$VHDXCTL" list --json
	expect 1 "$VHDXCTL" list image.vhdx
	expect 0 "$VHDXCTL" detach --all
}

# What is refused before the driver comes into it, and nothing is left behind.
test_snapshot()
{
	[ ! -e /dev/vhdx-control ] || skip "the driver is loaded"
	sample image.vhdx
	mkdir dir
	before=$(sum image.vhdx)
	expect 1 "$VHDXCTL" attach --snapshot=image.vhdx image.vhdx
	says 'image.vhdx: exists'
	expect 1 "$VHDXCTL" attach --snapshot=dir/new.vhdx nothing.vhdx
	expect 1 "$VHDXCTL" attach --snapshot=nowhere/new.vhdx image.vhdx
	expect 1 env TMPDIR=nowhere "$VHDXCTL" attach --snapshot image.vhdx
	says 'nowhere: cannot make a file for the snapshot'
	for option in --snapshot --snapshot=dir/new.vhdx; do
		expect 1 env TMPDIR=dir "$VHDXCTL" attach $option image.vhdx
		says 'modprobe vhdx'
		[ -z "$(ls dir)" ] || fail "$option: something is left: $(ls dir)"
		expect 1 env TMPDIR=dir "$VHDXCTL" attach $option --parent image.vhdx image.vhdx
		says 'image.vhdx has no parent'
	done
	[ "$(sum image.vhdx)" = "$before" ] || fail "the image has changed"
	unshare -m true 2>/dev/null || skip "cannot make a mount namespace"
	# shellcheck disable=SC2016 # for the inner shell
	expect 1 unshare -m sh -c 'mount -t tmpfs -o size=512k none dir && exec "$@"' - \
		env TMPDIR=dir "$VHDXCTL" attach --snapshot image.vhdx
	says 'dir: has no room for the snapshot.*TMPDIR'
}

# An image that may be read only: what root can do, and what others need.
test_read_only_file()
{
	sample image.vhdx
	chmod 444 image.vhdx
	as_user=
	if [ "$(id -u)" = 0 ]; then
		have setpriv || skip "no setpriv"
		as_user="setpriv --reuid=65534 --regid=65534 --clear-groups"
		chmod 755 "$work" .
		$as_user "$VHDXCTL" --version || skip "others cannot run vhdxctl here"
	fi
	# shellcheck disable=SC2086 # a command before the command
	expect 1 $as_user "$VHDXCTL" attach image.vhdx
	says 'run vhdxctl as root'
	# shellcheck disable=SC2086
	expect 0 $as_user "$VHDXCTL" check image.vhdx
	chmod 400 image.vhdx
	[ "$as_user" ] || return 0
	# shellcheck disable=SC2086
	expect 8 $as_user "$VHDXCTL" check image.vhdx
	says 'image.vhdx: Permission denied'
	mkdir mnt
	in_mount()
	{
		# shellcheck disable=SC2016 # for the inner shell
		unshare -m sh -c 'mount --bind . mnt && mount -o remount,ro,bind mnt && exec "$@"' - "$@"
	}
	in_mount true || skip "cannot mount"
	expect 1 in_mount "$VHDXCTL" attach mnt/image.vhdx
	says 'attach with --read-only'
}

# With the folder "block" as /sys/block, in a mount namespace of our own.
in_namespace()
{
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m sh -c 'mount --bind block /sys/block && exec "$@"' - "$@"
}

# JSON is UTF-8 whatever files are called; tables show what the locale can.
test_names()
{
	name=$(printf 'a\377\303\244\n"\001\\z\360\237\222\276.vhdx')
	sample "$name"
	expect 0 "$VHDXCTL" info --json "$name"
	grep -q '\\ufffd' said || fail "what is no UTF-8 is not replaced"
	[ "$(json said file)" = "$(printf 'a\357\277\275\303\244\n"\001\\z\360\237\222\276.vhdx')" ] ||
		fail "name in JSON"
	expect 0 "$VHDXCTL" check --json "$name"
	json said file || fail "name in JSON"
	unshare -m true 2>/dev/null || skip "cannot make a mount namespace"
	mkdir -p block/vhdx0/vhdx
	echo "$PWD/$name" >block/vhdx0/vhdx/backing_file
	in_namespace true || skip "cannot mount over /sys/block"
	for locale in C C.UTF-8 tr_TR.UTF-8; do
		LC_ALL=$locale in_namespace "$VHDXCTL" list --json -o FILE,DISK-ID >said || fail list
		case $(json said vhdxdevices 0 file) in
		*"$(printf 'a\357\277\275\303\244\n')"*) ;;
		*) fail "name in the list's JSON" ;;
		esac
		[ "$(json said vhdxdevices 0 disk-id)" = None ] || fail "key"
	done
	LC_ALL=C in_namespace "$VHDXCTL" list -n -o FILE >said
	says '/a\\xff\\xc3\\xa4\\x0a"\\x01'
	LC_ALL=C.UTF-8 in_namespace "$VHDXCTL" list -n -o FILE >said
	says "$(printf '/a\\\\xff\303\244\\\\x0a"\\\\x01')"
}

# A made-up /sys/block with two devices.
test_list()
{
	unshare -m true 2>/dev/null || skip "cannot make a mount namespace"
	for n in 0 10; do
		mkdir -p "block/vhdx$n/vhdx" "block/vhdx$n/queue" block/sda
		echo 2097152 >block/vhdx$n/size
		echo 259:$n >block/vhdx$n/dev
		echo 0 >block/vhdx$n/ro
		echo dynamic >block/vhdx$n/vhdx/type
		echo write >block/vhdx$n/vhdx/mode
		echo 33554432 >block/vhdx$n/vhdx/block_size
		echo 7 >block/vhdx$n/vhdx/commits
		echo "$PWD/image $n.vhdx" >block/vhdx$n/vhdx/backing_file
		: >"image $n.vhdx"
	done
	in_namespace true || skip "cannot mount over /sys/block"
	expect 0 in_namespace "$VHDXCTL" list
	says '/dev/vhdx0 .*dynamic .*1G .*write .*32M .*image 0.vhdx'
	[ "$(sed -n 's,^\(/dev/vhdx[0-9]*\) .*,\1,p' said | tr '\n' ' ')" = \
		"/dev/vhdx0 /dev/vhdx10 " ] || fail order
	expect 0 in_namespace "$VHDXCTL" list --json --bytes --output NAME,SIZE,RO,COMMITS
	[ "$(json said vhdxdevices 1 size)" = 1073741824 ] || fail json
	[ "$(json said vhdxdevices 1 commits)" = 7 ] || fail json
	[ "$(json said vhdxdevices 1 ro)" = False ] || fail json
	expect 0 in_namespace "$VHDXCTL" list -n -o NAME "image 10.vhdx"
	[ "$(cat said)" = /dev/vhdx10 ] || fail "by image"
	expect 0 in_namespace "$VHDXCTL" list --raw -n -o +MAJ:MIN /dev/vhdx0
	says '259:0$'
	expect 0 in_namespace "$VHDXCTL" list --output-all --json
	# A snapshot: writes go to a child without a name.
	echo '/var/tmp/#77 (deleted)' >block/vhdx0/vhdx/backing_file
	printf '%s\n' "$PWD/image 0.vhdx" /base.vhdx >block/vhdx0/vhdx/parents
	expect 0 in_namespace "$VHDXCTL" list --json -o FILE /dev/vhdx0
	[ "$(json said vhdxdevices 0 file)" = "snapshot of $PWD/image 0.vhdx" ] || fail "snapshot"
	expect 0 in_namespace "$VHDXCTL" list -n -o NAME "image 0.vhdx"
	[ "$(cat said)" = /dev/vhdx0 ] || fail "by what it is a snapshot of"
	for name in /dev/vhdx5 /dev/vhdx00 vhdx010 /dev/vhdx /dev/vhdx-1 vhdx4294967296; do
		expect 1 in_namespace "$VHDXCTL" list $name
		says "$name: is neither a VHDX device"
	done
	expect 1 in_namespace "$VHDXCTL" attach "image 0.vhdx"
}

test_completion()
{
	have bash || skip "no bash"
	complete_words()
	{
		# shellcheck disable=SC2016 # for bash
		bash -c '. "$1"; shift
			compopt() { :; }
			COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
			_vhdxctl
			printf "%s\n" "${COMPREPLY[@]}"' - \
			"$top/tools/vhdxctl/completion/vhdxctl" "$VHDXCTL" "$@" >said
	}
	complete_words merge --in
	[ "$(cat said)" = --into= ] || fail "option of merge: $(cat said)"
	complete_words ch
	[ "$(cat said)" = check ] || fail "command: $(cat said)"
	complete_words attach --no
	[ "$(cat said)" = --no-partscan ] || fail "option: $(cat said)"
	complete_words create --type = fix
	[ "$(cat said)" = fixed ] || fail "value: $(cat said)"
	complete_words list -o BLOCK
	[ "$(cat said)" = BLOCK-SIZE ] || fail "column: $(cat said)"
	: >'an image *.vhdx'
	complete_words attach an
	[ "$(cat said)" = 'an image *.vhdx' ] || fail "file: $(cat said)"
}

# One line for each: exit status when the output is lost, and the command.
test_output_lost()
{
	[ -e /dev/full ] || skip "no /dev/full"
	sample image.vhdx
	while read -r want command; do
		for lost in full closed; do
			status=0
			# shellcheck disable=SC2086 # a command
			if [ $lost = full ]; then
				"$VHDXCTL" $command >/dev/full
			else
				"$VHDXCTL" $command >&-
			fi || status=$?
			[ $status = "$want" ] || fail "exit status $status, not $want: $command"
		done
	done <<-EOF
		1 info image.vhdx
		1 info --json image.vhdx
		1 dump --bat image.vhdx
		1 list --json
		8 check image.vhdx
		8 check --json image.vhdx
		1 --help
		1 --version
		1 info --help
		1 list --help
		1 create --version
		8 check --help
		0 create --force -s 1M new.vhdx
	EOF
}

# No image gets the number of a stream that is closed, and what is printed there.
test_closed_streams()
{
	"$out/deny_call" directory true || skip "cannot filter system calls"
	for closed in '2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		rm -f new.vhdx
		sh -c "'$out/deny_call' directory '$VHDXCTL' create -s 1M new.vhdx $closed" &&
			fail "the directory was not denied"
		expect 0 "$VHDXCTL" check new.vhdx
		says 'no errors, 0 notes'
	done
}

tests='help usage create_dynamic create_fixed create_chunks create_raw_twin create_refusals
	create_faults create_child open_devices open_without_proc force_chain force_in_use create_names create_unstable create_signal replaced_meanwhile
	overlay_model map_unscanned resolve_paths create_unique check_faults check_goes_on check_trouble foreign_images
	set_parent set_refusals merge_chains merge_cuts merge_good merge_refusals merge_after merge_progress merge_full
	dirty_image lock_qemu_writes lock_qemu_reads lock_driver_writes lock_driver_reads
	no_driver snapshot read_only_file list names completion output_lost
	closed_streams'

echo "KTAP version 1"
# shellcheck disable=SC2086 # a list
[ $# -gt 0 ] || set -- $tests
echo "1..$#"
for name; do
	mkdir "$work/$name" && cd "$work/$name" || exit 1
	ktap "$name" "test_$name"
	cd "$work" && rm -rf "${work:?}/$name"
done
echo "# $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
