#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Partitions are there when attach returns, and can be read again.
. "$(dirname -- "$0")/lib.sh"
setup
need sfdisk

partitions() {
	settle
	(cd "$SYS" && echo "${DEV#/dev/}"p*)
}

create "$WORK/a.vhdx" 64M && attach "$WORK/a.vhdx" || exit 1
name=${DEV#/dev/}
sfdisk -q "$DEV" >/dev/null 2>&1 <<-END
	label: gpt
	size=8MiB
	size=16MiB
END
equal "partitions of a new table" "${name}p1 ${name}p2" "$(partitions)"
detach || exit 1

for n in 1 2 3; do
	attach "$WORK/a.vhdx" || break
	name=${DEV#/dev/}
	equal "partitions at attach $n" "${name}p1 ${name}p2" "$(partitions)"
	equal "their sizes $n" "16384 32768" "$(cat "$SYS/${name}p1/size" "$SYS/${name}p2/size" | xargs)"
	run "the nodes are there $n" test -b "${DEV}p1" -a -b "${DEV}p2"
	detach
done

attach "$WORK/a.vhdx"
run "BLKRRPART" blockdev --rereadpt "$DEV"
equal "partitions after it" "${DEV#/dev/}p1 ${DEV#/dev/}p2" "$(partitions)"
equal "partscan" 1 "$(attr partscan)"
run "write through a partition" dd if=/dev/urandom of="${DEV}p2" bs=64k count=4 conv=fsync
cp "${DEV}p2" "$WORK/p2"
detach

attach -r "$WORK/a.vhdx"
run "the partition holds it" cmp "${DEV}p2" "$WORK/p2"
detach
attach --no-partscan "$WORK/a.vhdx"
equal "no partitions unless wanted" "" "$(partitions)"
equal "partscan off" 0 "$(attr partscan)"
detach
run "clean" accepted "$WORK/a.vhdx"
finish
