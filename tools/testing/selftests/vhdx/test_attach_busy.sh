#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is in use stays; who wants to wait says so.
. "$(dirname -- "$0")/lib.sh"
setup
need mkfs.ext4

gone() {
	for _ in $(seq 50); do
		[[ -e /sys/block/${1#/dev/} ]] || return 0
		sleep 0.1
	done
	return 1
}

# Gone is the device; its image is closed a moment later.
becomes_accepted() {
	for _ in $(seq 50); do
		accepted "$1" >/dev/null 2>&1 && return
		sleep 0.1
	done
	accepted "$1"
}

create "$WORK/a.vhdx" 64M && attach "$WORK/a.vhdx" || exit 1
dev=$DEV
reject "the same image twice" "$dev" vhdxctl attach "$WORK/a.vhdx"
ln "$WORK/a.vhdx" "$WORK/b.vhdx"
reject "the same image by another name" "$dev" vhdxctl attach "$WORK/b.vhdx"
reject "the device itself" "is a device of this driver" vhdxctl attach "$dev"
reject "rmmod while attached" "is in use" rmmod vhdx
# rmmod looks at the count of users before it asks the kernel, which says "try again".
equal "the kernel refuses it" 11 "$(python3 -c 'import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.delete_module(b"vhdx", os.O_NONBLOCK) and ctypes.get_errno())')"
run "the driver is still there" test -d /sys/module/vhdx/holders
exec 7<"$dev"
name=$(</proc/$$/comm)
printf '\e]0;\a' >/proc/$$/comm
reject "detach while open, by whom" "open in process $$ (\\?]0;\\?)" vhdxctl detach "$dev"
printf %s "$name" >/proc/$$/comm
exec 7<&-
sleep 0.4 7<"$dev" &
looker=$!
until [[ $(readlink "/proc/$looker/fd/7") == "$dev" ]]; do sleep 0.02; done
run "detach waits for who only has a look" vhdxctl detach "$dev"
wait "$looker"
attach "$WORK/a.vhdx" && dev=$DEV || exit 1
mkfs.ext4 -q "$dev" && mkdir "$WORK/mnt" && mount "$dev" "$WORK/mnt" || exit 1
reject "detach while mounted, where" "mounted on $WORK/mnt" vhdxctl detach "$dev"
run "still usable" dd if=/dev/urandom of="$WORK/mnt/x" bs=64k count=16 conv=fsync
run "lazy detach while mounted" vhdxctl detach --lazy "$dev"
run "still there" test -e "/sys/block/${dev#/dev/}"
run "still writable" dd if=/dev/urandom of="$WORK/mnt/y" bs=64k count=16 conv=fsync
umount "$WORK/mnt"
run "gone after the last close" gone "$dev"
run "clean" becomes_accepted "$WORK/a.vhdx"

run "attach with autoclear" attach --autoclear "$WORK/a.vhdx"
equal "autoclear" 1 "$(attr autoclear)"
run "a look at it leaves it" dd if="$DEV" of="$WORK/copy" bs=1M status=none
run "file system is right" e2fsck -f -n "$WORK/copy"
equal "still there" 1 "$(attr autoclear)"
mount "$DEV" "$WORK/mnt"
umount "$WORK/mnt"
run "gone after use" gone "$DEV"

# Whoever looks at a partition does not hide the one who then uses it.
partition() {
	attach "$WORK/p.vhdx" && echo 'start=2048, type=83' | sfdisk -q "$DEV" &&
		settle && mkfs.ext4 -q "${DEV}p1" && detach
}

create "$WORK/p.vhdx" 64M
if have sfdisk && run "a partition" partition && attach --autoclear "$WORK/p.vhdx"; then
	exec 7<"${DEV}p1"
	mount "${DEV}p1" "$WORK/mnt" && umount "$WORK/mnt"
	run "in use by who has it open" test -e "$SYS"
	exec 7<&-
	run "gone after use of the partition" gone "$DEV"
fi

# Locks belong to the node, which another one does not share.
if disk 16; then
	create "$WORK/d.vhdx" 16M && cp "$WORK/d.vhdx" "$DISK" && attach "$DISK"
	# shellcheck disable=SC2046  # two words
	mknod "$WORK/node" b $(stat -c '0x%t 0x%T' "$DISK")
	reject "the same disk by another node" "in use by ${DEV#/dev/}" \
		vhdxctl attach "$WORK/node"
	run "the disk is free again" detach
fi

reject "detach what is not attached" "not attached" vhdxctl detach "$dev"
# Gone is the device; its file may be closed a moment later.
for _ in $(seq 20); do
	attach "$WORK/a.vhdx" 2>"$WORK/again" && break
	sleep 0.1
done
run "attach after autoclear" test -e "$SYS"
create "$WORK/c.vhdx" 16M && vhdxctl attach "$WORK/c.vhdx" >/dev/null
run "detach --all" vhdxctl detach --all
equal "nothing is left" "" "$(echo /sys/block/vhdx*)"
finish
