/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the workload writes: each sector says which operation wrote it and for
 * which place, in all of its bytes.
 */
#ifndef CRASH_STAMP_H
#define CRASH_STAMP_H

#include <linux/types.h>

#define STAMP_ZERO	UINT32_MAX	/* no stamp: all bytes are zero */
#define STAMP_FOREIGN	(UINT32_MAX - 1)	/* neither */
#define STAMP_BASE	(UINT32_MAX - 2)	/* an operation: before the run, see base.h */

/* Fill the sector at @lba as operation @op of the run with this seed. */
void stamp_sector(void *sector, u64 seed, u32 op, u64 lba);

/* Who wrote it: an operation, STAMP_ZERO, or STAMP_FOREIGN. */
u32 stamp_read(const void *sector, u64 seed, u64 lba);

#endif
