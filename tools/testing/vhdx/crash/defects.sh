#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# defects.sh [NAME...]: can the campaign fail? Each patch in defects/ is applied
# to a copy of the driver and must be found within SEEDS seeds on FS: in DRIVER
# cuts after which that driver itself recovers, or in COUNT after which libvhdx
# does. KTAP.

. "$(dirname -- "$0")/lib.sh"

SEED=${SEED:-1} SEEDS=${SEEDS:-8} DRIVER=${DRIVER:-60} COUNT=${COUNT:-1500} FS=${FS:-ext4}
WORK=$REPO/build/crash/defects

. "$HERE/../plant.sh"

# hunt NAME: its first violation
hunt() {
	local state=$WORK/$1/state log=$WORK/$1/log seed

	for ((seed = SEED; seed < SEED + SEEDS; seed++)); do
		VHDX_SRC=$WORK/$1/src VHDX_CRASH_KEEP=1 machine 800 "$state" "$DRIVER" "$FS" \
			"$seed" "$seed" >>"$log" 2>&1
		echo "the machine: status $?" >>"$log"
		grep -m1 'VIOLATION' "$log" && return
		[[ -e $state/$FS.$seed.trace ]] || continue
		"$REPO/build/vhdx-crash" cut --library -j 2 "$state/$FS.$seed.trace" "$COUNT" \
			>>"$log" 2>&1
		grep -m1 'VIOLATION' "$log" && return
		rm -f "$state/$FS.$seed.trace"
	done
	return 1
}

build_tool
mkdir -p "$WORK"
echo "KTAP version 1"
number=0 failed=0
(($#)) || { names=("$HERE"/defects/*.patch); names=("${names[@]##*/}"); set -- "${names[@]%.patch}"; }
for name; do
	if ! plant "$name" >"$WORK.log" 2>&1; then
		echo "not ok $((++number)) $name: the patch does not apply"
		sed 's/^/# /' "$WORK.log"
		failed=1
	elif found=$(hunt "$name"); then
		echo "ok $((++number)) $name is found"
		echo "# $found"
	else
		echo "not ok $((++number)) $name is not found"
		tail -n 5 "$WORK/$name/log" | sed 's/^/# /'
		failed=1
	fi
	rm -f "$WORK/$name"/state/*.trace
done
echo "1..$number"
exit $failed
