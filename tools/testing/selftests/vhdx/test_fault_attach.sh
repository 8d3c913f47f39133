#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every crafted bad image is refused with the name of its fault and the place,
# by vhdxctl and in the kernel's log, and stays as it was.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" faults "$CRAFTED" "$WORK"
# Not on every disk can such a file be made.
truncate -s 257T "$WORK/large.vhdx" || exit 1
reject "file-too-large" file-too-large vhdxctl attach "$WORK/large.vhdx"
reject "file-too-large, read-only" file-too-large vhdxctl attach -r "$WORK/large.vhdx"
equal "nothing is attached" "" "$(echo /sys/block/vhdx*)"
finish
