#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Little memory: what is dirty on the device, and what is swapped to it, gets to
# an image whose file system and disk are in the same machine.
#
# Swapped is to a fixed image whose blocks have all been written: then a write
# needs nothing of the file system's journal, whose commit may be waiting for the
# memory that the write is to free (Documentation/block/vhdx-crash-safety.rst).
#
# Where swap has its bios from the pool that file systems take theirs from, it may
# use up all of them, and who writes to the file gets none: no device on a file goes
# on then until somebody else gives memory back. So a device that stands still is
# compared with a loop device on a raw file: what that carries we must carry. Who
# holds the memory lets go of it when the device has stood still for a while. Then
# all must come right again, on every kernel: a request that was lost would still
# be missing.
#
# VHDX_SWAP names what is swapped to: "fixed", "dynamic" or "loop".
. "$(dirname -- "$0")/lib.sh"
setup
need swapon mkswap

FREE=40		# MiB that are left to everybody

meminfo() {
	awk -v name="$1:" '$1 == name { print int($2 / 1024) }' /proc/meminfo
}

(($(meminfo MemTotal) <= 2048)) ||
	skip_all "$(meminfo MemTotal) MiB are too much to use up: run with --mem 512"
DISK_MIB=224
disk $DISK_MIB || exit 1
# A loop device on tmpfs would have its own pages swapped out.
[[ $DISK == /dev/ram* ]] || skip_all "no RAM disk: its memory can not go away"
# All of its memory is there before anybody is short of some.
dd if=/dev/zero of="$DISK" bs=1M count=$DISK_MIB oflag=direct status=none
MNT=$WORK/mnt
mkdir "$MNT"
mkfs.ext4 -q -F -E nodiscard "$DISK" ${DISK_MIB}M && mount "$DISK" "$MNT" || exit 1
create "$MNT/a.vhdx" 80M --block-size 1M || exit 1
echo -1000 >/proc/$$/oom_score_adj

# both: swap to one device while the other is written to
both() {
	local user status=0

	"$TOP/memory.py" use "$use" 1 &
	user=$!
	"$TOP/memory.py" fill "$dev" 64 3 || status=1
	wait "$user" && "$TOP/memory.py" check "$dev" 64 3 && return "$status"
}

# attach_swap KIND: sets DEV
attach_swap() {
	rm -f "$MNT"/swap.*
	case $1 in
	fixed)	create "$MNT/swap.vhdx" 96M --type fixed && attach "$MNT/swap.vhdx" &&
			dd if=/dev/zero of="$DEV" bs=1M count=96 oflag=direct conv=fsync status=none ;;
	dynamic) create "$MNT/swap.vhdx" 96M --block-size 1M && attach "$MNT/swap.vhdx" ;;
	loop)	modprobe -q loop
		dd if=/dev/zero of="$MNT/swap.raw" bs=1M count=96 conv=fsync status=none &&
			DEV=$(losetup --find --show --direct-io=on "$MNT/swap.raw") && loops+=("$DEV") ;;
	*)	echo "VHDX_SWAP: $1?"; false ;;
	esac
}

detach_swap() {
	if [[ $swap == /dev/loop* ]]; then
		unset 'loops[-1]'
		losetup -d "$swap"
		return
	fi
	equal "$kind: nothing went wrong" write "$(cat "/sys/block/${swap#/dev/}/vhdx/mode")"
	run "$kind: detach" detach "$swap"
	run "$kind: clean" accepted "$MNT/swap.vhdx"
}

# take_memory DEVICE: all but what is to be left, until DEVICE stands still
take_memory() {
	local size

	blockdev --flushbufs "$dev"
	echo 3 >/proc/sys/vm/drop_caches
	size=$(($(meminfo MemAvailable) - FREE))
	: >"$WORK/held"
	"$TOP/memory.py" hold "$size" "${1#/dev/}" >"$WORK/held" &
	holder=$!
	for _ in $(seq 1200); do
		[[ ! -s $WORK/held ]] || break
		sleep 0.05
	done
	equal "$size MiB are taken" held "$(<"$WORK/held")"
	comment "available: $(meminfo MemAvailable) MiB, free: $(meminfo MemFree) MiB"
}

# give_back: false if that has happened already
give_back() {
	kill "$holder" 2>/dev/null
	wait "$holder" 2>/dev/null
	(($? != 3))
}

# swap_to KIND: false if it stood still
swap_to() {
	local kind=$1 swap use before after status=0

	attach_swap "$kind" && mkswap -q "$DEV" || exit 1
	swap=$DEV
	take_memory "$swap"
	swapon "$swap" || exit 1
	before=$(awk '$1 == "pswpout" { print $2 }' /proc/vmstat)
	# Some of what is in use can be dropped, too.
	use=$(($(meminfo MemAvailable) + FREE + 16))
	run "$kind: $use MiB are used, in 2 rounds" "$TOP/memory.py" use $use 2
	after=$(awk '$1 == "pswpout" { print $2 }' /proc/vmstat)
	comment "$kind: $(((after - before) / 256)) MiB went out"
	run "$kind: swap and write-back at a time" both
	give_back || status=1
	((status)) || run "$kind: memory was short" test $((after - before)) -gt 2048
	run "$kind: swap is off" swapoff "$swap"
	detach_swap
	return $status
}

# loop_stands_still: one of three times, for it is a matter of luck
loop_stands_still() {
	for _ in 1 2 3; do
		swap_to loop || return 0
	done
	return 1
}

attach "$MNT/a.vhdx" || exit 1
dev=$DEV
# Who writes is held up until the device has it.
if memory_group 16M; then
	run "64 MiB from a group of 16 MiB" in_group "$TOP/memory.py" fill "$DEV" 64 1
	run "what it wrote" "$TOP/memory.py" check "$DEV" 64 1
	rmdir $GROUP
else
	skip "64 MiB from a group of 16 MiB" "no memory controller"
fi

take_memory "$dev"
run "64 MiB are written with little memory" "$TOP/memory.py" fill "$dev" 64 2
run "what was written" "$TOP/memory.py" check "$dev" 64 2

run "memory was held all the time" give_back

kind=${VHDX_SWAP:-fixed}
if swap_to "$kind"; then
	pass "$kind: swap went on with little memory"
elif loop_stands_still; then
	skip "$kind: swap went on with little memory" "nor did it to a loop device"
else
	fail "$kind: swap went on with little memory" "to a loop device it did, each time"
fi
equal "nothing went wrong" write "$(cat "/sys/block/${dev#/dev/}/vhdx/mode")"
run "detach" detach "$dev"
run "clean" accepted "$MNT/a.vhdx"
run "nobody was killed for memory" eval '! dmesg_since_mark | grep -q "Out of memory"'
finish
