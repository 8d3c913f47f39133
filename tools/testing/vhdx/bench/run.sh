#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make bench: the driver beside loop, qemu-nbd and the file itself.
#
# Usage: run.sh [--quick|--full|--tiny] [SECTION...]
#
#   KERNEL=uml	machine to run in, or "native": this one, which must be able to
#		load modules, and has the driver loaded
#   CPUS=2	of the machine
#   OUT=FILE	what was measured, as JSON (build/bench/KERNEL-CPUS-SIZE.json);
#		the tables are beside it
#
# Sections: present, allocate, "file system", chain, attach, replay.

set -u
top=$(cd "$(dirname "$0")/../../../.." && pwd)
here=$top/tools/testing/vhdx/bench
kernel=${KERNEL:-uml}
cpus=${CPUS:-2}
size=full

. "$top/tools/testing/vhdx/packages.sh"

case ${1:-} in
--quick | --full | --tiny) size=${1#--}; shift ;;
--help) sed -n 's/^# \?//; 3,16p' "$0"; exit ;;
esac

out=${OUT:-$top/build/bench/$kernel-$cpus-$size.json}
mkdir -p "$(dirname "$out")" || exit 2
out=$(realpath "$out")

# Memory is what the disks are made of.
machine() {
	local mem=5120

	[ "$size" != full ] || mem=10240
	TMPDIR='' "$top/tools/testing/vhdx/vm/run" --kernel "$kernel" --cpus "$cpus" --mem "$mem" \
		--timeout 3600 --share "$(dirname "$out")" -- "$@"
}

build() {
	make -s -C "$top" tools bench-tool
}

bench() {
	rm -f "$out"
	if [ "$kernel" = native ]; then
		"$here/bench.py" "$size" "$out" "$@"
	else
		machine "$here/bench.py" "$size" "$out" "$@"
	fi
}

install_packages /dev/null && build && bench "$@" || exit
{
	echo "::"
	echo
	echo "   KERNEL=$kernel CPUS=$cpus tools/testing/vhdx/bench/run.sh --$size$(printf ' "%s"' "$@" | sed 's/ ""//')"
	echo
	"$here/report.py" "$out"
} >"${out%.json}.rst" || exit
cat "${out%.json}.rst"
