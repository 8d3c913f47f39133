#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Disks of 4096-byte logical sectors, and both kinds on disks of both kinds.
. "$(dirname -- "$0")/lib.sh"
setup
need mkfs.ext4

create "$WORK/a.vhdx" 160M --logical-sector-size 4096 --block-size 1M && attach "$WORK/a.vhdx" ||
	exit 1
equal "logical sector" 4096 "$(blockdev --getss "$DEV")"
reject "half a sector" "*" dd if=/dev/zero of="$DEV" bs=512 count=1 oflag=direct
run "random writes" "$TOP/randwrite.py" "$DEV" "$WORK/raw" 4096 150 4096
run "read as written" cmp "$DEV" "$WORK/raw"
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"
run "our reader" model --raw "$WORK/a.vhdx" "$WORK/again"
run "same content" cmp "$WORK/raw" "$WORK/again"

attach "$WORK/a.vhdx"
run "mkfs" mkfs.ext4 -q -F "$DEV"
mkdir "$WORK/mnt"
run "mount" mount "$DEV" "$WORK/mnt"
run "write" dd if=/dev/urandom of="$WORK/mnt/x" bs=1M count=20 conv=fsync
umount "$WORK/mnt"
run "fsck" e2fsck -f -n "$DEV"
run "detach after mkfs" detach
run "clean after mkfs" accepted "$WORK/a.vhdx"
rm "$WORK/a.vhdx" "$WORK/raw" "$WORK/again"

# on_disk DISK IMAGE DIRECT: sectors of the disk below and of the image
on_disk() {
	rm -f "$WORK/raw" "$WORK/mnt/b.vhdx"
	create "$WORK/mnt/b.vhdx" 24M --logical-sector-size "$2" --block-size 1M &&
		attach "$WORK/mnt/b.vhdx" || return
	[[ $(blockdev --getss "$DEV") == "$2" && $(attr direct_io) == "$3" ]] &&
		"$TOP/randwrite.py" "$DEV" "$WORK/raw" "$1$2" 60 "$2" &&
		cmp "$DEV" "$WORK/raw" && detach && accepted "$WORK/mnt/b.vhdx" &&
		model --raw "$WORK/mnt/b.vhdx" "$WORK/again" && cmp "$WORK/raw" "$WORK/again"
}

modprobe -q loop
truncate -s 64M "$WORK/disk"
for sector in 512 4096; do
	loop=$(losetup --find --show --direct-io=off -b $sector "$WORK/disk") && loops+=("$loop") &&
		make_fs ext4 "$loop" && mount "$loop" "$WORK/mnt" || exit 1
	run "512 on $sector" on_disk $sector 512 $((sector == 512))
	run "4096 on $sector" on_disk $sector 4096 1
	detach_ours
	umount "$WORK/mnt"
done
finish
