#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# defects.sh [NAME...]: can the selftests fail? Each patch in defects/, and each of
# ../crash/defects/ that names a test, is applied to a copy of the driver. It says
# which tests have to find it, or, for one that only makes a moment longer, have
# to pass all the same. What tests choose at random they choose by VHDX_SEED, 1.
# KTAP; what went well is not tried again.

set -u
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
REPO=$(cd -- "$HERE/../../../.." && pwd -P)
WORK=$REPO/build/faults
# shellcheck disable=SC2034  # it is for plant.sh
mapfile -t DEFECTS < <(grep -l '^Test: ' "$HERE"/{,../crash/}defects/*.patch)
export LC_ALL=C

. "$HERE/../plant.sh"

# says NAME WORD: what its patch has behind WORD
says() {
	sed -n "s/^$2: //p" "$(patch_of "$1")"
}

# kernel_for NAME TEST
kernel_for() {
	local kernel

	kernel=$(says "$1" Kernel)
	[[ $2 != fault_alloc ]] || kernel=uml-debug
	echo "${kernel:-uml}"
}

# run_test NAME TEST [CASE]: in a machine; the status of that
run_test() {
	local kernel cpus=1

	kernel=$(kernel_for "$1" "$2")
	[[ $kernel == uml* ]] || cpus=2
	VHDX_SRC=$WORK/src VHDX_CASES=${3:-} VHDX_KINDS=${3:-} VHDX_SEED=${VHDX_SEED:-1} TMPDIR='' \
		"$REPO/tools/testing/vhdx/vm/run" --kernel "$kernel" --cpus $cpus --timeout 500 \
		--share "$WORK/$1/state" -- env "TMPDIR=$WORK/$1/state" \
		"$REPO/tools/testing/selftests/vhdx/run_all.sh" -t "$2" >"$WORK/$1/$2.log" 2>&1
}

# verdict OUTCOME STATUS LOG: what is wrong, if anything. That nothing ran, or
# that the machine did not come up, is no finding.
verdict() {
	case $1 in
	passes)	[[ $2 == 0 ]] || echo "the test failed" ;;
	found)	[[ $2 != 0 ]] || echo "the test passed"
		[[ $2 == 9[89] ]] || grep -q '^ *not ok' "$3" || echo "no case failed" ;;
	*)	echo "the patch does not say its outcome" ;;
	esac
}

# try NAME: all tests that its patch names
try() {
	local test case outcome status why wrong=0

	outcome=$(says "$1" Outcome)
	while read -r test case; do
		run_test "$1" "$test" "$case" </dev/null
		status=$?
		why=$(verdict "$outcome" $status "$WORK/$1/$test.log")
		echo "$test${case:+ $case}: ${why:-$outcome}, status $status"
		grep -m1 -A1 "^ *not ok" "$WORK/$1/$test.log" | sed "s/^ *//"
		[[ -z $why ]] || wrong=1
	done < <(says "$1" Test)
	return $wrong
}

make -s -C "$REPO" tools || exit 2
try_all try "$@"
