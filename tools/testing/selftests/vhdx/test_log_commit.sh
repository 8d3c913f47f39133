#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a FLUSH costs: one commit, however many blocks were allocated.
. "$(dirname -- "$0")/lib.sh"
setup
need fio

# delta NAME: growth of a counter since the last snapshot
declare -A before
snapshot() {
	local name

	for name in commits log_writes flushes fua_writes header_writes; do
		before[$name]=$(attr $name)
	done
}

delta() {
	echo $(($(attr "$1") - before[$1]))
}

# at_most NAME MAX GOT
at_most() {
	run "$1: $3, at most $2" test "$3" -le "$2"
}

# 1000 writes to 1000 blocks that are not there yet, one fsync.
allocate() {
	fio --name=a --filename="$DEV" --rw=write --bs=4k --zonemode=strided --zonesize=4k \
		--zonerange=1m --offset="$1" --io_size=4000k --size=1000m --ioengine=libaio \
		--iodepth=16 --direct=1 --end_fsync=1 --minimal
}

# On a slow machine the log must not be emptied in the middle.
log_idle 3600000
create "$WORK/a.vhdx" 4G --block-size 1M && attach "$WORK/a.vhdx" || exit 1
snapshot
run "first 1000 allocations" allocate 0
equal "allocated" 1000 "$(attr allocated_blocks)"
# The first writes of a session: GUIDs and the start of a log, twice each.
at_most "header writes of the start" 4 "$(delta header_writes)"
at_most "log writes of the start" 5 "$(delta log_writes)"

snapshot
run "second 1000 allocations" allocate 2000m
equal "allocated" 2000 "$(attr allocated_blocks)"
equal "header writes" 0 "$(delta header_writes)"
at_most "commits" 3 "$(delta commits)"
at_most "log writes" 3 "$(delta log_writes)"
at_most "flushes" 4 "$(delta flushes)"

snapshot
run "overwrite and flush" dd if=/dev/zero of="$DEV" bs=4k count=1 seek=0 oflag=direct conv=fsync
equal "commits of an overwrite" 0 "$(delta commits)"
at_most "flushes of an overwrite" 1 "$(delta flushes)"
snapshot
run "flush with nothing to do" dd if=/dev/null of="$DEV" conv=fsync,notrunc
equal "log writes of nothing" 0 "$(delta log_writes)"
at_most "flushes of nothing" 1 "$(delta flushes)"
run "detach" detach
run "clean" accepted "$WORK/a.vhdx"
finish
