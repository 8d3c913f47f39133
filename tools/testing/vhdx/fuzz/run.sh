#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the fuzz targets, makes their seeds, and runs each for a bounded
# count. Prints KTAP; a target that fails leaves its input in a file and says
# which. Arguments name the targets to run, without any all of them run.
#
# FUZZ_RUNS	inputs for each target (100000)
# FUZZ_SECONDS	but no longer than this for each (25)
# FUZZ_SEED	of the random numbers (1; 0 for another one each time)
#
# What is found to be interesting is kept in $BUILD/corpus for the next run, and
# what fails in $BUILD/reproducers, to be tried first then.

set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 2
BUILD=${BUILD:-$(cd "$here/../../../.." && pwd)/build/fuzz}
export BUILD
runs=${FUZZ_RUNS:-100000}
seconds=${FUZZ_SECONDS:-25}
seed=${FUZZ_SEED:-1}
clang=${CLANG:-clang}
mkdir -p "$BUILD/reproducers" || exit 2

echo "KTAP version 1"
if ! command -v "$clang" >/dev/null 2>&1; then
	echo "1..0 # SKIP no $clang: apt-get install clang"
	exit 4
fi
if ! echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return p && n < 0; }' |
	"$clang" -x c -fsanitize=fuzzer,address -o "$BUILD/probe" - 2>"$BUILD/probe.log"
then
	echo "1..0 # SKIP $clang has no libFuzzer: apt-get install libclang-rt-dev"
	exit 4
fi
if ! make -s -C "$here" CLANG="$clang" all >"$BUILD/build.log" 2>&1 ||
   ! "$BUILD/seeds" "$BUILD/first" >>"$BUILD/build.log" 2>&1; then
	echo "1..1"
	sed 's/^/# /' "$BUILD/build.log"
	echo "not ok 1 build of the fuzz targets"
	exit 1
fi

# Options of all runs. The limit for one input is generous: the machine may be busy.
run_target() {
	target=$1
	shift
	"$BUILD/$target" -seed="$seed" -timeout=30 -rss_limit_mb=1024 \
		-artifact_prefix="$BUILD/reproducers/$target-" "$@" >>"$BUILD/$target.log" 2>&1
}

# What failed before comes first. What does not fail any more is an input like others.
again() {
	for file in "$BUILD/reproducers/$1-"*; do
		[ -e "$file" ] || continue
		run_target "$1" "$file" || return
		mv "$file" "$BUILD/corpus/$1/" || return
	done
}

fuzz() {
	mkdir -p "$BUILD/corpus/$1" || return
	: >"$BUILD/$1.log"
	again "$1" || return
	: >"$BUILD/$1.log"
	run_target "$1" -runs="$runs" -max_total_time="$seconds" -max_len=4096 -len_control=20 \
		-dict="$here/vhdx.dict" -print_final_stats=1 "$BUILD/corpus/$1" "$BUILD/first/$1"
}

# The number behind a word in the log of a target.
number_of() {
	sed -n "s/^$2: *//p" "$BUILD/$1.log" | tail -n 1
}

if [ $# = 0 ]; then
	# shellcheck disable=SC2046 # names without blanks
	set -- $(make -s -C "$here" list)
fi
echo "1..$#"
number=0
failed=0
for target; do
	number=$((number + 1))
	if ! fuzz "$target"; then
		tail -n 40 "$BUILD/$target.log" | sed 's/^/# /'
		for file in "$BUILD/reproducers/$target-"*; do
			[ -e "$file" ] && echo "# again with: $BUILD/$target $file"
		done
	elif [ -z "$(number_of "$target" accepted)" ]; then
		echo "# every input was refused: nothing behind the checks was tried"
	else
		echo "ok $number $target # $(number_of "$target" stat::number_of_executed_units)" \
			"inputs, $(number_of "$target" accepted) accepted"
		continue
	fi
	failed=$((failed + 1))
	echo "not ok $number $target"
done
echo "# $((number - failed)) passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
