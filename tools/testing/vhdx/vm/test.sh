#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Does `run` tell what happened in the machine? If it did not, no test that it
# runs could fail.
#
# Usage: test.sh [KERNEL]	default: 6.1

set -u
here=$(cd "$(dirname "$0")" && pwd)
kernel=${1:-6.1}

. "$here/../ktap.sh"

# expect NAME STATUS TEXT OPTION... -- COMMAND...: TEXT must be in what it prints
expect() {
	local name=$1 want=$2 text=$3 status

	shift 3
	"$here/run" --kernel "$kernel" --share "$work" "$@" >"$work/out" 2>&1
	status=$?
	echo "status $status, want $want, with '$text' in the above" >>"$work/out"
	[ "$status" = "$want" ] && head -n -1 "$work/out" | grep -qF -- "$text"
	result $? "$name" "$work/out"
}

need_root
work=$(mktemp -d "${TMPDIR:-/tmp}/vhdx-vm-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
plan 7
expect "the exit status is the command's, and its output is shown" 7 "said so" -- \
	sh -c 'echo said so; exit 7'
# shellcheck disable=SC2016  # the machine expands it
expect "the module is loaded, vhdxctl is there, the share is writable" 0 "vhdxctl" -- \
	sh -c '[ -c /dev/vhdx-control ] && vhdxctl --version && echo written >"$1/file"' sh "$work"
[ "$(cat "$work/file" 2>/dev/null)" = written ]
result $? "what was written to the share is there"
expect "a warning of the kernel is a failure" 99 "complained" -- \
	sh -c 'echo "WARNING: CPU: 0 PID: 1 at nowhere" >/dev/kmsg'
expect "a lockdep report is a failure" 99 "complained" -- \
	sh -c 'echo "WARNING: possible circular locking dependency detected" >/dev/kmsg'
expect "a machine that dies is a failure" 98 "died" -- sh -c "echo b >/proc/sysrq-trigger; sleep 60"
expect "one that hangs is ended" 124 "timeout" --timeout 30 -- sleep 1000
finish
