#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The image behind FUSE and behind NFS, served by this machine, and in a folder
# of the host of a virtual machine, which TMPDIR names.
. "$(dirname -- "$0")/lib.sh"
. "$TOP/lib_nfs.sh"
setup

works() {
	rm -f "$1" "$WORK/raw"
	create "$1" 24M --block-size 1M && attach "$1" || return 1
	"$TOP/randwrite.py" "$DEV" "$WORK/raw" 8 25 && cmp "$DEV" "$WORK/raw" || return 1
	detach && model --check --clean "$1" && model --raw "$1" "$WORK/again" &&
		cmp "$WORK/raw" "$WORK/again"
}

modprobe -q fuse
if have bindfs && [[ -e /dev/fuse ]]; then
	mkdir "$WORK/behind" "$WORK/fuse"
	run "bindfs" bindfs "$WORK/behind" "$WORK/fuse" &&
		{ run "FUSE" works "$WORK/fuse/a.vhdx" || detach_ours; }
	umount "$WORK/fuse"
else
	skip "FUSE" "no bindfs or no /dev/fuse"
fi

host_fs=$(findmnt -n -o FSTYPE -T "${TMPDIR:-/nonexistent}")
if [[ $host_fs == 9p || $host_fs == hostfs ]]; then
	host=$(mktemp -d "$TMPDIR/host.XXXXXX")
	run "$host_fs" works "$host/a.vhdx" || detach_ours
	rm -r "$host"
else
	skip "a folder of the host" "TMPDIR names none"
fi

if serve_nfs >"$WORK/nfs.log" 2>&1 && mount_nfs soft,timeo=50,retrans=2 2>>"$WORK/nfs.log"; then
	run "NFS" works "$WORK/nfs/a.vhdx" || detach_ours
else
	skip "NFS" "cannot serve NFS here: $(tail -n 1 "$WORK/nfs.log")"
fi
stop_nfs
finish
