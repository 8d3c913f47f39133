// SPDX-License-Identifier: GPL-2.0-only
/* Sectors that say who wrote them. */
#include <string.h>

#include "random.h"
#include "stamp.h"
#include "trace.h"

#define WORDS	(SECTOR / sizeof(u64))
#define MAGIC	0x5645524946494544ULL

void stamp_sector(void *sector, u64 seed, u32 op, u64 lba)
{
	struct random rnd = random_start(seed ^ op, lba);
	u64 *word = sector;
	unsigned int i;

	word[0] = MAGIC ^ seed;
	word[1] = op;
	word[2] = lba;
	for (i = 3; i < WORDS; i++)
		word[i] = random_next(&rnd);
}

u32 stamp_read(const void *sector, u64 seed, u64 lba)
{
	static const u64 zeros[WORDS];
	u64 want[WORDS];
	u64 op;

	if (!memcmp(sector, zeros, SECTOR))
		return STAMP_ZERO;
	memcpy(&op, (const char *)sector + sizeof(u64), sizeof(op));
	if (op >= STAMP_FOREIGN)
		return STAMP_FOREIGN;
	stamp_sector(want, seed, (u32)op, lba);
	return memcmp(sector, want, SECTOR) ? STAMP_FOREIGN : (u32)op;
}
