#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Says which file breaks the floors: a file includes its own floor or a lower
# one, format/ is pure, and only compat/ knows kernel versions.
#
#	0 format/raw.h		the bytes on disk
#	1 format/		decide, compute, check; both worlds
#	2 file ... journal	one image
#	3 chain parent		a leaf and its parents
#	4 device request	the block device
#	5 control sysfs main	who may do what, and what they see
#
# Prints "file:line: what is wrong" for each finding and exits with 1, or
# prints nothing. Usage: checkfloors.sh [TOP-OF-TREE]

set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
drv=drivers/block/vhdx
[ -d "$drv" ] || { echo "$drv: no such directory" >&2; exit 2; }

sources() {
	find "$@" -name '*.[ch]' ! -name '*.mod.c' -print | LC_ALL=C sort
}

# Every include and conditional of the driver, and every word that belongs to
# one floor only, judged by where it stands.
check_driver() {
	sources "$drv" | xargs -r awk -v drv="$drv/" '
	function floor(name) {
		sub(/^.*\//, "", name)
		sub(/\.[ch]$/, "", name)
		return (name in level) ? level[name] : -1
	}
	function complain(text) {
		printf "%s:%d: %s\n", FILENAME, FNR, text
		found = 1
	}
	function check_format_include(name, angle) {
		if (angle && !(name in pure))
			complain("format/ may not include <" name ">")
		if (!angle && name ~ /\//)
			complain("format/ includes only its own headers, by name")
		if (!angle && rel == "format/raw.h")
			complain("raw.h, floor 0, includes nothing of ours")
	}
	function check_main_include(name,    to) {
		sub(/^(\.\.\/)+/, "", name)
		if (name ~ /^compat\//) {
			complain("compat/ is force-included by the Makefile only")
		} else if (name !~ /^format\//) {
			to = floor(name)
			if (to < 0)
				complain("\"" name "\" stands on no floor; add it to this script")
			else if (to > here)
				complain("floor " here " may not include \"" name "\" of floor " to)
		}
	}
	BEGIN {
		n = split("asm/byteorder.h linux/build_bug.h linux/crc32c.h " \
			  "linux/errno.h linux/kernel.h linux/overflow.h " \
			  "linux/sizes.h linux/stddef.h linux/string.h " \
			  "linux/types.h linux/uuid.h", list, " ")
		for (i = 1; i <= n; i++)
			pure[list[i]] = 1
		for (i = split("extent file image image_types pages map space " \
			       "journal replay overlay writer", list, " "); i; i--)
			level[list[i]] = 2
		level["chain"] = level["parent"] = 3
		level["device"] = level["request"] = 4
		for (i = split("control sysfs debugfs main", list, " "); i; i--)
			level[list[i]] = 5
		level["trace"] = 2	# beside the floors: all but format/ may use it
	}
	FNR == 1 {
		rel = substr(FILENAME, length(drv) + 1)
		format = rel ~ /^format\//
		compat = rel ~ /^compat\//
		test = rel ~ /^tests\//
		trace = rel ~ /^trace\.[ch]$/
		here = trace ? 5 : floor(rel)
		guard = 0
		if (!format && !compat && !test && here < 0)
			complain("this file stands on no floor; add it to scripts/checkfloors.sh")
	}
	/^[ \t]*#[ \t]*include[ \t]/ {
		name = $0
		sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
		angle = name ~ /^</
		sub(/^[<"]/, "", name)
		sub(/[>"].*$/, "", name)
		if (format)
			check_format_include(name, angle)
		else if (!compat && !test && !angle)
			check_main_include(name)
	}
	/^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)/ && !compat && !trace {
		# A header may have one: its include guard.
		if (rel !~ /\.h$/ || $0 !~ /ifndef[ \t]+VHDX_[A-Z_]*_H$/ || guard++)
			complain("conditional compilation stands in compat/ only")
	}
	/LINUX_VERSION_CODE|KERNEL_VERSION[ \t]*\(|RHEL_RELEASE/ && !compat {
		complain("kernel versions are known in compat/ only")
	}
	/(le(16|32|64)_to_cpu|cpu_to_le(16|32|64))|struct vhdx_raw_/ &&
	    !format && !compat && !test {
		complain("bytes of the format are decoded and encoded in format/ only")
	}
	/(^|[^a-z_])(BUG|BUG_ON)[ \t]*\(/ && !compat && !test {
		complain("an image is input: it never reaches an assertion")
	}
	END { exit found }
	'
}

# User space shares floors 0 and 1 and the control interface, nothing else.
check_tools() {
	[ -d tools/lib/vhdx ] || return 0
	find tools/lib/vhdx tools/vhdxctl -name '*.[ch]' \
		-exec grep -n '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' /dev/null {} + |
	LC_ALL=C sort | {
		bad=0
		while IFS=: read -r file line text; do
			name=${text#*\"}
			name=${name%\"*}
			for dir in "$(dirname "$file")" tools/lib/vhdx tools/vhdxctl tools/lib; do
				[ -e "$dir/$name" ] && continue 2
			done
			[ -e "$drv/format/${name#format/}" ] && continue
			echo "$file:$line: \"$name\" is neither of the tools nor of format/"
			bad=1
		done
		exit $bad
	}
}

status=0
check_driver || status=1
check_tools || status=1
exit $status
