# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by each test_*.sh: KTAP output, a folder of its own on tmpfs, devices
# and disks that go away at the end, and what many tests need.
#
# A test runs cases with run/reject or ends them with pass/fail/skip, and ends
# with finish. Exit status: 0 passed, 1 failed, 4 skipped as a whole.

set -u
shopt -s nullglob
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
IMAGES=$TOP/../../vhdx/images
MODEL=$IMAGES/vhdxmodel.py
SHARED=${VHDX_SHARED_IMAGES:-$TOP/../../../../../shared/images}
KSFT_SKIP=4
MIB=1048576
WORK=		# folder of this test, a tmpfs
DEV=		# device of the last attach
SYS=		# its folder in sysfs
nr_cases=0 nr_failed=0 nr_skipped=0 finished=

# --- results ----------------------------------------------------------------

comment() {
	printf "# %s\n" "${*//$'\n'/$'\n# '}"
}

pass() {
	echo "ok $((++nr_cases)) $*"
}

# fail NAME [WHY]
fail() {
	echo "not ok $((++nr_cases)) $1"
	((++nr_failed))
	[[ $# -lt 2 ]] || comment "${*:2}"
}

# skip NAME WHY
skip() {
	echo "ok $((++nr_cases)) $1 # SKIP ${*:2}"
	((++nr_skipped))
}

# The whole test cannot run here.
skip_all() {
	finished=1
	echo "1..0 # SKIP $*"
	exit $KSFT_SKIP
}

# excerpt FILE: its beginning, where a report says what it is about, and its end.
excerpt() {
	local lines

	lines=$(wc -l <"$1")
	if ((lines <= 80)); then
		cat "$1"
	else
		head -n 60 "$1"
		echo "[$((lines - 80)) lines]"
		tail -n 20 "$1"
	fi | sed 's/^/#   /'
}

# run NAME COMMAND...: a case that passes when COMMAND does.
run() {
	local name=$1 status

	shift
	"$@" >"$WORK/.out" 2>&1 && { pass "$name"; return 0; }
	status=$?
	fail "$name" "exit status $status of: $*"
	excerpt "$WORK/.out"
	return 1
}

# reject NAME TEXT COMMAND...: COMMAND must fail and say TEXT (a glob, "*": any).
reject() {
	local name=$1 text=$2 out

	shift 2
	if out=$("$@" 2>&1); then
		fail "$name" "should have failed: $*"
	elif [[ $out != *$text* ]]; then
		fail "$name" "'$text' is not in what it said:" "$out"
	else
		pass "$name"
		return 0
	fi
	return 1
}

# equal NAME WANT GOT
equal() {
	[[ $2 == "$3" ]] && { pass "$1"; return 0; }
	fail "$1" "wanted '$2', got '$3'"
	return 1
}

# relay COMMAND...: a case for each line that COMMAND prints, "PASS name" or
# "FAIL name: why". It must end by itself, and say something: a signal between
# two cases would else look like the end.
relay() {
	local word name cases=0 status=

	while read -r word name; do
		case $word in
		PASS)	pass "$name"; ((++cases)) ;;
		FAIL)	fail "${name%%: *}" "${name#*: }"; ((++cases)) ;;
		EXIT)	status=$name ;;
		*)	comment "$word $name" ;;
		esac
	done < <("$@" 2>&1; echo "EXIT $?")
	[[ $status == 0 && $cases -gt 0 ]] ||
		fail "to the end: $*" "exit status '$status' after $cases cases"
}

# --- the kernel's log --------------------------------------------------------

MARK=
nr_marks=0

# What the kernel says from now on is what dmesg_since_mark prints.
mark() {
	MARK="vhdx-test $$-$((++nr_marks)) $*"
	echo "$MARK" >/dev/kmsg
}

dmesg_since_mark() {
	dmesg | sed "1,/vhdx-test $$-$nr_marks /d"
}

dmesg_has() {
	dmesg_since_mark | grep -qF -- "$1"
}

# No warning, oops or lockdep report since this test began.
kernel_is_content() {
	local bad='WARNING:|BUG:|KASAN|UBSAN|Oops|INFO: (task|possible)|general protection'

	bad+='|possible (circular|recursive)|Call Trace'
	! dmesg | sed "1,/vhdx-test $$-1 /d" | grep -aE -A40 -- "$bad"
}

