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
failures=0

. "$top/tools/testing/vhdx/packages.sh"
. "$here/lib.sh"

in_machine() {
	"$top/tools/testing/vhdx/vm/run" --kernel "$kernel" --timeout 400 \
		--share "$work" -- "$@" 2>"$work/machine.log"
}

prepare() {
	heading "Preparing: packages, vhdxctl, and a virtual machine with kernel $kernel"
	install_packages "$work/packages.log"
	if ! { make -s -C "$top" tools && "$top/tools/testing/vhdx/vm/prepare" "$kernel" &&
	       "$top/tools/testing/vhdx/vm/build-module" "$kernel"; }; then
		echo "demo: the machine could not be prepared" >&2
		exit 1
	fi
}

make_dirty_image() {
	local status

	heading "A machine writes to a new image, and its power is cut"
	in_machine "$here/guest-cut.sh" "$work"
	status=$?
	check "the machine died in the middle of its work (exit status 98)" [ $status = 98 ]
	[ $status = 98 ] || tail -n 20 "$work/machine.log"
}

look_at() {
	local image=$1

	run "$vhdxctl" info "$image"
	check "its log is dirty" is_log "$image" dirty
	sha256sum <"$image" >"$image.before"
}

attach_and_write() {
	in_machine "$here/guest-$1.sh" "$work" "$2"
	check "all of that went well in the machine" [ $? = 0 ]
	grep -v '^run: ' "$work/machine.log" | tail -n 20
}

content_by_qemu() {
	qemu-img convert -O raw "$1" "$1.raw" && sha256sum <"$1.raw"
	rm -f "$1.raw"
}

content_by_libvhdi() {
	python3 - "$1" <<-'EOF'
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
	EOF
}

# What the device showed last is what others read from the file.
verify() {
	local image=$1

	run "$vhdxctl" info "$image"
	check "its log is clean" is_log "$image" clean
	check "vhdxctl check finds nothing" "$vhdxctl" check "$image"
	check "qemu-img check finds nothing" qemu-img check -q "$image"
	check "QEMU reads what the device showed" \
		[ "$(content_by_qemu "$image")" = "$(cat "$image.content")" ]
	check "libvhdi reads what the device showed" \
		[ "$(content_by_libvhdi "$image")" = "$(cat "$image.content")" ]
}

show_foreign_image() {
	local image=$work/foreign.vhdx

	heading "The same with a dirty image that another program left behind"
	if [ ! -e "$foreign.xz" ]; then
		echo "There is none beside this checkout; the one made above has shown it all."
		return
	fi
	xz -dc "$foreign.xz" >"$image"
	cp "$foreign.tsv" "$image.tsv"
	look_at "$image"
	heading "Attached read-only, then read-write"
	attach_and_write foreign "$image"
	check "qemu-img check finds nothing" qemu-img check -q "$image"
	check "its log is clean" is_log "$image" clean
}

how_to_use_it_here() {
	heading "On this machine itself"
	if [ "$(id -u)" = 0 ] && modprobe -n -q loop && [ -e "/lib/modules/$(uname -r)/build" ]; then
		cat <<-EOF
		This machine can load modules:
		    make dkms-install && make install && modprobe vhdx
		    vhdxctl attach disk.vhdx
		EOF
	else
		cat <<-EOF
		This machine cannot load modules for its kernel ($(uname -r)): there are no
		modules or no headers for it. Where there are:
		    make dkms-install && make install && modprobe vhdx
		    vhdxctl attach disk.vhdx
		EOF
	fi
}

work=$(mktemp -d "${TMPDIR:-/tmp}/vhdx-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
own=$work/cut.vhdx

[ "$(id -u)" = 0 ] || {
	echo "demo: must be root: it builds a root file system and boots a machine" >&2
	exit 1
}
prepare
make_dirty_image
heading "What the power cut left behind"
look_at "$own"
heading "Attached read-only, then read-write, in a machine that is whole"
attach_and_write repair "$own"
heading "Read by programs that are not ours"
verify "$own"
show_foreign_image
how_to_use_it_here

heading "Summary"
if [ "$failures" = 0 ]; then
	echo "demo: all is as it should be"
else
	echo "demo: $failures of the checks above failed"
	exit 1
fi
