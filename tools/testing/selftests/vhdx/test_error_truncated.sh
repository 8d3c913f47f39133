#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody cuts the image while it is attached: reads of what is gone fail and
# say why, the rest goes on.
. "$(dirname -- "$0")/lib.sh"
setup

create "$WORK/a.vhdx" 64M --block-size 1M && attach "$WORK/a.vhdx" || exit 1
dd if=/dev/urandom of="$WORK/data" bs=1M count=4 status=none
dd if="$WORK/data" of="$DEV" bs=1M oflag=direct conv=fsync status=none
detach
for option in -r --direct-io=off --direct-io=auto; do
	cp "$WORK/a.vhdx" "$WORK/b.vhdx"
	# The last block in the file is the last that was written.
	end=$(model --info "$WORK/b.vhdx" | sed -n 's/^file_size //p')
	attach $option "$WORK/b.vhdx" || exit 1
	truncate -s $((end - MIB)) "$WORK/b.vhdx"
	mark
	reject "$option: what is gone" "Input/output error" \
		dd if="$DEV" of=/dev/null bs=1M skip=3 count=1 iflag=direct
	run "$option: the kernel's log names the device" dmesg_has "${DEV#/dev/}"
	run "$option: the rest" cmp -n $((3 * MIB)) "$DEV" "$WORK/data"
	run "$option: the empty part" cmp -n $((8 * MIB)) -i $((32 * MIB)):0 "$DEV" /dev/zero
	run "$option: detach" vhdxctl detach "$DEV"
done
finish
