#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Attach and detach many times, with and without writing; many at once.
. "$(dirname -- "$0")/lib.sh"
setup

cycles() {
	local n

	for n in $(seq 20); do
		attach "$WORK/a.vhdx" || return 1
		if ((n % 2)); then
			dd if=/dev/urandom of="$DEV" bs=4k count=1 seek=$((n * 256)) \
				oflag=direct status=none || return 1
		fi
		detach || return 1
	done
}

together() {
	local n pids=()

	for n in $(seq 8); do
		vhdxctl attach "$WORK/m$n.vhdx" >>"$WORK/devices" &
		pids+=($!)
	done
	wait "${pids[@]}"
	sort -u "$WORK/devices" >"$WORK/sorted"
	[[ $(wc -l <"$WORK/sorted") == 8 ]]
}

apart() {
	local dev pids=()

	while read -r dev; do
		vhdxctl detach "$dev" &
		pids+=($!)
	done <"$WORK/sorted"
	wait "${pids[@]}"
	[[ $(echo /sys/block/vhdx*) == "" ]]
}

create "$WORK/a.vhdx" 64M --block-size 1M || exit 1
run "20 times" cycles
run "clean" accepted "$WORK/a.vhdx"
equal "10 blocks written" 10 "$(model --info "$WORK/a.vhdx" | sed -n 's/allocated_blocks //p')"
for n in $(seq 8); do
	create "$WORK/m$n.vhdx" 16M || exit 1
done
run "8 at once" together
run "and back" apart
if [[ -e /sys/module/vhdx/refcnt ]]; then
	run "the module is free" test "$(cat /sys/module/vhdx/refcnt)" = 0
else
	skip "the module is free" "the driver is built in"
fi
finish
