#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# judge.sh IMAGE: is it a clean image, for two implementations that are not
# ours? The second knows no other sectors than those of 512 bytes.

set -u
model="$(dirname -- "$0")/../images/vhdxmodel.py"
export PYTHONDONTWRITEBYTECODE=1

python3 "$model" --check --clean "$1" || exit 1
[[ $(python3 "$model" --info "$1") == *"logical_sector_size 512"* ]] || exit 0
qemu-img check -q -f vhdx "$1"
