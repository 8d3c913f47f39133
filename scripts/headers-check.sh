#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make headers-check: every header compiles on its own, and may be included
# twice. Those of format/ and the control interface do so in user space, those
# of format/ also in the kernel, where all others of the driver do.
#
# Silent and 0 when all is well. KDIR= names the kernel headers.

set -u
cd "$(dirname "$0")/.." || exit 2
drv=drivers/block/vhdx
work=build/headers
status=0

kdir=${KDIR:-$(for dir in /lib/modules/*/build; do
	[ -e "$dir/Makefile" ] && echo "$dir"
done | sort -V | tail -n 1)}
[ -n "$kdir" ] || {
	echo "headers-check: no kernel headers: apt-get install linux-headers-amd64, or set KDIR" >&2
	exit 1
}

# The header twice, and a definition, since an empty unit is no C.
unit_of() {
	printf '#include "%s"\n#include "%s"\nextern int vhdx_header_check;\n' "$1" "$1"
}

in_user_space() {
	local header=$1
	shift

	unit_of "$header" |
		"${CC:-cc}" -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror \
			-fsyntax-only "$@" -x c - || {
		echo "$header: does not compile on its own in user space" >&2
		status=1
	}
}

for header in "$drv"/format/*.h; do
	in_user_space "${header#"$drv/"}" -Itools/include "-I$drv"
done
in_user_space linux/vhdx.h -Iinclude/uapi
for header in tools/lib/vhdx/*.h tools/vhdxctl/*.h; do
	in_user_space "$header" -D_GNU_SOURCE -I. -Itools/lib -Itools/lib/vhdx -Itools/vhdxctl \
		-Iinclude/uapi -Itools/include "-I$drv/format" "-I$drv"
done

# A module of one empty unit for each header, built beside a copy of the
# driver, so that nothing of it lands in the tree.
rm -rf "$work"
mkdir -p "$work"
cp -r drivers include "$work/"
find "$work" \( -name '*.o' -o -name '.*.cmd' -o -name have.h \) -delete
objects=
for header in "$drv"/*.h "$drv"/format/*.h; do
	[ -e "$header" ] || continue
	name=${header#"$drv/"}
	unit=check_$(basename "${name//\//_}" .h)
	unit_of "$name" >"$work/$drv/$unit.c"
	objects+=" $unit.o"
done
cat >>"$work/$drv/Makefile" <<EOF
obj-m := headers.o
headers-y :=$objects
\$(addprefix \$(obj)/,\$(headers-y)): \$(obj)/compat/have.h
EOF
echo "obj-m += $drv/" >"$work/Kbuild"
cat >"$work/$drv/check_license.c" <<'EOF'
#include <linux/module.h>
MODULE_DESCRIPTION("every header on its own");
MODULE_LICENSE("GPL");
EOF
echo 'headers-y += check_license.o' >>"$work/$drv/Makefile"
if ! make -s -k -C "$kdir" M="$PWD/$work" KCFLAGS=-Werror modules >"$work/log" 2>&1; then
	sed "s,$PWD/$work/,," "$work/log" >&2
	echo "headers-check: a header does not compile on its own against $kdir" >&2
	status=1
fi
exit $status
