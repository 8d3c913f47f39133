#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Disks of odd sizes, and every block size: first and last sectors, the edges
# of blocks and of the first chunk.
. "$(dirname -- "$0")/lib.sh"
setup

# A program of its own: thousands of tiny dd would take their time.
edges() {
	python3 - "$DEV" "$WORK/raw" "$1" "$2" <<-'END'
		import os, sys
		path, raw, block, sector = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
		dev = os.open(path, os.O_RDWR)
		size = os.lseek(dev, 0, os.SEEK_END)
		twin = os.open(raw, os.O_RDWR | os.O_CREAT)
		os.ftruncate(twin, size)
		chunk = sector << 23
		points = {0, size, block, 2 * block, chunk, chunk + block, size // block * block}
		for n, point in enumerate(sorted(points)):
		    low, high = max(0, point - sector), min(size, point + sector)
		    if low < high:
		        for fd in (dev, twin):
		            os.pwrite(fd, bytes([65 + n]) * (high - low), low)
		os.fsync(dev)
		for fd in (dev,):
		    for low in sorted(max(0, p - (1 << 20)) for p in points if p <= size):
		        if os.pread(fd, 2 << 20, low) != os.pread(twin, 2 << 20, low):
		            sys.exit(f"{low:#x} differs")
	END
}

# size_case NAME SIZE BLOCK SECTOR
size_case() {
	local file=$WORK/$1.vhdx

	run "$1 create" create "$file" "$2" --block-size "$3" --logical-sector-size "$4" || return
	run "$1 attach" attach "$file" || return
	equal "$1 size" "$2" "$(blockdev --getsize64 "$DEV")"
	run "$1 edges" edges "$3" "$4"
	run "$1 detach" detach
	run "$1 clean" accepted "$file"
	model --content "$file" >"$WORK/tsv"
	attach -r "$file"
	run "$1 read by both" edges_again
	detach
	rm -f "$WORK/raw" "$file"
}

edges_again() {
	[[ $(wc -l <"$WORK/tsv") -gt 1 ]] && model --verify "$WORK/tsv" "$DEV" 4096
}

# size_of NAME: disk, block, sector
size_of() {
	local gib=$((1024 * MIB)) blocks=${1#block-}

	case $1 in
	mib-and-sector)		echo $((MIB + 512)) $MIB 512 ;;
	one-sector)		echo 512 $MIB 512 ;;
	chunk-and-sector)	echo $((4 * gib + 512)) $((2 * MIB)) 512 ;;
	chunk-less-sector)	echo $((4 * gib - 512)) $MIB 512 ;;
	4096-and-sector)	echo $((MIB + 4096)) $MIB 4096 ;;
	4096-chunk)		echo $((32 * gib + 4096)) $((16 * MIB)) 4096 ;;
	block-*)		echo $((3 * ${blocks%m} * MIB + 4096)) $((${blocks%m} * MIB)) 512 ;;
	esac
}

for name in $(share_of mib-and-sector one-sector chunk-and-sector chunk-less-sector \
	4096-and-sector 4096-chunk block-{1,2,4,8,16,32,64,128,256}m); do
	# shellcheck disable=SC2046  # words
	size_case "$name" $(size_of "$name")
done
finish
