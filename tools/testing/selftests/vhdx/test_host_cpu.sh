#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# CPUs go away and come back while requests are under way.
. "$(dirname -- "$0")/lib.sh"
setup

SWITCH=/sys/devices/system/cpu/cpu1/online
need taskset
[[ -w $SWITCH ]] || skip_all "this kernel cannot take a CPU away, or there is only one: no $SWITCH"

# online 0|1
online() {
	echo "$1" >"$SWITCH"
}

toggle() {
	online 0 && online 1
}

create "$WORK/a.vhdx" 32M --block-size 1M && attach "$WORK/a.vhdx" || exit 1
queues=("$SYS"/mq/*)
run "CPU 1 goes and comes while requests are under way" under "$DEV" 12 toggle
run "$nr_rounds times" test $nr_rounds -gt 1
run "content" cmp "$DEV" "$WORK/raw"
run "detach" detach

run "CPU 1 goes" online 0
run "attach without it" attach "$WORK/a.vhdx"
run "content without it" cmp "$DEV" "$WORK/raw"
fewer=("$SYS"/mq/*)
run "fewer queues" test ${#fewer[@]} -lt ${#queues[@]}
run "CPU 1 comes" online 1
for cpu in 0 1; do
	taskset -pc $cpu $$ >/dev/null
	run "requests from CPU $cpu" under "$DEV" 1 true || exit 1
done
taskset -pc 0,1 $$ >/dev/null
run "content with it" cmp "$DEV" "$WORK/raw"
equal "nothing went wrong" write "$(attr mode)"
run "detach with it" detach
run "clean" accepted "$WORK/a.vhdx"
finish
