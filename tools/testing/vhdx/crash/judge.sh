#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# judge.sh IMAGE: is it an image in order, for two implementations that are not
# the driver's? The second knows no other sectors than those of 512 bytes, and
# no parents.
#
# The first is not asked with --clean: that wants headers that differ in nothing
# but their numbers. Power may fail between the two, and an attach after which
# nothing is written leaves them as they are. That the log is clean was seen.

set -u
model="$(dirname -- "$0")/../images/vhdxmodel.py"
export PYTHONDONTWRITEBYTECODE=1

python3 "$model" --check "$1" || exit 1
info=$(python3 "$model" --info "$1") || exit 1
[[ $info == *"logical_sector_size 512"* && $info != *"type differencing"* ]] || exit 0
qemu-img check -q -f vhdx "$1"
