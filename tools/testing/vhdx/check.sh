#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# make check: every test there is, as one KTAP stream. Each step's output goes
# to build/check/<step>.log and is printed when the step is done, in order; three
# steps run at a time, as tests wait now and then. The last line is "N passed, N failed, N skipped" and
# counts individual tests; the exit status is 0 if none failed.
#
# Usage: check.sh [STEP...]	check.sh list shows the steps
#
# Without a STEP: all but those that take hours.
#
# With CI=true a step that cannot run has failed: nothing may be missing there.

set -u
top=$(cd "$(dirname "$0")/../../.." && pwd)
cd "$top" || exit 2
testing=tools/testing/vhdx
logs=build/check
lanes=3

. "$testing/packages.sh"

# Emulated machines are slow, so that each test whose subject is the same on every
# kernel is run by one of them or none, and all by User Mode Linux. The faults of disk and
# memory, each in turn, chains at random and parents that are shared are left to
# that one altogether. host_memory has a small machine for itself.
emulated="-x fault_alloc -x fault_cases -x fault_io -x fault_space -x chain_content"
emulated+=" -x chain_shared -x host_memory"
declare -A only=(
	[6.1]="attach_busy attach_snapshot backing_local error_truncated host_fs io_sectors4096
		log_commit"
	[6.12]="attach_hibernate attach_loop backing_remote chain_attach host_cpu io_fio io_sizes"
	[newest]="error_short host_file host_kill host_queue"
	[uml]="attach_huge chain_oracle fault_check host_memcg host_nfs log_idle log_order"
)

# A debug kernel under User Mode Linux is slow: attach, errors, replay and chains,
# and everything at once, but not the long tests of content.
debugged="-t attach_basic -t attach_control -t chain_content -t error_io -t fault_attach"
debugged+=" -t log_replay -t stress"

# What runs on several processors at once, where races are looked for.
raced="-t stress -t io_oracle -t log_idle -t attach_busy -t chain_shared"

# These only when they are asked for.
long="vm-uml-debug-all vm-kcsan"

# Seconds for a machine.
machine=2400
[ "${VHDX_TEST_SHARE:-}" != 1/1 ] || machine=10800

# name | limit in seconds | command
steps() {
	cat <<-EOF
	lint | 600 | scripts/lint.sh
	headers-check | 600 | scripts/headers-check.sh
	unit | 900 | $testing/unit/run.sh
	tools | 600 | build_tools
	tool | 1200 | build_tools && $testing/tool/run.sh
	model | 900 | python3 $testing/images/selftest.py
	build-6.1 | 900 | $testing/vm/build-module 6.1
	build-6.12 | 900 | $testing/vm/build-module 6.12
	build-newest | 900 | $testing/vm/build-module newest
	build-uml-debug | 3000 | $testing/vm/build-module uml-debug
	crash-model | 300 | build_tools && build/vhdx-crash model
	vm-runner | 900 | build_tools && $testing/vm/test.sh
	vm-uml | $machine | selftests uml
	vm-uml-memory | 900 | MEMORY=512 selftests uml -t host_memory
	vm-6.1 | $machine | selftests 6.1 $emulated
	vm-6.12 | $machine | selftests 6.12 $emulated
	vm-newest | $machine | selftests newest $emulated
	vm-uml-debug | $machine | selftests uml-debug $debugged
	vm-uml-debug-all | 14400 | MACHINE_LIMIT=14380 VHDX_TEST_LIMIT=3600 VHDX_TEST_SHARE=1/1 selftests uml-debug
	vm-kcsan | 3600 | MACHINE_LIMIT=3580 VHDX_STRESS_COUNT=40 selftests kcsan $raced
	kunit-uml-debug | 900 | kunit uml-debug
	crash | 1500 | crash_quick
	bench | 600 | bench_runs
	reboot | 900 | build_tools && $testing/reboot/run.sh 6.12
	demo | 1800 | demo
	dkms | 1800 | $testing/dkms/run.sh
	fuzz | 600 | FUZZ_RUNS=40000 FUZZ_SECONDS=10 $testing/fuzz/run.sh
	EOF
}

