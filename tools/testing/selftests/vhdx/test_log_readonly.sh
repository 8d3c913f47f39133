#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dirty images attached only for reading: replayed content, file untouched,
# also where nothing could be written.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

# shows FILE ENTRIES
shows() {
	attach -r "$CRAFTED/$1" || return 1
	if ! model --verify "$CRAFTED/$1.tsv" "$DEV" 64; then
		detach
		return 1
	fi
	[[ $(attr replayed_entries) == "$2" ]] || { attr replayed_entries; detach; return 1; }
	detach
}

model --sum "$CRAFTED"/dirty-*.vhdx >"$WORK/before"
while IFS=$'\t' read -r file _ entries; do
	[[ $entries != 0 ]] || continue
	run "${file%.vhdx}" shows "$file" "$entries"
done < <(rows "$CRAFTED/good.tsv")
run "no file changed" diff "$WORK/before" <(model --sum "$CRAFTED"/dirty-*.vhdx)

mkdir "$WORK/ro" && mount --bind "$CRAFTED" "$WORK/ro" && mount -o remount,bind,ro "$WORK/ro"
run "on a read-only file system" attach -r "$WORK/ro/dirty-several.vhdx"
run "its content" model --verify "$CRAFTED/dirty-several.vhdx.tsv" "$DEV"
run "detach" detach
reject "not for writing there" "*" vhdxctl attach "$WORK/ro/dirty-several.vhdx"
finish
