#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# 64 TiB in blocks of 1 MiB, a BAT of 512 MiB: attach looks at little of it,
# what is kept in memory is bounded, and is given back when memory is wanted.
. "$(dirname -- "$0")/lib.sh"
setup

# The cache's limit, PAGES_MAX of pages.c, and what its lists may hold besides.
MAX_PAGES=4096
SLACK=64

# touch_at COUNT: read one sector at each of COUNT random places
touch_at() {
	python3 - "$DEV" "$1" "$seed" <<-'END'
		import mmap, os, random, sys
		dev = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
		sectors = os.lseek(dev, 0, os.SEEK_END) // 4096
		rng = random.Random(int(sys.argv[3]))
		memory = mmap.mmap(-1, 4096)
		for _ in range(int(sys.argv[2])):
		    memory[:] = b"x" * 4096
		    if os.preadv(dev, [memory], rng.randrange(sectors) * 4096) != 4096:
		        sys.exit("short read")
		    if memory[:] != bytes(4096):
		        sys.exit("not zeros")
	END
}

# A page that was used is dropped at the second look, hence several.
drop_caches() {
	for _ in 1 2 3 4 5 6 7 8; do
		echo 2 >/proc/sys/vm/drop_caches
	done
}

# KiB that are in use and could not be given back. MemAvailable would not do: of a
# small page cache it counts a part only.
used_now() {
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/stat_refresh
	awk '/^(MemFree|Buffers|Cached|SReclaimable):/ { sum -= $2 } END { print sum }' /proc/meminfo
}

# The same when it has come to rest: what a device had is freed some time after it.
used() {
	local last now same

	for ((same = 0; same < 3; last = now)); do
		now=$(used_now)
		((same = ${last:-0} - now < 64 && now - ${last:-0} < 64 ? same + 1 : 0))
		sleep 0.05
	done
	echo "$now"
}

# memory_of FILE: KiB that an attach takes. Others take and give back some, too:
# of three the one in the middle counts.
memory_of() {
	local before

	for _ in 1 2 3; do
		before=$(used)
		attach --no-partscan "$1" >&2 || return
		echo $(($(used) - before))
		detach || return
	done | sort -n | sed -n 2p
}

at_most() {
	run "$1: $3, at most $2" test "$3" -le "$2"
}

at_least() {
	run "$1: $3, at least $2" test "$3" -ge "$2"
}

seed=$RANDOM
comment "seed $seed"
create "$WORK/small.vhdx" 1G --block-size 1M && create "$WORK/huge.vhdx" 64T --block-size 1M ||
	exit 1
small=$(memory_of "$WORK/small.vhdx") && huge=$(memory_of "$WORK/huge.vhdx") || exit 1
comment "KiB of memory: 1 GiB $small, 64 TiB $huge"
at_most "KiB of memory at attach, above those of 1 GiB" 2048 $((huge - small))
attach --no-partscan "$WORK/small.vhdx" || exit 1
small=$(attr metadata_pages)
detach
run "attach" attach --no-partscan "$WORK/huge.vhdx" || exit 1
equal "size" $((64 << 40)) "$(blockdev --getsize64 "$DEV")"
at_most "pages of metadata at attach" $((small + 8)) "$(attr metadata_pages)"
run "read all over it" touch_at $((MAX_PAGES + 1000))
at_least "pages after that" $((MAX_PAGES / 2)) "$(attr metadata_pages)"
at_most "pages after that" $((MAX_PAGES + SLACK)) "$(attr metadata_pages)"
drop_caches
at_most "pages when memory is wanted" 256 "$(attr metadata_pages)"

dd if=/dev/urandom of="$WORK/data" bs=4k count=1 status=none
for tib in 0 13 63; do
	run "write at $tib TiB" dd if="$WORK/data" of="$DEV" bs=4k count=1 \
		seek=$(((tib << 28) + 5)) oflag=direct conv=fsync,notrunc
done
drop_caches
run "write at the end" dd if="$WORK/data" of="$DEV" bs=4k count=1 seek=$(((64 << 28) - 1)) \
	oflag=direct conv=fsync,notrunc
run "detach" detach
run "clean" accepted "$WORK/huge.vhdx"
at_most "MiB of the file that are in use" 64 "$(($(stat -c %b "$WORK/huge.vhdx") / 2048))"
attach -r --no-partscan "$WORK/huge.vhdx" || exit 1
equal "allocated" 4 "$(attr allocated_blocks)"
for block in 5 $(((13 << 28) + 5)) $(((63 << 28) + 5)) $(((64 << 28) - 1)); do
	dd if="$DEV" of="$WORK/got" bs=4k count=1 skip="$block" status=none
	run "content at $block" cmp "$WORK/data" "$WORK/got"
done
finish
