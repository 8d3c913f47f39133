#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds and runs the unit tests of the format core under ASan and UBSan.
# Prints KTAP and, last, how many tests passed; arguments name the suites to
# run (vhdx_header ...), without any all of them run.

set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 2
BUILD=${BUILD:-$(cd "$here/../../../.." && pwd)/build/unit}
export BUILD
mkdir -p "$BUILD" || exit 2

if ! make -s -C "$here" all >"$BUILD/build.log" 2>&1; then
	echo "1..1"
	sed 's/^/# /' "$BUILD/build.log"
	echo "not ok 1 build of the unit tests"
	exit 1
fi

# No pipe: the exit status of the program must not get lost.
ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
	"$BUILD/unit" "$@" >"$BUILD/ktap.log" 2>&1
status=$?
cat "$BUILD/ktap.log"
if [ "$status" != 0 ] && [ "$status" != 1 ]; then
	echo "Bail out! the test program ended with status $status"
fi

# Only innermost results count: a parameterised case is the sum of its own.
awk -v status="$status" '
	function count() {
		if (/# SKIP/)
			skipped++
		else if (/^ *not ok/)
			failed++
		else
			passed++
	}
	/^        (not )?ok / { inner = 1; count(); next }
	/^    (not )?ok / { if (!inner) count(); inner = 0 }
	END {
		if (status && !failed)
			failed = 1
		printf "# %d passed, %d failed, %d skipped\n", passed, failed, skipped
	}' "$BUILD/ktap.log"
exit "$status"
