#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each request to the disk under the image fails, once, and with all after it:
# errors, mode, one message and one uevent, nothing acknowledged is lost.
# VHDX_FAULTS is how many requests of each kind of attach are tried, 0: all.
. "$(dirname -- "$0")/lib.sh"
setup
need mkfs.ext4
need_nbd
hung_task_limit 60

seed=${VHDX_SEED:-$RANDOM}
comment "VHDX_SEED=$seed"
log_idle 300
for variant in ${VHDX_VARIANTS:-direct buffered replay}; do
	mkdir "$WORK/$variant"
	relay python3 "$TOP/faultio.py" "$WORK/$variant" "$seed" "${VHDX_FAULTS:-4}" "$variant"
done
finish
