#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A write to the image file comes back short, in the middle of a sector: what the
# writer was told is there is there, and not what the parent holds.
. "$(dirname -- "$0")/lib.sh"
setup
modprobe -q fuse
[[ -e /dev/fuse ]] || skip_all "no /dev/fuse: CONFIG_FUSE_FS"

# message TAKE: three sectors of 4096 bytes; the file system takes so many bytes
message() {
	python3 -c 'import sys
sys.stdout.write(f"take {sys.argv[1]};".ljust(12288, "x"))' "$1"
}

write() {
	message "$1" | dd of="$DEV" bs=12288 seek="$2" iflag=fullblock oflag=direct status=none
}

# read_back TAKE PLACE
read_back() {
	dd if="$DEV" bs=12288 skip="$2" count=1 iflag=direct status=none | cmp - <(message "$1")
}

mkdir "$WORK/behind" "$WORK/fuse"
base=$WORK/base.vhdx
create "$base" 64M --logical-sector-size 4096 --block-size 1M && attach "$base" || exit 1
tr '\0' p </dev/zero | dd of="$DEV" bs=1M count=4 iflag=fullblock oflag=direct status=none
detach
vhdxctl create --parent "$base" "$WORK/behind/leaf.vhdx" || exit 1
run "serve" "$TOP/shortfs.py" "$WORK/behind/leaf.vhdx" "$WORK/fuse" || finish

# each FUNCTION WHAT: where the first call takes more than a sector
each() {
	local place=0 take

	for take in 4608 8192 11776; do
		run "$take bytes at first: $2" "$1" $take $place
		((place += 2))
	done
}

# With direct I/O the file system would write the rest by itself.
run "attach" attach --direct-io=off --parent "$base" "$WORK/fuse/leaf.vhdx" || finish
each write write
each read_back read
reject "less than a sector is an error" "*" write 512 6
equal "mode" write "$(attr mode)"
run "detach" detach
run "attach again" attach -r --parent "$base" "$WORK/fuse/leaf.vhdx"
each read_back "read again"
detach
run "clean" vhdxctl check "$WORK/behind/leaf.vhdx"
umount "$WORK/fuse"
finish
