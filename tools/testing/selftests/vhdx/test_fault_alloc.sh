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

# By number and caller, where the kernel was booted with slab_debug=U,kmalloc-*.
# KASAN keeps what was freed until a cache is asked to shrink.
held_in_slabs() {
	local cache

	for cache in /sys/kernel/slab/kmalloc-*; do
		echo 1 >"$cache/shrink"
	done
	grep -hE '^ *[0-9]+ [A-Za-z0-9_.]+\+0x.*\[vhdx\]' /sys/kernel/debug/slab/kmalloc-*/alloc_traces 2>/dev/null |
		awk '{ print $1, $2 }'
}

# Memory that the driver's functions asked for, and its threads. What is in its own
# slab cache shows when the cache goes, with the module.
held() {
	held_in_slabs
	sed -n 's/.* \([A-Za-z0-9_.]*+0x.*\) \[vhdx\].*/vmalloc \1/p' /proc/vmallocinfo
	grep -hE '^vhdx[0-9]' /proc/[0-9]*/comm 2>/dev/null
}

# A last reference may be on its way out.
nothing_is_held() {
	local _ what

	for _ in 1 2 3 4 5; do
		what=$(held)
		[[ $what != "" ]] || return 0
		sleep 0.5
	done
	echo "$what"
	return 1
}

create "$WORK/a.vhdx" 64M && attach "$WORK/a.vhdx" || exit 1
if [[ $(held_in_slabs) == "" ]]; then
	skip "memory of an attached image is seen" "nobody knows who allocated: slab_debug=U,kmalloc-*"
else
	run "memory of an attached image is seen" grep -q vmalloc <(held)
fi
detach
for kind in ${VHDX_KINDS:-attach attach-read-only reads detach requests reserve}; do
	mkdir "$WORK/$kind"
	if [[ $kind == reserve && ! -e /sys/kernel/slab/vhdx_page/failslab ]]; then
		skip "metadata without memory" "no failslab for one cache: CONFIG_FAILSLAB"
		continue
	fi
	relay python3 "$TOP/faultalloc.py" "$WORK/$kind" "$seed" "${VHDX_FAULT_STEP:-73}" "$kind"
	run "$kind: no memory stays behind" nothing_is_held
	[[ $(echo /sys/block/vhdx*) == "" ]] || continue
	run "$kind: the module goes" rmmod vhdx
	run "$kind: and comes back" modprobe vhdx
	log_idle 300
done
finish
