#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Devices share the image of a parent: it is in memory once, and there for as
# long as the last of them.
. "$(dirname -- "$0")/lib.sh"
setup

PARENTS=/sys/kernel/debug/vhdx/parents
[[ -d /sys/kernel/debug/block ]] || mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
[[ -e $PARENTS ]] || skip_all "debugfs is not there"
cd "$WORK" || exit 1

# field NAME FILE: of the image in that file; one line for each of its objects
field() {
	awk -v name="$1" -v file="$WORK/$2" '$NF == file {
		for (i = 1; i < NF; i++) if ($i == name) print $(i + 1) }' $PARENTS | paste -sd' '
}

# reads NAME DEVICE: what is in "raw"
reads() {
	run "$1" cmp "$2" raw
}

# A dirty parent, and children of it.
make_dirty
for n in {1..4}; do
	vhdxctl create --parent dirty.vhdx "$n.vhdx"
done

devs=()
for n in 1 2 3; do
	attach "$n.vhdx" && devs+=("$DEV")
	equal "$n devices: users" "$n" "$(field users dirty.vhdx)"
done
equal "its log was replayed once" "$(attr replayed_entries)" 0
run "and is in memory" test "$(field replayed-entries dirty.vhdx)" -gt 0
reads "one reads it" "${devs[0]}"
pages=$(field pages dirty.vhdx)
run "its tables are in memory" test "$pages" -gt 0
reads "another does" "${devs[1]}"
equal "and they are not there twice" "$pages" "$(field pages dirty.vhdx)"
dd if=/dev/urandom of="${devs[2]}" bs=4k count=9 oflag=direct status=none
reads "a child's writes are its own" "${devs[0]}"

# Who came first goes first, then who came last
detach "${devs[0]}"
equal "the first has gone: users" 2 "$(field users dirty.vhdx)"
reads "the others read on" "${devs[1]}"
reject "and nobody writes to it" "in use" vhdxctl attach dirty.vhdx
detach "${devs[2]}"
reads "the last reads on" "${devs[1]}"
attach 4.vhdx
equal "one that comes later shares it" 2 "$(field users dirty.vhdx)"
detach "${devs[1]}"
reads "also when it is alone" "$DEV"
detach
equal "nobody has it any more" "" "$(field users dirty.vhdx)"
run "so it can be written to" attach dirty.vhdx
detach
rm ./*.vhdx

# What is shared is one path, opened the same way, and fits the chain.
create base.vhdx 24M --block-size 1M
attach base.vhdx && cp raw "$DEV" && detach
for n in middle 1; do
	vhdxctl create --parent base.vhdx $n.vhdx
done
for n in 2 3; do
	vhdxctl create --parent middle.vhdx $n.vhdx
done
ln base.vhdx hard.vhdx
cp base.vhdx copy.vhdx
cp base.vhdx newer.vhdx
attach newer.vhdx && dd if=raw of="$DEV" bs=1M count=1 status=none && detach
attach 1.vhdx
attach --direct-io=off 2.vhdx
equal "other I/O: apart" "1 1" "$(field users base.vhdx)"
detach
attach 2.vhdx
equal "by a child, and by a child's child" 2 "$(field users base.vhdx)"
attach --parent middle.vhdx --parent hard.vhdx 3.vhdx
equal "another name of it: apart" "2 1" "$(field users base.vhdx) $(field users hard.vhdx)"
reads "and right" "$DEV"
detach
attach --parent middle.vhdx --parent copy.vhdx 3.vhdx
equal "a copy below a shared child" "2 1" "$(field users middle.vhdx) $(field users copy.vhdx)"
reads "a copy is right, too" "$DEV"
detach
reject "what does not fit the shared child is refused" "ESTALE chain-linkage 1" \
	"$TOP/chain.py" attach 3.vhdx middle.vhdx newer.vhdx
reject "so is nothing" "EINVAL chain-parent-missing 1" "$TOP/chain.py" attach 3.vhdx middle.vhdx
equal "after that: users" "1 2" "$(field users middle.vhdx) $(field users base.vhdx)"

# An image whose tables somebody damages is left to those who have it. The entry
# that is damaged is in no page that was read so far.
detach_ours
create wide.vhdx 2G --block-size 1M
attach wide.vhdx && dd if=raw of="$DEV" bs=1M count=1 seek=1000 status=none && detach
for n in 4 5; do
	vhdxctl create --parent wide.vhdx "$n.vhdx"
done
attach 4.vhdx
first=$DEV
bat=$(vhdxctl info --json wide.vhdx | python3 -c \
	'import json, sys; print(json.load(sys.stdin)["bat"]["offset"])')
entry=$((bat + 8 * 1000))
cp --sparse=always wide.vhdx good
printf '\xff' | dd of=wide.vhdx bs=1 seek=$((entry + 1)) conv=notrunc status=none
reject "damaged: an error" "*" dd if="$first" of=/dev/null bs=4k skip=256000 count=1 iflag=direct
equal "damaged: who has it" "failed" "$(field mode wide.vhdx)"
reject "damaged: who comes is told" "bat-reserved-bits" vhdxctl attach 5.vhdx
dd if=good of=wide.vhdx bs=1 skip="$entry" seek="$entry" count=8 conv=notrunc status=none
attach 5.vhdx
equal "whole again: apart from the one that failed" "1 1" "$(field users wide.vhdx)"
run "whole again: reads" cmp -n $MIB -i $((1000 * MIB)):0 "$DEV" raw
detach_ours

# At the same time, again and again: opened and closed by several at once.
loop() {
	local dev _

	for _ in {1..6}; do
		dev=$(vhdxctl attach "$1") || return 1
		cmp "$dev" raw || return 1
		vhdxctl detach "$dev" || return 1
	done
}

pids=()
for n in 1 2 3; do
	loop "$n.vhdx" &
	pids+=($!)
done
for n in 0 1 2; do
	run "at once: $((n + 1))" wait "${pids[n]}"
done
equal "at once: nobody has one any more" "" "$(cat $PARENTS)"
finish
