#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Installs the module through DKMS in fresh Debian roots, as a user would, and
# says in KTAP what came of it. Needs root: it mounts and changes root.
#
# Usage: run.sh [RELEASE...]	default: bookworm trixie

set -u
top=$(cd "$(dirname "$0")/../../../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vhdx/dkms
packages=dkms,kmod,linux-headers-amd64
. "$top/tools/testing/vhdx/packages.sh"
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$top/dkms.conf")
. "$top/tools/testing/vhdx/ktap.sh"

diagnose() {
	sed 's/^/# /' "$@"
}

# A root with DKMS and that release's kernel headers; made anew after a month,
# when its kernel is old.
base_root() {
	local release=$1 mirror tarball

	tarball=$cache/$release-$(echo "$packages" | cksum | cut -d ' ' -f 1).tar.zst

	find "$cache" -name '*.tar.zst' -mtime +30 -delete
	if [ ! -e "$tarball" ]; then
		mirror=$(debian_mirror) || return
		mmdebstrap --quiet --variant=apt --include="$packages" \
			--dpkgopt='path-exclude=/usr/share/doc/*' \
			--dpkgopt='path-exclude=/usr/share/man/*' \
			--dpkgopt='path-exclude=/usr/share/locale/*' \
			"$release" "$work/$release.tar.zst" \
			"deb $mirror $release main" \
			"deb $(security_mirror) $release-security main" >&2 || return
		cp "$work/$release.tar.zst" "$tarball.$$" && mv "$tarball.$$" "$tarball" || return
		rm "$work/$release.tar.zst"
	fi
	echo "$tarball"
}

# Run a command in the root, in name spaces of its own, so that no mount and
# no process is left behind.
in_root() {
	local root=$1
	shift

	unshare --mount --pid --fork --kill-child sh -c '
		root=$1; shift
		mount -t proc proc "$root/proc" &&
		mount --bind /dev/null "$root/dev/null" 2>/dev/null ||
			mount --bind /dev "$root/dev" || exit
		exec chroot "$root" env -i HOME=/tmp LC_ALL=C.UTF-8 \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
	' sh "$root" "$@"
}

test_release() {
	local release=$1 root=$2 kernel module tree

	kernel=$(basename "$(ls -d "$root"/lib/modules/*-amd64)")
	tree=$root/usr/src/vhdx-$version

	in_root "$root" make -C /tmp/tree --no-print-directory dkms-install \
		KERNEL="$kernel" >"$root/log" 2>&1
	result $? "$release: make dkms-install for $kernel"
	in_root "$root" dkms status -m vhdx >>"$root/log" 2>&1
	in_root "$root" dkms status -m vhdx | grep -q "$kernel.*: installed"
	result $? "$release: dkms status says installed"

	module=$(find "$root/lib/modules/$kernel" -name 'vhdx.ko*')
	[ "$(in_root "$root" modinfo -F vermagic "${module#"$root"}" 2>&1 |
		cut -d ' ' -f 1)" = "$kernel" ]
	result $? "$release: vhdx.ko has the vermagic of $kernel"

	! find "$tree" \( -path '*/tools/*' -o -name '*.o' -o -name '*.ko' \) -print |
		grep . >>"$root/log"
	result $? "$release: DKMS has the module's sources only"

	test_unsuitable "$release" "$root" 5.10.0-1-amd64

	in_root "$root" make -C /tmp/tree --no-print-directory dkms-uninstall \
		>>"$root/log" 2>&1 && [ ! -e "$tree" ] &&
		! find "$root/lib/modules" -name 'vhdx.ko*' | grep . >>"$root/log"
	result $? "$release: make dkms-uninstall leaves nothing"

	[ "$failed" = 0 ] || diagnose "$root/log"
	[ "$failed" = 0 ] || find "$root/var/lib/dkms" -name make.log -exec tail -n 60 {} + |
		diagnose
}

# A kernel that BUILD_EXCLUSIVE_* rules out is skipped, not failed: DKMS says
# so and exits with 77 (9 or 0 with a message in older versions).
test_unsuitable() {
	local release=$1 root=$2 kernel=$3

	mkdir -p "$root/lib/modules/$kernel"
	cp -a "$(echo "$root"/lib/modules/*-amd64/build)" "$root/lib/modules/$kernel/build"
	in_root "$root" dkms build "vhdx/$version" -k "$kernel" >"$root/skip" 2>&1
	diagnose "$root/skip"
	grep -q BUILD_EXCLUSIVE "$root/skip" &&
		[ ! -e "$root/var/lib/dkms/vhdx/$version/$kernel" ]
	result $? "$release: kernel $kernel is skipped with a reason"
	rm -r "$root/lib/modules/$kernel"
}

need_root
for tool in mmdebstrap unshare chroot zstd; do
	command -v $tool >/dev/null || skip_all "$tool is missing"
done
unshare --mount --pid --fork true 2>/dev/null || skip_all "name spaces cannot be made here"
[ $# -gt 0 ] || set -- bookworm trixie

mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/vhdx-dkms.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
plan $((6 * $#))
for release; do
	mkdir "$work/$release"
	if tarball=$(base_root "$release") && tar -x -f "$tarball" -C "$work/$release"; then
		mkdir "$work/$release/tmp/tree"
		tar -c -C "$top" --exclude=./build --exclude=./.git . |
			tar -x --no-same-owner -C "$work/$release/tmp/tree"
		test_release "$release" "$work/$release"
	else
		echo "Bail out! no root of $release could be made"
		exit 1
	fi
	rm -rf "${work:?}/$release"
done
finish
