#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dirty images attached for writing: replayed into the file, which is clean
# from then on and accepted by every reader.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" replay "$CRAFTED" "$WORK"

# A log of which something is lost is not replayed in silence.
cp --sparse=always "$CRAFTED/dirty-greater-incomplete.vhdx" "$WORK/lost.vhdx"
run "vhdxctl check names what is lost" grep -q "log-entries-lost" \
	<(vhdxctl check "$WORK/lost.vhdx")
mark
run "a newer sequence is incomplete" attach "$WORK/lost.vhdx"
run "the kernel's log names it" dmesg_has "entries up to number 900 that can not be replayed"
detach

finish
