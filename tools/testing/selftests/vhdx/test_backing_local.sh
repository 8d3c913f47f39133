#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The image on each kind of local file system, with direct I/O or without.
. "$(dirname -- "$0")/lib.sh"
setup

# works FILE WAY DIRECT: attach, write at random, detach, see what is there
works() {
	rm -f "$1" "$WORK/raw"
	create "$1" 48M --block-size 1M && attach "--direct-io=$2" "$1" || return 1
	echo "direct_io $(attr direct_io)"
	[[ $2 == auto || $(attr direct_io) == "$3" ]] || return 1
	"$TOP/randwrite.py" "$DEV" "$WORK/raw" 7 40 && cmp "$DEV" "$WORK/raw" || return 1
	detach && model --check --clean "$1" && model --raw "$1" "$WORK/again" &&
		cmp "$WORK/raw" "$WORK/again"
}

for fs in tmpfs ext4 xfs btrfs vfat; do
	if [[ $fs == tmpfs ]]; then
		MNT=$WORK
	elif ! have_fs $fs; then
		skip "$fs" "no mkfs.$fs or no driver for it"
		continue
	else
		run "$fs mount" mount_disk $fs 320 || continue
	fi
	# tmpfs can since 6.6: a refusal says what it is about.
	if dd if=/dev/zero of="$MNT/probe" bs=4k count=1 oflag=direct status=none 2>/dev/null; then
		run "$fs --direct-io=on" works "$MNT/a.vhdx" on 1 || detach_ours
	else
		create "$MNT/a.vhdx" 16M
		reject "$fs --direct-io=on" "direct I/O" vhdxctl attach --direct-io=on "$MNT/a.vhdx"
		run "$fs --direct-io=auto" works "$MNT/a.vhdx" auto || detach_ours
	fi
	run "$fs --direct-io=off" works "$MNT/a.vhdx" off 0 || detach_ours
	rm -f "$MNT/a.vhdx" "$MNT/probe"
	[[ $MNT == "$WORK" ]] || umount "$MNT"
done
finish
