#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# defects.sh [NAME...]: can the campaign fail? Each patch in defects/ is applied
# to a copy of the driver and must be found within SEEDS seeds on FS: in DRIVER
# cuts after which that driver itself recovers, or in COUNT after which libvhdx
# does. A patch that says "Nested: 1" is about recovery: each of its DRIVER cuts is
# followed by cuts of that. KTAP; what was found is not looked for again.

. "$(dirname -- "$0")/lib.sh"

SEED=${SEED:-1} SEEDS=${SEEDS:-8} DRIVER=${DRIVER:-60} COUNT=${COUNT:-1500} FS=${FS:-ext4}
WORK=$REPO/build/crash/defects
# shellcheck disable=SC2034  # it is for plant.sh
DEFECTS=("$HERE"/defects/*.patch)

. "$HERE/../plant.sh"

# hunt NAME: its first violation
hunt() {
	local state=$WORK/$1/state log=$WORK/$1/log seed nested

	nested=$(sed -n 's/^Nested: //p' "$(patch_of "$1")")
	for ((seed = SEED; seed < SEED + SEEDS; seed++)); do
		VHDX_SRC=$WORK/src VHDX_CRASH_KEEP=1 VHDX_CRASH_NESTED=$nested \
			machine 800 "$state" "$DRIVER" "$FS" "$seed" "$seed" >>"$log" 2>&1
		echo "the machine: status $?" >>"$log"
		! grep -m1 'VIOLATION' "$log" || break
		[[ -e $state/$FS.$seed.trace ]] || continue
		"$REPO/build/vhdx-crash" cut --library -j 2 "$state/$FS.$seed.trace" "$COUNT" \
			>>"$log" 2>&1
		! grep -m1 'VIOLATION' "$log" || break
		rm -f "$state/$FS.$seed.trace"
	done
	rm -f "$state"/*.trace
	grep -q 'VIOLATION' "$log" || { echo "not found"; tail -n 5 "$log"; return 1; }
}

build_tool
try_all hunt "$@"
