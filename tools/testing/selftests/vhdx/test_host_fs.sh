#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Something happens to the file system that the image is on, while it is
# attached: remounted read-only, frozen, unmounted lazily, shut down.
. "$(dirname -- "$0")/lib.sh"
setup

# fresh [OPTION]...: a new image on the file system, its first 4 MiB written, attached
fresh() {
	rm -f "$MNT/a.vhdx"
	create "$MNT/a.vhdx" 128M --block-size 1M && attach "$@" "$MNT/a.vhdx" && put 0 4
}

good() {
	accepted "$MNT/a.vhdx" && attach -r "$MNT/a.vhdx" && has 0 4 && has "$1" 2 && detach
}

try_remount() {
	local type=$1

	fresh || return
	reject "$type: remount read-only is refused while it is attached" "*" \
		mount -o remount,ro "$MNT"
	run "$type: remount refused: writes go on" put 10 2
	run "$type: remount refused: detach" detach
	run "$type: remount refused: content" good 10
	attach -r "$MNT/a.vhdx"
	run "$type: remount read-only under a read-only device" mount -o remount,ro "$MNT"
	run "$type: remount: content" has 10 2
	run "$type: remount: detach" detach
	reject "$type: no attach for writing where nothing can be written" "*" \
		vhdxctl attach "$MNT/a.vhdx"
	run "$type: remount for writing" mount -o remount,rw "$MNT"
}

# writes_wait COUNT: until so many writes are under way
writes_wait() {
	local _ reads writes

	for _ in $(seq 200); do
		read -r reads writes <"$SYS/inflight"
		((writes < $1)) || return 0
		sleep 0.05
	done
	echo "$reads reads and $writes writes are under way"
	return 1
}

# Who writes to a frozen file system waits, be it to a new block or to one that is
# there. Who reads does not.
try_freeze() {
	local type=$1 reader nothing writer again

	fresh || return
	if ! fsfreeze -f "$MNT"; then
		detach
		skip "$type: freeze" "it can not be frozen"
		return
	fi
	put 10 2 2>"$WORK/writer" &
	writer=$!
	put 0 2 2>"$WORK/again" &
	again=$!
	run "$type: frozen: writes are under way" writes_wait 2
	has 0 4 >"$WORK/reader" 2>&1 &
	reader=$!
	cmp -n "$MIB" -i $((100 * MIB)):0 "$DEV" /dev/zero >"$WORK/nothing" 2>&1 &
	nothing=$!
	# If they waited that would be for the thaw, which must come in any case.
	run "$type: frozen: a read does not wait" ends $reader
	run "$type: frozen: nor does one of nothing" ends $nothing
	run "$type: frozen: a write waits" kill -0 $writer
	run "$type: frozen: so does one to a block that is there" kill -0 $again
	run "$type: thaw" fsfreeze -u "$MNT"
	run "$type: what was read" wait $reader
	run "$type: and that there is nothing" wait $nothing
	run "$type: thawed: the write is done" wait $writer
	run "$type: thawed: and the other" wait $again
	equal "$type: thawed: nothing went wrong" write "$(attr mode)"

	put 20 2
	fsfreeze -f "$MNT"
	detach >"$WORK/detach" 2>&1 &
	writer=$!
	# The log must be emptied first, so it can not get far.
	sleep 0.2
	run "$type: frozen: a detach waits" kill -0 $writer
	fsfreeze -u "$MNT"
	run "$type: thawed: the detach is done" wait $writer
	run "$type: thawed: content" good 10
}

# eventually COMMAND...: it succeeds after a while
eventually() {
	local _

	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	"$@"
}

# so_many_writes NR: as many are under way
so_many_writes() {
	local writes

	read -r _ writes <"$SYS/inflight"
	((writes >= $1)) || { echo "$writes writes are under way"; return 1; }
}

each_is_done() {
	local pid

	for pid; do wait "$pid" || return; done
}

# More writes wait than there are threads for them. Through the page cache each
# read needs a thread, too.
try_freeze_many() {
	local type=$1 writers=() reader i

	fresh --direct-io=off || return
	fsfreeze -f "$MNT" || return
	for i in $(seq 20); do
		put $((20 + i)) 1 2>>"$WORK/writers" &
		writers+=($!)
	done
	run "$type: frozen: 20 writes wait" eventually so_many_writes 20
	has 0 4 >"$WORK/reader" 2>&1 &
	reader=$!
	run "$type: frozen: a read does not" ends $reader
	fsfreeze -u "$MNT"
	run "$type: thawed: what was read" wait $reader
	run "$type: thawed: the writes are done" each_is_done "${writers[@]}"
	equal "$type: thawed: nothing went wrong" write "$(attr mode)"
	run "$type: thawed: detach" detach
}

