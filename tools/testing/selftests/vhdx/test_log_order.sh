#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The order on the wire: with dm-log-writes under the file system, log entries
# are stable before the BAT changes, and the Tail passes nothing unflushed.
. "$(dirname -- "$0")/lib.sh"
setup
need dmsetup fio
modprobe -q dm_log_writes
dmsetup targets 2>/dev/null | grep -q '^log-writes' || skip_all "no dm-log-writes"

# Random writes; many blocks allocated with a flush after each, so that the
# log goes round and its Tail has to move.
load() {
	"$TOP/randwrite.py" "$DEV" "$WORK/raw" $((seed + $1)) 40 &&
		fio --name=a --filename="$DEV" --rw=write --bs=4k --zonemode=strided --zonesize=4k \
			--zonerange=8m --offset="$2" --io_size="$3" --size=2500m --ioengine=psync \
			--direct=1 --fsync=1 --minimal
}

idle() {
	for _ in $(seq 20); do
		[[ $(attr log_state) != clean ]] || return 0
		sleep 1
	done
	return 1
}

# order FS LOG: the small log makes the Tail move often
order() {
	local name=vhdx-test-$1 image=$WORK/mnt-$1/a.vhdx disk log

	disk 320 && disk=$DISK && disk 400 && log=$DISK || return 1
	dm_create "$name" "0 $(blockdev --getsz "$disk") log-writes $disk $log" || return 1
	mkdir -p "$WORK/mnt-$1"
	make_fs "$1" "$DM" && mount -t "$1" "$DM" "$WORK/mnt-$1" || return 1
	vhdxctl create -s 4G --block-size 1M "$image" && sync -f "$image" &&
		dmsetup message "$name" 0 mark attach && attach "$image" && load 1 0 640k && idle && load 2 1m 200k && detach || return 1
	sync -f "$image"
	dmsetup message "$name" 0 mark end
	"$TOP/logwrites.py" "$log" "$image" >"$WORK/order" 2>&1
	local status=$?
	cat "$WORK/order"
	accepted "$image" && umount "$WORK/mnt-$1" || status=1
	return "$status"
}

seed=$RANDOM
comment "seed $seed"
for fs in $(share_of ext4 xfs); do
	if have_fs "$fs"; then
		run "$fs" order "$fs" && comment "$(xargs <"$WORK/order")"
		detach_ours
	else
		skip "$fs" "no mkfs.$fs or no driver for it"
	fi
	rm -f "$WORK/raw"
done
finish
