#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Disks of 4096-byte logical sectors.
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
finish
