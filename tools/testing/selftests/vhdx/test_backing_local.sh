#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The image on each kind of local file system, with direct I/O or without.
. "$(dirname -- "$0")/lib.sh"
setup

# works FILE WAY DIRECT: attach, write at random, detach, see what is there
works() {
	rm -f "$1" "$WORK/raw"
	create "$1" 48M --block-size 1M && attach "--direct-io=$2" "$1" || return 1
	echo "direct_io $(attr direct_io)"
	[[ $2 == auto || $(attr direct_io) == "$3" ]] || return 1
	"$TOP/randwrite.py" "$DEV" "$WORK/raw" 7 40 && cmp "$DEV" "$WORK/raw" || return 1
	detach && model --check --clean "$1" && model --raw "$1" "$WORK/again" &&
		cmp "$WORK/raw" "$WORK/again"
}

# Direct I/O to a file whose file system needs stable pages needs them of us.
inherits() {
	create "$1" 16M && attach "--direct-io=$2" "$1" || return 1
	echo "direct $(attr direct_io) stable $(<"$SYS/queue/stable_writes")"
	[[ "$(attr direct_io) $(<"$SYS/queue/stable_writes")" == "$3 $4" ]] || return 1
	detach && rm "$1"
}

# ahead FILE: MiB that the file got and does not need, after the second step
ahead() {
	create "$1" 1G --block-size 1M && attach "$1" &&
		dd if=/dev/zero of="$DEV" bs=1M count=70 oflag=direct status=none &&
		echo $((($(stat -c %s "$1") / MIB - 70) / 10 * 10))
	detach >&2
	rm "$1"
}

for fs in tmpfs ext4 xfs btrfs vfat; do
	if [[ $fs == tmpfs ]]; then
		MNT=$WORK
	elif ! have_fs $fs; then
		skip "$fs" "no mkfs.$fs or no driver for it"
		continue
	else
		run "$fs mount" mount_disk $fs 320 || continue
	fi
	# tmpfs can since 6.6: a refusal says what it is about.
	if dd if=/dev/zero of="$MNT/probe" bs=4k count=1 oflag=direct status=none 2>/dev/null; then
		run "$fs --direct-io=on" works "$MNT/a.vhdx" on 1 || detach_ours
	else
		create "$MNT/a.vhdx" 16M
		reject "$fs --direct-io=on" "direct I/O" vhdxctl attach --direct-io=on "$MNT/a.vhdx"
		run "$fs --direct-io=auto" works "$MNT/a.vhdx" auto || detach_ours
	fi
	run "$fs --direct-io=off" works "$MNT/a.vhdx" off 0 || detach_ours
	case $fs in
	ext4)	run "$fs needs no stable pages" inherits "$MNT/s.vhdx" auto 1 0 ;;
	btrfs)	run "$fs is buffered unless told otherwise" inherits "$MNT/s.vhdx" auto 0 0
		run "$fs needs stable pages" inherits "$MNT/s.vhdx" on 1 1 ;;
	xfs)	equal "$fs: longer steps cost nothing" 120 "$(ahead "$MNT/s.vhdx")" ;;
	vfat)	equal "$fs: each step costs space" 60 "$(ahead "$MNT/s.vhdx")" ;;
	esac
	rm -f "$MNT/a.vhdx" "$MNT/probe"
	[[ $MNT == "$WORK" ]] || umount "$MNT"
done

# The same over a disk that needs them: the flag can be set by hand.
disk 320
stable=/sys/block/${DISK#/dev/}/queue/stable_writes
was=$(<"$stable")
if echo 1 2>/dev/null >"$stable"; then
	create "$WORK/a.vhdx" 16M && cp "$WORK/a.vhdx" "$DISK"
	run "a disk that needs stable pages" eval 'attach "$DISK" &&
		[[ $(attr direct_io)$(<"$SYS/queue/stable_writes") == 11 ]] && detach'
	MNT=$WORK/stable
	mkdir "$MNT" && make_fs ext4 "$DISK" && mount "$DISK" "$MNT"
	run "a file system on it" inherits "$MNT/s.vhdx" auto 1 1
	run "not through the page cache" inherits "$MNT/s.vhdx" off 0 0
	umount "$MNT"
	echo "$was" >"$stable"
else
	skip "a disk that needs stable pages" "its stable_writes can not be set"
fi
finish
