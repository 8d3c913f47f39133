#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Chains with everything that their images may hold, made at random: they are
# read and written, byte for byte, and no parent changes.
. "$(dirname -- "$0")/lib.sh"
setup

seed=$RANDOM
comment "seed $seed"
run "make the chains" "$IMAGES/chainimages.py" "$WORK/chains" "$seed" || exit 1
relay "$TOP/attachimages.py" chains "$WORK/chains" "$seed"
finish
