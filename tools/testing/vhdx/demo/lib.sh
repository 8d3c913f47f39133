# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# How the demo talks, on the host and in the machine. To be sourced.

failures=${failures:-0}

heading() {
	printf '\n== %s ==\n\n' "$*"
}

# Show a command, then what it says.
run() {
	local status

	printf '# %s\n' "${*//"$PWD/"/}"
	"$@"
	status=$?
	[ $status = 0 ] || echo "(exit status $status)"
	return $status
}

# check TEXT COMMAND...: one line that says whether COMMAND succeeds.
check() {
	local text=$1
	shift

	if "$@" >/dev/null 2>&1; then
		echo "  [ok]     $text"
	else
		echo "  [FAILED] $text"
		failures=$((failures + 1))
	fi
}

# Is the log of the image "clean" or "dirty"?
is_log() {
	local image=$1 state=$2

	"${vhdxctl:-vhdxctl}" info --json "$image" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["log"]["state"])' |
		grep -qx "$state"
}

same_as_before() {
	[ "$(sha256sum <"$1")" = "$(cat "$1.before")" ]
}

sysfs() {
	cat "/sys/block/$(basename "$1")/vhdx/$2"
}
