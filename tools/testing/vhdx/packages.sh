# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian packages that building, testing and the demo need, the function that
# installs those that are missing, and where packages come from. To be sourced.

vhdx_packages=(
	# builds
	bc bison build-essential clang flex kmod libblkid-dev libclang-rt-dev
	libelf-dev libsmartcols-dev libssl-dev linux-headers-amd64 pkgconf rsync
	# lint
	groff-base patch perl pyflakes3 python3-docutils shellcheck sparse
	# virtual machines and roots
	busybox-static cpio debian-archive-keyring mmdebstrap qemu-system-x86
	xz-utils zstd
	# file systems, and readers that are not ours
	btrfs-progs dosfstools e2fsprogs fio libvhdi-utils ntfs-3g p7zip-full
	python3 python3-libvhdi qemu-utils util-linux xfsprogs
)

# Names of the packages that are not installed.
missing_packages() {
	local package

	for package in "${vhdx_packages[@]}"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			echo "$package"
	done
}

apt_get() {
	local sudo=()

	[ "$(id -u)" = 0 ] || sudo=(sudo -n)
	DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get -qq \
		-o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# install_packages LOG: what cannot be installed is missed by who needs it.
install_packages() {
	local log=$1 missing

	mapfile -t missing < <(missing_packages)
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "# installing ${missing[*]}"
	if ! { apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"; } \
		>"$log" 2>&1; then
		tail -n 30 "$log" | sed 's/^/# /'
		echo "# not all packages could be installed; what needs them will say so"
	fi
}

# Addresses in the machine's own sources, both formats, one a line.
host_uris() {
	find /etc/apt \( -name '*.list' -o -name '*.sources' \) -exec cat {} + |
		sed -nE 's/^URIs:[ \t]*//p; s/^deb[ \t]+(\[[^]]*\][ \t]+)?([^ \t]+).*/\2/p' |
		tr -s ' \t' '\n' | sed 's,/*$,,'
}

debian_mirror() {
	host_uris | grep -m1 -E '/debian$' || {
		echo "no Debian mirror in the apt sources" >&2
		return 1
	}
}

security_mirror() {
	host_uris | grep -m1 -E '/debian-security$' || echo "$(debian_mirror)-security"
}
