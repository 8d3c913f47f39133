#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The image is behind NFS and the server stops. With a hard mount everything
# waits until it is back, with a soft one the device goes read-only.
. "$(dirname -- "$0")/lib.sh"
. "$TOP/lib_nfs.sh"
setup

# empty MIB
empty() {
	cmp -n "$MIB" -i $(($1 * MIB)):0 "$DEV" /dev/zero
}

serve_nfs >"$WORK/nfs.log" 2>&1 ||
	skip_all "cannot serve NFS here: $(tail -n 1 "$WORK/nfs.log")"
image=$WORK/nfs/a.vhdx
dd if=/dev/urandom of="$WORK/data" bs=1M count=4 status=none

log_idle 3600000
run "hard mount" mount_nfs hard,timeo=20 || exit 1
create "$image" 64M --block-size 1M && attach "$image" && put 0 4 || exit 1
stop_nfsd
put 10 2 2>"$WORK/writer" &
writer=$!
empty 40 &
reader=$!
run "server stopped: what is not allocated needs none" ends $reader
run "server stopped: a write waits" kill -0 $writer
run "the server is back" start_nfsd
run "server back: the write ends" ends $writer
run "server back: without an error" wait $writer
equal "server back: mode" write "$(attr mode)"
run "server back: content" has 0 4
run "server back: what was written meanwhile" has 10 2
run "server back: detach" detach
run "server back: clean" accepted "$image"
umount "$WORK/nfs"

run "soft mount" mount_nfs soft,timeo=5,retrans=1 || exit 1
attach "$image" && put 14 2 || exit 1
equal "the log is in use" active "$(attr log_state)"
stop_nfsd
mark
reject "server gone: a write fails" "Input/output error" put 0 1
reject "server gone: a new block" "Input/output error" put 20 2
reject "server gone: detach tells" "*" vhdxctl detach "$DEV"
run "server gone: the kernel's log says so" dmesg_has "the device is read-only from now on"
# Another start of the server would cost half a minute.
umount "$WORK/nfs" || umount -l "$WORK/nfs"
image=$WORK/served/a.vhdx
run "attach where the server has it" attach "$image"
# The first block may hold what it held or what was to be written: the same.
run "what was stable is there" has 0 4
run "and that" has 10 2
run "and that, from the log" has 14 2
run "writes go on" put 20 2
run "detach" detach
run "clean" accepted "$image"
stop_nfs
finish
