#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Odd but good images are written to: afterwards they hold what they held and
# what was written, and no more odd than before.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" written "$CRAFTED" "$WORK"
finish
