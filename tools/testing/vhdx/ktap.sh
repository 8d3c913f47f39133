# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Results in KTAP for scripts that test from outside of a machine. To be sourced.

nr=0
failed=0

# plan COUNT
plan() {
	echo "KTAP version 1"
	echo "1..$1"
}

# result STATUS NAME [LOG]: passed if STATUS is 0; else the end of LOG is shown.
result() {
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
		return
	fi
	echo "not ok $nr $2"
	failed=1
	[ $# -lt 3 ] || tail -n 40 "$3" | sed 's/^/# /'
}

# Nothing of it can run, and why.
skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

need_root() {
	[ "$(id -u)" = 0 ] || skip_all "needs root"
}

# With the status that says whether something failed.
finish() {
	exit "$failed"
}
