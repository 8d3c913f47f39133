#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the machine: the dirty image read-only, then read-write.

set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
work=$1
image=$2
failures=0
mkdir -p /mnt/demo

verify_files() {
	(cd /mnt/demo && sha256sum --quiet -c "$1")
}

read_only() {
	local dev

	run vhdxctl attach --read-only "$image" | tee /run/dev
	dev=$(tail -n 1 /run/dev)
	run vhdxctl list
	check "log entries were replayed, in memory" [ "$(sysfs "$dev" replayed_entries)" -gt 0 ]
	check "it mounts" mount -o ro,noload "$dev" /mnt/demo
	check "the four files have the right content" verify_files "$work/kept.sha256"
	umount /mnt/demo
	sha256sum <"$dev" >/run/content
	run vhdxctl detach "$dev"
	check "not a byte of the image file has changed" same_as_before "$image"
}

read_write() {
	local dev

	run vhdxctl attach "$image" | tee /run/dev
	dev=$(tail -n 1 /run/dev)
	run vhdxctl list
	check "log entries were replayed, into the file" [ "$(sysfs "$dev" replayed_entries)" -gt 0 ]
	check "the disk reads as it did read-only" [ "$(sha256sum <"$dev")" = "$(cat /run/content)" ]
	check "it mounts" mount "$dev" /mnt/demo
	check "the four files have the right content" verify_files "$work/kept.sha256"
	check "every file that was acknowledged as stable is there" \
		verify_files "$work/late.sha256"
	run ls /mnt/demo
	run cp -r /usr/share/common-licenses /mnt/demo/new
	run umount /mnt/demo
	check "fsck finds nothing" fsck.ext4 -f -n "$dev"
	sha256sum <"$dev" >"$image.content"
	run vhdxctl detach "$dev"
}

read_only
echo
read_write
[ "$failures" = 0 ]
