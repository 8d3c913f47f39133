#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# File systems on the device: made, filled, checked, and the same next time.
. "$(dirname -- "$0")/lib.sh"
setup

fill() {
	mkdir "$1/d" && cp -r "$TOP" "$1/d/tests" &&
		dd if=/dev/urandom of="$1/large" bs=1M count=24 status=none &&
		rm -r "$1/d/tests/config" && sync -f "$1" &&
		(cd "$1" && find . -type f -exec sha256sum {} +) | sort >"$WORK/sums"
}

same() {
	(cd "$WORK/mnt" && sha256sum --quiet -c "$WORK/sums")
}

# The kernel's own or the one that FUSE serves.
mount_as() {
	if [[ $1 == ntfs ]]; then
		ntfs-3g "$2" "$3"
	else
		mount -t "$1" "$2" "$3"
	fi
}

has() {
	if [[ $1 == ntfs ]]; then
		have mkfs.ntfs && have ntfs-3g && modprobe -q fuse; [[ -e /dev/fuse ]]
	else
		have_fs "$1"
	fi
}

mkdir "$WORK/mnt"
for fs in $(share_of ext4 xfs btrfs vfat ntfs); do
	if ! has "$fs"; then
		skip "$fs" "no mkfs.$fs or no driver for it"
		continue
	fi
	file=$WORK/$fs.vhdx
	create "$file" 400M --block-size 2M && attach "$file" || exit 1
	run "$fs mkfs" make_fs "$fs" "$DEV"
	run "$fs mount" mount_as "$fs" "$DEV" "$WORK/mnt" || { detach; continue; }
	run "$fs fill" fill "$WORK/mnt"
	umount "$WORK/mnt"
	run "$fs check" check_fs "$fs" "$DEV"
	run "$fs detach" detach
	run "$fs image clean" accepted "$file"
	attach -r "$file"
	run "$fs mount read-only" mount -o ro "$DEV" "$WORK/mnt"
	run "$fs files are right" same
	umount "$WORK/mnt"
	run "$fs check again" check_fs "$fs" "$DEV"
	detach
	rm "$file"
done
finish
