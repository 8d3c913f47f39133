#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# How parents are found, what is said when they are not, who may use them
# meanwhile, and what is shown of a chain.
. "$(dirname -- "$0")/lib.sh"
setup

cd "$WORK" || exit 1

# shows NAME OPTION...: attaches to "base" read by the last word, and detaches
shows() {
	local name=$1

	shift
	attach -r "$@" || { fail "$name"; return 1; }
	equal "$name" base "$(head -c 4 "$DEV")"
	detach
}

# locator FILE KEY VALUE...: another locator for a child
locator() {
	"$TOP/chain.py" locator "$@"
}

mkdir -p vm/disks base
create base/Base.vhdx 16M
attach base/Base.vhdx && printf base | dd of="$DEV" conv=notrunc status=none && detach
vhdxctl create --parent base/Base.vhdx vm/disks/child.avhdx

# The ways to the parent

shows "the relative path" vm/disks/child.avhdx
(cd vm/disks && attach -r child.avhdx && equal "from another folder" base "$(head -c 4 "$DEV")")
detach_ours
mkdir moved && cp vm/disks/child.avhdx moved/
mv moved/child.avhdx moved.avhdx
shows "the absolute path" moved.avhdx
for value in 'relative_path ..\..\base\BASE.VHDX' 'relative_path ../../base/Base.vhdx' \
	"absolute_win32_path \\\\?\\${WORK:1}\\base\\base.vhdx"; do
	locator vm/disks/child.avhdx "${value%% *}" "${value#* }"
	shows "${value#* }" vm/disks/child.avhdx
done
for value in 'volume_path \\?\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\x\Base.vhdx' \
	'absolute_win32_path \\?\D:\hyper-v\Base.vhdx' 'absolute_win32_path D:\hyper-v\base.VHDX' \
	'absolute_win32_path \\?\UNC\server\share\x\Base.vhdx' \
	'absolute_win32_path \\server\share\Base.vhdx'; do
	locator vm/disks/child.avhdx "${value%% *}" "${value#* }"
	reject "not there: ${value#* }" "chain-parent-missing" vhdxctl attach -r vm/disks/child.avhdx
	shows "in --parent-dir: ${value#* }" --parent-dir base vm/disks/child.avhdx
	cp base/Base.vhdx vm/disks/
	shows "beside the child: ${value#* }" vm/disks/child.avhdx
	rm vm/disks/Base.vhdx
done
mkdir -p other/hyper-v && cp base/Base.vhdx other/hyper-v
locator vm/disks/child.avhdx absolute_win32_path 'C:\Hyper-V\Base.vhdx'
shows "the path below --parent-dir" --parent-dir /nowhere --parent-dir other vm/disks/child.avhdx
shows "--parent" --parent other/hyper-v/Base.vhdx vm/disks/child.avhdx

# The first key that leads to the parent counts.
cp base/Base.vhdx vm/disks/wrong.vhdx
attach vm/disks/wrong.vhdx && printf newer | dd of="$DEV" conv=notrunc status=none && detach
locator vm/disks/child.avhdx relative_path '.\wrong.vhdx' absolute_win32_path \
	"\\\\?\\${WORK:1}\\base\\Base.vhdx"
shows "a second key, when the first leads to another file" vm/disks/child.avhdx
found=$(vhdxctl attach -r vm/disks/child.avhdx 2>&1 >/dev/null)
detach_ours
equal "and the first is spoken of" 1 "$(grep -c 'relative_path: .*wrong.vhdx is not the parent' <<<"$found")"

# What is said

locator vm/disks/child.avhdx relative_path '.\nothing.vhdx'
reject "missing: key and path" "child.avhdx: relative_path: $WORK/vm/disks/nothing.vhdx: No such file" \
	vhdxctl attach vm/disks/child.avhdx
want=$(model --info "$WORK/base/Base.vhdx" | sed -n 's/^data_write_guid //p')
have=$(model --info "$WORK/vm/disks/wrong.vhdx" | sed -n 's/^data_write_guid //p')
reject "changed: both GUIDs" "wrong.vhdx is not the parent, or was changed since: its DataWriteGuid is $have, wanted is $want" \
	vhdxctl attach --parent vm/disks/wrong.vhdx vm/disks/child.avhdx
reject "the driver refuses it, too" "ESTALE chain-linkage 0" \
	"$TOP/chain.py" attach vm/disks/child.avhdx vm/disks/wrong.vhdx
reject "a parent for an image without" "has no parent" \
	vhdxctl attach --parent vm/disks/wrong.vhdx base/Base.vhdx
reject "a parent that is no VHDX" "file-too-small" \
	vhdxctl attach --parent "$TOP/lib.sh" vm/disks/child.avhdx

# An image leads to files; a device is opened when --parent names it.
modprobe -q loop
device=$(losetup --find --show --read-only base/Base.vhdx) || exit 1
ln -s "$device" vm/disks/device.vhdx
locator vm/disks/child.avhdx relative_path '.\device.vhdx'
reject "an image does not lead to a device" "device.vhdx: is not a regular file" \
	vhdxctl attach -r vm/disks/child.avhdx
shows "a parent on a device, with --parent" --parent "$device" vm/disks/child.avhdx
losetup -d "$device"

# Longer chains

rm -rf vm other moved* && cp base/Base.vhdx 0.vhdx
for n in {1..64}; do
	vhdxctl create --parent $((n - 1)).vhdx "$n.vhdx" || fail "create $n"
