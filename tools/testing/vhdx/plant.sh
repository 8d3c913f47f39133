# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by what plants defects: needs HERE, with defects/ in it, REPO and WORK.

# plant NAME: a copy of the driver with that defect, in $WORK/NAME/src
plant() {
	rm -rf "${WORK:?}/$1"
	mkdir -p "$WORK/$1/src" "$WORK/$1/state"
	( cd "$REPO" && tar -c --exclude-from=scripts/dkms-exclude \
		dkms.conf Kbuild COPYING drivers/block/vhdx include/uapi/linux/vhdx.h ) |
		tar -x --no-same-owner -C "$WORK/$1/src" &&
		patch -s -p1 -d "$WORK/$1/src" <"$HERE/defects/$1.patch"
}
