#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# guest.sh STATE CUTS "FS..." FIRST LAST [until-violation]
# Inside of a test machine: record each seed from FIRST to LAST on each file
# system, cut power CUTS times in each run. A line per run goes to
# STATE/results; runs that have one are left out. The trace of a run with
# violations stays in STATE, and that of every run with VHDX_CRASH_KEEP. Exit 1
# if there were any.

set -u
here=$(cd -- "$(dirname -- "$0")" && pwd)
crash=$here/../../../../build/vhdx-crash
state=$1 cuts=$2 systems=$3 first=$4 last=$5 until=${6:-}
jobs=${VHDX_CRASH_JOBS:-4} limit=${VHDX_CRASH_LIMIT:-900}
status=0

die() {
	echo "guest.sh: $*" >&2
	exit 2
}

# Run "$@" and wait; what does not end is shown where it sleeps, and not waited
# for: a task that waits for I/O can not even be killed.
bounded() {
	local pid end=$((SECONDS + limit))

	"$@" &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		if ((SECONDS > end)); then
			echo "VIOLATION: no end after $limit s: $*"
			echo w >/proc/sysrq-trigger
			dmesg | tail -n 300
			return 3
		fi
		sleep 0.2
	done
	wait "$pid"
}

# one FS SEED: exit status of the cuts; 0 or 1, or else something is broken
one() {
	local file=$state/$1.$2 ret

	bounded "$crash" record "$1" "$2" "$file.trace" >"$file.log" 2>&1 || {
		cat "$file.log"
		die "$1 seed $2: cannot be recorded"
	}
	bounded "$crash" cut -j "$jobs" --judge "$here/judge.sh" "$file.trace" "$cuts" >>"$file.log" 2>&1
	ret=$?
	echo "$1 $2 $cuts: $(tail -n 1 "$file.log")" >>"$state/results"
	grep -v '^seed' "$file.log" | sed "s/^/$1 seed $2: /" | head -n 40
	[[ $ret != 0 || -n ${VHDX_CRASH_KEEP:-} ]] || rm -f "$file.trace"
	return $ret
}

modprobe nbd nbds_max=16 max_part=0 || die "no nbd"
# Waiting for grace periods is most of what a detach does here.
echo 1 >/sys/kernel/rcu_expedited
# A line for each mount is of no use to anybody.
echo N >/sys/module/printk/parameters/ignore_loglevel
dmesg -n warn
for ((seed = first; seed <= last; seed++)); do
	for fs in $systems; do
		! grep -qs "^$fs $seed $cuts: " "$state/results" || continue
		one "$fs" "$seed"
		case $? in
		0) ;;
		1) status=1; [[ -z $until ]] || exit 1 ;;
		*) die "$fs seed $seed: cannot be cut, see $state/$fs.$seed.log" ;;
		esac
	done
done
exit $status
