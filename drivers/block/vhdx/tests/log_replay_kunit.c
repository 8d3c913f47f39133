// SPDX-License-Identifier: GPL-2.0-only
/*
 * The replay of a sequence: what it writes and in which order, that it may be
 * cut off at any write and done again, and that it believes nothing that
 * changed since the search.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/log_replay.h"
#include "format/log_scan.h"
#include "format/raw.h"

#include "craft.h"
#include "ram.h"
#include "ring.h"

#define NR_SECTORS	16	/* of the ring in most tests */
#define AT(n)		(TARGET_OFF + (u64)(n) * SECTOR)

/* Puts an entry and scans; the ring must hold the sequence then. */
static u32 put(struct ring *r, u32 pos, u64 seq, u32 tail, const struct craft_desc *desc,
	       u32 nr_desc)
{
	struct craft_entry e = {
		.seq = seq, .guid = r->area.guid, .tail = tail * SECTOR,
		.nr_desc = nr_desc, .desc = desc,
	};

	return ring_put(r, pos * SECTOR, &e) / SECTOR;
}

static int replay(struct ring *r, struct vhdx_log_replay *done)
{
	memset(done, 0xa5, sizeof(*done));
	memset(&r->fd, 0, sizeof(r->fd));
	return vhdx_log_replay(&r->ram.src, &r->area, &r->seq, &r->ram.sink, r->scratch,
			       done, &r->fd);
}

/* Scan and replay, which must go well. */
static void replay_all(struct kunit *test, struct ring *r, struct vhdx_log_replay *done)
{
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	KUNIT_ASSERT_EQ(test, replay(r, done), 0);
	KUNIT_EXPECT_EQ(test, r->ram.strayed, 0);
}

/* Does target @n hold the content of @seed, 0 for zeros? */
static bool target_is(const struct ring *r, u32 n, u32 seed)
{
	const u8 *at = r->targets + n * SECTOR;
	__le32 word;

	if (!seed)
		return !memchr_inv(at, 0, SECTOR);
	memcpy(&word, at, 4);
	if (le32_to_cpu(word) != seed * 2654435761U)
		return false;
	memcpy(&word, at + SECTOR - 4, 4);
	if (le32_to_cpu(word) != seed * 2654435761U + 1023 * 40503U)
		return false;
	memcpy(&word, at + 2048, 4);
	return le32_to_cpu(word) == seed * 2654435761U + 512 * 40503U;
}

static void log_replay_simple_test(struct kunit *test)
{
	static const struct craft_desc descs[] = {
		{ AT(2), 0, 5 }, { AT(7), 3 * SECTOR, 0 }, { AT(3), 0, 6 },
	};
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;
	u32 i;

	memset(r->targets, 0xee, NR_TARGETS * SECTOR);
	put(r, 15, 9, 15, descs, 3);
	replay_all(test, r, &done);
	KUNIT_EXPECT_EQ(test, done.nr_entries, 1);
	KUNIT_EXPECT_EQ(test, done.nr_data, 2);
	KUNIT_EXPECT_EQ(test, done.nr_zero, 1);
	KUNIT_EXPECT_TRUE(test, target_is(r, 2, 5));
	KUNIT_EXPECT_TRUE(test, target_is(r, 3, 6));
	for (i = 7; i < 10; i++)
		KUNIT_EXPECT_TRUE(test, target_is(r, i, 0));
	for (i = 10; i < NR_TARGETS; i++)
		KUNIT_EXPECT_TRUE(test, !memchr_inv(r->targets + i * SECTOR, 0xee, SECTOR));
}

/* Of two that say something about a sector the later one is right. */
static void log_replay_order_test(struct kunit *test)
{
	static const struct craft_desc first[] = {
		{ AT(0), 0, 1 }, { AT(1), 0, 1 }, { AT(2), 0, 1 }, { AT(0), 0, 2 },
		{ AT(4), 0, 1 }, { AT(4), SECTOR, 0 }, { AT(5), SECTOR, 0 }, { AT(5), 0, 4 },
	};
	static const struct craft_desc second[] = {
		{ AT(1), 0, 3 }, { AT(2), SECTOR, 0 },
	};
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;
	u32 next;

	next = put(r, 12, 1, 12, first, 8);
	put(r, next, 2, 12, second, 2);
	replay_all(test, r, &done);
	KUNIT_EXPECT_EQ(test, done.nr_entries, 2);
	KUNIT_EXPECT_TRUE(test, target_is(r, 0, 2));
	KUNIT_EXPECT_TRUE(test, target_is(r, 1, 3));
	KUNIT_EXPECT_TRUE(test, target_is(r, 2, 0));
	KUNIT_EXPECT_TRUE(test, target_is(r, 4, 0));
	KUNIT_EXPECT_TRUE(test, target_is(r, 5, 4));
}

