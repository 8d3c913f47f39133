#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Snapshots: what is written goes to a child that goes away or stays, and the
# images below do not change.
. "$(dirname -- "$0")/lib.sh"
setup

cd "$WORK" || exit 1
mkdir room
export TMPDIR=$WORK/room

# used: bytes that are used where snapshots go
used() {
	df --output=used -B1 room | tail -n 1
}

# overwrites NAME [OPTION]... IMAGE: a snapshot of an image that looks as "raw"
# does is written to, reads as written, and leaves no trace.
overwrites() {
	local name=$1 before free

	shift
	before=$(model --sum "$WORK"/*.vhdx)
	free=$(used)
	attach --snapshot "$@" || { fail "$name: attach"; return 1; }
	run "$name: shows the image" cmp "$DEV" raw
	cp raw twin
	run "$name: is written to" "$TOP/randwrite.py" "$DEV" twin 5 20
	run "$name: reads as written" cmp "$DEV" twin
	run "$name: takes space" test "$(used)" -gt "$free"
	run "$name: detach" detach
	equal "$name: the space is free again" "$free" "$(used)"
	equal "$name: nothing has changed" "$before" "$(model --sum "$WORK"/*.vhdx)"
	equal "$name: nothing is left" "" "$(ls room)"
}

mount -t tmpfs -o size=64m none room
make_dirty
vhdxctl create --parent base.vhdx child.vhdx
overwrites "of a clean image" base.vhdx
overwrites "of a dirty image" dirty.vhdx
overwrites "of a child" child.vhdx
mkdir other
mv base.vhdx other/Base.vhdx
overwrites "--parent-dir" --parent-dir other child.vhdx
overwrites "--parent" --parent other/Base.vhdx child.vhdx
mv other/Base.vhdx base.vhdx

# What is shown, who may use the image

attach --snapshot base.vhdx
first=$DEV
equal "list: what it is of" "snapshot of $WORK/base.vhdx" \
	"$(vhdxctl list -n --raw -o FILE "$DEV" | sed 's/\\x20/ /g')"
equal "list: by the image" "$DEV" "$(vhdxctl list -n -o NAME base.vhdx)"
equal "type, depth, parents" "differencing 2 $WORK/base.vhdx" \
	"$(attr type) $(attr depth) $(attr parents)"
equal "a file without a name" 1 "$(attr backing_file | grep -c "^$TMPDIR/.* (deleted)$")"
attach --snapshot base.vhdx
second=$DEV
dd if=/dev/urandom of="$DEV" bs=4k count=1 oflag=direct status=none
run "two at a time know nothing of each other" cmp "$first" raw
reject "the image is not written to" "attached already" vhdxctl attach base.vhdx
run "but read" attach -r base.vhdx
detach
detach "$second"
run "detach by the image" vhdxctl detach base.vhdx
attach base.vhdx
reject "an image that is written to is in use" "in use" vhdxctl attach --snapshot child.vhdx
reject "itself, too" "in use" vhdxctl attach --snapshot base.vhdx
detach
reject "not with --read-only" "excludes" vhdxctl attach --snapshot -r base.vhdx

# A file that stays

attach --snapshot=kept.vhdx --no-partscan base.vhdx
cp raw twin
run "a file: is written to" "$TOP/randwrite.py" "$DEV" twin 6 20
detach
attach kept.vhdx
run "a file: is attached again" cmp "$DEV" twin
detach
reject "a file: is not replaced" "exists" vhdxctl attach --snapshot=kept.vhdx base.vhdx
attach base.vhdx
reject "a file: in use" "in use" vhdxctl attach --snapshot=other.vhdx base.vhdx
detach
run "a file: is not left behind" test ! -e other.vhdx

# Room

umount room
mount -t tmpfs -o size=1m none room
reject "no room for a snapshot" "has no room for the snapshot" vhdxctl attach --snapshot base.vhdx
umount room
mount -t tmpfs -o size=8m none room
attach --snapshot base.vhdx
reject "no room for what is written" "No space left on device" \
	dd if=/dev/zero of="$DEV" bs=1M count=20 oflag=direct status=none
run "the rest is there" cmp -i 9M "$DEV" raw
mark
reject "no room for the log: nothing is promised" "nothing of it stays" detach
run "no room for the log: nor by the kernel" dmesg_has "it goes with the file"
create full.vhdx 24M --block-size 1M && mv full.vhdx room && attach room/full.vhdx
dd if=/dev/zero of="$DEV" bs=1M count=20 oflag=direct status=none 2>/dev/null
reject "no room for the log of a file: it is told of the replay" "at the next attach" detach
run "no room for the log of a file: by the kernel, too" dmesg_has "replayed at the next attach"
if have_fs vfat && mount_disk vfat 64; then
	TMPDIR=$MNT attach --snapshot base.vhdx
	equal "a file system without O_TMPFILE: nothing is seen" "" "$(ls "$MNT")"
	run "and it is written to" dd if=/dev/urandom of="$DEV" bs=1M count=2 oflag=direct status=none
	detach
else
	skip "a file system without O_TMPFILE" "no vfat"
fi
finish