done
attach -r 63.vhdx || fail "64 images"
equal "64 images" base "$(head -c 4 "$DEV")"
equal "depth" 64 "$(attr depth)"
equal "parents" "$WORK/62.vhdx" "$(attr parents | head -n 1)"
equal "all of them" 63 "$(attr parents | wc -l)"
detach
long=$WORK/$(printf '%0200d' 0)
mkdir "$long" && mount --bind "$WORK" "$long"
run "long paths: attach" attach -r "$long/63.vhdx"
equal "long paths: the first" "$long/62.vhdx" "$(attr parents | head -n 1)"
run "long paths: a page of them" test "$(attr parents | wc -l)" -ge 15
run "long paths: each is whole" test -z "$(attr parents | sed '$d' | grep -v "^$long/[0-9]*\.vhdx$")"
equal "long paths: there are more" "..." "$(attr parents | tail -n 1)"
detach && umount "$long"
reject "65 images" "longer than 64 images" vhdxctl attach -r 64.vhdx
reject "64 images and a snapshot" "longer than 64 images" \
	vhdxctl attach --snapshot=snapshot.vhdx 63.vhdx
run "of which nothing is left" test ! -e snapshot.vhdx
mapfile -t all < <(printf '%d.vhdx\n' {64..0})
reject "65 images, the driver" "EINVAL" "$TOP/chain.py" attach "${all[@]}"
reject "the root is missing, the driver" "EINVAL chain-parent-missing 1" \
	"$TOP/chain.py" attach 2.vhdx 1.vhdx
reject "one is left out, the driver" "ESTALE chain-linkage 1" \
	"$TOP/chain.py" attach 3.vhdx 2.vhdx 0.vhdx
reject "one too many, the driver" "EINVAL chain-parent-unused 1" \
	"$TOP/chain.py" attach 1.vhdx 0.vhdx base/Base.vhdx

# Twice in a chain, and a loop: an image is its own parent, by a GUID that it
# cannot have had then. Another name does not make it another file.
vhdxctl create --parent 0.vhdx loop.vhdx
"$TOP/chain.py" link loop.vhdx
ln loop.vhdx hard.vhdx
ln -s loop.vhdx soft.vhdx
for name in loop hard soft; do
	locator loop.vhdx relative_path ".\\$name.vhdx"
	reject "a loop: $name" "chain-duplicate: relative_path" vhdxctl attach -r loop.vhdx
	reject "--parent: $name" "chain-duplicate: --parent" \
		vhdxctl attach -r --parent $name.vhdx loop.vhdx
	reject "the driver: $name" "ELOOP chain-duplicate 1" \
		"$TOP/chain.py" attach loop.vhdx $name.vhdx
done
reject "twice, further below, the driver" "ELOOP chain-duplicate 2" \
	"$TOP/chain.py" attach 2.vhdx 1.vhdx 2.vhdx

# Who may use a parent

attach 2.vhdx || exit 1
first=$DEV
vhdxctl create --parent 1.vhdx sibling.vhdx
attach sibling.vhdx && pass "two children of one parent"
equal "list: depth and parents" "3 $WORK/1.vhdx, $WORK/0.vhdx" \
	"$(vhdxctl list -n --raw -o DEPTH,PARENTS "$DEV" | sed 's/\\x20/ /g')"
equal "list: JSON" 1 "$(vhdxctl list -J -o DEPTH "$DEV" | grep -c '"depth": *3')"
printf two | dd of="$first" conv=notrunc status=none
equal "one writes, the other does not see it" base "$(head -c 4 "$DEV")"
equal "the one" twoe "$(head -c 4 "$first")"
detach
reject "a parent in use is not written to" "in use" vhdxctl attach 0.vhdx
reject "by the driver" "EBUSY" "$TOP/chain.py" write 0.vhdx
run "but read" attach -r 0.vhdx
detach "$(vhdxctl list -n -o NAME 0.vhdx)"
detach "$first"
attach 0.vhdx
reject "one that is written to is no parent" "in use" vhdxctl attach 1.vhdx
reject "nor for the driver" "EBUSY" "$TOP/chain.py" attach 1.vhdx 0.vhdx
detach
run "afterwards it is" attach -r 1.vhdx
detach

# A parent that was cut off is replayed in memory and stays as it is.
make_dirty
vhdxctl create --parent dirty.vhdx of-dirty.vhdx
before=$(model --sum "$WORK/dirty.vhdx")
attach of-dirty.vhdx
run "a dirty parent shows what its log says" cmp "$DEV" raw
run "and can be written over" dd if=/dev/urandom of="$DEV" bs=4k count=9 oflag=direct status=none
detach
equal "it did not change" "$before" "$(model --sum "$WORK/dirty.vhdx")"

# The file alone shows no parent, what its log says does.
"$TOP/chain.py" adopt adopted.vhdx 0.vhdx
reject "a parent by the log, the driver" "EINVAL chain-parent-missing 0" \
	"$TOP/chain.py" attach adopted.vhdx
run "a parent by the log is found" attach adopted.vhdx
equal "and listed" "2 $WORK/0.vhdx" "$(vhdxctl list -n --raw -o DEPTH,PARENTS "$DEV")"
equal "and read" base "$(head -c 4 "$DEV")"
detach

# info

run "info --chain" vhdxctl info --chain of-dirty.vhdx
equal "info --chain names all" 2 "$(vhdxctl info --chain --json of-dirty.vhdx | grep -c '"virtual_size"')"
mv dirty.vhdx gone
reject "info --chain, a parent is gone" "chain-parent-missing" vhdxctl info --chain of-dirty.vhdx
run "info --chain --parent" vhdxctl info --chain --parent gone of-dirty.vhdx
finish
