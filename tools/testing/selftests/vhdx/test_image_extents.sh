#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An image file in very many extents, in its payload and in its BAT.
#
# VHDX_EXTENTS=N is for how many of each; VHDX_EXTENTS_DIR=DIR is where, for more
# than a RAM disk can hold: a file system with four KiB and some for each.
. "$(dirname -- "$0")/lib.sh"
setup

nr=${VHDX_EXTENTS:-4000}

# fragment FILE OFFSET: write zeros to every second page of the NR from there on
fragment() {
	python3 - "$1" "$2" "$nr" <<-'END'
		import os, sys
		file, first, nr = os.open(sys.argv[1], os.O_RDWR), int(sys.argv[2]), int(sys.argv[3])
		for number in range(nr):
		    os.pwrite(file, bytes(4096), first + number * 8192)
		    # What is dirty and adjacent may be allocated in one piece.
		    if number % 4096 == 4095:
		        os.fsync(file)
		os.fsync(file)
	END
}

# extents FILE: are there as many?
extents() {
	local got

	got=$(filefrag -v "$1" | grep -c '^ *[0-9]*: ')
	comment "${1##*/}: $got extents"
	((got >= nr))
}

# up_and_down FILE WORD: attach, write and look
up_and_down() {
	attach "$1" && "$TOP/randwrite.py" "$DEV" "$WORK/raw" 11 60 && cmp "$DEV" "$WORK/raw" &&
		detach && accepted "$1"
}

need filefrag
MNT=${VHDX_EXTENTS_DIR:-}
if [[ -z $MNT ]]; then
	have_fs ext4 || skip_all "no ext4"
	mount_disk ext4 200 || exit 1
fi

# A fixed image: 8 KiB of payload for each extent, half of them holes.
mib=$((nr / 128 + 8))
create "$MNT/payload.vhdx" "${mib}M" -t fixed --block-size 1M || exit 1
off=$(($(stat -c %s "$MNT/payload.vhdx") - mib * MIB))
fallocate --punch-hole -o $off -l $((mib * MIB)) "$MNT/payload.vhdx"
fragment "$MNT/payload.vhdx" $off
run "payload: extents" extents "$MNT/payload.vhdx"
run "payload: written and read" up_and_down "$MNT/payload.vhdx"
rm "$MNT/payload.vhdx" "$WORK/raw"

# A BAT of 8 KiB for each extent: 1024 blocks, 1 GiB of a disk. 64 TiB are 65536.
((nr <= 65536)) || nr=65536
create "$MNT/bat.vhdx" "${nr}G" --block-size 1M || exit 1
off=$(vhdxctl info --json "$MNT/bat.vhdx" | python3 -c 'import json, sys
print(*(r["offset"] for r in json.load(sys.stdin)["regions"] if r["name"] == "BAT"))')
fragment "$MNT/bat.vhdx" $((off + 4096))
run "BAT: extents" extents "$MNT/bat.vhdx"
run "BAT: attach" attach --no-partscan "$MNT/bat.vhdx" || exit 1
dd if=/dev/urandom of="$WORK/data" bs=1M count=1 status=none
run "BAT: write at the end" put $((nr * 1024 - 1)) 1
run "BAT: read it" has $((nr * 1024 - 1)) 1
run "BAT: detach" detach
attach --no-partscan "$MNT/bat.vhdx" || exit 1
run "BAT: write before that" put $((nr * 1024 - 2)) 1
equal "BAT: all of it was looked at" 2 "$(attr allocated_blocks)"
run "BAT: read again" has $((nr * 1024 - 1)) 1
run "BAT: detach again" detach
run "BAT: clean" accepted "$MNT/bat.vhdx"
rm "$MNT/bat.vhdx"
finish
