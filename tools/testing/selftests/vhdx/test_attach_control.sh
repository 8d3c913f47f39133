#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The control interface refuses what it does not know.
. "$(dirname -- "$0")/lib.sh"
setup

create "$WORK/a.vhdx" 16M && create "$WORK/b.vhdx" 16M || exit 1
before=$(model --sum "$WORK/a.vhdx" "$WORK/b.vhdx")
relay "$TOP/control.py" "$WORK/a.vhdx" "$WORK/b.vhdx"
equal "all cases ran" 25 "$nr_cases"
equal "nothing is attached" "" "$(echo /sys/block/vhdx*)"
equal "no file changed" "$before" "$(model --sum "$WORK/a.vhdx" "$WORK/b.vhdx")"
equal "only root may open it" 600 "$(stat -c %a /dev/vhdx-control)"
finish