/* What is before the tail belongs to the past: its target may be in use again. */
static void log_replay_tail_test(struct kunit *test)
{
	static const struct craft_desc descs[] = {
		{ AT(0), 0, 1 }, { AT(1), 0, 2 }, { AT(2), 0, 3 },
	};
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;
	u32 a, b;

	a = put(r, 0, 1, 0, &descs[0], 1);
	b = put(r, a, 2, 0, &descs[1], 1);
	put(r, b, 3, a, &descs[2], 1);
	memset(r->targets, 0xee, NR_TARGETS * SECTOR);
	replay_all(test, r, &done);
	KUNIT_EXPECT_EQ(test, done.nr_entries, 2);
	KUNIT_EXPECT_EQ(test, done.nr_data, 2);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(r->targets, 0xee, SECTOR));
	KUNIT_EXPECT_TRUE(test, target_is(r, 1, 2));
	KUNIT_EXPECT_TRUE(test, target_is(r, 2, 3));
}

static void log_replay_empty_test(struct kunit *test)
{
	static const struct craft_desc nothing = { AT(0), SECTOR, 0 };
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;
	struct vhdx_raw_log_zero *raw;

	put(r, 3, 1, 3, NULL, 0);
	put(r, 4, 2, 3, NULL, 0);
	replay_all(test, r, &done);
	KUNIT_EXPECT_EQ(test, done.nr_entries, 2);
	KUNIT_EXPECT_EQ(test, done.nr_data + done.nr_zero, 0);
	KUNIT_EXPECT_EQ(test, r->ram.nr_writes, 0);

	/* A zero descriptor without length changes nothing. */
	memset(r->targets, 0xee, SECTOR);
	put(r, 5, 3, 5, &nothing, 1);
	raw = (void *)(r->log + 5 * SECTOR + 64);
	raw->zero_length = 0;
	craft_seal(r->log + 5 * SECTOR, SECTOR);
	replay_all(test, r, &done);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(r->targets, 0xee, SECTOR));
}

/* The longest zero range goes to the sink in one piece or many, but whole. */
static void log_replay_long_zero_test(struct kunit *test)
{
	static const struct craft_desc desc = { MIB(2), MIB(1 << 20), 0 };
	struct ring *r = ring_init(test, NR_SECTORS);
	struct craft_entry e = {
		.seq = 1, .guid = r->area.guid, .nr_desc = 1, .desc = &desc,
		.last_off = desc.off + desc.len,
	};
	struct vhdx_log_replay done;

	ring_put(r, 0, &e);
	memset(r->targets, 0xee, NR_TARGETS * SECTOR);
	replay_all(test, r, &done);
	KUNIT_EXPECT_EQ(test, done.nr_zero, 1);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(r->targets, 0, NR_TARGETS * SECTOR));
	KUNIT_EXPECT_EQ(test, r->seq.tail, 0);
}

/* Entries larger than the scratch, of many descriptors, at some places. */
static void large_run(struct kunit *test, struct ring *r, u32 pos, u32 nr, u32 nr_data)
{
	struct craft_desc *descs = ring_alloc(test, nr * sizeof(*descs));
	struct vhdx_log_replay done;
	u32 i, last[NR_TARGETS];

	for (i = 0; i < nr; i++) {
		descs[i].off = AT(i % NR_TARGETS);
		descs[i].seed = i < nr_data ? i + 1 : 0;
		descs[i].len = i < nr_data ? 0 : SECTOR;
		last[i % NR_TARGETS] = descs[i].seed;
	}
	memset(r->log, 0, r->area.len);
	put(r, pos, 5, pos, descs, nr);
	replay_all(test, r, &done);
	KUNIT_EXPECT_EQ(test, done.nr_data, nr_data);
	KUNIT_EXPECT_EQ(test, done.nr_zero, nr - nr_data);
	for (i = 0; i < NR_TARGETS; i++)
		KUNIT_EXPECT_TRUE(test, target_is(r, i, last[i]));
}

