#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Random writes go to the device and to a raw twin; afterwards every reader
# has to find the twin in the image.
. "$(dirname -- "$0")/lib.sh"
setup
need qemu-img

# vhdi_agrees IMAGE RAW
vhdi_agrees() {
	python3 - "$@" <<-'END'
		import sys
		import pyvhdi
		image = pyvhdi.file()
		image.open(sys.argv[1])
		with open(sys.argv[2], "rb") as raw:
		    size = image.get_media_size()
		    pos = 0
		    while pos < size:
		        step = min(1 << 20, size - pos)
		        if image.read_buffer_at_offset(step, pos) != raw.read(step):
		            sys.exit(f"differs in the MiB at {pos:#x}")
		        pos += step
	END
}

# agree IMAGE RAW
agree() {
	if [[ $name == qemu-fixed-full ]]; then
		# Its last block ends beyond the file, as qemu-img made it.
		run "$name: check" vhdxctl check "$1"
	else
		run "$name: clean" accepted "$1"
	fi
	run "$name: qemu-img compare" qemu-img compare -q -f vhdx -F raw "$1" "$2"
	run "$name: our reader" model --raw "$1" "$WORK/again" &&
		run "$name: same content" cmp "$2" "$WORK/again"
	rm -f "$WORK/again"
	if python3 -c 'import pyvhdi' 2>/dev/null; then
		run "$name: libvhdi" vhdi_agrees "$1" "$2"
	else
		skip "$name: libvhdi" "no pyvhdi"
	fi
	! have vhdiinfo || run "$name: vhdiinfo" vhdiinfo "$1"
}

make() {
	case $1 in
	ours-dynamic)	create "$2" 40M --block-size 1M ;;
	ours-fixed)	create "$2" 24M -t fixed --block-size 8M ;;
	ours-log)	create "$2" 40M --block-size 2M --log-size 4M ;;
	qemu-dynamic)	qemu-img create -q -f vhdx -o block_size=1M "$2" 40M ;;
	qemu-fixed)	qemu-img create -q -f vhdx -o subformat=fixed,block_size=8M "$2" 20M ;;
	qemu-states-0)	qemu-img create -q -f vhdx -o block_state_zero=off,block_size=2M "$2" 40M ;;
	qemu-fixed-full) qemu-img create -q -f vhdx \
		-o subformat=fixed,block_state_zero=off,block_size=8M "$2" 20M ;;
	esac
}

seed=$RANDOM
comment "seed $seed"
for name in $(share_of ours-dynamic ours-fixed ours-log qemu-dynamic qemu-fixed \
	qemu-states-0 qemu-fixed-full); do
	image=$WORK/$name.vhdx
	make "$name" "$image" || { fail "$name: create"; continue; }
	rm -f "$WORK/raw"
	for round in 1 2; do
		attach "$image" || break
		run "$name: writes $round" "$TOP/randwrite.py" "$DEV" "$WORK/raw" $((seed + round)) 80
		run "$name: reads as written $round" cmp "$DEV" "$WORK/raw"
		run "$name: detach $round" detach
	done
	agree "$image" "$WORK/raw"
	rm -f "$image"
done
finish
