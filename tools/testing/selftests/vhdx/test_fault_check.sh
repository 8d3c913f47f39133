#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# "vhdxctl check" names each fault and its place, notes what a reader can do
# without, and finds nothing in images that are in order.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" check "$CRAFTED" "$WORK"
truncate -s 257T "$WORK/large.vhdx" || exit 1
reject "file-too-large" file-too-large vhdxctl check "$WORK/large.vhdx"
finish