# with_lock FUNCTION
with_lock() {
	local status lock

	exec {lock}>"$logs/$1.lock" && flock "$lock" || return
	"$1"
	status=$?
	exec {lock}>&-
	return $status
}

# One make at a time writes to build/.
build_tools() {
	flock "$logs/tools.lock" make -s tools crash-tool
}

# Some power cuts; make crash has more.
crash_quick() {
	SEED=1 SEEDS=2 COUNT=60 LIBRARY=600 SECONDS_MAX=600 "$testing/crash/campaign.sh"
}

# That the benchmark runs and its report has all rows; what it measures is no
# verdict.
bench_runs() {
	local out=$top/$logs/bench/bench.json status

	build_tools && make -s bench-tool || return
	KERNEL=uml CPUS=1 OUT=$out "$testing/bench/run.sh" --tiny >"$logs/bench.out" 2>&1 &&
		"$testing/bench/report.py" --complete "$out" >>"$logs/bench.out"
	status=$?
	sed 's/^/# /' "$logs/bench.out"
	return $status
}

# The unit tests once more, inside a kernel. Its log is the only way out, and
# what was said first would be lost first if there were too much of it.
kunit() {
	local suites=(drivers/block/vhdx/tests/*_kunit.c)

	build_tools || return
	"$testing/vm/run" --kernel "$1" --timeout 800 -- sh -c \
		'dmesg -C && modprobe vhdx_kunit && dmesg -t | grep -v "^\(vhdx\|random\)" &&
		 [ "$(dmesg -t | grep -c "^ *# Subtest: vhdx_")" = "$0" ] &&
		 [ "$(dmesg -t | grep -c "^ok [0-9]* vhdx_")" = "$0" ]' "${#suites[@]}"
}

# The crafted images, made where that is quick.
crafted() {
	[ -e "$logs/crafted.tar" ] && return
	rm -rf "$logs/crafted"
	python3 "$testing/images/mkimages.py" "$logs/crafted" >/dev/null &&
		tar -c -S -f "$logs/crafted.tar.tmp" -C "$logs/crafted" . &&
		mv "$logs/crafted.tar.tmp" "$logs/crafted.tar" && rm -rf "$logs/crafted"
}

# Like cases, above all images, are divided among the kernels of distributions, as
# tests are; with VHDX_TEST_SHARE=1/1 each has them all.
share_of() {
	case $1 in
	6.1)		echo 1/3 ;;
	6.12)		echo 2/3 ;;
	newest)		echo 3/3 ;;
	uml-debug)	echo 1/12 ;;
	*)		echo 1/1 ;;
	esac
}

# Operations of each thread in test_stress.
stress_of() {
	case $1 in
	uml)		echo 200 ;;
	uml-debug)	echo 20 ;;
	*)		echo 60 ;;
	esac
}

# Options that leave out what another kernel runs.
not_ours() {
	local kernel name

	[[ $1 != uml* && $VHDX_TEST_SHARE != 1/1 ]] || return
	for kernel in "${!only[@]}"; do
		[ "$kernel" != "$1" ] || continue
		for name in ${only[$kernel]}; do
			echo "-x $name"
		done
	done
}

# The live tests, on a folder that the machine may write to. MACHINE_LIMIT is for
# all of them, VHDX_TEST_LIMIT for each, MEMORY in MiB what the machine has.
selftests() {
	local kernel=$1 share=$top/$logs/share-$1${MEMORY:-} cpus=2 status

	shift
	# User Mode Linux is not faster with several processors, and threads that hand
	# work to each other are slower.
	case $kernel in
	uml*)	cpus=1 ;;
	esac
	build_tools && with_lock crafted || return
	export VHDX_TEST_CRAFTED_TAR=$top/$logs/crafted.tar
	export VHDX_TEST_SHARE=${VHDX_TEST_SHARE:-$(share_of "$kernel")}
	export VHDX_STRESS_COUNT=${VHDX_STRESS_COUNT:-$(stress_of "$kernel")}
	# shellcheck disable=SC2046 # options
	set -- "$@" $(not_ours "$kernel")
	rm -rf "$share"
	mkdir -p "$share"
	TMPDIR='' "$testing/vm/run" --kernel "$kernel" --cpus "$cpus" \
		--timeout "${MACHINE_LIMIT:-$((machine - 20))}" \
		${MEMORY:+--mem "$MEMORY"} --share "$share" -- \
		env "TMPDIR=$share" "CI=${CI:-}" "$top/tools/testing/selftests/vhdx/run_all.sh" "$@"
	status=$?
	rm -rf "$share"
	return $status
}

# The demo's "[ok]" and "[FAILED]" lines as results, all else as comments.
demo() {
	"$testing/demo/run.sh" 2>&1 | awk '
		/^  \[ok\] / { ok = "ok " }
		/^  \[FAILED\] / { ok = "not ok " }
		ok { sub(/^ *\[[A-Za-z]*\] */, ""); print ok (++nr) " " $0; ok = ""; next }
		{ print "# " $0 }
		END { print "1.." nr + 0 }'
	return "${PIPESTATUS[0]}"
}

