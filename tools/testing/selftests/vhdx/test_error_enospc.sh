#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The file system under the image is full: a write says ENOSPC, the device
# goes on, and works again when there is room.
. "$(dirname -- "$0")/lib.sh"
setup

mkdir "$WORK/small" && mount -t tmpfs -o size=40M small "$WORK/small" || exit 1
create "$WORK/small/a.vhdx" 256M --block-size 1M && attach "$WORK/small/a.vhdx" || exit 1
dd if=/dev/urandom of="$WORK/data" bs=1M count=8 status=none
run "8 MiB fit" dd if="$WORK/data" of="$DEV" bs=1M oflag=direct conv=fsync
mark
reject "200 MiB do not" "No space left" dd if=/dev/zero of="$DEV" bs=1M seek=8 count=200 \
	oflag=direct
equal "the device stays writable" write "$(attr mode)"
run "what was written is there" cmp -n $((8 * MIB)) "$DEV" "$WORK/data"
run "written blocks take writes" dd if="$WORK/data" of="$DEV" bs=1M count=4 oflag=direct conv=fsync
run "reads elsewhere" dd if="$DEV" of=/dev/null bs=1M skip=200 count=8
mount -o remount,size=200M "$WORK/small"
run "with room again" dd if="$WORK/data" of="$DEV" bs=1M seek=100 oflag=direct conv=fsync
run "detach" detach
run "clean" accepted "$WORK/small/a.vhdx"
model --raw "$WORK/small/a.vhdx" "$WORK/raw"
run "content" cmp -n $((8 * MIB)) "$WORK/raw" "$WORK/data"
run "content of the later write" cmp -i $((100 * MIB)):0 -n $((8 * MIB)) "$WORK/raw" "$WORK/data"
finish
