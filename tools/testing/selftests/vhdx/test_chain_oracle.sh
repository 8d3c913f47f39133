#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Chains that vhdxctl makes, one child after the other: random writes go to each
# and to a raw twin, which every reader has to find in the chain afterwards, and in
# its root once the chain was merged.
. "$(dirname -- "$0")/lib.sh"
setup

vhdi=
/usr/bin/python3 -c 'import pyvhdi' 2>/dev/null && vhdi=1

# blocks IMAGE STATE: how many it has
blocks() {
	vhdxctl info "$1" | awk -v state="$2:" '$1 == state { print $2; exit }'
}

# step NAME IMAGE SECTOR [SIZE]: what the twin holds shows, and what is written to both
step() {
	local name=$1 image=$2 before

	before=$(model --sum "$WORK"/*.vhdx)
	attach "$image" || { fail "$name: attach"; return 1; }
	truncate -s "$(blockdev --getsize64 "$DEV")" "$WORK/raw"
	run "$name: shows its parents" cmp "$DEV" "$WORK/raw"
	run "$name: writes" "$TOP/randwrite.py" "$DEV" "$WORK/raw" $((seed++)) 60 "$3"
	run "$name: reads as written" cmp "$DEV" "$WORK/raw"
	run "$name: detach" detach
	[[ $before != "$(model --sum "$WORK"/*.vhdx)" ]] || fail "$name: nothing was written"
}

# readers NAME IMAGE
readers() {
	run "$1: clean" accepted "$2"
	run "$1: our reader" model --raw "$2" "$WORK/again" &&
		run "$1: same content" cmp "$WORK/raw" "$WORK/again"
	rm -f "$WORK/again"
	if [[ -n $vhdi ]]; then
		run "$1: libvhdi" /usr/bin/python3 "$TOP/vhdichain.py" --raw "$WORK/raw" "$2"
	else
		skip "$1: libvhdi" "no pyvhdi"
	fi
}

# merged NAME INTO IMAGE SECTOR: the driver shows the same of both, and they can be written to
merged() {
	attach "$3" || { fail "$1: attach of the child"; return 1; }
	run "$1: the child shows the same" cmp "$DEV" "$WORK/raw"
	reject "$1: what is attached is not merged" "is attached" vhdxctl merge "$3"
	run "$1: detach" detach
	readers "$1" "$2"
	step "$1" "$2" "$4"
	reject "$1: the child is stale" chain-linkage vhdxctl attach "$3"
}

# chain NAME SECTOR BASE-OPTIONS BLOCK-SIZE...: a child for each further size
chain() {
	local name=$1 sector=$2 base=$3 n=0 image into

	shift 3
	# shellcheck disable=SC2086  # words
	create "$WORK/0.vhdx" 24M --logical-sector-size "$sector" $base
	step "$name 0" "$WORK/0.vhdx" "$sector"
	for size; do
		image=$WORK/$((++n)).vhdx
		vhdxctl create --parent "$WORK/$((n - 1)).vhdx" --block-size "$size" "$image" ||
			fail "$name $n: create"
		step "$name $n" "$image" "$sector"
	done
	readers "$name" "$image"
	reject "$name: a parent is not written to" "*" \
		sh -c "vhdxctl attach -r $image >/dev/null && vhdxctl attach $WORK/0.vhdx"
	detach_ours
	# A long one into its root, the others into the parent.
	into=$WORK/$((n > 3 ? 0 : n - 1)).vhdx
	run "$name: merge" vhdxctl merge --into "$into" "$image"
	merged "$name: merged" "$into" "$image" "$sector"
}

# Disks of other sizes: behind the end of a smaller parent are zeros.
case_sizes() {
	create "$WORK/0.vhdx" 9M --block-size 1M
	step "sizes 0" "$WORK/0.vhdx" 512
	vhdxctl create --parent "$WORK/0.vhdx" -s 5M "$WORK/1.vhdx"
	step "sizes smaller" "$WORK/1.vhdx" 512
	vhdxctl create --parent "$WORK/1.vhdx" -s 12M --block-size 1M "$WORK/2.vhdx"
	step "sizes larger" "$WORK/2.vhdx" 512
	run "sizes: our reader" model --raw "$WORK/2.vhdx" "$WORK/again"
	run "sizes: same content" cmp "$WORK/raw" "$WORK/again"
}

# A block becomes fully present when it is written as a whole, or the last
# sector of it is.
case_promoted() {
	create "$WORK/0.vhdx" 8M --block-size 1M
	vhdxctl create --parent "$WORK/0.vhdx" --block-size 1M "$WORK/1.vhdx"
	attach "$WORK/1.vhdx"
	random bs=1M count=1
	random bs=512 seek=2048 count=1000
	random bs=512 seek=3049 count=1047
	detach
	equal "fully present as a whole" 1 "$(blocks "$WORK/1.vhdx" fully-present)"
	equal "partially present but for one sector" 1 "$(blocks "$WORK/1.vhdx" partially-present)"
	attach "$WORK/1.vhdx"
	random bs=512 seek=3048 count=1
	cp "$DEV" "$WORK/raw"
	detach
	equal "fully present by its last sector" 2 "$(blocks "$WORK/1.vhdx" fully-present)"
	equal "none partially present" 0 "$(blocks "$WORK/1.vhdx" partially-present)"
	readers "promoted" "$WORK/1.vhdx"
}

# random OPERAND...: of dd
random() {
	dd if=/dev/urandom of="$DEV" oflag=direct status=none "$@"
}

seed=$RANDOM
comment "seed $seed"
for name in $(share_of three ten sectors-4096 sizes promoted); do
	rm -f "$WORK"/*.vhdx "$WORK/raw"
	case $name in
	three)		chain "$name" 512 "--block-size 1M" 1M 1M ;;
	ten)		chain "$name" 512 "-t fixed" 1M 2M 4M 1M 8M 1M 2M 32M 1M ;;
	sectors-4096)	chain "$name" 4096 "--block-size 2M" 1M 4M 2M ;;
	*)		"case_$name" ;;
	esac
done
finish