# --- set-up and clean-up ------------------------------------------------------

need_root() {
	[[ $(id -u) == 0 ]] || skip_all "must run as root"
}

need_driver() {
	[[ -e /dev/vhdx-control ]] || modprobe -q vhdx
	[[ -e /dev/vhdx-control ]] || skip_all "the driver is not loaded: no /dev/vhdx-control"
	command -v vhdxctl >/dev/null || skip_all "vhdxctl is not installed"
}

# share_of CASE...: those that are our share, one at least. VHDX_TEST_SHARE=K/N is
# the Kth and every Nth behind it: machines that are slow divide like cases.
share_of() {
	local share=${VHDX_TEST_SHARE:-1/1} i

	for ((i = (${share%/*} - 1) % $# + 1; i <= $#; i += ${share#*/})); do
		echo "${!i}"
	done
}

# need PROGRAM...: skips the test when one is missing.
need() {
	local program

	for program; do
		command -v "$program" >/dev/null || skip_all "$program is not installed"
	done
}

# ends PID: for what might wait for ever, a child of ours: does it end?
ends() {
	local _

	for _ in $(seq 1200); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	echo "process $1 has not ended: $(tr '\0' ' ' <"/proc/$1/cmdline")"
	return 1
}

nr_under=0
nr_rounds=0

# under DEVICE ROUNDS COMMAND...: COMMAND again and again, at most ROUNDS times,
# while the same is written to DEVICE and to a raw twin. Both must end, without
# an error. nr_rounds is how often it was.
under() {
	local dev=$1 rounds=$2 pid status=0

	shift 2
	"$TOP/randwrite.py" "$dev" "$WORK/raw" $((++nr_under)) 150 &
	pid=$!
	nr_rounds=0
	while ((nr_rounds < rounds)) && kill -0 "$pid" 2>/dev/null; do
		"$@" || { status=1; break; }
		((++nr_rounds))
	done
	ends "$pid" && wait "$pid" && return "$status"
}

# put MIB COUNT: so many MiB of $WORK/data to a place of the disk, stable
put() {
	dd if="$WORK/data" of="$DEV" bs=1M seek="$1" count="$2" oflag=direct conv=fsync status=none
}

# has MIB COUNT: are they there?
has() {
	cmp -n $(($2 * MIB)) -i $(($1 * MIB)):0 "$DEV" "$WORK/data"
}

have() {
	command -v "$1" >/dev/null
}

# have_fs TYPE: mkfs and a kernel that mounts it.
have_fs() {
	have "mkfs.$1" || return 1
	modprobe -q "$1"
	grep -qw "$1" /proc/filesystems
}

# setup: everything a test needs; the tmpfs is for sparse files.
setup() {
	need_root
	need_driver
	need python3
	WORK=$(mktemp -d "${VHDX_TEST_DIR:-/tmp}/vhdx-test.XXXXXX") || exit 1
	trap cleanup EXIT
	trap 'exit 1' INT TERM
	mount -t tmpfs -o "size=${VHDX_TEST_TMPFS:-75%}" vhdx-test "$WORK" || exit 1
	start_model
	echo on >/proc/sys/kernel/printk_devkmsg 2>/dev/null
	mark "${0##*/}"
}

settle() {
	[[ ! -S /run/udev/control ]] || udevadm settle -t 10
}

# Everything attached from below our folder.
detach_ours() {
	local file

	for file in /sys/block/vhdx*/vhdx/backing_file; do
		[[ $(<"$file") == "$WORK"* ]] || continue
		file=${file#/sys/block/}
		vhdxctl detach "/dev/${file%%/*}"
	done
}

unmount_ours() {
	local dir

	awk -v top="$WORK/" 'index($2, top) == 1 { print $2 }' /proc/mounts | tac |
		while read -r dir; do umount "$dir" || umount -l "$dir"; done
}

# Last in, first out: file systems, devices, what lies under them.
cleanup() {
	local status=$?

	if [[ -z $finished ]]; then
		echo "not ok $((++nr_cases)) the test ended early"
		status=1
	fi
	cd / || exit 1
	[[ -z ${log_idle_before:-} ]] || log_idle "$log_idle_before"
	stop_model
	unmount_ours >&2
	detach_ours >&2
	unmount_ours >&2
	remove_disks >&2
	[[ ! -d $GROUP ]] || rmdir $GROUP
	umount "$WORK" || umount -l "$WORK"
	rmdir "$WORK"
	exit "$status"
}

finish() {
	cd / || exit 1
	unmount_ours
	detach_ours >/dev/null
	run "nothing in the kernel's log" kernel_is_content
	finished=1
	echo "1..$nr_cases"
	((nr_failed == 0)) || exit 1
	((nr_skipped < nr_cases - 1)) || [[ $nr_skipped == 0 ]] || exit $KSFT_SKIP
	exit 0
}

# --- images ------------------------------------------------------------------

# One interpreter serves all of a test: an emulated machine takes a second to
# start one. Subshells may ask too, one at a time. It is a job of the shell: a
# test that waits for others names them.
start_model() {
	coproc model_server { exec python3 "$MODEL" --serve; }
	# Descriptors that subshells keep; what is left open would block umount.
	# shellcheck disable=SC2154  # coproc sets it
	exec {model_out}<&"${model_server[0]}" {model_in}>&"${model_server[1]}"
	model_pid=$!
}

# It is asked once more first: what has not become Python yet is still a copy of
# this shell, and would clean up, too.
stop_model() {
	[[ -n ${model_pid:-} ]] || return 0
	model >/dev/null
	exec {model_in}>&- {model_out}<&-
	kill "$model_pid" 2>/dev/null
	wait "$model_pid" 2>/dev/null
}

# model COMMAND...: what vhdxmodel.py says, and its exit status
model() {
	local status lines IFS=$'\x1f'

	echo "$WORK/.model${IFS}$*" >&"$model_in"
	read -r status <&"$model_out" || return 1
	mapfile -t lines <"$WORK/.model"
	((${#lines[@]} == 0)) || printf '%s\n' "${lines[@]}"
	return "$status"
}

# create FILE SIZE [OPTION]...: a new image
create() {
	vhdxctl create -s "$2" "${@:3}" "$1"
}

# attach [OPTION]... FILE: sets DEV and SYS
attach() {
	DEV=$(vhdxctl attach "$@") || return 1
	SYS=/sys/block/${DEV#/dev/}
	settle
}

detach() {
	settle
	vhdxctl detach "${1:-$DEV}"
}

# log_idle MS: after which time a log is emptied, until the test ends
log_idle() {
	local parameter=/sys/module/vhdx/parameters/log_idle_ms

	[[ -n ${log_idle_before:-} ]] || log_idle_before=$(<$parameter)
	echo "$1" >$parameter
}

# make_dirty: base.vhdx, with content; dirty.vhdx, a copy of it from before its log
# was emptied; and raw, what both show
make_dirty() {
	create base.vhdx 24M --block-size 1M && attach base.vhdx || return 1
	dd if=/dev/urandom of="$DEV" bs=1M count=9 seek=3 oflag=direct status=none
	sync "$DEV"
	cp --sparse=always base.vhdx dirty.vhdx
	cp "$DEV" raw
	detach
	equal "the log is dirty" dirty "$(model --info "$PWD/dirty.vhdx" | sed -n 's/^log //p')"
}

# attr NAME: one value of the attached image
attr() {
	cat "$SYS/vhdx/$1"
}

# CRAFTED is the folder of the crafted images, shared by the tests of one run.
need_crafted() {
	CRAFTED=${VHDX_TEST_CRAFTED:-$WORK/crafted}
	[[ -e $CRAFTED/good.tsv ]] || "$IMAGES/mkimages.py" "$CRAFTED" >/dev/null || exit 1
}

# The images of others, unpacked: a fresh folder OTHERS, files of this test.
need_others() {
	[[ -d $SHARED ]] || skip_all "there are no images of others: $SHARED is missing"
	OTHERS=$WORK/others
	"$IMAGES/unpackimages.py" "$SHARED" "$OTHERS" >/dev/null || exit 1
}

# rows FILE: a table without its comments
rows() {
	grep -v '^#' "$1"
}

# The image is clean by every reader that knows it.
accepted() {
	model --check --clean "$1" && vhdxctl check "$1" || return 1
	# qemu-img knows 512-byte sectors only, and no disk without a parent.
	model --info "$1" | grep -qx 'logical_sector_size 512' || return 0
	! model --info "$1" | grep -qx 'type differencing' || return 0
	! have qemu-img || qemu-img check -q -f vhdx "$1"
}

# --- disks for file systems and device mapper ---------------------------------

dm_names=()
loops=()
nr_disks=0

# disk MIB: sets DISK to an empty block device of at least this size. A RAM
# disk is used where one is large enough, else a loop device on tmpfs.
disk() {
	local ram=/dev/ram$nr_disks

	[[ -e /dev/ram0 ]] || modprobe -q brd rd_nr=4 rd_size=$((512 * 1024))
	settle
	if [[ -b $ram ]] && (($(blockdev --getsize64 "$ram") >= $1 * MIB)); then
		DISK=$ram
		blockdev --flushbufs "$ram"
	else
		modprobe -q loop
		truncate -s "$1M" "$WORK/disk$nr_disks"
		DISK=$(losetup --find --show "$WORK/disk$nr_disks") || return 1
		loops+=("$DISK")
	fi
	((++nr_disks))
}

remove_disks() {
	local name

	for name in "${dm_names[@]}"; do
		dmsetup remove --retry "$name"
	done
	for name in "${loops[@]}"; do
		losetup -d "$name"
	done
	# A RAM disk keeps its pages until the module goes.
	((nr_disks == 0)) || rmmod brd 2>/dev/null
}

# dm_create NAME TABLE: sets DM to the device, which exists without udev too
dm_create() {
	dmsetup create --noudevsync "$1" --table "$2" || return 1
	dm_names+=("$1")
	settle
	# shellcheck disable=SC2034  # it is for the tests
	DM=/dev/$(dmsetup info -c --noheadings -o blkdevname "$1")
}

# fragile_disk NAME: a device DM over DISK, which works until fragile_breaks
fragile_disk() {
	fragile=$1
	fragile_sectors=$(blockdev --getsz "$DISK")
	fragile_table="0 $fragile_sectors linear $DISK 0"
	dm_create "$fragile" "$fragile_table"
}

fragile_becomes() {
	dmsetup suspend --noflush --nolockfs "$fragile" &&
		dmsetup load "$fragile" --table "$1" && dmsetup resume "$fragile"
}

fragile_breaks() {
	fragile_becomes "0 $fragile_sectors error"
}

fragile_works() {
	fragile_becomes "$fragile_table"
}

# make_fs TYPE DEVICE
make_fs() {
	case $1 in
	ext4)	mkfs.ext4 -q -F "$2" ;;
	xfs)	mkfs.xfs -q -f "$2" ;;
	btrfs)	mkfs.btrfs -q -f "$2" ;;
	vfat)	mkfs.vfat -F 32 "$2" >/dev/null ;;
	ntfs)	mkfs.ntfs -q -F -Q "$2" ;;
	esac
}

# check_fs TYPE DEVICE
check_fs() {
	case $1 in
	ext4)	e2fsck -f -n "$2" ;;
	xfs)	xfs_repair -n "$2" ;;
	btrfs)	btrfs check "$2" ;;
	vfat)	fsck.vfat -n "$2" ;;
	ntfs)	ntfsfix -n "$2" ;;
	esac
}

