/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A log ring in a file in memory, and a writer that keeps the rules of a
 * log, for the tests of the search and of the replay. The writer knows at
 * each moment which entries a reader must find and what they make of the
 * file, so that power can be cut in the middle of any entry.
 *
 * Rings are much shorter here than in a file, so that they wrap often.
 */
#ifndef VHDX_TESTS_RING_H
#define VHDX_TESTS_RING_H

#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/log_entry.h"
#include "format/log_scan.h"
#include "format/raw.h"

#include "craft.h"
#include "ram.h"

#define SECTOR		VHDX_LOG_SECTOR
#define MIB(n)		((u64)(n) << 20)
#define RING_OFF	MIB(1)
#define RING_FILE	MIB(64)

#define RING_GUID	GUID_INIT(0x0badcafe, 0x1234, 0x5678, 1, 2, 3, 4, 5, 6, 7, 8)
#define STALE_GUID	GUID_INIT(0x0badcafe, 0x1234, 0x5678, 1, 2, 3, 4, 5, 6, 7, 9)

/* What entries change: some sectors of the file, zero at first. */
#define TARGET_OFF	MIB(16)
#define NR_TARGETS	24

struct ring {
	struct ram			ram;
	struct vhdx_log_area		area;
	struct vhdx_log_sequence	seq;
	struct vhdx_finding		fd;
	struct vhdx_log_slot		*slots;
	u8				*scratch;
	u8				*log;		/* the ring */
	u8				*targets;
	u8				*entry;		/* one being made */
	u32				nr_valid;
};

