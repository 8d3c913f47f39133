#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: every test there is, as one KTAP stream. Each step's output goes
# to build/check/<step>.log and is printed when the step is done, in order; two
# steps run at a time. The last line is "N passed, N failed, N skipped" and
# counts individual tests; the exit status is 0 if none failed.
#
# Usage: check.sh [STEP...]	check.sh list shows the steps
#
# Without a STEP: those marked "yes". The others were not seen to pass yet and
# are run by name, or all together with "all".
#
# With CI=true a step that cannot run has failed: nothing may be missing there.

set -u
top=$(cd "$(dirname "$0")/../../.." && pwd)
cd "$top" || exit 2
testing=tools/testing/vhdx
logs=build/check
lanes=2

. "$testing/packages.sh"

# What was seen to pass on 6.1.
seen="-t attach_[bc]* -t error_* -t fault_* -t image_* -t io_fio -t io_oracle"
seen+=" -t log_commit -t log_idle -t log_order"

# by default | name | limit in seconds | command
steps() {
	cat <<-EOF
	yes | lint | 600 | scripts/lint.sh
	yes | headers-check | 600 | scripts/headers-check.sh
	yes | unit | 900 | $testing/unit/run.sh
	no | fuzz | 420 | $testing/fuzz/run.sh
	yes | tools | 600 | build_tools
	yes | tool | 1200 | build_tools && $testing/tool/run.sh
	yes | crash-model | 300 | build_tools && build/vhdx-crash model
	no | crash | 900 | crash_quick
	no | crash-defects | 1800 | $testing/crash/defects.sh
	yes | model | 900 | python3 $testing/images/selftest.py
	yes | build-6.1 | 900 | $testing/vm/build-module 6.1
	yes | build-6.12 | 900 | $testing/vm/build-module 6.12
	yes | build-newest | 900 | $testing/vm/build-module newest
	yes | build-uml-debug | 1800 | $testing/vm/build-module uml-debug
	no | dkms | 900 | $testing/dkms/run.sh
	yes | kunit-uml-debug | 900 | kunit uml-debug
	no | vm-uml-debug | 1500 | selftests uml-debug
	no | vm-6.1 | 1500 | selftests 6.1
	yes | vm-6.1-most | 1700 | selftests 6.1 $seen
	yes | vm-uml-debug-attach | 900 | selftests uml-debug -t 'attach_[bc]*'
	no | vm-6.12 | 1500 | selftests 6.12
	no | vm-newest | 1500 | selftests newest
	EOF
}

# One make at a time writes to build/.
build_tools() {
	flock "$logs/tools.lock" make -s tools crash-tool
}

# Some power cuts; make crash has more.
crash_quick() {
	SEED=1 SEEDS=2 COUNT=60 LIBRARY=1000 SECONDS_MAX=600 "$testing/crash/campaign.sh"
}

# The unit tests once more, inside a kernel. Its log is the only way out.
kunit() {
	build_tools || return
	"$testing/vm/run" --kernel "$1" --timeout 800 -- sh -c \
		'dmesg -C && modprobe vhdx_kunit && dmesg -t | grep -v "^\(vhdx\|random\)" &&
		 dmesg -t | grep -q "^ *ok [0-9]* vhdx_text" && ! dmesg -t | grep -q "^ *not ok"'
}

# The live tests, on a folder that the machine may write to.
selftests() {
	local kernel=$1 share=$top/$logs/share-$1 status

	shift

	build_tools || return
	rm -rf "$share"
	mkdir -p "$share"
	TMPDIR='' "$testing/vm/run" --kernel "$kernel" --timeout 1480 --share "$share" -- \
		env "TMPDIR=$share" "CI=${CI:-}" "$top/tools/testing/selftests/vhdx/run_all.sh" "$@"
	status=$?
	rm -rf "$share"
	return $status
}

trim() {
	local text=$1

	text=${text#"${text%%[![:space:]]*}"}
	printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# Run one step in the background and leave its log, exit status and duration.
# The limit is kept here, so that functions are steps as well as programs.
run_step() {
	local name=$1 limit=$2 command=$3 begin=$SECONDS pid watch status

	rm -f "$logs/$name.done"
	# A process group of its own, so that the limit ends all of it.
	set -m
	( eval "$command" ) >"$logs/$name.log" 2>&1 </dev/null &
	pid=$!
	( sleep "$limit"; echo 124 >"$logs/$name.over"; kill -TERM -- "-$pid"
	  sleep 10; kill -KILL -- "-$pid" ) 2>/dev/null &
	watch=$!
	set +m
	wait "$pid" 2>/dev/null
	status=$?
	kill -TERM -- "-$watch" 2>/dev/null
	[ -e "$logs/$name.over" ] && status=124
	echo "$status $((SECONDS - begin))" >"$logs/$name.done.tmp"
	mv "$logs/$name.done.tmp" "$logs/$name.done"
}

report_step() {
	local number=$1 name=$2 status seconds p f s strict=()

	read -r status seconds <"$logs/$name.done"
	[ "${CI:-}" != true ] || strict=(--strict)
	echo "# $(date +%T) $name: $seconds s, all of it in $logs/$name.log"
	python3 "$testing/ktap.py" --number "$number" --name "$name" \
		--status "$status" --seconds "$seconds" "${strict[@]}" \
		"$logs/$name.log" 3>"$logs/$name.count" || {
		echo "not ok $number $name"
		echo "0 1 0" >"$logs/$name.count"
	}
	read -r p f s <"$logs/$name.count"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

names=() limits=() commands=()
while IFS='|' read -r default name limit command; do
	name=$(trim "$name")
	if [ $# -gt 0 ] && [ "$1" = list ]; then
		echo "$name"
		continue
	fi
	if [ $# = 0 ]; then
		[ "$(trim "$default")" = yes ] || continue
	elif [ "$1" != all ]; then
		case " $* " in
		*" $name "*) ;;
		*) continue ;;
		esac
	fi
	names+=("$name") limits+=("$(trim "$limit")") commands+=("$(trim "$command")")
done < <(steps)
[ "${1:-}" != list ] || exit 0
for want; do
	[ "$want" != all ] || continue
	case " ${names[*]} " in
	*" $want "*) ;;
	*) echo "check: there is no step $want; make check STEPS=list lists them" >&2; exit 2 ;;
	esac
done

mkdir -p "$logs"
rm -f "$logs"/*.done "$logs"/*.over "$logs"/*.count
passed=0 failed=0 skipped=0
echo "KTAP version 1"
echo "1..${#names[@]}"
install_packages "$logs/packages.log"

next=0
reported=0
running=0
while [ "$reported" -lt ${#names[@]} ]; do
	while [ "$next" -lt ${#names[@]} ] && [ "$running" -lt "$lanes" ]; do
		echo "# $(date +%T) ${names[next]}: begins"
		run_step "${names[next]}" "${limits[next]}" "${commands[next]}" &
		next=$((next + 1))
		running=$((running + 1))
	done
	wait -n
	running=$((running - 1))
	while [ "$reported" -lt "$next" ] && [ -e "$logs/${names[reported]}.done" ]; do
		report_step $((reported + 1)) "${names[reported]}"
		reported=$((reported + 1))
	done
done
echo "# $(date +%T) done after $SECONDS s"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
