#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Little memory: what is dirty on the device, and what is swapped to it, gets to
# an image whose file system and disk are in the same machine.
#
# Swapped is to a fixed image whose blocks have all been written: then a write
# needs nothing of the file system's journal, whose commit may be waiting for the
# memory that the write is to free (Documentation/block/vhdx-crash-safety.rst).
# For comparison VHDX_SWAP names another kind: "dynamic", or "loop", a loop device
# on a raw file that has been written. None is promised to come to an end.
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
	case $1 in
	fixed)	create "$MNT/swap.vhdx" 96M --type fixed && attach "$MNT/swap.vhdx" &&
			dd if=/dev/zero of="$DEV" bs=1M count=96 oflag=direct conv=fsync status=none ;;
	dynamic) create "$MNT/swap.vhdx" 96M --block-size 1M && attach "$MNT/swap.vhdx" ;;
	loop)	dd if=/dev/zero of="$MNT/swap.raw" bs=1M count=96 conv=fsync status=none &&
			DEV=$(losetup --find --show --direct-io=on "$MNT/swap.raw") && loops+=("$DEV") ;;
	*)	echo "VHDX_SWAP: $1?"; false ;;
	esac
}

swap_kind=${VHDX_SWAP:-fixed}
attach_swap "$swap_kind" && mkswap -q "$DEV" || exit 1
swap=$DEV
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

blockdev --flushbufs "$DEV"
echo 3 >/proc/sys/vm/drop_caches
# Locked memory, all but what is to be left.
size=$(($(meminfo MemAvailable) - FREE))
"$TOP/memory.py" hold "$size" >"$WORK/held" &
holder=$!
for _ in $(seq 1200); do
	[[ ! -s $WORK/held ]] || break
	sleep 0.05
done
equal "$size MiB are taken" held "$(<"$WORK/held")"
comment "available: $(meminfo MemAvailable) MiB, free: $(meminfo MemFree) MiB"
run "64 MiB are written with little memory" "$TOP/memory.py" fill "$DEV" 64 2
run "what was written" "$TOP/memory.py" check "$DEV" 64 2

swapon "$swap" || exit 1
comment "available: $(meminfo MemAvailable) MiB, free: $(meminfo MemFree) MiB"
before=$(awk '$1 == "pswpout" { print $2 }' /proc/vmstat)
# Some of what is in use can be dropped, too.
use=$(($(meminfo MemAvailable) + FREE + 16))
run "swap: $use MiB are used, in 2 rounds" "$TOP/memory.py" use $use 2
after=$(awk '$1 == "pswpout" { print $2 }' /proc/vmstat)
run "swap: $(((after - before) / 256)) MiB went out" test $((after - before)) -gt 2048
run "swap and write-back at a time" both
equal "nothing went wrong" write "$(attr mode)"
kill "$holder"
wait "$holder" 2>/dev/null
run "swap is off" swapoff "$swap"
if [[ $swap_kind != loop ]]; then
	equal "swap: nothing went wrong" write "$(cat "/sys/block/${swap#/dev/}/vhdx/mode")"
	run "swap: detach" detach "$swap"
	run "swap: clean" accepted "$MNT/swap.vhdx"
fi
run "detach" detach
run "clean" accepted "$MNT/a.vhdx"
run "nobody was killed for memory" eval '! dmesg_since_mark | grep -q "Out of memory"'
finish
