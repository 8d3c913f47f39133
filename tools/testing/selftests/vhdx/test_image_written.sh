#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Odd but good images are written to: afterwards they hold what they held and
# what was written, and no more odd than before.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

# A MiB of data goes to the last whole MiB and to the first.
writes() {
	local file=$WORK/$1 dev_mib

	cp --sparse=always "$CRAFTED/$1" "$file" || return 1
	model --raw "$file" "$WORK/raw" || return 1
	attach "$file" || return 1
	dev_mib=$(($(blockdev --getsize64 "$DEV") / MIB))
	for seek in 0 $((dev_mib / 2)) $((dev_mib - 1)); do
		dd if="$WORK/data" of="$DEV" bs=1M count=1 seek="$seek" oflag=direct status=none &&
			dd if="$WORK/data" of="$WORK/raw" bs=1M count=1 seek="$seek" \
				conv=notrunc status=none || return 1
	done
	cmp "$DEV" "$WORK/raw" || return 1
	detach && reads_back "$file"
}

reads_back() {
	model --info "$1" | grep -q '^log clean' || return 1
	model --raw "$1" "$WORK/again" && cmp "$WORK/raw" "$WORK/again" && vhdxctl check "$1"
	local status=$?
	rm -f "$1" "$WORK/raw" "$WORK/again"
	# What was wrong before, such as a bad header, check may still report.
	((status == 0)) || { ((status == 4)) && grep -q "^${1##*/}	" "$CRAFTED/check.tsv"; }
}

dd if=/dev/urandom of="$WORK/data" bs=1M count=1 status=none
for name in plain fixed-unallocated fixed-last-beyond headers-equal headers-null \
	headers-first-newer header-first-bad header-second-bad log-stale region-first-bad \
	region-second-bad region-unknown-optional regions-last items-unknown-optional \
	bat-garbage-beyond bat-states sectors-physical-smaller sectors-4096 size-mib-512 \
	size-mib-4096 file-size-odd file-tail-unused holes-between block-1m-512 block-2m-4096 \
	block-16m-512 block-32m-4096 dirty-several dirty-last-beyond dirty-region-moved \
	dirty-log-4mib; do
	run "$name" writes "$name.vhdx" || detach >/dev/null 2>&1
done
finish
