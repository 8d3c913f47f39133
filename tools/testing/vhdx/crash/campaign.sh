#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make crash: cut power again and again, and look what comes up.
#
#   SEED=1 SEEDS=20	the first seed, and how many
#   COUNT=500		cuts for each seed and file system after which the driver recovers
#   LIBRARY=1000	cuts of the same runs after which libvhdx reads, on this machine
#   FS="ext4 xfs"	file systems below the image
#   KERNEL=uml		machine to run in, see ../vm/README.md
#   STATE=DIR		where results are kept
#   SECONDS_MAX=3500	stop after that; the next call goes on
#
# Results are kept by what they depend on, so a campaign that was stopped goes
# on where it was. KTAP; the exit status is 0 if every run was made and nothing
# was violated.

. "$(dirname -- "$0")/lib.sh"

SEED=${SEED:-1} SEEDS=${SEEDS:-20} COUNT=${COUNT:-500} LIBRARY=${LIBRARY:-1000} FS=${FS:-ext4 xfs}
LAST=$((SEED + SEEDS - 1))
STATE=${STATE:-$REPO/build/crash/$(sources_key)-$KERNEL}

# wanted FS CUTS FILE: the lines of this campaign in the results
wanted() {
	awk -v fs="$1" -v first="$SEED" -v last="$LAST" -v cuts="$2:" \
		'$1 == fs && $2 >= first && $2 <= last && $3 == cuts' "$STATE/$3" 2>/dev/null
}

# The runs that the machine recorded, once more without the driver.
library() {
	local file name

	for file in "$STATE"/*.trace; do
		name=$(basename "$file" .trace)
		[[ -e $file ]] || continue
		! grep -qs "^${name/./ } $LIBRARY: " "$STATE/library" || continue
		"$REPO/build/vhdx-crash" cut --library -j "$(nproc)" "$file" "$LIBRARY" \
			>"$STATE/$name.library.log" 2>&1
		case $? in
		0) grep -q VIOLATION "$STATE/$name.log" || rm -f "$file" ;;
		1) grep VIOLATION "$STATE/$name.library.log" | sed 's/^/# /' ;;
		*) die "$name: $(tail -n 1 "$STATE/$name.library.log")" ;;
		esac
		echo "${name/./ } $LIBRARY: $(tail -n 1 "$STATE/$name.library.log")" >>"$STATE/library"
	done
}

# report NUMBER FS CUTS FILE WORDS: what is judged is what is printed
report() {
	local lines=$STATE/report ok='not ok' runs cuts violations

	wanted "$2" "$3" "$4" >"$lines"
	runs=$(wc -l <"$lines")
	cuts=$(total "$lines" cuts)
	violations=$(total "$lines" violations)
	if ((runs == SEEDS && cuts == SEEDS * $3 && violations == 0)); then
		ok=ok
	else
		failed=1
	fi
	echo "$ok $1 $2, $5: $runs of $SEEDS seeds from $SEED, $cuts cuts, $violations violations"
	echo "# near metadata: $(total "$lines" 'near metadata')," \
		"during recovery: $(total "$lines" 'during recovery')," \
		"judged by others: $(total "$lines" 'judged by others')"
	rm -f "$lines"
}

build_tool
mkdir -p "$STATE"
echo "KTAP version 1"
VHDX_CRASH_KEEP=1 machine "${SECONDS_MAX:-3500}" "$STATE" "$COUNT" "$FS" "$SEED" "$LAST" | sed 's/^/# /'
status=${PIPESTATUS[0]} failed=0 number=0
library
for fs in $FS; do
	report $((++number)) "$fs" "$COUNT" results "the driver recovers"
	report $((++number)) "$fs" "$LIBRARY" library "libvhdx reads"
done
# The machine has more to say than the results: a warning of the kernel.
ok=ok
((status <= 1)) || { ok='not ok'; failed=1; }
echo "$ok $((++number)) the machine (status $status)"
echo "1..$number"
exit $failed
