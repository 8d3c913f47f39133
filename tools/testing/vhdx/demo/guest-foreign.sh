#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the machine: somebody else's dirty image, read-only and read-write, held
# against the list of its content (offset, length and sha256 of each piece).

set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
# shellcheck disable=SC2034 # run() leaves it out of what it shows
work=$1
image=$2
failures=0
dev=''

verify_pieces() {
	local off len sum nr=0

	while IFS=$'\t' read -r off len sum _ || [ -n "$off" ]; do
		case $off in
		*[!0-9]* | '') continue ;;
		esac
		[ "$(dd if="$dev" bs=1M iflag=skip_bytes,count_bytes,fullblock \
			skip="$off" count="$len" 2>/dev/null | sha256sum)" = "$sum  -" ] || {
			echo "$len bytes at $off are not what they should be"
			return 1
		}
		nr=$((nr + 1))
	done <"$image.tsv"
	[ "$nr" -gt 0 ]
}

attach --read-only "$image"
check "the log was replayed, in memory" replayed "$dev"
check "the content is right" verify_pieces
run vhdxctl detach "$dev"
check "not a byte of the image file has changed" same_as_before "$image"
echo
attach "$image"
check "the log was replayed, into the file" replayed "$dev"
check "the content is right" verify_pieces
run vhdxctl detach "$dev"
[ "$failures" = 0 ]
