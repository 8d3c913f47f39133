#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A device that nobody uses for some seconds has an empty log: tools that do
# not know logs can read the image while it is attached.
. "$(dirname -- "$0")/lib.sh"
setup

becomes_clean() {
	local n

	for n in $(seq 20); do
		sleep 1
		if [[ $(attr log_state) == clean ]]; then
			echo "after $n seconds"
			return 0
		fi
	done
	return 1
}

create "$WORK/a.vhdx" 256M --block-size 1M && attach "$WORK/a.vhdx" || exit 1
equal "no log before the first write" clean "$(attr log_state)"
for round in 1 2; do
	dd if=/dev/urandom of="$WORK/data" bs=64k count=1 status=none
	run "write $round" dd if="$WORK/data" of="$DEV" bs=64k seek=$((round * 64)) conv=fsync
	equal "the log is in use $round" active "$(attr log_state)"
	run "a second reader sees a log $round" grep -qx 'log dirty' <(model --info "$WORK/a.vhdx")
	run "idle: clean by itself $round" becomes_clean
	run "a second reader sees none $round" model --check --clean "$WORK/a.vhdx"
	model --raw "$WORK/a.vhdx" "$WORK/raw"
	run "and the right content $round" cmp "$DEV" "$WORK/raw"
done
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"
finish
