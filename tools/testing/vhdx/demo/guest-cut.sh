#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the machine: write to a new image, remember what was acknowledged as
# stable, and lose power while more is being written. Returns only if the
# image could not be brought into a state that is worth a power cut.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
work=$1
image=$work/cut.vhdx
dev=''

# New files without end, so that there is always a block to allocate.
write_on() {
	local i

	for ((i = 1; ; i = i % 100 + 1)); do
		head -c 1500000 /dev/urandom >"/mnt/demo/unfinished-$i"
		sync "/mnt/demo/unfinished-$i"
	done
}

# Off at a moment when the log holds what is not in its place yet.
cut_power() {
	local i

	for ((i = 0; i < 1200; i++)); do
		if [ "$(sysfs "$dev" logged_pages)" -gt 0 ]; then
			echo b >/proc/sysrq-trigger
		fi
		sleep 0.05
	done
	echo "the log was never in use, for a minute"
	exit 1
}

run uname -sr
run vhdxctl create --size 256M --block-size 1M "$image"
attach "$image"
run mkfs.ext4 -q "$dev"
mkdir -p /mnt/demo
run mount "$dev" /mnt/demo
mkdir /mnt/demo/kept
for i in 1 2 3 4; do
	head -c 1000000 /dev/urandom >"/mnt/demo/kept/$i"
done
(cd /mnt/demo && sha256sum kept/*) >"$work/kept.sha256"
run umount /mnt/demo
echo "Four files are in the image; their checksums are kept outside of it."

run mount "$dev" /mnt/demo
mkdir /mnt/demo/late
# Each file is named outside only after fsync said that it is stable.
for i in 1 2 3 4 5 6 7 8; do
	head -c 300000 /dev/urandom >"/mnt/demo/late/$i"
	sync "/mnt/demo/late/$i" "/mnt/demo/late"
	(cd /mnt/demo && sha256sum "late/$i") >>"$work/late.sha256"
done
sync "$work/kept.sha256" "$work/late.sha256"
echo "Eight more files were written, and fsync() said that they are stable."
write_on &
sleep 0.3
echo "More is being written. Power off, now."
sleep 0.3
cut_power
