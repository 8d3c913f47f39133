// SPDX-License-Identifier: GPL-2.0-only
/*
 * The search for the active sequence: rings as a crash, an earlier session or
 * an enemy may leave them, and random histories of a writer whose power is
 * cut in the middle of an entry.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/log_scan.h"
#include "format/raw.h"

#include "craft.h"
#include "ram.h"
#include "ring.h"

#define NR_SECTORS	16	/* of the ring in most tests */

static const struct craft_desc some_desc[] = {
	{ TARGET_OFF, 0, 1 },
	{ TARGET_OFF + SECTOR, 0, 2 },
	{ TARGET_OFF + 2 * SECTOR, 0, 3 },
	{ TARGET_OFF + 3 * SECTOR, 0, 4 },
	{ TARGET_OFF + 4 * SECTOR, 0, 5 },
	{ TARGET_OFF + 5 * SECTOR, 0, 6 },
	{ TARGET_OFF + 6 * SECTOR, 0, 7 },
	{ TARGET_OFF + 7 * SECTOR, 0, 8 },
};

/* An entry of @nr_data data sectors at sector @pos; returns the next sector. */
static u32 put(struct ring *r, u32 pos, u64 seq, u32 tail, u32 nr_data)
{
	struct craft_entry e = {
		.seq = seq,
		.guid = r->area.guid,
		.tail = tail * SECTOR,
		.nr_desc = nr_data,
		.desc = some_desc,
		.flushed_off = MIB(4),
		.last_off = MIB(32),
	};

	return ring_put(r, pos * SECTOR, &e) / SECTOR;
}

static void expect_none(struct kunit *test, struct ring *r)
{
	KUNIT_EXPECT_EQ(test, ring_scan(r), VHDX_FAULT_LOG_NO_SEQUENCE);
	KUNIT_EXPECT_EQ(test, r->fd.fault, VHDX_FAULT_LOG_NO_SEQUENCE);
	KUNIT_EXPECT_EQ(test, r->fd.off, RING_OFF);
	KUNIT_EXPECT_EQ(test, r->ram.strayed, 0);
}

/* Tail and head are sectors. */
static void expect_found(struct kunit *test, struct ring *r, u32 tail, u32 head, u32 nr,
			 u64 head_seq)
{
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	KUNIT_EXPECT_EQ(test, r->seq.tail, tail * SECTOR);
	KUNIT_EXPECT_EQ(test, r->seq.head, head * SECTOR);
	KUNIT_EXPECT_EQ(test, r->seq.nr, nr);
	KUNIT_EXPECT_EQ(test, r->seq.head_seq, head_seq);
	KUNIT_EXPECT_EQ(test, r->seq.tail_seq, head_seq - nr + 1);
	KUNIT_EXPECT_EQ(test, r->ram.strayed, 0);
}

static void log_scan_empty_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);

	expect_none(test, r);
	KUNIT_EXPECT_EQ(test, r->nr_valid, 0);
	memset(r->log, 0xff, r->area.len);
	expect_none(test, r);
	KUNIT_EXPECT_EQ(test, vhdx_log_scan(&r->ram.src, &r->area, r->slots, r->scratch, &r->seq,
					    NULL, NULL), VHDX_FAULT_LOG_NO_SEQUENCE);
}

/* One entry that is its own tail, at each place and round the end. */
static void log_scan_single_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);
	u32 pos, nr_data, next;

	for (pos = 0; pos < NR_SECTORS; pos++)
		for (nr_data = 0; nr_data < 4; nr_data++) {
			memset(r->log, 0, r->area.len);
			next = put(r, pos, 7, pos, nr_data);
			expect_found(test, r, pos, pos, 1, 7);
			KUNIT_EXPECT_EQ(test, r->seq.next, next * SECTOR);
			KUNIT_EXPECT_EQ(test, r->seq.nr_desc, nr_data);
			KUNIT_EXPECT_EQ(test, r->seq.flushed_off, MIB(4));
			KUNIT_EXPECT_EQ(test, r->seq.last_off, MIB(32));
			KUNIT_EXPECT_EQ(test, r->nr_valid, 1);
		}
}