# Who asked for a detach is killed when it has begun, since the disk is gone, and
# before it has written anything. Of what was written last the log knows nothing yet.
try_kill() {
	local type=$1 option=$2 pid

	fresh "$option" && dd if="$WORK/data" of="$DEV" bs=1M seek=10 count=2 oflag=direct \
		status=none || return
	fsfreeze -f "$MNT" || { detach; return; }
	settle
	vhdxctl detach "$DEV" &
	pid=$!
	run "$type, $option: killed: the detach has begun" eventually test ! -e "$SYS"
	kill -KILL $pid
	run "$type, $option: killed: who waits for a detach" ends $pid
	fsfreeze -u "$MNT"
	wait $pid
	run "$type, $option: killed: the detach goes on" eventually accepted "$MNT/a.vhdx"
	run "$type, $option: killed: content" good 10
}

# The same for who attaches a dirty image: that is done or not done.
try_kill_attach() {
	local type=$1 option=$2 pid

	fresh && put 10 2 && cp "$MNT/a.vhdx" "$MNT/b.vhdx" && detach || return
	fsfreeze -f "$MNT" || return
	vhdxctl attach "$option" "$MNT/b.vhdx" >/dev/null 2>&1 &
	pid=$!
	sleep 0.2
	kill -KILL $pid
	fsfreeze -u "$MNT"
	wait $pid
	mv "$MNT/b.vhdx" "$MNT/a.vhdx"
	vhdxctl detach --all >/dev/null 2>&1
	run "$type, $option: attach killed: attach again" attach "$MNT/a.vhdx"
	run "$type, $option: attach killed: detach" detach
	run "$type, $option: attach killed: content" good 10
}

# The caller may not write files of more than 1 KiB.
try_limit() {
	fresh --direct-io=off || return
	settle
	(ulimit -f 1; vhdxctl detach "$DEV") >"$WORK/detach" 2>&1
	equal "$1: limit: detach" 0 $?
	run "$1: limit: content" good 0
}

# The time of change follows flushes. A write to what has a place does not set
# it, and so needs nothing of the file system's journal.
try_time() {
	local type=$1 option=$2

	fresh "$option" || return
	touch -d @1000000 "$MNT/a.vhdx"
	dd if="$WORK/data" of="$DEV" bs=1M count=4 oflag=direct status=none
	equal "$type, $option: time: a write leaves it" 1000000 "$(stat -c %Y "$MNT/a.vhdx")"
	sync "$DEV"
	run "$type, $option: time: a flush sets it" \
		test "$(stat -c %Y "$MNT/a.vhdx")" -gt 1000000
	detach
}

try_lazy_umount() {
	local type=$1

	fresh || return
	run "$type: unmounted lazily" umount -l "$MNT"
	run "$type: unmounted: writes go on" put 10 2
	run "$type: unmounted: content" has 10 2
	run "$type: unmounted: its path can be read" test -n "$(attr backing_file)"
	run "$type: unmounted: detach" detach
	# Now that nothing uses it the file system is gone for good.
	run "$type: mounted again" mount -t "$type" "$DISK" "$MNT"
	run "$type: unmounted: content" good 10
}

# As after an error of the disk: the file system refuses everything, or all
# writes. The device follows, and says it once.
shut_down() {
	case $1 in
	ext4) mount -o remount,abort "$MNT" ;;
	xfs) xfs_io -x -c "shutdown -f" "$MNT" ;;
	esac
	return 0	# what is aborted may say so
}

# Where the file may not even become longer (ext4 of Linux 6.1), nothing that
# the device depends on has failed, and its mode stays.
try_shutdown() {
	local type=$1 falls=0

	fresh || return
	mark
	shut_down "$type" >/dev/null 2>&1
	reject "$type: shut down: a write fails" "*" put 10 2
	run "$type: shut down: mode" grep -qxE 'write|read-only' "$SYS/vhdx/mode"
	[[ $(attr mode) == write ]] || falls=1
	equal "$type: shut down: a fall is said once" $falls \
		"$(dmesg_since_mark | grep -c "the device is read-only from now on")"
	reject "$type: shut down: detach tells" "*" vhdxctl detach "$DEV"
	umount "$MNT"
	run "$type: mounted again" mount -t "$type" "$DISK" "$MNT"
	run "$type: shut down: what was stable is there" attach "$MNT/a.vhdx"
	run "$type: shut down: content" has 0 4
	run "$type: shut down: writes go on" put 10 2
	run "$type: shut down: detach" detach
	run "$type: shut down: clean" good 10
}

dd if=/dev/urandom of="$WORK/data" bs=1M count=4 status=none
# A log that empties itself would wait for a thaw, too: here others have to.
log_idle 3600000
for type in ext4 xfs; do
	if ! have_fs $type || ! mount_disk $type 320; then
		skip "$type" "no $type here"
		continue
	fi
	try_remount $type
	try_freeze $type
	try_freeze_many $type
	try_kill $type --direct-io=off
	try_kill $type --direct-io=auto
	try_kill_attach $type --direct-io=off
	try_limit $type
	try_time $type --direct-io=off
	try_time $type --direct-io=auto
	try_lazy_umount $type
	try_shutdown $type
	umount "$MNT"
done
finish
