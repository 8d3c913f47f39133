#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Allocations fail: of attach each N-th, of detach and requests any, and all for
# pages of metadata. Nothing stays behind, nothing acknowledged is lost.
# VHDX_FAULT_STEP is the distance of the N that are tried.
. "$(dirname -- "$0")/lib.sh"
setup
[[ -e /proc/self/fail-nth ]] || skip_all "the kernel has no fault injection: CONFIG_FAULT_INJECTION"
hung_task_limit 60

seed=${VHDX_SEED:-$RANDOM}
comment "VHDX_SEED=$seed"
log_idle 300
for kind in ${VHDX_KINDS:-attach attach-read-only detach requests reserve}; do
	mkdir "$WORK/$kind"
	if [[ $kind == reserve && ! -e /sys/kernel/slab/vhdx_page/failslab ]]; then
		skip "metadata without memory" "no failslab for one cache: CONFIG_FAILSLAB"
		continue
	fi
	relay python3 "$TOP/faultalloc.py" "$WORK/$kind" "$seed" "${VHDX_FAULT_STEP:-37}" "$kind"
done
# Its slab cache is looked at when it goes.
if [[ $(echo /sys/block/vhdx*) == "" ]]; then
	run "the module goes" rmmod vhdx
	run "and comes back" modprobe vhdx
fi
finish