/* Five entries of three sectors, from each place. */
static void log_scan_wrap_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);
	u32 start, pos, head, i;

	for (start = 0; start < NR_SECTORS; start++) {
		memset(r->log, 0, r->area.len);
		for (i = 0, pos = start; i < 5; i++) {
			head = pos;
			pos = put(r, pos, 0xfffffffe + (u64)i, start, 2);
		}
		expect_found(test, r, start, head, 5, 0x100000002ULL);
		KUNIT_EXPECT_EQ(test, r->seq.next, pos * SECTOR);
		KUNIT_EXPECT_EQ(test, r->seq.nr_desc, 10);
		KUNIT_EXPECT_EQ(test, r->nr_valid, 5);
	}
}

/* A sequence that fills the ring: behind its head is its first entry. */
static void log_scan_full_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);
	u32 start, tail, pos, head, i;

	for (start = 0; start < NR_SECTORS; start++)
		for (tail = 0; tail < 4; tail++) {
			for (i = 0, pos = start; i < 4; i++) {
				head = pos;
				pos = put(r, pos, 10 + i, (start + 4 * tail) % NR_SECTORS, 3);
			}
			expect_found(test, r, (start + 4 * tail) % NR_SECTORS, head, 4 - tail, 13);
			KUNIT_EXPECT_EQ(test, r->seq.next, start * SECTOR);
		}
}

/* One entry as long as the log is legal to read, though nobody should write it. */
static void log_scan_longest_test(struct kunit *test)
{
	struct ring *r = ring_init(test, 9);
	u32 pos;

	for (pos = 0; pos < 9; pos++) {
		put(r, pos, 3, pos, 8);
		expect_found(test, r, pos, pos, 1, 3);
		KUNIT_EXPECT_EQ(test, r->seq.next, pos * SECTOR);
	}
}

/* Small rings written down: what is put where, and what has to be found. */
struct step {
	u32	pos;
	u64	seq;
	u32	tail;
	u32	nr_data;
	bool	stale;
};

struct story_case {
	const char	*name;
	struct step	steps[6];
	u32		nr_steps;
	u32		tail;	/* expected; nr == 0: no sequence */
	u32		head;
	u32		nr;
	u64		head_seq;
};

