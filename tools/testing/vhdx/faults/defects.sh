#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# defects.sh [NAME...]: can the tests of faults fail? Each patch in defects/ is
# applied to a copy of the driver. It says which test has to find it, or, for
# one that only makes a moment longer, has to pass all the same. KTAP.

set -u
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
REPO=$(cd -- "$HERE/../../../.." && pwd -P)
WORK=$REPO/build/faults
export LC_ALL=C

# says NAME WORD: what its patch has behind WORD
says() {
	sed -n "s/^$2: //p" "$HERE/defects/$1.patch"
}

. "$HERE/../plant.sh"

# try NAME: run its test in a machine; the status of that
try() {
	local test case kernel=uml

	read -r test case <<<"$(says "$1" Test)"
	[[ $test != fault_alloc ]] || kernel=uml-debug
	VHDX_SRC=$WORK/$1/src VHDX_CASES=$case VHDX_KINDS=$case TMPDIR='' \
		"$REPO/tools/testing/vhdx/vm/run" --kernel "$kernel" --cpus 1 --timeout 500 \
		--share "$WORK/$1/state" -- env "TMPDIR=$WORK/$1/state" \
		"$REPO/tools/testing/selftests/vhdx/run_all.sh" -t "$test" >"$WORK/$1/log" 2>&1
}

# verdict NAME STATUS: what is wrong, if anything
verdict() {
	case $(says "$1" Outcome) in
	passes)	[[ $2 == 0 ]] || echo "the test failed" ;;
	found)	[[ $2 != 0 ]] || echo "the test passed"
		# That nothing ran, or that the machine did not come up, is no finding.
		grep -q '^ *not ok' "$WORK/$1/log" || [[ $2 == 99 ]] || echo "no case failed" ;;
	*)	echo "the patch does not say its outcome" ;;
	esac
}

make -s -C "$REPO" tools && mkdir -p "$WORK" || exit 2
echo "KTAP version 1"
number=0 failed=0
(($#)) || { names=("$HERE"/defects/*.patch); names=("${names[@]##*/}"); set -- "${names[@]%.patch}"; }
for name; do
	if ! plant "$name" >"$WORK/plant.log" 2>&1; then
		why="the patch does not apply"
	else
		try "$name"
		why=$(verdict "$name" $?)
	fi
	if [[ -z $why ]]; then
		echo "ok $((++number)) $name: $(says "$name" Outcome)"
	else
		echo "not ok $((++number)) $name: $why"
		failed=1
	fi
	grep -m2 -A1 '^ *not ok' "$WORK/$name/log" | sed 's/^ */# /'
done
echo "1..$number"
exit $failed
