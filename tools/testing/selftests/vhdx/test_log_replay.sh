#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dirty images attached for writing: replayed into the file, which is clean
# from then on and accepted by every reader.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" replay "$CRAFTED" "$WORK"
finish
