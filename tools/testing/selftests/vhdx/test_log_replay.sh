#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dirty images attached for writing: replayed into the file, which is clean
# from then on and accepted by every reader. What can be refused is before that.
. "$(dirname -- "$0")/lib.sh"
setup
need_crafted

relay "$TOP/attachimages.py" replay "$CRAFTED" "$WORK"

# A log of which something is lost is not replayed in silence.
cp --sparse=always "$CRAFTED/dirty-greater-incomplete.vhdx" "$WORK/lost.vhdx"
run "vhdxctl check names what is lost" grep -q "log-entries-lost" \
	<(vhdxctl check "$WORK/lost.vhdx")
mark
run "a newer sequence is incomplete" attach "$WORK/lost.vhdx"
run "the kernel's log names it" dmesg_has "entries up to number 900 that can not be replayed"
detach

# What a power cut leaves: space got ahead of need, and a log that says how much
# of the file is in use.
create "$WORK/a.vhdx" 256M --block-size 1M && attach "$WORK/a.vhdx" || exit 1
log_idle 3600000
dd if=/dev/urandom of="$WORK/data" bs=1M count=4 status=none
put 8 4
cp --sparse=always "$WORK/a.vhdx" "$WORK/cut.vhdx"
detach
size=$(stat -c %s "$WORK/cut.vhdx")
run "power cut: space got ahead" test "$size" -ge $(($(stat -c %s "$WORK/a.vhdx") + 32 * MIB))
run "power cut: replayed" attach "$WORK/cut.vhdx"
equal "power cut: log" clean "$(attr log_state)"
equal "power cut: space is given back" "$(stat -c %s "$WORK/a.vhdx")" "$(stat -c %s "$WORK/cut.vhdx")"
run "power cut: content" has 8 4
put 30 4
run "power cut: content of new blocks" has 30 4
run "power cut: detach" detach
run "power cut: clean" accepted "$WORK/cut.vhdx"
# make_zeroed FILE: a sparse image whose log zeroes 64 MiB of it
make_zeroed() {
	python3 -c 'import sys
sys.path.insert(0, sys.argv[1])
from dirtyimages import start, bat_desc, zero_desc
from vhdxbuild import Build, MIB
b = Build()
log, logged = start(b)
log.add([zero_desc(b.grow(64 * MIB), 64 * MIB), bat_desc(b, logged)])
b.write(sys.argv[2])' "$IMAGES" "$1"
}

# little_used FILE: no more than 16 MiB of space
little_used() {
	(($(stat -c %b "$1") <= 16 * MIB / 512)) || { stat "$1"; return 1; }
}

try_zeroed() {
	make_zeroed "$2/z.vhdx" || return
	run "$1: zeros: attach" attach "$2/z.vhdx"
	run "$1: zeros: detach" detach
	run "$1: zeros: they need no space" little_used "$2/z.vhdx"
	run "$1: zeros: clean" accepted "$2/z.vhdx"
}

# untouched NAME FILE WHY COMMAND...: it fails, and FILE is as it was
untouched() {
	cp "$2" "$WORK/before"
	reject "$1: refused" "$3" "${@:4}"
	run "$1: the file is as it was" cmp "$2" "$WORK/before"
	rm "$WORK/before"
}

# A log too long to be replayed in memory first goes to the file a part at a time.
"$TOP/longlog.py" make "$WORK/long.vhdx" || exit 1
before=$(model --sum "$WORK/long.vhdx")
reject "1 GiB: too much for memory" "log-too-complex" vhdxctl attach -r "$WORK/long.vhdx"
equal "1 GiB: the file is as it was" "$before" "$(model --sum "$WORK/long.vhdx")"
run "1 GiB: attach" attach "$WORK/long.vhdx"
equal "1 GiB: entries" 3 "$(attr replayed_entries)"
equal "1 GiB: allocated" 3 "$(attr allocated_blocks)"
run "1 GiB: content" "$TOP/longlog.py" verify "$DEV"
run "1 GiB: a new block" put 800 4
run "1 GiB: detach" detach
run "1 GiB: clean" accepted "$WORK/long.vhdx"
attach -r "$WORK/long.vhdx"
run "1 GiB: content stays" "$TOP/longlog.py" verify "$DEV"
run "1 GiB: so does the new block" has 800 4
detach
rm "$WORK/long.vhdx"

limited() {
	(ulimit -f 1024; vhdxctl attach "$1")
}

try_zeroed tmpfs "$WORK"
make_zeroed "$WORK/z.vhdx"
untouched "a limit of the caller" "$WORK/z.vhdx" "File too large" limited "$WORK/z.vhdx"
rm "$WORK/z.vhdx"

# Direct I/O needs whole sectors of the disk, which the image has not.
if have_fs ext4 && modprobe -q loop && truncate -s 128M "$WORK/large" &&
		loop=$(losetup --find --show -b 4096 "$WORK/large"); then
	loops+=("$loop")
	mkdir "$WORK/mnt" && make_fs ext4 "$loop" && mount "$loop" "$WORK/mnt" || exit 1
	try_zeroed ext4 "$WORK/mnt"
	make_zeroed "$WORK/mnt/z.vhdx"
	untouched "no direct I/O" "$WORK/mnt/z.vhdx" "direct I/O" \
		vhdxctl attach --direct-io=on "$WORK/mnt/z.vhdx"
else
	skip "no direct I/O" "no ext4 on sectors of 4096 bytes here"
fi
finish
