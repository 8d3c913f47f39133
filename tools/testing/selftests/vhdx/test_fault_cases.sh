#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Single faults at the moment at which they matter: what comments of the driver
# claim about them. VHDX_CASES names those of faultcases.py to run.
. "$(dirname -- "$0")/lib.sh"
setup
need mkfs.ext4
need_nbd
hung_task_limit 60

log_idle 600000
mkdir "$WORK/cases"
# shellcheck disable=SC2086  # words
relay python3 "$TOP/faultcases.py" "$WORK/cases" ${VHDX_CASES:-}
finish
