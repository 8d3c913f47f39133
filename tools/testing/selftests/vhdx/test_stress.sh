#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Everything at once: reads, writes and flushes of one device, others attached
# and detached, attributes read, ioctls with bad arguments, metadata forgotten,
# logs emptied. VHDX_STRESS_SEED and VHDX_STRESS_COUNT, the number of operations of
# each thread, decide what is done.
. "$(dirname -- "$0")/lib.sh"
setup

seed=${VHDX_STRESS_SEED:-1}
count=${VHDX_STRESS_COUNT:-200}
[[ -d /sys/kernel/debug/block ]] || mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
log_idle 20
for option in --direct-io=auto --direct-io=off; do
	rm -f "$WORK"/*.vhdx
	create "$WORK/a.vhdx" 64M --block-size 1M && attach $option "$WORK/a.vhdx" || exit 1
	run "$option: seed $seed, $count operations of each" \
		"$TOP/stress.py" "$WORK" "$DEV" "$seed" "$count"
	equal "$option: nothing went wrong" write "$(attr mode)"
	dd if="$DEV" of="$WORK/raw" bs=1M iflag=direct status=none
	run "$option: detach" detach
	run "$option: clean" accepted "$WORK/a.vhdx"
	run "$option: readable" model --raw "$WORK/a.vhdx" "$WORK/again"
	run "$option: content" cmp "$WORK/raw" "$WORK/again"
	((++seed))
done
equal "nothing is left" "" "$(echo /sys/block/vhdx*)"
if [[ -e /sys/module/vhdx/refcnt ]]; then
	equal "the module is free" 0 "$(</sys/module/vhdx/refcnt)"
fi
finish
