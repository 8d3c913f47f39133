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

# What a power cut leaves: space got ahead of need, and a log that says how much
# of the file is in use.
create "$WORK/a.vhdx" 256M --block-size 1M && attach "$WORK/a.vhdx" || exit 1
log_idle 3600000
dd if=/dev/urandom of="$WORK/data" bs=1M count=4 status=none
put 8 4
cp --sparse=always "$WORK/a.vhdx" "$WORK/cut.vhdx"
detach
size=$(stat -c %s "$WORK/cut.vhdx")
run "power cut: space got ahead" test "$size" -ge $(($(stat -c %s "$WORK/a.vhdx") + 32 * MIB))
run "power cut: replayed" attach "$WORK/cut.vhdx"
equal "power cut: log" clean "$(attr log_state)"
equal "power cut: space is given back" "$(stat -c %s "$WORK/a.vhdx")" "$(stat -c %s "$WORK/cut.vhdx")"
run "power cut: content" has 8 4
put 30 4
run "power cut: content of new blocks" has 30 4
run "power cut: detach" detach
run "power cut: clean" accepted "$WORK/cut.vhdx"
finish
