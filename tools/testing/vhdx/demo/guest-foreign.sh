#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the machine: somebody else's dirty image, read-only and read-write, held
# against the list of its content (offset, length and sha256 of each piece).

set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
image=$2
failures=0

verify_pieces() {
	local dev=$1 off len sum

	while IFS=$'\t' read -r off len sum _; do
		case $off in
		*[!0-9]* | '') continue ;;
		esac
		[ "$(dd if="$dev" bs=1M iflag=skip_bytes,count_bytes,fullblock \
			skip="$off" count="$len" 2>/dev/null | sha256sum)" = "$sum  -" ] ||
			return 1
	done <"$image.tsv"
}

run vhdxctl attach --read-only "$image" | tee /run/dev
dev=$(tail -n 1 /run/dev)
check "log entries were replayed, in memory" [ "$(sysfs "$dev" replayed_entries)" -gt 0 ]
check "the content is right" verify_pieces "$dev"
run vhdxctl detach "$dev"
check "not a byte of the image file has changed" same_as_before "$image"
echo
run vhdxctl attach "$image" | tee /run/dev
dev=$(tail -n 1 /run/dev)
check "log entries were replayed, into the file" [ "$(sysfs "$dev" replayed_entries)" -gt 0 ]
check "the content is right" verify_pieces "$dev"
run vhdxctl detach "$dev"
[ "$failures" = 0 ]
