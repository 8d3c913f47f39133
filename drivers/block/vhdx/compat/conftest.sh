#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Ask the kernel's headers what they offer and write the answers to a header.
#
#	conftest.sh OUTPUT COMPILER FLAG...
#
# The questions are the functions of questions.c, each of them labelled by a
# #line directive with the name of the macro it decides. All are compiled in
# one go, without output, with the flags of the module itself: a question that
# draws an error message is answered with no. Two controls guard against
# flags that make every answer the same; if one of them is wrong there is no
# answer at all, and the build stops.
set -eu

out=$1
shift
dir=$(dirname "$0")
log=$out.log

fail() {
	echo "conftest: $1; the compiler said:" >&2
	head -n 20 "$log" >&2
	exit 1
}

# Clang gives up after 20 errors unless told otherwise, gcc does not.
case $("$1" --version 2>/dev/null) in
*clang*) limit=-ferror-limit=0 ;;
*) limit=-fmax-errors=0 ;;
esac

LC_ALL=C "$@" "$limit" -fsyntax-only -Wno-error -fno-diagnostics-color \
	-Werror=implicit-function-declaration -Werror=implicit-int \
	-Werror=incompatible-pointer-types -Werror=int-conversion \
	-x c "$dir/questions.c" >"$log" 2>&1 || true

no() {
	grep -Eq "^$1:[0-9]+(:[0-9]+)?: (fatal )?error:" "$log"
}

# An error outside of all questions means that nothing was asked.
if grep -E '(^|[ :])(fatal )?error:' "$log" |
   grep -Eqv '^(HAVE|CONTROL)_[A-Z0-9_]+:'; then
	fail "the kernel's headers do not compile"
fi
! no CONTROL_YES || fail "what is there was not found"
no CONTROL_NO || fail "what is not there was found"

{
	echo "/* Made by conftest.sh */"
	sed -n 's/^#line 1 "\(HAVE_[A-Z0-9_]*\)"$/\1/p' "$dir/questions.c" |
	while read -r name; do
		if no "$name"; then
			echo "/* $name: no */"
		else
			echo "#define $name 1"
		fi
	done
} >"$out.tmp"
mv "$out.tmp" "$out"
rm -f "$log"
