#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# There is no daemon: a device is there whatever is killed in user space, and an
# attach or detach that is killed is done or not done, never half.
. "$(dirname -- "$0")/lib.sh"
setup

# Groups of processes that are ours: of this test, and of whoever runs it.
own_groups() {
	local pid=$$ stat

	while ((pid > 1)); do
		stat=$(<"/proc/$pid/stat")
		# shellcheck disable=SC2086  # its words
		set -- ${stat##*) }
		echo "$3"
		pid=$2
	done
}

# kill_all: with SIGKILL, everything but kernel threads, the first process and us
kill_all() {
	local ours pid group

	ours=" $(own_groups | tr '\n' ' ') "
	killed=()
	for pid in /proc/[0-9]*; do
		[[ -n $(tr -d '\0' 2>/dev/null <"$pid/cmdline") ]] || continue
		group=$(sed 's/.*) . [0-9]* //; s/ .*//' "$pid/stat" 2>/dev/null) || continue
		[[ ${pid#/proc/} != 1 && $ours != *" $group "* ]] || continue
		killed+=("$(tr '\0' ' ' 2>/dev/null <"$pid/cmdline")")
		kill -KILL "${pid#/proc/}"
	done 2>/dev/null
}

state() {
	local name

	for name in backing_file type mode direct_io file_write_guid data_write_guid parents; do
		echo "$name $(attr $name)"
	done
	cat "$SYS/dev" "$SYS/size"
}

dd if=/dev/urandom of="$WORK/data" bs=1M count=4 status=none
[[ -S /run/udev/control ]] || { have udevadm && [[ -x /lib/systemd/systemd-udevd ]] &&
	/lib/systemd/systemd-udevd --daemon && settle; }
create "$WORK/a.vhdx" 256M --block-size 1M && attach "$WORK/a.vhdx" && put 0 4 || exit 1
state >"$WORK/before"
# Each in a group of its own: with -w it is waited for.
for n in $(seq 4); do
	setsid -w bash -c "while dd if=/dev/zero of=$DEV bs=64k seek=$((n * 640)) count=512 \
		oflag=direct status=none; do :; done" &
done
setsid -w bash -c "while dd if=$DEV of=/dev/null bs=64k status=none; do :; done" &
# The writers are at it when a block of each is there.
for n in $(seq 200); do
	(($(attr allocated_blocks) < 8)) || break
	sleep 0.05
done
kill_all
comment "killed: $(printf '%s; ' "${killed[@]}")"
run "writers, and all else that there was, were killed" test ${#killed[@]} -ge 5
state >"$WORK/after"
run "the device is as it was" cmp "$WORK/before" "$WORK/after"
run "what was stable is there" has 0 4
run "writes go on" put 8 4
run "and are there" has 8 4
# udev is gone: nobody removes what it may have left.
rm -f /run/udev/control
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"

# killed_at STEP COMMAND...: SIGKILL at a random moment of the first so many
# twentieths of a second. Whether it was too late does not matter.
killed_at() {
	local pid

	"${@:2}" >/dev/null 2>&1 &
	pid=$!
	sleep "0.0$1"
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# One device or none, and if there is one it works.
settled() {
	local devices

	devices=(/sys/block/vhdx*)
	((${#devices[@]} <= 1)) || return 1
	((${#devices[@]})) || return 0
	DEV=/dev/${devices[0]##*/} SYS=${devices[0]}
	[[ $(attr mode) == write ]] && put 0 1
}

# not_attached: whatever a killed command left is gone, or goes now
not_attached() {
	local _

	for _ in $(seq 600); do
		[[ -n $(echo /sys/block/vhdx*) ]] || return 0
		vhdxctl detach --all >/dev/null 2>&1
		sleep 0.05
	done
	return 1
}

RANDOM=7
rounds() {
	local n

	for n in $(seq 16); do
		killed_at $((RANDOM % 5)) vhdxctl attach "$WORK/a.vhdx"
		settled || { echo "round $n: after an attach"; return 1; }
		killed_at $((RANDOM % 5)) vhdxctl detach --all
		not_attached || { echo "round $n: after a detach"; return 1; }
	done
}

run "attach and detach killed 16 times" rounds
run "attach" attach "$WORK/a.vhdx"
run "content" has 8 4
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"
finish
