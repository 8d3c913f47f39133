# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced after lib.sh by tests whose image is behind NFS: this machine serves a
# folder of its own to itself.

# serve_nfs: a fresh ext4 on $WORK/served, exported as the root of all exports: the
# real root may be of a kind that cannot be. Fails, and the last line says
# why, where that cannot be.
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
	exportfs -o rw,no_root_squash,no_subtree_check,fsid=0 127.0.0.1:"$WORK/served" || return 1
	start_nfsd
}

start_nfsd() {
	rpc.nfsd -N 3 2 || rpc.nfsd 2
}

stop_nfsd() {
	rpc.nfsd 0
}

# mount_nfs OPTIONS: on $WORK/nfs
mount_nfs() {
	timeout 60 mount -t nfs4 -o "$1" 127.0.0.1:/ "$WORK/nfs"
}

stop_nfs() {
	umount -l "$WORK/nfs" 2>/dev/null
	exportfs -u 127.0.0.1:"$WORK/served" 2>/dev/null
	rpc.nfsd 0 2>/dev/null
}
