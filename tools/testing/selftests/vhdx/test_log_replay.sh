#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dirty images attached for writing: replayed into the file, which is clean
# from then on and accepted by every reader.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

data_write_guid() {
	model --info "$1" | grep '^data_write_guid'
}

# replays FILE ENTRIES
replays() {
	local file=$WORK/$1 data_write status=0

	cp --sparse=always "$CRAFTED/$1" "$file" || return 1
	data_write=$(data_write_guid "$file")
	attach "$file" || return 1
	[[ $(attr replayed_entries) == "$2" ]] || { attr replayed_entries; status=1; }
	[[ $(attr log_state) == clean ]] || { attr log_state; status=1; }
	model --verify "$CRAFTED/$1.tsv" "$DEV" 64 || status=1
	detach && accepted "$file" || status=1
	# Replay alone is no change that a user of the disk could see.
	[[ $(data_write_guid "$file") == "$data_write" ]] || { echo "new DataWriteGuid"; status=1; }
	model --content "$file" | cmp - "$CRAFTED/$1.tsv" || status=1
	rm "$file"
	return "$status"
}

while IFS=$'\t' read -r file _ entries; do
	[[ $entries != 0 ]] || continue
	run "${file%.vhdx}" replays "$file" "$entries"
done < <(rows "$CRAFTED/good.tsv")
finish
