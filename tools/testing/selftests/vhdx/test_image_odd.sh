#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Images that look odd but are in order: content, and not a byte changed.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

# shows FILE [OPTION]...
shows() {
	local file=$CRAFTED/$1 stride=1 size

	attach "${@:2}" "$file" || return 1
	size=$(blockdev --getsize64 "$DEV")
	((size <= 512 * MIB)) || stride=64
	# Of the largest disks only what is there, and the ends.
	if ((size <= 64 * 1024 * MIB)); then
		model --verify "$file.tsv" "$DEV" "$stride"
	else
		sparse_shows "$file"
	fi || { detach; return 1; }
	detach
}

sparse_shows() {
	local off length sum

	while IFS=$'\t' read -r off length sum; do
		[[ $(dd if="$DEV" bs=1M skip=$((off / MIB)) count=1 status=none | sha256sum) == "$sum"* ]] ||
			{ echo "$off of $length bytes differs"; return 1; }
	done < <(rows "$1.tsv")
}

model --sum "$CRAFTED"/*.vhdx >"$WORK/before"
while IFS=$'\t' read -r file mode entries; do
	[[ $entries == 0 ]] || continue
	run "${file%.vhdx} read-only" shows "$file" -r
	if [[ $mode == both ]]; then
		run "${file%.vhdx}" shows "$file"
	else
		reject "${file%.vhdx} cannot be written" "*" vhdxctl attach "$CRAFTED/$file"
	fi
done < <(rows "$CRAFTED/good.tsv")
equal "nothing is attached" "" "$(echo /sys/block/vhdx*)"
run "no file changed" diff "$WORK/before" <(model --sum "$CRAFTED"/*.vhdx)
finish
