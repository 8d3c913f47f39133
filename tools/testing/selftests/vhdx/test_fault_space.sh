#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Space, or a quota, runs out at each step that needs some: the device stays
# usable, nothing acknowledged is lost, and with room again all goes on.
. "$(dirname -- "$0")/lib.sh"
setup
hung_task_limit 60

# with_quota: btrfs on a disk, of which MNT may have 40 MiB
with_quota() {
	mount_disk btrfs 400 && btrfs quota enable "$MNT" &&
		btrfs subvolume create "$MNT/sub" >/dev/null &&
		btrfs qgroup limit 40M "$MNT/sub"
}

# Long enough to fill what is left.
log_idle 2000
mkdir "$WORK/small" && mount -t tmpfs -o size=40M small "$WORK/small" || exit 1
relay python3 "$TOP/faultspace.py" "$WORK/small" place
if have_fs btrfs && have btrfs && with_quota; then
	# All that is written there needs room: the log must not be emptied meanwhile.
	log_idle 600000
	relay python3 "$TOP/faultspace.py" "$MNT/sub" copy
else
	skip "quota" "no btrfs with quotas"
fi
finish
