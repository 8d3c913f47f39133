#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run the tests of this folder and add up their cases.
#
#   run_all.sh [-q] [-l] [-t PATTERN]...
#	-t PATTERN	only tests whose name matches the glob; may be repeated
#	-x PATTERN	not these; may be repeated
#	-q		a quick choice of tests
#	-l		list what would run
#
# VHDX_TEST_LIMIT is how many seconds each may take, if not what settings says.
# Exit status: 0 all passed or skipped, 1 something failed, 4 nothing could run.

cd -- "$(dirname -- "$0")" || exit 1

QUICK=(test_attach_basic test_attach_partitions test_fault_attach test_log_replay
	test_log_readonly test_io_oracle)
BASE=${VHDX_TEST_DIR:-/tmp}

# matches NAME PATTERN...: with or without the prefix that all names have
matches() {
	local name=${1%.sh} pattern

	for pattern in "${@:2}"; do
		# shellcheck disable=SC2053  # the right side is a pattern
		[[ $name != $pattern && $name != test_$pattern ]] || return 0
	done
	return 1
}

# A pattern that matches nothing is a name that was misspelt, or is old.
check_patterns() {
	local pattern name

	for pattern; do
		for name in test_*.sh; do
			! matches "$name" "$pattern" || continue 2
		done
		echo "no test matches $pattern" >&2
		exit 2
	done
}

choose() {
	local name

	for name in test_*.sh; do
		((${#patterns[@]} == 0)) || matches "$name" "${patterns[@]}" || continue
		matches "$name" "${excluded[@]}" || echo "$name"
	done
}

# Images that several tests only read are made once, or were made before: a
# slow machine gets them in an archive, VHDX_TEST_CRAFTED_TAR.
make_crafted() {
	shared=$(mktemp -d "$BASE/vhdx-crafted.XXXXXX") || exit 1
	trap 'umount "$shared"; rmdir "$shared"' EXIT
	mount -t tmpfs -o size=75% vhdx-crafted "$shared" && mkdir "$shared/images" || return
	if [[ -n ${VHDX_TEST_CRAFTED_TAR:-} ]]; then
		tar -x -S -f "$VHDX_TEST_CRAFTED_TAR" -C "$shared/images" || return
	else
		PYTHONDONTWRITEBYTECODE=1 ../../vhdx/images/mkimages.py "$shared/images" \
			>/dev/null || return
	fi
	export VHDX_TEST_CRAFTED=$shared/images
}

# count REGEX: how many lines of the last test's output match
count() {
	grep -cE "$1" "$log"
}

run_one() {
	local name=$1 start=$SECONDS status

	echo "    # $name"
	timeout -k 10 "$limit" "./$name" 2>&1 | tee "$log" | sed -u 's/^/    /'
	status=${PIPESTATUS[0]}
	((passed += $(count '^ok ') - $(count '^ok .* # SKIP')))
	((skipped += $(count '^ok .* # SKIP|^1\.\.0 # SKIP')))
	((failed += $(count '^not ok ')))
	echo "    # $((SECONDS - start)) s"
	case $status in
	0)	echo "ok $((++number)) ${name%.sh}" ;;
	4)	echo "ok $((++number)) ${name%.sh} # SKIP" ;;
	*)	echo "not ok $((++number)) ${name%.sh} # exit status $status"
		bad=1
		(($(count '^not ok ') > 0)) || ((++failed)) ;;
	esac
}

patterns=() excluded=()
list=
while getopts qlt:x: option; do
	case $option in
	q)	patterns+=("${QUICK[@]}") ;;
	l)	list=1 ;;
	t)	patterns+=("$OPTARG") ;;
	x)	excluded+=("$OPTARG") ;;
	*)	sed -n '3,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done

check_patterns "${patterns[@]}" "${excluded[@]}"
mapfile -t tests < <(choose)
if [[ -n $list ]]; then
	printf '%s\n' "${tests[@]}"
	exit 0
fi
if ((${#tests[@]} == 0)); then
	echo "no test matches" >&2
	exit 2
fi

limit=${VHDX_TEST_LIMIT:-$(sed -n 's/^timeout=//p' settings)}
log=$(mktemp "$BASE/vhdx-log.XXXXXX") || exit 1
number=0 passed=0 failed=0 skipped=0 bad=0
echo "KTAP version 1"
echo "1..${#tests[@]}"
[[ $(id -u) != 0 ]] || ! grep -qw need_crafted "${tests[@]}" || make_crafted
for test in "${tests[@]}"; do
	run_one "$test"
done
rm -f "$log"
echo "# $passed passed, $failed failed, $skipped skipped"
((bad == 0)) || exit 1
((passed > 0)) || exit 4
