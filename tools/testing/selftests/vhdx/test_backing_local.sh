#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The image on each kind of local file system, with direct I/O or without.
. "$(dirname -- "$0")/lib.sh"
setup

# works FILE OPTION: attach, write at random, detach, and check what is there
works() {
	rm -f "$1" "$WORK/raw"
	create "$1" 64M --block-size 1M && attach "$2" "$1" || return 1
	echo "direct_io $(attr direct_io)"
	[[ $2 != --direct-io=off || $(attr direct_io) == 0 ]] || return 1
	[[ $2 != --direct-io=on || $(attr direct_io) == 1 ]] || return 1
	"$TOP/randwrite.py" "$DEV" "$WORK/raw" 7 80 && cmp "$DEV" "$WORK/raw" || return 1
	detach && accepted "$1" && model --raw "$1" "$WORK/again" && cmp "$WORK/raw" "$WORK/again"
}

for fs in tmpfs ext4 xfs btrfs vfat; do
	if [[ $fs == tmpfs ]]; then
		MNT=$WORK
	elif ! have_fs $fs || ! mount_disk $fs 400; then
		skip "$fs" "no mkfs.$fs or no driver for it"
		continue
	fi
	for dio in auto off; do
		run "$fs --direct-io=$dio" works "$MNT/a.vhdx" --direct-io=$dio || detach_ours
	done
	# tmpfs can since 6.6, vfat only for aligned files: a refusal says so.
	if dd if=/dev/zero of="$MNT/probe" bs=4k count=1 oflag=direct status=none 2>/dev/null; then
		run "$fs --direct-io=on" works "$MNT/a.vhdx" --direct-io=on || detach_ours
	else
		reject "$fs --direct-io=on" "direct I/O" vhdxctl attach --direct-io=on "$MNT/a.vhdx"
	fi
	rm -f "$MNT/a.vhdx" "$MNT/probe"
	[[ $MNT == "$WORK" ]] || umount "$MNT"
done
finish
