# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# Shared by prepare, build-module, builder and run: names, cache, locks and
# the two Debian trees (builder: compilers; root: what tests run in).

set -euo pipefail

# Nothing of the caller's build environment may reach what we build or run.
unset MAKEFLAGS MFLAGS MAKELEVEL LIBRARY_PATH CPATH ARCH CROSS_COMPILE

VM_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
REPO=$(cd -- "$VM_DIR/../../../.." && pwd -P)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/vhdx
ALL_KERNELS=(6.1 6.12 newest uml uml-debug kcsan)
LANGUAGE_SUITE=trixie		# of the builder and of the root file system

BUILDER=$CACHE/builder
APT=$CACHE/apt
DEBS=$CACHE/debs

mkdir -p "$CACHE"/{debs,kernels,locks,logs,modules,uml}
CACHE=$(cd -- "$CACHE" && pwd -P)

die() {
	echo "${0##*/}: $*" >&2
	exit 97
}

is_uml() {
	[[ $1 == uml || $1 == uml-debug ]]
}

# Is it built from sources, with options of ours?
is_own() {
	is_uml "$1" || [[ $1 == kcsan ]]
}

check_kernel_name() {
	local k

	for k in "${ALL_KERNELS[@]}"; do
		[[ $k == "$1" ]] && return
	done
	die "unknown kernel '$1' (one of: ${ALL_KERNELS[*]})"
}

# with_lock NAME COMMAND...: one holder at a time, in a subshell of its own.
with_lock() {
	local lock=$CACHE/locks/$1

	shift
	( exec {fd}>"$lock"; flock "$fd"; "$@" )
}

# The options of a kernel that is built from sources.
own_config() {	# NAME
	case $1 in
	uml)		cat "$VM_DIR/kernel.config" ;;
	uml-debug)	cat "$VM_DIR/kernel.config" "$VM_DIR/debug.config" ;;
	kcsan)		cat "$VM_DIR/kcsan.config" ;;
	esac
}

# The folder of a prepared kernel; fails when it is not prepared, or was with
# other options.
kernel_dir() {
	local link=$CACHE/kernels/$1

	[[ -e $link/ready ]] || return
	! is_own "$1" || own_config "$1" | cmp -s - "$link/vhdx.config" || return
	readlink -f "$link"
}

kernel_release() {
	cat "$CACHE/kernels/$1/release"
}

# The folder to give to make -C; valid inside the builder and outside alike
# for what is built from sources, inside only for packaged headers.
kernel_headers() {
	if is_own "$1"; then
		readlink -f "$CACHE/kernels/$1/build"
	else
		echo "/usr/src/linux-headers-$(kernel_release "$1")"
	fi
}

# in_builder COMMAND...: run in the compiler chroot with the cache at its own
# path. The mounts live in a name space that ends with the command.
in_builder() {
	# shellcheck disable=SC2016  # expanded by the inner shell
	B=$BUILDER C=$CACHE unshare --mount --pid --fork --kill-child sh -c '
		mkdir -p "$B$C" && mount --bind "$C" "$B$C" &&
		mount -t proc proc "$B/proc" &&
		exec chroot "$B" env -i HOME=/tmp LC_ALL=C \
			PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' sh "$@"
}
