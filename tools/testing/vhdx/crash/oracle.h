/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What may be read from the virtual disk after a power cut.
 *
 * A write is *durable* at a position of the trace when it has ended and either
 * asked for FUA, or a flush that began after its end has ended. A sector may
 * hold what any write has put there that had begun, unless a durable write
 * began after that write had ended; and zeros, unless any write to it is
 * durable.
 */
#ifndef CRASH_ORACLE_H
#define CRASH_ORACLE_H

#include <linux/types.h>

struct trace;

/**
 * struct oracle_write - what one write did to one sector
 * @lba: the sector
 * @op: index of the BEGIN
 * @durable: index of the event that made it durable, or TRACE_NONE
 */
struct oracle_write {
	u64	lba;
	u32	op;
	u32	durable;
};

/**
 * struct oracle - all of them
 * @tr: the trace
 * @writes: by sector, then by time
 * @nr: their number
 * @sectors: index of each sector's first write; one more at the end
 * @nr_sectors: sectors that were ever written
 */
struct oracle {
	const struct trace	*tr;
	struct oracle_write	*writes;
	u32			nr;
	u32			*sectors;
	u32			nr_sectors;
};

void oracle_init(struct oracle *or, const struct trace *tr);

static inline u64 oracle_lba(const struct oracle *or, u32 sector)
{
	return or->writes[or->sectors[sector]].lba;
}

/*
 * May stamp @seen be read from sector number @sector after a cut at @pos?
 * NULL if so, else what is wrong with it.
 */
const char *oracle_check(const struct oracle *or, u32 sector, u32 pos, u32 seen);

#endif
