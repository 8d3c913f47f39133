#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fio writes and verifies with checksums: block sizes, depths, both types.
. "$(dirname -- "$0")/lib.sh"
setup
need fio

verify() {
	fio --name=v --filename="$DEV" --ioengine=libaio --direct=1 --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --randrepeat=1 --minimal --output="$WORK/fio" \
		"$@" || { cat "$WORK/fio"; return 1; }
}

for type in dynamic fixed; do
	create "$WORK/$type.vhdx" 256M -t $type --block-size 2M && attach "$WORK/$type.vhdx" ||
		exit 1
	run "$type sequential 1M" verify --rw=write --bs=1m --size=32m --iodepth=4
	run "$type random 4k" verify --rw=randwrite --bs=4k --size=128m --io_size=6m --iodepth=32
	run "$type random 512" verify --rw=randwrite --bs=512 --size=64m --io_size=512k --iodepth=16
	run "$type random mixed sizes" verify --rw=randwrite --bsrange=512-1m --bs_unaligned=0 \
		--blockalign=512 --offset=64m --size=128m --io_size=16m --iodepth=8 --norandommap=0
	run "$type four jobs with fsync" verify --rw=randwrite --bs=16k --size=16m --io_size=3m \
		--iodepth=8 --numjobs=4 --offset_increment=40m --fsync=32 --group_reporting
	run "$type detach" detach
	run "$type clean" accepted "$WORK/$type.vhdx"
	attach -r "$WORK/$type.vhdx"
	model --raw "$WORK/$type.vhdx" "$WORK/raw"
	run "$type another reader agrees" cmp "$DEV" "$WORK/raw"
	detach
	rm -f "$WORK/raw"
done
finish
