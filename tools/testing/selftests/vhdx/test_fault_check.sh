#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# "vhdxctl check" names each fault and its place, and what a reader overlooks.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

# finds FILE FAULT OFFSET
finds() {
	local out status

	out=$(vhdxctl check "$CRAFTED/$1" 2>&1)
	status=$?
	echo "exit status $status: $out"
	[[ $status == 4 ]] || return 1
	[[ $3 == - ]] && set -- "$1" "$2" ""
	grep -qE -- "$2.*$3( |:|$)" <<<"$out"
}

while IFS=$'\t' read -r file mode fault off _ _; do
	# A limit of the kernel, and a matter of attaching for writing.
	[[ $mode == both || $mode == check ]] || continue
	[[ $fault != chain-* ]] || continue
	run "${file%.vhdx}" finds "$file" "$fault" "$off"
done < <(rows "$CRAFTED/expect.tsv")
while IFS=$'\t' read -r file fault off; do
	run "${file%.vhdx}" finds "$file" "$fault" "$off"
done < <(rows "$CRAFTED/check.tsv")
while IFS=$'\t' read -r file _ _; do
	grep -q "^$file	" "$CRAFTED/check.tsv" && continue
	run "no errors in ${file%.vhdx}" vhdxctl check "$CRAFTED/$file"
done < <(rows "$CRAFTED/good.tsv")
finish
