#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# In the machine: write to a new image, remember what was acknowledged as
# stable, and lose power while more is being written. Does not return.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
work=$1
image=$work/cut.vhdx

run uname -sr
run vhdxctl create --size 256M --block-size 1M "$image"
dev=$(run vhdxctl attach "$image" | tee /dev/stderr | tail -n 1)
run mkfs.ext4 -q "$dev"
mkdir -p /mnt/demo
mount "$dev" /mnt/demo
mkdir /mnt/demo/kept
for i in 1 2 3 4; do
	head -c 1000000 /dev/urandom >"/mnt/demo/kept/$i"
done
(cd /mnt/demo && sha256sum kept/*) >"$work/kept.sha256"
umount /mnt/demo
echo "four files are in the image; their sums are kept outside"

mount "$dev" /mnt/demo
mkdir /mnt/demo/late
# Each file is named outside only after fsync said that it is stable.
for i in 1 2 3 4 5 6 7 8; do
	head -c 300000 /dev/urandom >"/mnt/demo/late/$i"
	sync "/mnt/demo/late/$i" "/mnt/demo/late"
	(cd /mnt/demo && sha256sum "late/$i") >>"$work/late.sha256"
done
sync "$work/kept.sha256" "$work/late.sha256"
echo "eight more files were written, and fsync() said that they are stable"
dd if=/dev/zero of=/mnt/demo/unfinished bs=64k count=1000 conv=fsync 2>/dev/null &
sleep 0.3
echo "while a ninth is being written: power off, now"
sleep 0.2
echo b >/proc/sysrq-trigger
sleep 60