static const struct story_case story_cases[] = {
	{ "tail is the second entry", { { 0, 5, 0 }, { 1, 6, 1 }, { 2, 7, 1 } }, 3, 1, 2, 2, 7 },
	{ "only the head's tail counts", { { 0, 5, 9 }, { 1, 6, 14 }, { 2, 7, 0 } }, 3,
	  0, 2, 3, 7 },
	{ "gap, head complete", { { 0, 5, 0 }, { 1, 6, 0 }, { 2, 8, 2 } }, 3, 2, 2, 1, 8 },
	{ "gap, head needs what is missing", { { 0, 5, 0 }, { 1, 6, 0 }, { 2, 8, 1 } }, 3,
	  0, 1, 2, 6 },
	{ "number repeats", { { 0, 5, 0 }, { 1, 5, 1 } }, 2, 0, 0, 1, 5 },
	{ "number falls", { { 0, 5, 0 }, { 1, 4, 1 } }, 2, 0, 0, 1, 5 },
	{ "higher sequence further on", { { 0, 5, 0 }, { 1, 6, 0 }, { 8, 9, 8 } }, 3, 8, 8, 1, 9 },
	{ "higher sequence first", { { 0, 9, 0 }, { 8, 5, 8 }, { 9, 6, 8 } }, 3, 0, 0, 1, 9 },
	{ "longer sequence is not better", { { 0, 5, 0 }, { 1, 6, 0 }, { 2, 7, 0 }, { 8, 8, 8 } },
	  4, 8, 8, 1, 8 },
	{ "higher one incomplete", { { 0, 5, 0 }, { 8, 9, 7 } }, 2, 0, 0, 1, 5 },
	{ "stale entry behind", { { 0, 5, 0 }, { 1, 6, 0, 0, true } }, 2, 0, 0, 1, 5 },
	{ "stale entry between", { { 0, 5, 0 }, { 1, 6, 0, 0, true }, { 2, 7, 2 } }, 3,
	  2, 2, 1, 7 },
	{ "only stale entries", { { 0, 5, 0, 0, true }, { 1, 6, 0, 0, true } }, 2 },
	{ "tail within an entry", { { 0, 5, 0, 2 }, { 3, 6, 1 } }, 2 },
	{ "tail within the entry itself", { { 0, 5, 1, 2 } }, 1 },
	{ "tail behind the head", { { 0, 5, 0 }, { 1, 6, 2 } }, 2 },
	{ "the same, but an older sequence", { { 0, 5, 0 }, { 1, 6, 2 }, { 8, 3, 8 } }, 3,
	  8, 8, 1, 3 },
	{ "tail in free space", { { 4, 5, 0 } }, 1 },
	{ "tail at an entry that is no part", { { 0, 5, 0 }, { 8, 9, 0 } }, 2, 0, 0, 1, 5 },
	{ "tail before where the scan begins", { { 14, 5, 14, 1 }, { 0, 6, 14 }, { 1, 7, 14 } }, 3,
	  14, 1, 3, 7 },
	{ "entry and sequence wrap", { { 13, 5, 13, 1 }, { 15, 6, 13, 3 }, { 3, 7, 15 } }, 3,
	  15, 3, 2, 7 },
	{ "older round behind the head",
	  { { 4, 3, 4 }, { 5, 4, 4 }, { 0, 8, 0, 1 }, { 2, 9, 0, 1 } }, 4, 0, 2, 2, 9 },
	{ "head's tail overwritten", { { 8, 5, 8 }, { 9, 6, 8 }, { 10, 7, 8 }, { 8, 50, 15 } }, 4 },
	{ "highest number of all", { { 0, U64_MAX - 1, 0 }, { 1, U64_MAX, 0 } }, 2,
	  0, 1, 2, U64_MAX },
	{ "no number behind the highest", { { 0, U64_MAX, 0 }, { 1, 0, 0 }, { 2, 1, 2 } }, 3,
	  0, 0, 1, U64_MAX },
};

