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
dev=''
mkdir -p /mnt/demo

verify_files() {
	[ -s "$1" ] && (cd /mnt/demo && sha256sum --quiet -c "$1")
}

read_only() {
	attach --read-only "$image"
	run vhdxctl list
	check "the log was replayed, in memory" replayed "$dev"
	check "it mounts" mount -o ro,noload "$dev" /mnt/demo
	check "the four files have the right content" verify_files "$work/kept.sha256"
	umount /mnt/demo
	sha256sum <"$dev" >/run/content
	run vhdxctl detach "$dev"
	check "not a byte of the image file has changed" same_as_before "$image"
}

read_write() {
	attach "$image"
	run vhdxctl list
	check "the log was replayed, into the file" replayed "$dev"
	check "the disk reads as it did read-only" \
		[ "$(sha256sum <"$dev")" = "$(cat /run/content)" ]
	check "it mounts" mount "$dev" /mnt/demo
	check "the four files have the right content" verify_files "$work/kept.sha256"
	check "every file that fsync() called stable is there" verify_files "$work/late.sha256"
	run cp -r /etc/systemd /mnt/demo/new
	check "what is written can be read" diff -r --no-dereference /etc/systemd /mnt/demo/new
	run ls /mnt/demo
	run umount /mnt/demo
	check "fsck finds nothing" fsck.ext4 -f -n "$dev"
	sha256sum <"$dev" >"$image.content"
	run vhdxctl detach "$dev"
}

read_only
echo
read_write
[ "$failures" = 0 ]
