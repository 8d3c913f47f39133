#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The disk under the image fails: errors reach the writer, what was stable
# before stays, and the image can be attached again afterwards.
. "$(dirname -- "$0")/lib.sh"
setup
need dmsetup mkfs.ext4
modprobe -q dm_mod
dmsetup version >/dev/null 2>&1 || skip_all "no device mapper"

# zeros MIB: is the MiB there empty?
zeros() {
	dd if="$DEV" of="$WORK/got" bs=1M skip="$1" count=1 iflag=direct status=none &&
		cmp -n "$MIB" "$WORK/got" /dev/zero
}

disk 256 || exit 1
fragile_disk vhdx-test-io || exit 1
# The journal's file system must not go away on errors: no journal.
mkfs.ext4 -q -F -O ^has_journal "$DM" && mkdir "$WORK/mnt" &&
	mount -o errors=continue "$DM" "$WORK/mnt" || exit 1
image=$WORK/mnt/a.vhdx
create "$image" 128M --block-size 1M && attach "$image" || exit 1
dd if=/dev/urandom of="$WORK/data" bs=1M count=6 status=none
run "6 MiB are stable" dd if="$WORK/data" of="$DEV" bs=1M oflag=direct conv=fsync
mark
run "the disk fails" fragile_breaks
reject "writes fail" "Input/output error" \
	dd if=/dev/zero of="$DEV" bs=1M seek=20 count=2 oflag=direct conv=fsync
reject "reads fail" "Input/output error" \
	dd if="$DEV" of=/dev/null bs=1M count=1 iflag=direct
run "what is not allocated needs no disk" zeros 64
run "the kernel's log names the device" dmesg_has "${DEV#/dev/}"
run "mode is one of the ladder" grep -qxE 'write|read-only|failed' "$SYS/vhdx/mode"
run "the disk is back" fragile_works
comment "detach: $(vhdxctl detach "$DEV" 2>&1)"
equal "detached" "" "$(echo /sys/block/vhdx*)"
run "attach again" attach "$image"
run "what was stable is there" cmp -n $((6 * MIB)) "$DEV" "$WORK/data"
run "writable" dd if="$WORK/data" of="$DEV" bs=1M seek=40 oflag=direct conv=fsync
run "detach" detach
run "clean" accepted "$image"
umount "$WORK/mnt"
# The errors above are meant: only the driver's own warnings count.
finish