static void story_desc(const struct story_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(story, story_cases, story_desc);

static void log_scan_story_test(struct kunit *test)
{
	const struct story_case *c = test->param_value;
	struct ring *r = ring_init(test, NR_SECTORS);
	u32 i;

	for (i = 0; i < c->nr_steps; i++) {
		r->area.guid = c->steps[i].stale ? STALE_GUID : RING_GUID;
		put(r, c->steps[i].pos, c->steps[i].seq, c->steps[i].tail, c->steps[i].nr_data);
	}
	r->area.guid = RING_GUID;
	if (c->nr)
		expect_found(test, r, c->tail, c->head, c->nr, c->head_seq);
	else
		expect_none(test, r);
}

/*
 * Two good entries, the second with three descriptors; a field of the second
 * is changed and its checksum made right again. It must not count any more.
 */
struct forged_case {
	const char	*name;
	u32		at;	/* byte of the entry */
	u32		size;
	u64		value;
	bool		fine;	/* the change is harmless */
};

static const struct forged_case forged_cases[] = {
	{ "nothing", 0, 0, 0, true },
	{ "reserved", 28, 4, 0xffffffff, true },
	{ "content", 4096 + 100, 1, 1, true },
	{ "flushed offset", 48, 8, MIB(3) + 5, true },
	{ "signature", 0, 4, VHDX_LOG_DATA_SIGNATURE },
	{ "entry length 0", 8, 4, 0 },
	{ "entry length of the log", 8, 4, NR_SECTORS * SECTOR },
	{ "entry length beyond the log", 8, 4, (NR_SECTORS + 1) * SECTOR },
	{ "entry length of 4 GiB", 8, 4, 0xfffff000 },
	{ "entry a sector longer", 8, 4, 5 * SECTOR },
	{ "entry a sector shorter", 8, 4, 3 * SECTOR },
	{ "tail beyond the log", 12, 4, NR_SECTORS * SECTOR },
	{ "tail far away", 12, 4, 0xfffff000 },
	{ "tail in a sector", 12, 4, 512 },
	{ "sequence number 0", 16, 8, 0 },
	{ "another sequence number", 16, 8, 43 },
	{ "another high half", 20, 4, 1 },
	{ "a descriptor less", 24, 4, 2 },
	{ "a descriptor more", 24, 4, 4 },
	{ "2^32 - 1 descriptors", 24, 4, 0xffffffff },
	{ "2^27 descriptors", 24, 4, 1 << 27 },
	{ "descriptor's signature", 64, 4, VHDX_LOG_DATA_SIGNATURE },
	{ "a zero descriptor instead", 64, 4, VHDX_LOG_ZERO_SIGNATURE },
	{ "last descriptor's signature", 128, 4, 0 },
	{ "descriptor's number", 88, 8, 43 },
	{ "last descriptor's number", 152, 8, 41 },
	{ "target alignment", 80, 8, TARGET_OFF + 512 },
	{ "target in the headers", 80, 8, VHDX_HEADER2_OFF },
	{ "target in the log", 80, 8, RING_OFF + 3 * SECTOR },
	{ "target beyond any file", 80, 8, 0xfffffffffffff000ULL },
	{ "data signature", 4096, 4, VHDX_LOG_ENTRY_SIGNATURE },
	{ "data high half", 4096 + 4, 4, 1 },
	{ "data low half", 4096 + 4092, 4, 41 },
	{ "last data signature", 3 * 4096, 4, VHDX_LOG_DESC_SIGNATURE },
	{ "last data low half", 3 * 4096 + 4092, 4, 43 },
};

static void forged_desc(const struct forged_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(forged, forged_cases, forged_desc);

/*
 * Change @size bytes at @at of the entry in r->entry, seal, and put it. One
 * more data sector follows, for the entry that claims it.
 */
static void forge(struct ring *r, u32 pos, const struct forged_case *c)
{
	u32 len = 4 * SECTOR, i;

	memcpy(r->entry + len, r->entry + len - SECTOR, SECTOR);
	for (i = 0; i < c->size; i++)
		r->entry[c->at + i] = c->value >> (8 * i);
	i = le32_to_cpu(((struct vhdx_raw_log_entry *)r->entry)->entry_length);
	if (i && i <= 5 * SECTOR)
		len = i;
	craft_seal(r->entry, len);
	craft_ring_put(r->log, r->area.len, pos * SECTOR, r->entry, 5 * SECTOR);
}

static void log_scan_forged_test(struct kunit *test)
{
	const struct forged_case *c = test->param_value;
	struct ring *r;
	u32 pos;

	for (pos = 2; pos < NR_SECTORS; pos += 12) {
		r = ring_init(test, NR_SECTORS);
		put(r, 8, 41, 8, 1);
		put(r, pos, 42, pos, 3);
		forge(r, pos, c);
		if (c->fine)
			expect_found(test, r, pos, pos, 1, 42);
		else
			expect_found(test, r, 8, 8, 1, 41);
	}
}

/* Any bit of a single entry that changes makes it count no more. */
static void log_scan_bit_flip_test(struct kunit *test)
{
	struct ring *r = ring_init(test, 4);
	u32 i, missed = 0;

	put(r, 3, 9, 3, 1);	/* the data sector is the ring's first */
	for (i = 0; i < 2 * SECTOR * 8; i += i < 96 * 8 ? 1 : 67) {
		u32 at = ring_wrap(r, 3 * SECTOR + i / 8);

		r->log[at] ^= 1 << (i % 8);
		missed += ring_scan(r) != VHDX_FAULT_LOG_NO_SEQUENCE;
		r->log[at] ^= 1 << (i % 8);
	}
	KUNIT_EXPECT_EQ(test, missed, 0);
	expect_found(test, r, 3, 3, 1, 9);
}

static void torn_prepare(struct ring *r, u32 old)
{
	u32 i;

	memset(r->log, 0, r->area.len);
	r->area.guid = old == 1 ? RING_GUID : STALE_GUID;
	for (i = 0; old && i < NR_SECTORS; i++)
		put(r, i, 50 + i, i, 0);
	r->area.guid = RING_GUID;
	put(r, 11, 100, 11, 0);
	put(r, 12, 101, 11, 0);
}

/*
 * The last entry of five sectors, of which each subset reached the ring. Old
 * content is nothing, an earlier round of the ring, or a stranger's.
 */
static void log_scan_torn_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);
	u8 *before = ring_alloc(test, r->area.len);
	u32 old, mask, i, at;

	for (old = 0; old < 3; old++)
		for (mask = 0; mask < 32; mask++) {
			torn_prepare(r, old);
			memcpy(before, r->log, r->area.len);
			put(r, 13, 102, 11, 4);
			for (i = 0; i < 5; i++) {
				at = ring_wrap(r, (13 + i) * SECTOR);
				if (!(mask & (1 << i)))
					memcpy(r->log + at, before + at, SECTOR);
			}
			if (mask == 31)
				expect_found(test, r, 11, 13, 3, 102);
			else
				expect_found(test, r, 11, 12, 2, 101);
		}
}

