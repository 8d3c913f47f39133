#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Machines go down with a device attached and its log in use: afterwards the
# log is clean and what was written is there, although nobody detached. A
# machine whose power is cut leaves the log dirty: else nothing was shown.
#
# Usage: run.sh [KERNEL]	default: 6.1

set -u
top=$(cd "$(dirname "$0")/../../../.." && pwd)
kernel=${1:-6.1}
vhdxctl=$top/build/vhdxctl

. "$top/tools/testing/vhdx/ktap.sh"

# What the machine does; its last words are left in a file of the share.
guest() {
	cat <<-'END'
	set -e
	dev=$(vhdxctl attach "$1/a.vhdx")
	dd if="$1/data" of="$dev" bs=64k seek=16 conv=fsync 2>/dev/null
	cat "/sys/block/${dev#/dev/}/vhdx/log_state" >"$1/state"
	exec 9<"$dev"
	sync "$1/state"
	case $2 in
	poweroff) busybox poweroff -f ;;
	reboot) busybox reboot -f ;;
	cut) echo b >/proc/sysrq-trigger ;;
	esac
	sleep 60
	END
}

log_state() {
	"$vhdxctl" info --json "$work/a.vhdx" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["log"]["state"])'
}

has_data() {
	qemu-img convert -f vhdx -O raw "$work/a.vhdx" "$work/raw" &&
		cmp -i $((16 * 65536)):0 -n $((4 * 65536)) "$work/raw" "$work/data"
}

go_down() {
	local how=$1 want=$2

	"$vhdxctl" create --size 256M --block-size 1M --force "$work/a.vhdx" &&
		rm -f "$work/state" && head -c $((4 * 65536)) /dev/urandom >"$work/data"
	"$top/tools/testing/vhdx/vm/run" --kernel "$kernel" --timeout 300 --share "$work" -- \
		bash -c "$(guest)" guest "$work" "$how" >"$work/log" 2>&1
	[ $? = 98 ] && [ "$(cat "$work/state")" = active ]
	result $? "$how: the machine went down with a log in use" "$work/log"
	[ "$(log_state)" = "$want" ]
	result $? "$how: the log is $want" "$work/log"
	[ "$want" = clean ] || return
	"$vhdxctl" check "$work/a.vhdx" >"$work/log" 2>&1
	result $? "$how: the image is in order" "$work/log"
	has_data >"$work/log" 2>&1
	result $? "$how: another reader finds what was written" "$work/log"
}

need_root
work=$(mktemp -d "${TMPDIR:-/tmp}/vhdx-reboot.XXXXXX")
trap 'rm -rf "$work"' EXIT
plan 10
go_down poweroff clean
go_down reboot clean
go_down cut dirty
finish
