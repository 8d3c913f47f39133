#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a FLUSH costs: one flush of the file and one write of the log, however
# many blocks were allocated and however many ask for it at a time.
. "$(dirname -- "$0")/lib.sh"
setup
need fio

COUNTERS=(commits log_starts log_entries log_writes data_flushes fua_flushes flushes
	fua_writes header_writes checkpoints checkpoint_writes flush_requests)

declare -A before
snapshot() {
	local name

	for name in "${COUNTERS[@]}"; do
		before[$name]=$(attr "$name")
	done
}

# delta NAME: growth of a counter since the last snapshot
delta() {
	echo $(($(attr "$1") - before[$1]))
}

# costs NAME [COUNTER=NUMBER]...: so much since the snapshot, 0 where it is not named
costs() {
	local name want got=() expected=()

	for name in "${COUNTERS[@]}"; do
		want=0
		[[ " ${*:2} " != *" $name="* ]] || { want=${*:2}; want=" $want"
			want=${want#* "$name"=}; want=${want%% *}; }
		expected+=("$name=$want")
		got+=("$name=$(delta "$name")")
	done
	equal "$1" "${expected[*]}" "${got[*]}"
}

# What is counted by what it is for adds up to what the file saw.
balance() {
	equal "$1: flushes add up" "$(delta flushes)" \
		$(($(delta data_flushes) + $(delta fua_flushes) + $(delta checkpoints) +
		   $(delta log_starts)))
}

# at_most NAME MAX GOT
at_most() {
	run "$1: $3, at most $2" test "$3" -le "$2"
}

# allocate OFFSET STEP-MIB [FIO-OPTION]...: 1000 writes to 1000 blocks that are not
# there yet, one fsync
allocate() {
	fio --name=a --filename="$DEV" --rw=write --bs=4k --zonemode=strided --zonesize=4k \
		--zonerange="$2m" --offset="$1" --io_size=4000k --size=$((1000 * $2))m \
		--ioengine=libaio --iodepth=16 --direct=1 --end_fsync=1 --minimal
}

# On a slow machine the log must not be emptied in the middle.
log_idle 3600000
create "$WORK/a.vhdx" 4G --block-size 1M && attach "$WORK/a.vhdx" || exit 1
small=$(stat -c %s "$WORK/a.vhdx")
snapshot
run "first 1000 allocations" allocate 0 1
equal "allocated" 1000 "$(attr allocated_blocks)"
# tmpfs does not write through, so a FUA write there is a write and a flush. The
# first writes of a session: GUIDs and the start of a log, two headers each.
costs "1000 allocations and one fsync, the first of a session" commits=1 log_starts=1 \
	log_entries=2 log_writes=2 header_writes=4 fua_writes=6 fua_flushes=6 \
	data_flushes=1 flush_requests=1 flushes=8
balance "first"

snapshot
run "second 1000 allocations" allocate 2000m 1
equal "allocated" 2000 "$(attr allocated_blocks)"
costs "1000 allocations and one fsync" commits=1 log_entries=1 log_writes=1 \
	data_flushes=1 flush_requests=1 fua_writes=1 fua_flushes=1 flushes=2
# In steps that grow, from 64 MiB to 1 GiB, so that they are few.
ahead=$((($(stat -c %s "$WORK/a.vhdx") - small) / MIB - 2000))
run "the file got $ahead MiB ahead of need" test "$ahead" -ge 256
at_most "MiB ahead of need" 1024 "$ahead"

snapshot
run "overwrite and flush" dd if=/dev/zero of="$DEV" bs=4k count=1 seek=0 oflag=direct conv=fsync
costs "a flush with no change of metadata" data_flushes=1 flush_requests=1 flushes=1
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"

# Each in a page of the BAT of its own, 62 of which fit one entry of this log.
create "$WORK/b.vhdx" 520G --block-size 1M && attach "$WORK/b.vhdx" || exit 1
dd if=/dev/zero of="$DEV" bs=4k count=1 seek=$((519 << 18)) oflag=direct conv=fsync status=none
snapshot
run "1000 allocations in 1000 pages" allocate 0 519
equal "commits: as few as fit them" $(((1000 + 61) / 62)) "$(delta commits)"
# An entry is at most 64 sectors long.
at_most "log writes: one for each entry, two where it goes over the end of the ring" \
	$(($(delta log_entries) + $(delta log_entries) * 64 * 4096 / MIB + 1)) \
	"$(delta log_writes)"
at_most "entries without content: where the log was full" "$(delta checkpoints)" \
	$(($(delta log_entries) - $(delta commits)))
at_most "pages written in place" $((1000 + $(delta checkpoints))) "$(delta checkpoint_writes)"
balance "many pages"
run "detach" detach
run "clean" accepted "$WORK/b.vhdx"

# --- those who ask together ---------------------------------------------------

WRITERS=8

# together OPTION...: WRITERS processes write a block of their own each and make
# it stable, while the disk below answers nothing.
together() {
	local _

	dmsetup suspend --noflush --nolockfs vhdx-test-commit
	pids=()
	for _ in $(seq $WRITERS); do
		dd if=/dev/urandom of="$DEV" bs=4k count=1 seek=$((next << 8)) status=none "$@" &
		pids+=($!)
		((++next))
	done
}

# Until all of them have asked.
asked() {
	local _

	for _ in $(seq 300); do
		(($(delta flush_requests) < WRITERS)) || return 0
		sleep 0.1
	done
	return 1
}

# Until their data is written, and all of them sleep in the kernel: in an fsync.
waiting() {
	local _ pid state

	for _ in $(seq 300); do
		sleep 0.1
		state=
		for pid in "${pids[@]}"; do
			state+=$(awk '{ print $3 }' "/proc/$pid/stat")
		done
		[[ $state != DDDDDDDD || $(delta flush_requests) == 0 ]] || return 0
	done
	echo "states $state"
	return 1
}

# Whoever is the first makes a commit. Whoever comes while it is under way, and
# everybody else did, is covered by one more.
share() {
	local pid status=0

	dmsetup resume vhdx-test-commit
	for pid in "${pids[@]}"; do
		wait "$pid" || status=1
	done
	return "$status"
}

modprobe -q dm_mod
if ! have dmsetup || ! dmsetup version >/dev/null 2>&1; then
	skip "those who ask together" "no device mapper"
	finish
fi
disk 128 || exit 1
dm_create vhdx-test-commit "0 $(blockdev --getsz "$DISK") linear $DISK 0" || exit 1
# Nothing but what the driver asks for: no journal.
mkfs.ext4 -q -F -O ^has_journal "$DM" && mkdir "$WORK/mnt" && mount "$DM" "$WORK/mnt" || exit 1
create "$WORK/mnt/c.vhdx" 1G --block-size 1M &&
	attach --direct-io=off "$WORK/mnt/c.vhdx" || exit 1
next=1
dd if=/dev/zero of="$DEV" bs=4k count=1 oflag=direct conv=fsync status=none
snapshot
together oflag=direct,dsync
run "$WRITERS FUA writes have asked" asked
run "$WRITERS FUA writes are stable" share
at_most "commits" 2 "$(delta commits)"
# The kernel lets a FLUSH follow each of them, which may cost one, too.
at_most "flushes of data" $((2 + $(delta flush_requests) - WRITERS)) "$(delta data_flushes)"
at_most "log writes" 2 "$(delta log_writes)"

snapshot
together conv=fsync
run "$WRITERS fsyncs wait" waiting
run "$WRITERS fsyncs return" share
# The block layer has two flushes of a queue under way, and makes one of the others.
queues=("/sys/block/${DEV#/dev/}/mq/"*)
at_most "commits" $((1 + 2 * ${#queues[@]})) "$(delta commits)"
at_most "flushes of data" $((1 + 2 * ${#queues[@]})) "$(delta data_flushes)"
balance "together"
equal "allocated" $((1 + 2 * WRITERS)) "$(attr allocated_blocks)"
run "detach" detach
run "clean" accepted "$WORK/mnt/c.vhdx"
finish