/* FlushedFileOffset and LastFileOffset: only the head's count. */
struct size_case {
	const char	*name;
	u64		tail_flushed;
	u64		tail_last;
	u64		flushed;
	u64		last;
	enum vhdx_fault	fault;
	u64		want_last;
};

static const struct size_case size_cases[] = {
	{ "zero", 0, 0, 0, 0, 0, 0 },
	{ "the file's size", 0, 0, RING_FILE, RING_FILE, 0, RING_FILE },
	{ "flushed falls", RING_FILE + MIB(1), 0, MIB(1), MIB(1), 0, MIB(1) },
	{ "last beyond the file", 0, 0, 0, MIB(200), 0, MIB(200) },
	{ "last falls", 0, U64_MAX, 0, MIB(2), 0, MIB(2) },
	{ "last is rounded up", 0, 0, 0, MIB(2) + 1, 0, MIB(3) },
	{ "last just below a MiB", 0, 0, 0, MIB(2) - 1, 0, MIB(2) },
	{ "last as far as it may", 0, 0, 0, VHDX_FILE_MAX, 0, VHDX_FILE_MAX },
	{ "last a byte too far", 0, 0, 0, VHDX_FILE_MAX + 1, VHDX_FAULT_LOG_LAST_OFFSET },
	{ "last at 2^60", 0, 0, 0, 1ULL << 60, VHDX_FAULT_LOG_LAST_OFFSET },
	{ "flushed, a byte too far", 0, 0, RING_FILE + 1, MIB(99), VHDX_FAULT_LOG_TRUNCATED },
	{ "flushed, all bits", 0, 0, U64_MAX, MIB(99), VHDX_FAULT_LOG_TRUNCATED },
	{ "last, all bits", 0, 0, 0, U64_MAX, VHDX_FAULT_LOG_LAST_OFFSET },
	{ "last at 2^63", 0, 0, 0, 1ULL << 63, VHDX_FAULT_LOG_LAST_OFFSET },
	{ "last is 2^63 when rounded", 0, 0, 0, (1ULL << 63) - 5, VHDX_FAULT_LOG_LAST_OFFSET },
};

