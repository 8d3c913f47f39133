// SPDX-License-Identifier: GPL-2.0-only
/* What may be read after a power cut. */
#include <err.h>
#include <stdlib.h>

#include "oracle.h"
#include "stamp.h"
#include "trace.h"

/*
 * For each position: the first end of a flush that begins there or later.
 * Flushes may overlap, so the first to begin need not be the first to end.
 */
static u32 *flush_ends(const struct trace *tr)
{
	u32 *ends = malloc((tr->nr + 1) * sizeof(*ends));
	u32 i = tr->nr;

	if (!ends)
		err(2, "no memory for the oracle");
	ends[i] = TRACE_NONE;
	while (i--) {
		const struct event *ev = &tr->events[i];

		ends[i] = ends[i + 1];
		if (ev->type == TRACE_BEGIN && ev->op == TRACE_OP_FLUSH && ev->peer < ends[i])
			ends[i] = ev->peer;
	}
	return ends;
}

static u32 durable_at(const struct trace *tr, const struct event *ev, const u32 *ends)
{
	if (ev->peer == TRACE_NONE || ev->fua)
		return ev->peer;
	return ends[ev->peer];
}

static bool is_write(const struct event *ev)
{
	return ev->type == TRACE_BEGIN && ev->op == TRACE_OP_WRITE;
}

static u32 count_sectors(const struct trace *tr)
{
	u32 i, nr = 0;

	for (i = 0; i < tr->nr; i++)
		if (is_write(&tr->events[i]))
			nr += tr->events[i].len / SECTOR;
	return nr;
}

static void list_writes(struct oracle *or)
{
	u32 i, n, *ends = flush_ends(or->tr);

	for (i = 0; i < or->tr->nr; i++) {
		const struct event *ev = &or->tr->events[i];

		for (n = 0; is_write(ev) && n < ev->len / SECTOR; n++)
			or->writes[or->nr++] = (struct oracle_write){
				.lba = ev->off / SECTOR + n,
				.op = i,
				.durable = durable_at(or->tr, ev, ends),
			};
	}
	free(ends);
}

static int compare_writes(const void *a, const void *b)
{
	const struct oracle_write *x = a, *y = b;

	if (x->lba != y->lba)
		return x->lba < y->lba ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

static void index_sectors(struct oracle *or)
{
	u32 i;

	for (i = 0; i < or->nr; i++)
		if (!i || or->writes[i].lba != or->writes[i - 1].lba)
			or->sectors[or->nr_sectors++] = i;
	or->sectors[or->nr_sectors] = or->nr;
}

void oracle_init(struct oracle *or, const struct trace *tr)
{
	u32 max = count_sectors(tr);

	*or = (struct oracle){ .tr = tr };
	or->writes = malloc((max + 1) * sizeof(*or->writes));
	or->sectors = malloc((max + 1) * sizeof(*or->sectors));
	if (!or->writes || !or->sectors)
		err(2, "no memory for the oracle");
	list_writes(or);
	qsort(or->writes, or->nr, sizeof(*or->writes), compare_writes);
	index_sectors(or);
}

/* Is there a durable write that began at or after event @after? */
static bool superseded(const struct oracle *or, u32 sector, u32 pos, u32 after)
{
	u32 i;

	for (i = or->sectors[sector]; i < or->sectors[sector + 1]; i++)
		if (or->writes[i].op >= after && or->writes[i].durable < pos)
			return true;
	return false;
}

static const struct oracle_write *find_write(const struct oracle *or, u32 sector, u32 op)
{
	u32 i;

	for (i = or->sectors[sector]; i < or->sectors[sector + 1]; i++)
		if (or->writes[i].op == op)
			return &or->writes[i];
	return NULL;
}

const char *oracle_check(const struct oracle *or, u32 sector, u32 pos, u32 seen)
{
	if (seen == STAMP_FOREIGN)
		return "foreign bytes";
	if (seen == STAMP_ZERO)
		return superseded(or, sector, pos, 0) ? "zeros instead of durable data" : NULL;
	if (!find_write(or, sector, seen))
		return "data of another sector or time";
	if (seen >= pos)
		return "data from the future";
	if (or->tr->events[seen].peer != TRACE_NONE &&
	    superseded(or, sector, pos, or->tr->events[seen].peer))
		return "old data instead of durable data";
	return NULL;
}
