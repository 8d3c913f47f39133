#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A control group with little memory: who attaches from it may be killed for
# that, who writes from it waits for the device. Neither leaves anything behind
# that others can not use, and errors of the disk reach a writer that waits.
. "$(dirname -- "$0")/lib.sh"
setup
need dmsetup mkfs.ext4
modprobe -q dm_mod
dmsetup version >/dev/null 2>&1 || skip_all "no device mapper"
memory_group max || skip_all "no memory controller"

nothing_attached() {
	[[ $(echo /sys/block/vhdx*) == "" ]]
}

disk 256 || exit 1
fragile_disk vhdx-test-memcg || exit 1
mkfs.ext4 -q -F -O ^has_journal "$DM" && MNT=$WORK/mnt && mkdir "$MNT" &&
	mount -o errors=continue "$DM" "$MNT" || exit 1
image=$MNT/a.vhdx
create "$image" 128M --block-size 1M && attach "$image" || exit 1
log_idle 3600000
dd if=/dev/urandom of="$WORK/data" bs=1M count=6 status=none
put 0 6
cp --sparse=always "$image" "$WORK/dirty.vhdx"
detach

# An attach with a log to replay, through a page cache that counts.
attached=0
for more in 0 64 256 4096; do
	cp --sparse=always "$WORK/dirty.vhdx" "$image"
	sync
	echo 1 >/proc/sys/vm/drop_caches
	memory_group max
	in_group "$TOP/memory.py" attach "$image" $GROUP $more >"$WORK/attached" 2>&1
	status=$?
	comment "$more KiB: exit status $status, $(tail -n 1 "$WORK/attached")"
	((status != 0)) || ((++attached))
	# Who was killed may have been so behind the end of it.
	nothing_attached || run "$more KiB: detach" vhdxctl detach --all
	run "$more KiB: nothing is attached" nothing_attached
	run "$more KiB: attach afterwards" attach "$image"
	run "$more KiB: content" has 0 6
	run "$more KiB: detach afterwards" detach
	run "$more KiB: clean" accepted "$image"
done
run "some were attached" test $attached -gt 0

attach "$image" || exit 1
put 122 6
memory_group 8M
run "32 MiB from a group of 8 MiB" in_group "$TOP/memory.py" fill "$DEV" 32 1
run "what it wrote" in_group "$TOP/memory.py" check "$DEV" 32 1

until_told() {
	while in_group "$TOP/memory.py" fill "$DEV" 120 2; do :; done
}

# Once the first new blocks have come to the disk it fails.
before=$(attr allocated_blocks)
until_told >"$WORK/writer" 2>&1 &
writer=$!
for _ in $(seq 1200); do
	(($(attr allocated_blocks) < before + 8)) || break
	sleep 0.05
done
run "blocks were written" test "$(attr allocated_blocks)" -ge $((before + 8))
run "the disk fails" fragile_breaks
run "who writes does not wait for ever, and is told" ends $writer
run "mode is one of the ladder" grep -qxE 'write|read-only' "$SYS/vhdx/mode"
run "the disk is back" fragile_works
comment "detach: $(vhdxctl detach "$DEV" 2>&1)"
run "detached" nothing_attached
run "attach again" attach "$image"
run "what was stable is there" has 122 6
put 8 6
run "writes go on" has 8 6
run "detach" detach
run "clean" accepted "$image"
umount "$MNT"
finish
