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

elevator() {
	local name

	for name in mq-deadline bfq none; do
		[[ $(<"$SYS/queue/scheduler") != *$name* ]] ||
			echo "$name" >"$SYS/queue/scheduler" || return 1
	done
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
