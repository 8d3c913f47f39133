#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An attached image looks as the image says: size, sectors, limits, state.
. "$(dirname -- "$0")/lib.sh"
setup

queue() {
	cat "$SYS/queue/$1"
}

create "$WORK/a.vhdx" 300M --block-size 4M || exit 1
run "attach" attach "$WORK/a.vhdx" || exit 1
attach_dev=$DEV
equal "size" $((300 * MIB)) "$(blockdev --getsize64 "$DEV")"
equal "logical sector" 512 "$(queue logical_block_size)"
equal "physical sector" 4096 "$(queue physical_block_size)"
equal "chunk_sectors is the block" $((4 * MIB / 512)) "$(queue chunk_sectors)"
equal "write cache" "write back" "$(queue write_cache)"
equal "FUA" 1 "$(queue fua)"
equal "not rotational" 0 "$(queue rotational)"
equal "writable" 0 "$(blockdev --getro "$DEV")"
equal "backing_file" "$WORK/a.vhdx" "$(attr backing_file)"
equal "type" dynamic "$(attr type)"
equal "block_size" $((4 * MIB)) "$(attr block_size)"
equal "log_state" clean "$(attr log_state)"
equal "allocated_blocks" 0 "$(attr allocated_blocks)"
equal "depth" 1 "$(attr depth)"
id=$(model --info "$WORK/a.vhdx" | sed -n 's/^virtual_disk_id //p')
equal "virtual_disk_id" "$id" "$(attr virtual_disk_id)"
run "lsblk knows it" grep -qE '^vhdx[0-9]+ disk 314572800$' \
	<(lsblk -bndro NAME,TYPE,SIZE "$DEV")
run "list names it" grep -q "$WORK/a.vhdx" <(vhdxctl list)
# shellcheck disable=SC2016  # $f is a variable of jq
run "list --json names it" jq -e --arg f "$WORK/a.vhdx" '.. | strings | select(. == $f)' \
	<(vhdxctl list --json)
run "unallocated reads are zeros" cmp -n $((16 * MIB)) "$DEV" /dev/zero
run "detach" detach
run "the device is gone" test ! -e "/sys/block/${attach_dev#/dev/}"

create "$WORK/b.vhdx" 64M -t fixed --logical-sector-size 4096 || exit 1
before=$(model --sum "$WORK/b.vhdx")
run "attach read-only, 4096-byte sectors" attach -r "$WORK/b.vhdx"
equal "read-only" 1 "$(blockdev --getro "$DEV")"
equal "mode" read-only "$(attr mode)"
equal "logical sector 4096" 4096 "$(queue logical_block_size)"
reject "a write is refused" "" dd if=/dev/zero of="$DEV" bs=4096 count=1 oflag=direct
run "detach by file name" vhdxctl detach "$WORK/b.vhdx"
equal "the file is as before" "$before" "$(model --sum "$WORK/b.vhdx")"

# A path of two lines, and a backslash.
odd=$WORK/two$'\n'lines\\.vhdx
create "$odd" 16M && attach "$odd" || exit 1
equal "a newline in the path" "$WORK/two\\012lines\\134.vhdx" "$(attr backing_file)"
run "a newline in the path: list has one line for it" test "$(vhdxctl list -n | wc -l)" = 1
run "a newline in the path: detach by file name" vhdxctl detach "$odd"
finish
