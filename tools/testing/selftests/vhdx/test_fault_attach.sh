#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every crafted bad image is refused with the name of its fault and the place,
# by vhdxctl and in the kernel's log, and stays as it was.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

# refused FILE FAULT OFFSET [OPTION]...
refused() {
	local file=$1 what=$2 in_log=$2 out

	[[ $3 == - ]] || { what+=" at offset $3"; in_log+=" at $3"; }
	mark
	if out=$(vhdxctl attach "${@:4}" "$CRAFTED/$file" 2>&1); then
		vhdxctl detach "$out"
		echo "was attached"
	elif [[ $out != *"$what:"* && $out != *"$what "* ]]; then
		echo "'$what' is not in: $out"
	elif ! dmesg_since_mark | grep -qE "$in_log(:| )"; then
		echo "'$in_log' is not in the kernel's log: $(dmesg_since_mark)"
	else
		return 0
	fi
	return 1
}

model --sum "$CRAFTED"/fault-*.vhdx >"$WORK/before"
while IFS=$'\t' read -r file mode fault off _ _; do
	case $mode in
	both|ro) run "${file%.vhdx} read-only" refused "$file" "$fault" "$off" -r ;;&
	both|rw) run "${file%.vhdx}" refused "$file" "$fault" "$off" ;;
	chain)	reject "${file%.vhdx}" "*" vhdxctl attach "$CRAFTED/$file" ;;
	esac
done < <(rows "$CRAFTED/expect.tsv")
equal "nothing is attached" "" "$(echo /sys/block/vhdx*)"
run "no file changed" diff "$WORK/before" <(model --sum "$CRAFTED"/fault-*.vhdx)
finish
