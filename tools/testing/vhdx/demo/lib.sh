# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# How the demo talks, on the host and in the machine. To be sourced by scripts
# that have $work, a folder whose name is not worth showing, and $failures.

heading() {
	printf '\n== %s ==\n\n' "$*"
}

# Show a command, then what it says.
run() {
	local status shown=${*//"$work/"/}

	echo "# ${shown//"${top:-$work}/"/}"
	"$@"
	status=$?
	[ $status = 0 ] || echo "(exit status $status)"
	return $status
}

# check TEXT COMMAND...: one line that says whether COMMAND succeeds; what it
# had to say if it does not.
check() {
	local text=$1 said
	shift

	if said=$("$@" 2>&1); then
		echo "  [ok]     $text"
		return 0
	fi
	echo "  [FAILED] $text"
	[ -z "$said" ] || tail -n 20 <<<"$said" | sed 's/^/           | /'
	failures=$((failures + 1))
	return 1
}

# attach [OPTION] IMAGE: sets dev. Without a device nothing else can be shown.
attach() {
	run vhdxctl attach "$@" | tee /run/attached
	dev=$(tail -n 1 /run/attached)
	[ -b "$dev" ] || {
		echo "  [FAILED] there is a block device"
		exit 1
	}
}

sysfs() {
	cat "/sys/block/$(basename "$1")/vhdx/$2"
}

# Was the log of the image of this device replayed when it was attached?
replayed() {
	[ "$(sysfs "$1" replayed_entries)" -gt 0 ]
}

# What the file itself holds, not what is left of it in a cache of the machine.
same_as_before() {
	[ ! -w /proc/sys/vm/drop_caches ] || echo 3 >/proc/sys/vm/drop_caches
	[ "$(sha256sum <"$1")" = "$(cat "$1.before")" ]
}