# A network block device, for disks that fail (faultdisk.py).
need_nbd() {
	[[ -b /dev/nbd0 ]] || modprobe -q nbd nbds_max=1
	settle
	[[ -b /dev/nbd0 ]] || skip_all "no network block devices: CONFIG_BLK_DEV_NBD"
}

GROUP=/sys/fs/cgroup/vhdx-test

# memory_group LIMIT: a control group that may use so much
memory_group() {
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup || return 1
	[[ -e /sys/fs/cgroup/cgroup.controllers ]] || return 1
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
	mkdir -p $GROUP && echo "$1" >$GROUP/memory.max 2>/dev/null
}

# in_group COMMAND...: as a member of it
in_group() {
	(echo "$BASHPID" >$GROUP/cgroup.procs && exec "$@")
}

# hung_task_limit SECONDS: a task that sleeps for longer is in the kernel's log
hung_task_limit() {
	[[ ! -e /proc/sys/kernel/hung_task_timeout_secs ]] ||
		echo "$1" >/proc/sys/kernel/hung_task_timeout_secs
}

# mount_disk TYPE MIB: a fresh file system on a fresh disk, mounted on MNT
mount_disk() {
	disk "$2" || return 1
	MNT=$WORK/mnt$nr_disks
	mkdir -p "$MNT"
	make_fs "$1" "$DISK" && mount -t "$1" "$DISK" "$MNT"
}
