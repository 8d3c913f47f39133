// SPDX-License-Identifier: GPL-2.0-only
/* What a disk may hold when power fails. */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/kernel.h>

#include "disk.h"
#include "platter.h"
#include "random.h"
#include "trace.h"

#define PAGE_SECTORS	(4096 / SECTOR)

void walker_init(struct walker *w, const struct trace *tr, struct disk *disk,
		 const u8 *image)
{
	*w = (struct walker){ .tr = tr, .disk = disk, .image = image };
	w->pending = malloc((tr->nr + 1) * sizeof(*w->pending));
	if (!w->pending)
		err(2, "no memory for a walk");
	w->settled = reserve_memory(disk->size / SECTOR * sizeof(*w->settled));
}

void walker_free(struct walker *w)
{
	free(w->pending);
	munmap(w->settled, w->disk->size / SECTOR * sizeof(*w->settled));
}

/* Sector @i of write @idx reaches the platter, unless a later one is there. */
static void put_sector(const struct walker *w, u32 idx, u32 i)
{
	const struct event *ev = &w->tr->events[idx];
	u64 off = ev->off + (u64)i * SECTOR;

	if (w->settled[off / SECTOR] <= idx)
		disk_write(w->disk, off, trace_data(w->tr, ev) + i * SECTOR, SECTOR);
}

static u32 nr_sectors(const struct walker *w, u32 idx)
{
	return w->tr->events[idx].len / SECTOR;
}

static void settle(struct walker *w, u32 idx)
{
	u32 *settled = w->settled + w->tr->events[idx].off / SECTOR;
	u32 i, nr = nr_sectors(w, idx);

	for (i = 0; i < nr; i++) {
		put_sector(w, idx, i);
		if (settled[i] <= idx)
			settled[i] = idx + 1;
	}
}

/* Does the answer to @done make @write stable? */
static bool covers(const struct walker *w, u32 done, u32 write)
{
	const struct event *events = w->tr->events;

	if (events[done].type == TRACE_FLUSH)
		return events[write].peer < done;
	return done == write && events[write].fua;
}

static void answered(struct walker *w, u32 done)
{
	u32 i, nr = 0;

	for (i = 0; i < w->nr_pending; i++) {
		if (covers(w, done, w->pending[i]))
			settle(w, w->pending[i]);
		else
			w->pending[nr++] = w->pending[i];
	}
	w->nr_pending = nr;
}

void walker_advance(struct walker *w, u32 pos)
{
	for (; w->pos < pos; w->pos++) {
		const struct event *ev = &w->tr->events[w->pos];

		if (ev->type == TRACE_WRITE)
			w->pending[w->nr_pending++] = w->pos;
		else if (ev->type == TRACE_DONE)
			answered(w, ev->ref);
	}
}

/* Sectors of write @idx from its sector @i on that stay together. */
static u32 atom(const struct walker *w, u32 idx, u32 i)
{
	u64 lba = w->tr->events[idx].off / SECTOR + i;
	u64 page = lba / PAGE_SECTORS;
	u32 rest = PAGE_SECTORS - lba % PAGE_SECTORS;

	if (!w->image || w->image[page / 8] & 1U << (page % 8))
		return 1;
	return min(rest, nr_sectors(w, idx) - i);
}

/* Of pending write number @n each sector with a chance of @percent. */
static void put_some(const struct walker *w, u32 n, struct random *rnd, u32 percent)
{
	u32 i, end, idx = w->pending[n];

	for (i = 0; i < nr_sectors(w, idx); i = end) {
		bool kept = random_chance(rnd, percent);

		for (end = i + atom(w, idx, i); i < end; i++)
			if (kept)
				put_sector(w, idx, i);
	}
}

static const char *keep_none(const struct walker *w, struct random *rnd)
{
	return "none";
}

static const char *keep_all(const struct walker *w, struct random *rnd)
{
	u32 n;

	for (n = 0; n < w->nr_pending; n++)
		put_some(w, n, rnd, 100);
	return "all";
}

/* As a disk without reordering: all up to one, and that one torn. */
static const char *keep_first(const struct walker *w, struct random *rnd)
{
	u32 n, end = random_below(rnd, w->nr_pending + 1);

	for (n = 0; n < end; n++)
		put_some(w, n, rnd, 100);
	if (n < w->nr_pending)
		put_some(w, n, rnd, 50);
	return "first";
}

static const char *keep_one(const struct walker *w, struct random *rnd)
{
	if (w->nr_pending)
		put_some(w, random_below(rnd, w->nr_pending), rnd, 100);
	return "one";
}

static const char *lose_one(const struct walker *w, struct random *rnd)
{
	u32 n, lost = random_below(rnd, w->nr_pending + 1);

	for (n = 0; n < w->nr_pending; n++)
		put_some(w, n, rnd, n == lost ? 0 : 100);
	return "all but one";
}

static const char *keep_whole(const struct walker *w, struct random *rnd)
{
	u32 n;

	for (n = 0; n < w->nr_pending; n++)
		put_some(w, n, rnd, random_chance(rnd, 50) ? 100 : 0);
	return "whole writes";
}

static const char *keep_sectors(const struct walker *w, struct random *rnd)
{
	static const u32 percents[] = { 10, 50, 50, 90 };
	u32 n, percent = percents[random_below(rnd, ARRAY_SIZE(percents))];

	for (n = 0; n < w->nr_pending; n++)
		put_some(w, n, rnd, percent);
	return "sectors";
}

/* Some whole, some torn, some not at all. */
static const char *keep_mixture(const struct walker *w, struct random *rnd)
{
	u32 n;

	for (n = 0; n < w->nr_pending; n++)
		put_some(w, n, rnd, 50 * random_below(rnd, 3));
	return "mixture";
}

const char *walker_scatter(const struct walker *w, struct random *rnd)
{
	static const char *(*const ways[])(const struct walker *, struct random *) = {
		keep_none, keep_all, keep_first, keep_one, lose_one, keep_whole,
		keep_sectors, keep_sectors, keep_mixture, keep_mixture,
	};

	return ways[random_below(rnd, ARRAY_SIZE(ways))](w, rnd);
}
