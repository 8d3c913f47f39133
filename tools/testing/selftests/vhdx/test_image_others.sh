#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every image that others wrote, byte for byte, attached only for reading and
# for reading and writing; neither changes a clean one.
. "$(dirname -- "$0")/lib.sh"
setup
need qemu-img
need_others

relay "$TOP/attachimages.py" others "$OTHERS" "$WORK"
[[ ${VHDX_TEST_SHARE:-1/1} != 1/1 ]] || equal "ten images and the end" 11 "$nr_cases"
finish
