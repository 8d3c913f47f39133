#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints the path of a checkpatch.pl, which no package installs by itself: it
# is taken out of the newest kernel source package that apt knows, once, and
# kept in the cache outside of the checkout.

set -eu
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vhdx/checkpatch

if [ ! -x "$cache/scripts/checkpatch.pl" ]; then
	package=$(apt-cache pkgnames linux-source- |
		  grep -E '^linux-source-[0-9.]+$' | sort -V | tail -n 1)
	[ -n "$package" ] || {
		echo "fetch-checkpatch: apt knows no linux-source package; run 'apt-get update'" >&2
		exit 1
	}
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	cd "$tmp"
	# apt fetches as a user of its own, who must be able to write here.
	chmod 777 "$tmp"
	chmod a+x "$cache" 2>/dev/null || :
	apt-get -qq download "$package" >&2 2>/dev/null ||
		apt-get download "$package" >&2
	dpkg-deb --fsys-tarfile "$package"_*.deb |
		tar -xO "./usr/src/$package.tar.xz" | xz -dc |
		tar -x --strip-components=1 --wildcards '*/scripts/checkpatch.pl' \
			'*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch'
	mkdir -p "$cache/scripts"
	# checkpatch.pl comes last: it is what says that the others are there.
	mv scripts/spelling.txt scripts/const_structs.checkpatch "$cache/scripts/"
	mv scripts/checkpatch.pl "$cache/scripts/"
fi
echo "$cache/scripts/checkpatch.pl"
