#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The queue is stopped and goes on while requests are under way: the device
# mapper above suspends, the block layer freezes for a new elevator or depth.
. "$(dirname -- "$0")/lib.sh"
setup

modprobe -q dm_mod

suspend() {
	dmsetup suspend "$@" vhdx-test-queue && dmsetup resume vhdx-test-queue
}

# elevators: those that this kernel has
elevators() {
	tr -d '[]' <"$SYS/queue/scheduler" | tr ' ' '\n' | grep -x -e mq-deadline -e bfq
}

elevator() {
	local name

	for name in $(elevators) none; do
		echo "$name" >"$SYS/queue/scheduler" || return 1
	done
}

# few NAME: with this elevator and so few requests at a time that each of them has
# to be given back to it in order
few() {
	echo "$1" >"$SYS/queue/scheduler" && echo 16 >"$SYS/queue/nr_requests" &&
		under "$DEV" 1 true && echo none >"$SYS/queue/scheduler"
}

depth() {
	echo 16 >"$SYS/queue/nr_requests" && echo 128 >"$SYS/queue/nr_requests"
}

create "$WORK/a.vhdx" 32M --block-size 1M && attach "$WORK/a.vhdx" || exit 1
for what in elevator depth; do
	run "a new $what while requests are under way" under "$DEV" 12 $what
	run "$what: $nr_rounds times" test $nr_rounds -gt 1
	run "$what: content" cmp "$DEV" "$WORK/raw"
done
for name in $(elevators); do
	# What has not come back now never will.
	run "$name: 16 requests at a time" few "$name" || exit 1
	run "$name: content" cmp "$DEV" "$WORK/raw"
done
if have dmsetup && dm_create vhdx-test-queue "0 $(blockdev --getsz "$DEV") linear $DEV 0"; then
	for option in --flush --noflush; do
		flag=()
		[[ $option == --flush ]] || flag=(--noflush)
			run "suspended above, $option" under "$DM" 12 suspend "${flag[@]}"
		run "$option: $nr_rounds times" test $nr_rounds -gt 1
		run "$option: content" cmp "$DM" "$WORK/raw"
	done
	reject "detach: in use by the device mapper" "*" vhdxctl detach "$DEV"
	dmsetup remove --retry vhdx-test-queue && dm_names=()
	settle
else
	skip "suspended above" "no device mapper"
fi
equal "nothing went wrong" write "$(attr mode)"
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"
run "readable" model --raw "$WORK/a.vhdx" "$WORK/again"
run "content" cmp "$WORK/raw" "$WORK/again"
finish