static void log_replay_large_test(struct kunit *test)
{
	struct ring *r = ring_init(test, 256);
	u32 pos;

	for (pos = 1; pos < 256; pos += 36) {
		large_run(test, r, pos, 253, 253);
		large_run(test, r, pos, 126, 126);
		large_run(test, r, pos, 127, 127);
		large_run(test, r, pos, 300, 40);
	}
}

/* A sequence whose replay is known to write several times. */
static void busy_ring(struct ring *r)
{
	static const struct craft_desc first[] = {
		{ AT(0), 0, 1 }, { AT(1), 0, 2 }, { AT(4), 4 * SECTOR, 0 },
	};
	static const struct craft_desc second[] = {
		{ AT(1), 2 * SECTOR, 0 }, { AT(5), 0, 3 }, { AT(0), 0, 4 },
	};
	u32 next = put(r, 14, 1, 14, first, 3);

	put(r, next, 2, 14, second, 3);
	memset(r->targets, 0xee, NR_TARGETS * SECTOR);
}

/*
 * Power fails at the n-th write of a replay, the next open does it again: the
 * bytes are those of an undisturbed one, at each n.
 */
static void log_replay_crash_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);
	u8 *want = ring_alloc(test, NR_TARGETS * SECTOR);
	struct vhdx_log_replay done;
	u64 writes, n;

	busy_ring(r);
	replay_all(test, r, &done);
	writes = r->ram.nr_writes;
	KUNIT_EXPECT_GE(test, writes, 6);
	memcpy(want, r->targets, NR_TARGETS * SECTOR);
	replay_all(test, r, &done);
	KUNIT_EXPECT_EQ(test, memcmp(want, r->targets, NR_TARGETS * SECTOR), 0);
	r->ram.error = -ENOSPC;
	for (n = 1; n <= writes; n++) {
		busy_ring(r);
		r->ram.nr_writes = 0;
		r->ram.fail_write = n;
		KUNIT_EXPECT_EQ(test, replay(r, &done), -ENOSPC);
		KUNIT_EXPECT_EQ(test, r->ram.nr_writes, n);
		replay_all(test, r, &done);
		KUNIT_EXPECT_EQ(test, memcmp(want, r->targets, NR_TARGETS * SECTOR), 0);
	}
}

static void log_replay_read_error_test(struct kunit *test)
{
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;
	u64 reads;

	busy_ring(r);
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	r->ram.nr_reads = 0;
	KUNIT_ASSERT_EQ(test, replay(r, &done), 0);
	reads = r->ram.nr_reads;
	r->ram.error = -ENOLINK;
	for (r->ram.fail_read = 1; r->ram.fail_read <= reads; r->ram.fail_read++) {
		r->ram.nr_reads = 0;
		KUNIT_EXPECT_EQ(test, replay(r, &done), -ENOLINK);
	}
}

/*
 * The log changes between search and replay. The second entry of the sequence
 * gets @size bytes at @at, with or without its checksum made right again.
 */
struct changed_case {
	const char	*name;
	u32		at;
	u32		size;
	u64		value;
	bool		sealed;
	enum vhdx_fault	fault;
};

static const struct changed_case changed_cases[] = {
	{ "signature", 0, 1, 0, false, VHDX_FAULT_LOG_ENTRY_SIGNATURE },
	{ "checksum", 4, 4, 0, false, VHDX_FAULT_LOG_ENTRY_CHECKSUM },
	{ "content", 4096 + 999, 1, 0x77, false, VHDX_FAULT_LOG_ENTRY_CHECKSUM },
	{ "last content", 3 * 4096 - 5, 1, 0x77, false, VHDX_FAULT_LOG_ENTRY_CHECKSUM },
	{ "reserved", 28, 4, 9, false, VHDX_FAULT_LOG_ENTRY_CHECKSUM },
	{ "leading bytes", 72, 8, 9, false, VHDX_FAULT_LOG_ENTRY_CHECKSUM },
	{ "GUID", 32, 1, 0, true, VHDX_FAULT_LOG_ENTRY_GUID },
	{ "length", 8, 4, 512, false, VHDX_FAULT_LOG_ENTRY_LENGTH },
	{ "tail", 12, 4, 0xfffff000, true, VHDX_FAULT_LOG_ENTRY_TAIL },
	{ "sequence 0", 16, 8, 0, true, VHDX_FAULT_LOG_ENTRY_SEQUENCE },
	{ "count", 24, 4, 0xffffffff, true, VHDX_FAULT_LOG_ENTRY_COUNT },
	{ "descriptor", 64, 4, 0, true, VHDX_FAULT_LOG_DESC_SIGNATURE },
	{ "descriptor's number", 88, 8, 5, true, VHDX_FAULT_LOG_DESC_SEQUENCE },
	{ "target alignment", 80, 8, TARGET_OFF + 1, true, VHDX_FAULT_LOG_DESC_ALIGNMENT },
	{ "target in the headers", 80, 8, VHDX_HEADER1_OFF, true, VHDX_FAULT_LOG_DESC_TARGET },
	{ "target in the log", 80, 8, RING_OFF, true, VHDX_FAULT_LOG_DESC_TARGET },
	{ "data signature", 4096, 4, 0, true, VHDX_FAULT_LOG_DATA_SIGNATURE },
	{ "torn data", 2 * 4096 + 4092, 4, 9, true, VHDX_FAULT_LOG_DATA_SEQUENCE },
};