static void size_desc(const struct size_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(size, size_cases, size_desc);

static void log_scan_size_test(struct kunit *test)
{
	const struct size_case *c = test->param_value;
	struct ring *r = ring_init(test, NR_SECTORS);
	struct craft_entry e = {
		.seq = 1, .guid = RING_GUID,
		.flushed_off = c->tail_flushed, .last_off = c->tail_last,
	};
	u64 field = c->fault == VHDX_FAULT_LOG_TRUNCATED ? 48 : 56;

	ring_put(r, 0, &e);
	e.seq++;
	e.flushed_off = c->flushed;
	e.last_off = c->last;
	ring_put(r, SECTOR, &e);
	KUNIT_ASSERT_EQ(test, ring_scan(r), (int)c->fault);
	if (c->fault) {
		KUNIT_EXPECT_EQ(test, r->fd.fault, c->fault);
		KUNIT_EXPECT_EQ(test, r->fd.off, RING_OFF + SECTOR + field);
		KUNIT_EXPECT_EQ(test, r->fd.value, field == 48 ? c->flushed : c->last);
		return;
	}
	KUNIT_EXPECT_EQ(test, r->seq.nr, 2);
	KUNIT_EXPECT_EQ(test, r->seq.flushed_off, c->flushed);
	KUNIT_EXPECT_EQ(test, r->seq.last_off, c->want_last);
}

/* Targets, and the LastFileOffset of the entry they are in and of the next. */
struct target_case {
	const char		*name;
	struct craft_desc	desc;
	u64			own;
	u64			last;
	u64			want_end;	/* 0: refused */
};

#define FAR	(1ULL << 45)

static const struct target_case target_cases[] = {
	{ "last of the file", { RING_FILE - SECTOR, 0, 1 }, 0, 0, RING_FILE },
	{ "behind the file", { RING_FILE, 0, 1 }, 0, 0, 0 },
	{ "zeros over the end", { RING_FILE - SECTOR, 2 * SECTOR, 0 }, 0, 0, 0 },
	{ "far away", { FAR, 0, 1 }, 0, RING_FILE, 0 },
	{ "zeros far away", { FAR, MIB(1), 0 }, 0, RING_FILE, 0 },
	{ "below its own offset", { RING_FILE, 0, 1 }, RING_FILE + MIB(4), 0, RING_FILE + MIB(1) },
	{ "below the head's", { RING_FILE, 0, 1 }, 0, RING_FILE + MIB(4), RING_FILE + MIB(4) },
	{ "behind both", { RING_FILE + MIB(4), 0, 1 }, RING_FILE + MIB(4), RING_FILE, 0 },
	{ "in the MiB of an odd offset", { RING_FILE + MIB(1) - SECTOR, 0, 1 }, RING_FILE + 1, 0,
	  RING_FILE + MIB(1) },
	{ "below an offset that is none", { FAR, 0, 1 }, U64_MAX, 0, 0 },
	{ "the largest file", { VHDX_FILE_MAX - SECTOR, 0, 1 }, VHDX_FILE_MAX, 0, VHDX_FILE_MAX },
};

static void target_desc(const struct target_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(target, target_cases, target_desc);

static void log_scan_target_test(struct kunit *test)
{
	const struct target_case *c = test->param_value;
	struct ring *r = ring_init(test, NR_SECTORS);
	struct craft_entry e = {
		.seq = 1, .guid = RING_GUID, .nr_desc = 1, .desc = &c->desc,
		.last_off = c->own,
	};
	struct craft_entry head = { .seq = 2, .guid = RING_GUID, .last_off = c->last };
	u32 pos = ring_put(r, 0, &e);

	ring_put(r, pos, &head);
	if (c->want_end) {
		KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
		KUNIT_EXPECT_EQ(test, r->seq.nr, 2);
		KUNIT_EXPECT_EQ(test, max(r->seq.end, RING_FILE), c->want_end);
	} else {
		KUNIT_EXPECT_EQ(test, ring_scan(r), VHDX_FAULT_LOG_TARGET_BEYOND);
		KUNIT_EXPECT_EQ(test, r->fd.off, RING_OFF);
		KUNIT_EXPECT_EQ(test, r->fd.value,
				c->desc.off + (c->desc.len ? c->desc.len : SECTOR));
	}
	/* What is not to be applied does not matter. */
	head.tail = pos;
	ring_put(r, pos, &head);
	KUNIT_EXPECT_EQ(test, ring_scan(r), 0);
	KUNIT_EXPECT_EQ(test, r->seq.end, round_up(c->last, MIB(1)));
}

/* A log that is not all in the file is not read. */
static void log_scan_range_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);

	put(r, 0, 1, 0, 0);
	r->ram.src.size = RING_OFF + r->area.len;
	((struct vhdx_raw_log_entry *)r->log)->flushed_file_offset = 0;
	craft_seal(r->log, SECTOR);
	expect_found(test, r, 0, 0, 1, 1);
	r->ram.src.size--;
	KUNIT_EXPECT_EQ(test, ring_scan(r), VHDX_FAULT_HEADER_LOG_RANGE);
	r->ram.src.size = MIB(100);
	r->area.off = ~0ULL << 20;
	KUNIT_EXPECT_EQ(test, ring_scan(r), VHDX_FAULT_HEADER_LOG_RANGE);
	KUNIT_EXPECT_EQ(test, r->ram.strayed, 0);
}

