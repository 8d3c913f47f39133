#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make demo: what the driver is for, step by step, on a machine of its own.
#
# A virtual machine with a distribution kernel writes to an image until its
# power is cut. The dirty image is then looked at, attached read-only (not a
# byte of it changes), attached read-write (its log is replayed), mounted,
# written to, detached, and read by two programs that are not ours.
#
# Works from a plain clone, as root on a Debian machine. KERNEL= picks another
# kernel than 6.12: 6.1 or newest.

set -u
top=$(cd "$(dirname "$0")/../../../.." && pwd)
here=$top/tools/testing/vhdx/demo
kernel=${KERNEL:-6.12}
foreign=$top/../shared/images/qemu-iotest-dirtylog-10G-4M.vhdx
vhdxctl=$top/build/vhdxctl
chapter=0
failures=0

. "$top/tools/testing/vhdx/packages.sh"
. "$here/lib.sh"

# Nothing that comes later could be shown.
give_up() {
	echo
	echo "demo: FAILED: $*"
	exit 1
}

part() {
	chapter=$((chapter + 1))
	heading "$chapter. $*"
}

prepare() {
	part "Packages, vhdxctl, and a virtual machine with kernel $kernel"
	cat <<-END
	Lines with # are commands, [ok] and [FAILED] say whether what was claimed is so.
	The first time this fetches packages and a kernel, and takes some minutes.

	END
	install_packages "$work/packages.log"
	run make -s tools || give_up "vhdxctl could not be built"
	run "$top/tools/testing/vhdx/vm/prepare" "$kernel" ||
		give_up "the virtual machine could not be prepared"
	run "$top/tools/testing/vhdx/vm/build-module" "$kernel" ||
		give_up "the module could not be built"
}

# Runs a script of ours in the machine. Its own words (run:) are for the log.
in_machine() {
	"$top/tools/testing/vhdx/vm/run" --kernel "$kernel" --timeout 600 \
		--share "$work" -- "$@" 2>"$work/machine.log"
}

explain() {
	case $1 in
	1) echo "some of what was tried there failed, see above" ;;
	97) echo "the machine could not be started" ;;
	98) echo "the machine died" ;;
	99) echo "its kernel complained" ;;
	124) echo "it took too long" ;;
	*) echo "exit status $1" ;;
	esac
}

make_dirty_image() {
	local status

	part "A machine writes to a new image, and its power is cut"
	cat <<-END
	All of this happens in the machine, which boots first. The image is a file outside
	of it.

	END
	in_machine "$here/guest-cut.sh" "$work"
	status=$?
	check "the machine lost its power in the middle of writing" [ $status = 98 ] || {
		tail -n 40 "$work/machine.log"
		give_up "no power cut: $(explain $status)"
	}
	[ -s "$work/late.sha256" ] || give_up "the machine died before anything was written"
}

# "clean" or "dirty"
log_state() {
	"$vhdxctl" info --json "$1" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["log"]["state"])'
}

# The part of what an image says of itself that this is about.
show_info() {
	run "$vhdxctl" info "$1" >"$work/info" 2>&1 || {
		cat "$work/info"
		give_up "vhdxctl cannot read the image"
	}
	sed -nE '/^#/p; /^headers:/q; /^(type|virtual size|file size|creator|in use|log):/p
		/^  (state|note|valid entries|replayed (entries|pages)):/p' "$work/info"
	echo "  (and more)"
}

look_at() {
	local image=$1

	show_info "$image"
	check "its log is dirty" [ "$(log_state "$image")" = dirty ] ||
		give_up "the log is not in use, so there is nothing to replay"
	sha256sum <"$image" >"$image.before"
	echo
	echo "Another program reads such an image only if it may change it:"
	run qemu-img info "$image" 2>&1 | sed "s,$work/,,g"
}

attach_and_write() {
	local status

	in_machine "$here/guest-$1.sh" "$work" "$2"
	status=$?
	check "all of that went well in the machine" [ $status = 0 ] || {
		tail -n 60 "$work/machine.log"
		give_up "$(explain $status)"
	}
}

content_by_qemu() {
	qemu-img convert -O raw "$1" "$1.raw" && sha256sum <"$1.raw"
	rm -f "$1.raw"
}

# Debian's Python, whatever else comes first in PATH: its libvhdi is asked for.
content_by_libvhdi() {
	/usr/bin/python3 - "$1" <<-'END'
	import hashlib, sys
	import pyvhdi

	disk = pyvhdi.file()
	disk.open(sys.argv[1])
	content = hashlib.sha256()
	left = disk.get_media_size()
	while left:
	    piece = disk.read_buffer(min(left, 1 << 20))
	    content.update(piece)
	    left -= len(piece)
	print(content.hexdigest() + "  -")
	END
}

# What the device showed last is what others read from the file.
same_content() {
	local found

	found=$("$1" "$2") || return
	[ "$found" = "$(cat "$2.content")" ] || {
		echo "read $found, but the device had $(cat "$2.content")"
		return 1
	}
}

is_clean() {
	local image=$1

	check "its log is clean" [ "$(log_state "$image")" = clean ]
	check "vhdxctl check finds nothing" "$vhdxctl" check "$image"
	check "qemu-img check finds nothing" qemu-img check "$image"
}

verify() {
	local image=$1

	show_info "$image"
	is_clean "$image"
	check "QEMU reads what the device showed" same_content content_by_qemu "$image"
	check "libvhdi reads what the device showed" same_content content_by_libvhdi "$image"
}

show_foreign_image() {
	local image=$work/foreign.vhdx

	part "A dirty image that another program left behind (an old QEMU)"
	if [ ! -e "$foreign.xz" ]; then
		echo "There is none beside this checkout; the one made above has shown it all."
		return
	fi
	if ! { xz -dc "$foreign.xz" >"$image" && cp "$foreign.tsv" "$image.tsv"; }; then
		give_up "the image could not be unpacked"
	fi
	look_at "$image"
	printf '\nNow in a machine:\n\n'
	attach_and_write foreign "$image"
	echo
	is_clean "$image"
}

how_to_use_it_here() {
	part "On a machine of your own"
	if [ "$(id -u)" = 0 ] && modprobe -n -q loop 2>/dev/null; then
		echo "This machine ($(uname -r)) can load modules. To use the driver here:"
	else
		echo "This machine cannot load modules for its kernel ($(uname -r)). Where they can be:"
	fi
	cat <<-EOF

	    apt-get install dkms linux-headers-$(dpkg --print-architecture)
	    make dkms-install install
	    modprobe vhdx
	    vhdxctl attach disk.vhdx        # prints the block device
	    vhdxctl detach /dev/vhdx0
	EOF
}

[ "$(id -u)" = 0 ] || {
	echo "demo: must be root: it builds a root file system and boots a machine" >&2
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/vhdx-demo.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
own=$work/cut.vhdx

cd "$top" || exit 1
prepare
make_dirty_image
part "What the power cut left behind"
look_at "$own"
part "A machine attaches it read-only, then read-write"
cat <<-END
A new machine. Read-only, the log is replayed in memory and the file stays as it is;
read-write, it is replayed into the file first.

END
attach_and_write repair "$own"
part "Outside of the machine: others read the image"
verify "$own"
show_foreign_image
how_to_use_it_here

heading "Summary"
if [ "$failures" = 0 ]; then
	echo "demo: all is as it should be (after $((SECONDS / 60)) min $((SECONDS % 60)) s)"
else
	echo "demo: FAILED: $failures of the checks above"
	exit 1
fi
