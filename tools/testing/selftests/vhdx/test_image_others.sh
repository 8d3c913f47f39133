#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every image that others wrote, byte for byte, attached only for reading and
# for reading and writing; neither changes a clean one.
. "$(dirname -- "$0")/lib.sh"
setup
need_others

# Of what has to be zero in a huge disk every 8th MiB is looked at.
stride() {
	(($(blockdev --getsize64 "$DEV") > 2048 * MIB)) && echo 8 || echo 1
}

shows() {
	attach "${@:2}" "$1" || return 1
	model --verify "$1.tsv" "$DEV" "$(stride)"
}

# A parent's path is looked up beside the child, so it needs no help.
for file in "$OTHERS"/*.vhdx; do
	[[ ! -L $file ]] || continue
	name=${file##*/}
	before=$(model --sum "$file")
	dirty=$(model --info "$file" | grep -c '^log dirty')
	if model --info "$file" | grep -q '^type differencing'; then
		reject "$name needs its parent" "chain-parent-missing" vhdxctl attach -r "$file"
	else
		run "$name read-only" shows "$file" -r
		run "$name detach" detach
	fi
	equal "$name unchanged" "$before" "$(model --sum "$file")"
	model --info "$file" | grep -q '^type differencing' && continue
	run "$name read-write" shows "$file"
	run "$name detach after it" detach
	if ((dirty)); then
		run "$name clean and accepted" accepted "$file"
	else
		equal "$name unchanged again" "$before" "$(model --sum "$file")"
	fi
done
finish