/* An error of the source at each read comes out as it went in. */
static void log_scan_error_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);
	u64 reads;

	put(r, 14, 1, 14, 3);
	expect_found(test, r, 14, 14, 1, 1);
	reads = r->ram.nr_reads;
	r->ram.error = -ENOLINK;
	for (r->ram.fail_read = 1; r->ram.fail_read <= reads; r->ram.fail_read++) {
		r->ram.nr_reads = 0;
		KUNIT_EXPECT_EQ(test, ring_scan(r), -ENOLINK);
	}
}

/*
 * A ring in which each sector claims to begin an entry as long as the ring:
 * however it is looked at, the work stays within a few readings of it.
 */
static void log_scan_hostile_test(struct kunit *test)
{
	struct ring *r = ring_init(test, 256);
	struct craft_desc *descs = ring_alloc(test, 126 * sizeof(*descs));
	struct craft_entry e = { .guid = RING_GUID, .nr_desc = 126, .desc = descs };
	struct vhdx_raw_log_entry *raw;
	u32 i;

	for (i = 0; i < 126; i++)
		descs[i] = (struct craft_desc){ .off = TARGET_OFF, .len = SECTOR };
	for (i = 0; i < 256; i++) {
		e.seq = i + 1;
		e.tail = i * SECTOR;
		ring_put(r, i * SECTOR, &e);
		raw = (void *)(r->log + i * SECTOR);
		raw->entry_length = cpu_to_le32(r->area.len);
		if (i % 2)
			raw->descriptor_count = cpu_to_le32(126 + 128 * 200);
	}
	expect_none(test, r);
	KUNIT_EXPECT_EQ(test, r->nr_valid, 0);
	KUNIT_EXPECT_LE(test, r->ram.nr_bytes, 4 * r->area.len);
}

/* A log of 1 MiB full of entries of one sector: 256 in one sequence. */
static void log_scan_crowded_test(struct kunit *test)
{
	struct ring *r = ring_init(test, 256);
	u32 i;

	for (i = 0; i < 256; i++)
		put(r, (i + 100) % 256, 1000 + i, 100, 0);
	expect_found(test, r, 100, 99, 256, 1255);
	KUNIT_EXPECT_EQ(test, r->nr_valid, 256);
	KUNIT_EXPECT_LE(test, r->ram.nr_bytes, 4 * r->area.len);
}