static inline void *ring_alloc(struct kunit *test, u32 len)
{
	void *p = kunit_kzalloc(test, len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	return p;
}

static inline struct ring *ring_init(struct kunit *test, u32 nr_sectors)
{
	struct ring *r = ring_alloc(test, sizeof(*r));

	r->area.off = RING_OFF;
	r->area.len = nr_sectors * SECTOR;
	r->area.guid = RING_GUID;
	r->log = ring_alloc(test, r->area.len);
	r->slots = ring_alloc(test, VHDX_LOG_SCAN_SLOTS(r->area.len) * sizeof(*r->slots));
	r->scratch = ring_alloc(test, VHDX_LOG_SCAN_SCRATCH);
	r->targets = ring_alloc(test, NR_TARGETS * SECTOR);
	r->entry = ring_alloc(test, r->area.len);
	ram_init(&r->ram, RING_FILE);
	ram_extent_add(&r->ram, RING_OFF, r->area.len, r->log);
	ram_extent_add(&r->ram, TARGET_OFF, NR_TARGETS * SECTOR, r->targets);
	return r;
}

static inline u32 ring_wrap(const struct ring *r, u32 pos)
{
	return pos >= r->area.len ? pos - r->area.len : pos;
}

/* Puts @e at @pos of the ring; returns where the next entry goes. */
static inline u32 ring_put(struct ring *r, u32 pos, const struct craft_entry *e)
{
	u32 len = craft_log_entry(r->entry, e);

	craft_ring_put(r->log, r->area.len, pos, r->entry, len);
	return ring_wrap(r, pos + len);
}

static inline int ring_scan(struct ring *r)
{
	memset(&r->seq, 0xa5, sizeof(r->seq));
	memset(&r->fd, 0, sizeof(r->fd));
	memset(r->slots, 0xa5, VHDX_LOG_SCAN_SLOTS(r->area.len) * sizeof(*r->slots));
	r->nr_valid = U32_MAX;
	return vhdx_log_scan(&r->ram.src, &r->area, r->slots, r->scratch, &r->seq,
			     &r->nr_valid, &r->fd);
}

/*
 * The writer. An entry is live from when it is stable until a stable entry's
 * Tail is behind it; @disk is what the file is without the live entries, as
 * one craft_fill() seed for each target (0 for zeros).
 */
#define LIVE_MAX	64
#define DESC_MAX	5

struct live {
	struct craft_entry	entry;
	struct craft_desc	desc[DESC_MAX];
	u32			pos;
	u32			len;
};

struct writer {
	struct ring	*r;
	u64		rng;
	u64		seq;		/* number of the next entry */
	u32		head;		/* where it goes */
	unsigned int	nr_live;
	struct live	live[LIVE_MAX];
	u32		disk[NR_TARGETS];
	u32		seed;
};

static inline void writer_apply(u32 *disk, const struct live *live)
{
	const struct craft_desc *d;
	u32 i, at, end;

	for (i = 0; i < live->entry.nr_desc; i++) {
		d = &live->desc[i];
		at = (d->off - TARGET_OFF) / SECTOR;
		end = at + (d->len ? (u32)d->len / SECTOR : 1);
		while (at < end)
			disk[at++] = d->len ? 0 : d->seed;
	}
}

/* The first @nr live entries are stable in place now. */
static inline void writer_retire(struct writer *w, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		writer_apply(w->disk, &w->live[i]);
	w->nr_live -= nr;
	memmove(w->live, w->live + nr, w->nr_live * sizeof(w->live[0]));
}

static inline void writer_desc(struct writer *w, struct craft_desc *d)
{
	u32 at = craft_below(&w->rng, NR_TARGETS);

	memset(d, 0, sizeof(*d));
	d->off = TARGET_OFF + at * SECTOR;
	if (!craft_below(&w->rng, 4))
		d->len = (1 + craft_below(&w->rng, NR_TARGETS - at)) * SECTOR;
	else
		d->seed = ++w->seed;
}

static inline u32 writer_free(const struct writer *w)
{
	u32 tail = w->live[0].pos;

	return tail < w->head ? w->r->area.len - (w->head - tail) : tail - w->head;
}

/*
 * Prepare the next entry at the end of the list, not counted yet, and say how
 * many live entries it retires. The ring's space up to the Tail of the last
 * stable entry is free, and one sector stays in reserve.
 */
static inline unsigned int writer_prepare(struct writer *w)
{
	struct live *live = &w->live[w->nr_live];
	unsigned int i, gone;

	memset(live, 0, sizeof(*live));
	live->pos = w->head;
	live->entry.seq = w->seq;
	live->entry.guid = w->r->area.guid;
	live->entry.desc = live->desc;
	live->entry.nr_desc = craft_below(&w->rng, DESC_MAX + 1);
	for (i = 0; i < live->entry.nr_desc; i++)
		writer_desc(w, &live->desc[i]);
	live->len = craft_log_size(&live->entry);
	gone = craft_below(&w->rng, 3) ? 0 : craft_below(&w->rng, w->nr_live + 1);
	if (w->nr_live && (writer_free(w) < live->len + SECTOR || w->nr_live == LIVE_MAX - 1)) {
		live->entry.nr_desc = 0;
		live->len = SECTOR;
		gone = w->nr_live;
	}
	live->entry.tail = w->live[gone].pos;
	return gone;
}

/* The sectors of the prepared entry whose bit is set in @mask reach the ring. */
static inline void writer_write(struct writer *w, u32 mask)
{
	struct live *live = &w->live[w->nr_live];
	struct ring *r = w->r;
	u32 i, nr;

	/* Entries move in the list; their descriptors move with them. */
	live->entry.desc = live->desc;
	nr = craft_log_entry(r->entry, &live->entry) / SECTOR;
	for (i = 0; i < nr; i++)
		if (mask & (1U << i))
			craft_ring_put(r->log, r->area.len,
				       ring_wrap(r, live->pos + i * SECTOR),
				       r->entry + i * SECTOR, SECTOR);
}

static inline void writer_commit(struct writer *w, unsigned int gone)
{
	w->head = ring_wrap(w->r, w->head + w->live[w->nr_live].len);
	w->seq++;
	w->nr_live++;
	writer_retire(w, gone);
}

/* Another session's entries all over the ring, with numbers that would fit. */
static inline void writer_litter(struct writer *w)
{
	u32 pos = 0, nr = VHDX_LOG_SCAN_SLOTS(w->r->area.len);
	struct craft_entry e = { .guid = STALE_GUID, .seq = w->seq };

	while (nr--) {
		e.tail = pos;
		pos = ring_put(w->r, pos, &e);
		e.seq++;
	}
}

static inline struct writer *writer_init(struct kunit *test, struct ring *r, u64 seed)
{
	struct writer *w = ring_alloc(test, sizeof(*w));

	w->r = r;
	w->rng = seed;
	/* Numbers around 2^32, where a sector's two halves of it change. */
	w->seq = (craft_below(&w->rng, 2) ? 0xfffffff0ULL : 0) + 1 + craft_below(&w->rng, 16);
	w->head = craft_below(&w->rng, VHDX_LOG_SCAN_SLOTS(r->area.len)) * SECTOR;
	writer_litter(w);
	return w;
}

/* What the file has to be when all live entries are applied. */
static inline void writer_expect(const struct writer *w, u32 *disk)
{
	unsigned int i;

	memcpy(disk, w->disk, sizeof(w->disk));
	for (i = 0; i < w->nr_live; i++)
		writer_apply(disk, &w->live[i]);
}

#endif