static void changed_desc(const struct changed_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(changed, changed_cases, changed_desc);

static void log_replay_changed_test(struct kunit *test)
{
	static const struct craft_desc descs[] = {
		{ AT(0), 0, 1 }, { AT(1), 0, 2 }, { AT(2), 0, 3 },
	};
	const struct changed_case *c = test->param_value;
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;
	u32 pos, i;

	pos = put(r, 0, 1, 0, &descs[0], 1);
	put(r, pos, 2, 0, &descs[1], 2);
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	for (i = 0; i < c->size; i++)
		r->entry[c->at + i] = c->value >> (8 * i);
	if (c->sealed)
		craft_seal(r->entry, 3 * SECTOR);
	craft_ring_put(r->log, r->area.len, pos * SECTOR, r->entry, 3 * SECTOR);
	KUNIT_EXPECT_EQ(test, replay(r, &done), (int)c->fault);
	KUNIT_EXPECT_EQ(test, r->fd.fault, c->fault);
	KUNIT_EXPECT_GE(test, r->fd.off, RING_OFF + pos * SECTOR);
	KUNIT_EXPECT_LT(test, r->fd.off, RING_OFF + (pos + 3) * SECTOR);
	/* All of an entry or nothing. */
	KUNIT_EXPECT_TRUE(test, target_is(r, 1, 0));
	KUNIT_EXPECT_TRUE(test, target_is(r, 2, 0));
	KUNIT_EXPECT_EQ(test, r->ram.strayed, 0);
}

/* What a copy of the log can not be is changed: its checksums count as right, no more. */
static void log_replay_fixed_test(struct kunit *test)
{
	static const struct craft_desc desc = { AT(1), 0, 2 };
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;

	put(r, 0, 1, 0, &desc, 1);
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	r->log[4] ^= 1;
	KUNIT_EXPECT_EQ(test, replay(r, &done), VHDX_FAULT_LOG_ENTRY_CHECKSUM);
	r->ram.src.fixed = true;
	KUNIT_EXPECT_EQ(test, ring_scan(r), VHDX_FAULT_LOG_NO_SEQUENCE);
	r->log[4] ^= 1;
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	r->log[4] ^= 1;
	KUNIT_EXPECT_EQ(test, replay(r, &done), 0);
	KUNIT_EXPECT_TRUE(test, target_is(r, 1, 2));
	r->log[SECTOR] ^= 1;
	KUNIT_EXPECT_EQ(test, replay(r, &done), VHDX_FAULT_LOG_DATA_SIGNATURE);
}

/* Another valid entry in the place of the one that was found. */
static void log_replay_exchanged_test(struct kunit *test)
{
	static const struct craft_desc descs[] = { { AT(0), 0, 1 }, { AT(1), 0, 2 } };
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;
	u32 pos;

	pos = put(r, 0, 1, 0, &descs[0], 1);
	put(r, pos, 2, 0, &descs[1], 1);
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	put(r, pos, 3, 0, &descs[1], 1);
	KUNIT_EXPECT_GT(test, replay(r, &done), 0);
	KUNIT_EXPECT_TRUE(test, target_is(r, 1, 0));
	put(r, pos, 2, 0, &descs[1], 0);
	KUNIT_EXPECT_GE(test, replay(r, &done), 0);
	KUNIT_EXPECT_EQ(test, r->ram.strayed, 0);
}

/*
 * Random histories again, now with the file: its sectors are as old as the
 * rules allow, those that live entries change are garbage, and after the
 * replay all must be as the writer left it.
 */
static const unsigned int nr_histories = 300;

static void disk_fill(struct ring *r, const u32 *disk)
{
	u32 i;

	for (i = 0; i < NR_TARGETS; i++)
		if (disk[i])
			craft_fill(r->targets + i * SECTOR, disk[i]);
		else
			memset(r->targets + i * SECTOR, 0, SECTOR);
}

/* Targets of live entries may be in any state of being written. */
static void disk_spoil(struct writer *w)
{
	u32 touched[NR_TARGETS], i;

	memset(touched, 0xff, sizeof(touched));
	for (i = 0; i < w->nr_live; i++)
		writer_apply(touched, &w->live[i]);
	for (i = 0; i < NR_TARGETS; i++)
		if (touched[i] != U32_MAX && craft_below(&w->rng, 2))
			memset(w->r->targets + i * SECTOR, 0xdd, 512 * craft_below(&w->rng, 9));
}

static bool disk_matches(const struct ring *r, const u32 *disk)
{
	u32 i;

	for (i = 0; i < NR_TARGETS; i++)
		if (!target_is(r, i, disk[i]))
			return false;
	return true;
}

static bool history_run(struct kunit *test, struct ring *r, u64 seed)
{
	struct writer *w = writer_init(test, r, seed);
	u32 nr_entries = craft_below(&w->rng, 40), want[NR_TARGETS], nr;
	struct vhdx_log_replay done;
	unsigned int gone;
	bool good;

	do {
		gone = writer_prepare(w);
		writer_write(w, ~0U);
		writer_commit(w, gone);
	} while (nr_entries--);
	writer_prepare(w);
	nr = w->live[w->nr_live].len / SECTOR;
	writer_write(w, craft_below(&w->rng, (1U << nr) - 1));
	writer_expect(w, want);
	disk_fill(r, w->disk);
	disk_spoil(w);
	good = !ring_scan(r) && !replay(r, &done) && done.nr_entries == w->nr_live &&
	       disk_matches(r, want);
	kunit_kfree(test, w);
	return good;
}

static void log_replay_history_test(struct kunit *test)
{
	struct ring *rings[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		rings[i] = ring_init(test, 11 + 9 * i);
	for (i = 0; i < nr_histories; i++)
		KUNIT_EXPECT_TRUE_MSG(test, history_run(test, rings[i % 4], 1000 + i),
				      "history %u", i);
}

/* An entry that goes further than those of the search is not applied. */
static void log_replay_beyond_test(struct kunit *test)
{
	static const struct craft_desc good = { AT(0), 0, 1 }, far = { RING_FILE, 0, 1 };
	struct ring *r = ring_init(test, NR_SECTORS);
	struct vhdx_log_replay done;

	put(r, 0, 1, 0, &good, 1);
	KUNIT_ASSERT_EQ(test, ring_scan(r), 0);
	put(r, 0, 1, 0, &far, 1);
	KUNIT_EXPECT_EQ(test, replay(r, &done), VHDX_FAULT_LOG_TARGET_BEYOND);
	KUNIT_EXPECT_EQ(test, r->fd.off, RING_OFF);
	KUNIT_EXPECT_EQ(test, r->fd.value, RING_FILE + SECTOR);
	KUNIT_EXPECT_EQ(test, r->ram.nr_writes, 0);
}

static struct kunit_case log_replay_cases[] = {
	KUNIT_CASE(log_replay_simple_test),
	KUNIT_CASE(log_replay_order_test),
	KUNIT_CASE(log_replay_tail_test),
	KUNIT_CASE(log_replay_empty_test),
	KUNIT_CASE(log_replay_long_zero_test),
	KUNIT_CASE(log_replay_large_test),
	KUNIT_CASE(log_replay_crash_test),
	KUNIT_CASE(log_replay_read_error_test),
	KUNIT_CASE_PARAM(log_replay_changed_test, changed_gen_params),
	KUNIT_CASE(log_replay_fixed_test),
	KUNIT_CASE(log_replay_exchanged_test),
	KUNIT_CASE(log_replay_beyond_test),
	KUNIT_CASE(log_replay_history_test),
	{}
};

static struct kunit_suite log_replay_suite = {
	.name = "vhdx_log_replay",
	.test_cases = log_replay_cases,
};

kunit_test_suite(log_replay_suite);
