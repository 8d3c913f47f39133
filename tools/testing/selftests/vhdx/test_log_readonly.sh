#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dirty images attached only for reading: replayed content, file untouched,
# also where nothing could be written.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" readonly "$CRAFTED" "$WORK"

mkdir "$WORK/ro" && mount --bind "$CRAFTED" "$WORK/ro" && mount -o remount,bind,ro "$WORK/ro"
run "on a read-only file system" attach -r "$WORK/ro/dirty-several.vhdx"
run "its content" model --verify "$CRAFTED/dirty-several.vhdx.tsv" "$DEV"
run "detach" detach
reject "not for writing there" "*" vhdxctl attach "$WORK/ro/dirty-several.vhdx"
finish
