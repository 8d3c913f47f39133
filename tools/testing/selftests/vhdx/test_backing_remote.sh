#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The image behind FUSE and behind NFS, served by this machine, and in a folder
# of the host of a virtual machine, which TMPDIR names.
. "$(dirname -- "$0")/lib.sh"
setup

works() {
	rm -f "$1" "$WORK/raw"
	create "$1" 24M --block-size 1M && attach "$1" || return 1
	"$TOP/randwrite.py" "$DEV" "$WORK/raw" 8 25 && cmp "$DEV" "$WORK/raw" || return 1
	detach && model --check --clean "$1" && model --raw "$1" "$WORK/again" &&
		cmp "$WORK/raw" "$WORK/again"
}

serve_nfs() {
	modprobe -q nfsd
	modprobe -q nfs
	grep -qw nfs4 /proc/filesystems && have exportfs && have rpc.nfsd || return 1
	mkdir -p "$WORK/served" "$WORK/nfs" /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery
	ip link set lo up
	mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd || return 1
	# Clients of a server that has crashed get time to come back first: not 90 s.
	echo 10 >/proc/fs/nfsd/nfsv4leasetime
	echo 10 >/proc/fs/nfsd/nfsv4gracetime
	have rpcbind && { pgrep -x rpcbind >/dev/null || rpcbind; }
	pgrep -x rpc.mountd >/dev/null || rpc.mountd || return 1
	mount_disk ext4 200 && mount --move "$MNT" "$WORK/served" || return 1
	exportfs -o rw,no_root_squash,no_subtree_check,fsid=1 127.0.0.1:"$WORK/served" || return 1
	rpc.nfsd -N 3 2 || rpc.nfsd 2 || return 1
	timeout 30 mount -t nfs4 -o soft,timeo=50,retrans=2 127.0.0.1:"$WORK/served" "$WORK/nfs"
}

stop_nfs() {
	umount -l "$WORK/nfs" 2>/dev/null
	exportfs -u 127.0.0.1:"$WORK/served" 2>/dev/null
	rpc.nfsd 0 2>/dev/null
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

if serve_nfs >"$WORK/nfs.log" 2>&1; then
	run "NFS" works "$WORK/nfs/a.vhdx" || detach_ours
else
	skip "NFS" "cannot serve NFS here: $(tail -n 1 "$WORK/nfs.log")"
fi
stop_nfs
finish
