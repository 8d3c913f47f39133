#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Hibernation, as far as the freezer: logs are emptied before, devices go on after.
. "$(dirname -- "$0")/lib.sh"
setup
[[ -w /sys/power/pm_test && $(</sys/power/state) == *disk* ]] ||
	skip_all "this kernel has no test mode of hibernation"
TRACE=/sys/kernel/tracing
[[ -e $TRACE/trace ]] || mount -t tracefs tracefs $TRACE

# hibernate: until everything is frozen, five seconds, and back
hibernate() {
	local status=0

	echo freezer >/sys/power/pm_test
	echo disk >/sys/power/state || status=1
	echo none >/sys/power/pm_test
	return $status
}

# trace 1|0: headers being written, and what the kernel says meanwhile
trace() {
	echo "$1" >$TRACE/events/vhdx/vhdx_header_write/enable &&
		echo "$1" >$TRACE/events/printk/console/enable
}

# The LogGuid leaves both headers; later the idle timer would do that, too.
emptied_before() {
	local n

	n=$(sed '/Freezing user space/,$d' "$WORK/trace" | grep -c vhdx_header_write)
	echo "$n headers were written before the freeze"
	((n == 2))
}

write() {
	dd if=/dev/urandom of="$DEV" bs=64k count=1 seek="$1" conv=fsync status=none
}

create "$WORK/a.vhdx" 64M && attach "$WORK/a.vhdx" || exit 1
write 0
echo >$TRACE/trace
trace 1 || skip_all "this kernel does not trace"
equal "the log is in use" active "$(attr log_state)"
if ! hibernate 2>"$WORK/refusal"; then
	detach
	skip_all "this machine can not hibernate: $(<"$WORK/refusal")"
fi
trace 0
grep -v '^#' $TRACE/trace >"$WORK/trace"
run "a freeze was seen" grep -q "Freezing user space" "$WORK/trace"
run "the log was emptied before the freeze" emptied_before
equal "nothing went wrong" write "$(attr mode)"
run "writes go on" write 800
equal "the log is in use again" active "$(attr log_state)"
cp "$DEV" "$WORK/raw"
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"
run "readable" model --raw "$WORK/a.vhdx" "$WORK/again"
run "content" cmp "$WORK/raw" "$WORK/again"
finish