/* One entry of 255 sectors, larger than the scratch, at some places. */
static void log_scan_large_entry_test(struct kunit *test)
{
	struct ring *r = ring_init(test, 256);
	struct craft_desc *descs = ring_alloc(test, 253 * sizeof(*descs));
	struct craft_entry e = { .seq = 5, .guid = RING_GUID, .nr_desc = 253, .desc = descs };
	u32 i, pos;

	for (i = 0; i < 253; i++)
		descs[i] = (struct craft_desc){ .off = TARGET_OFF + i * SECTOR, .seed = i };
	for (pos = 0; pos < 256; pos += 51) {
		memset(r->log, 0, r->area.len);
		e.tail = pos * SECTOR;
		ring_put(r, e.tail, &e);
		expect_found(test, r, pos, pos, 1, 5);
		KUNIT_EXPECT_EQ(test, r->seq.nr_desc, 253);
		r->log[ring_wrap(r, (pos + 200) * SECTOR) + 777] ^= 1;
		expect_none(test, r);
	}
}

/*
 * Random histories: after some entries one more is written, of which a random
 * subset of sectors reaches the ring. What was stable must be found, or the
 * new entry if all of it is there.
 */
static const unsigned int nr_histories = 300;

/* Is exactly what the writer holds for live found? */
static bool history_found(struct ring *r, const struct writer *w)
{
	const struct live *head = &w->live[w->nr_live - 1];

	return !ring_scan(r) && r->seq.tail == w->live[0].pos && r->seq.head == head->pos &&
	       r->seq.nr == w->nr_live && r->seq.head_seq == head->entry.seq &&
	       r->seq.next == w->head;
}

static bool history_run(struct kunit *test, struct ring *r, u64 seed)
{
	struct writer *w = writer_init(test, r, seed);
	u32 nr_entries = 1 + craft_below(&w->rng, 40), mask, all;
	unsigned int gone;
	bool found;

	while (nr_entries--) {
		gone = writer_prepare(w);
		writer_write(w, ~0U);
		writer_commit(w, gone);
	}
	gone = writer_prepare(w);
	all = (1U << (w->live[w->nr_live].len / SECTOR)) - 1;
	mask = craft_random(&w->rng) & all;
	writer_write(w, mask);
	if (mask == all)
		writer_commit(w, gone);
	found = history_found(r, w);
	kunit_kfree(test, w);
	return found;
}

static void log_scan_history_test(struct kunit *test)
{
	struct ring *rings[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		rings[i] = ring_init(test, 12 + 7 * i);
	for (i = 0; i < nr_histories; i++)
		KUNIT_EXPECT_TRUE_MSG(test, history_run(test, rings[i % 4], i), "history %u", i);
}

static struct kunit_case log_scan_cases[] = {
	KUNIT_CASE(log_scan_empty_test),
	KUNIT_CASE(log_scan_single_test),
	KUNIT_CASE(log_scan_wrap_test),
	KUNIT_CASE(log_scan_full_test),
	KUNIT_CASE(log_scan_longest_test),
	KUNIT_CASE_PARAM(log_scan_story_test, story_gen_params),
	KUNIT_CASE_PARAM(log_scan_forged_test, forged_gen_params),
	KUNIT_CASE(log_scan_bit_flip_test),
	KUNIT_CASE(log_scan_torn_test),
	KUNIT_CASE_PARAM(log_scan_size_test, size_gen_params),
	KUNIT_CASE_PARAM(log_scan_target_test, target_gen_params),
	KUNIT_CASE(log_scan_range_test),
	KUNIT_CASE(log_scan_error_test),
	KUNIT_CASE(log_scan_hostile_test),
	KUNIT_CASE(log_scan_crowded_test),
	KUNIT_CASE(log_scan_large_entry_test),
	KUNIT_CASE(log_scan_history_test),
	{}
};

static struct kunit_suite log_scan_suite = {
	.name = "vhdx_log_scan",
	.test_cases = log_scan_cases,
};

kunit_test_suite(log_scan_suite);
