# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by the scripts here: folders, the machine, what was found.

set -u
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
REPO=$(cd -- "$HERE/../../../.." && pwd -P)
KERNEL=${KERNEL:-uml}
export LC_ALL=C

die() {
	echo "${0##*/}: $*" >&2
	exit 2
}

# What the results depend on: driver and campaign.
sources_key() {
	( cd "$REPO" && find drivers/block/vhdx include/uapi tools/lib/vhdx tools/testing/vhdx/crash \
		-type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.patch' \) ! -name '*.mod.c' \
		-exec sha256sum {} + | sort -k2 | sha256sum | cut -c1-12 )
}

build_tool() {
	make -s -C "$REPO" tools crash-tool || die "the tools cannot be built"
}

# machine SECONDS STATE ARGUMENT...: guest.sh in a test machine
machine() {
	local limit=$1 state=$2

	shift 2
	TMPDIR='' "$REPO/tools/testing/vhdx/vm/run" --kernel "$KERNEL" --cpus 1 --timeout "$limit" \
		--share "$state" -- "$HERE/guest.sh" "$state" "$@"
}

# total FILE WORD: sum of the numbers behind WORD in the results
total() {
	sed -n "s/.* $2: \([0-9]*\).*/\1/p" "$1" | awk '{ n += $1 } END { print n + 0 }'
}
