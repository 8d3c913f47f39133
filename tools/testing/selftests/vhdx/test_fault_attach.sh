#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every crafted bad image is refused with the name of its fault and the place,
# by vhdxctl and in the kernel's log, and stays as it was.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" faults "$CRAFTED" "$WORK"
equal "nothing is attached" "" "$(echo /sys/block/vhdx*)"
finish