trim() {
	local text=$1

	text=${text#"${text%%[![:space:]]*}"}
	printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# End a process group: ten seconds to clean up, then by force.
end_group() {
	local i

	kill -TERM -- "-$1"
	for ((i = 0; i < 100; i++)); do
		kill -0 -- "-$1" || return 0
		sleep 0.1
	done
	kill -KILL -- "-$1"
}

# Interrupted: the steps are in process groups of their own and know nothing of it.
end_steps() {
	local file pid watch

	trap '' INT TERM HUP
	for file in "$logs"/*.pid; do
		[ -e "$file" ] || continue
		read -r pid watch <"$file"
		kill -TERM -- "-$watch"
		end_group "$pid" &
	done 2>/dev/null
	wait
	echo "Bail out! interrupted after $SECONDS s"
	exit 130
}

# Seconds of processor that the children took, of what the shell's times says.
processor() {
	awk 'NR == 2 { split($1 "m" $2, t, "m"); printf "%d", 60 * (t[1] + t[3]) + t[2] + t[4] }' "$1"
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
	( sleep "$limit"; echo 124 >"$logs/$name.over"; end_group "$pid" ) 2>/dev/null &
	watch=$!
	set +m
	echo "$pid $watch" >"$logs/$name.pid"
	wait "$pid" 2>/dev/null
	status=$?
	if [ -e "$logs/$name.over" ]; then
		# Whoever does not end by himself is ended before we go on.
		status=124
		wait "$watch" 2>/dev/null
	else
		kill -TERM -- "-$watch" 2>/dev/null
	fi
	rm -f "$logs/$name.pid"
	times >"$logs/$name.times"
	echo "$status $((SECONDS - begin)) $(processor "$logs/$name.times")" >"$logs/$name.done.tmp"
	mv "$logs/$name.done.tmp" "$logs/$name.done"
}

report_step() {
	local number=$1 name=$2 status seconds busy p f s strict=()

	read -r status seconds busy <"$logs/$name.done"
	[ "${CI:-}" != true ] || strict=(--strict)
	echo "# $(date +%T) $name: $seconds s ($busy s of processor), all of it in $logs/$name.log"
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
while IFS='|' read -r name limit command; do
	name=$(trim "$name")
	if [ $# -gt 0 ] && [ "$1" = list ]; then
		echo "$name"
		continue
	fi
	case " $* " in
	*" $name "*) ;;
	*) case " $long " in
	   *" $name "*) continue ;;
	   esac
	   [ $# = 0 ] || continue ;;
	esac
	names+=("$name") limits+=("$(trim "$limit")") commands+=("$(trim "$command")")
done < <(steps)
[ "${1:-}" != list ] || exit 0
for want; do
	case " ${names[*]} " in
	*" $want "*) ;;
	*) echo "check: there is no step $want; make check STEPS=list lists them" >&2; exit 2 ;;
	esac
done

mkdir -p "$logs"
# Whoever is started below gets no copy of the lock, so that it ends with us.
exec {lock}>"$logs/lock"
flock -n "$lock" || { echo "check: another make check runs in this checkout" >&2; exit 2; }
rm -f "$logs"/*.done "$logs"/*.over "$logs"/*.count "$logs"/*.pid "$logs/crafted.tar"
trap end_steps INT TERM HUP
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
		run_step "${names[next]}" "${limits[next]}" "${commands[next]}" {lock}>&- &
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
