#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Images that look odd but are in order: content, and not a byte changed.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" odd "$CRAFTED" "$WORK"
equal "nothing is attached" "" "$(echo /sys/block/vhdx*)"
finish
