// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAT entries: which states which disk allows, where a block may lie, and the
 * scan that finds what lies on something else.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/bat.h"
#include "format/fault.h"
#include "format/geometry.h"
#include "format/header.h"
#include "format/raw.h"

#include "craft.h"

#define MIB(n)	((u64)(n) << 20)
#define GIB(n)	((u64)(n) << 30)

#define BAT_OFF	MIB(3)

/* Four chunks of 16 blocks of 256 MiB; the last block has 512 bytes of disk. */
static const struct vhdx_geometry dynamic = {
	.disk_size = GIB(15) + MIB(768) + 512, .nr_blocks = 64, .nr_chunks = 4,
	.nr_entries = 67, .bat_off = BAT_OFF, .block_shift = 28, .sector_shift = 9,
	.chunk_shift = 4,
};

static const struct vhdx_geometry differencing = {
	.disk_size = GIB(15) + MIB(768) + 512, .nr_blocks = 64, .nr_chunks = 4,
	.nr_entries = 68, .bat_off = BAT_OFF, .block_shift = 28, .sector_shift = 9,
	.chunk_shift = 4, .differencing = true,
};

#define BITMAP0		16	/* entry of the first sector bitmap */
#define LAST		66	/* entry of the last payload block */
#define FILE_SIZE	GIB(1)

/* The states as the specification numbers them. */
enum { NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED, FOUR, FIVE, FULL, PARTIAL };

struct entry_case {
	const char		*name;
	const struct vhdx_geometry *geo;
	u64			idx;
	u64			raw;
	enum vhdx_fault		fault;
	u64			off;	/* of the block, if there is no fault */
};

#define PAYLOAD_FAULT	VHDX_FAULT_BAT_PAYLOAD_STATE
#define BITMAP_FAULT	VHDX_FAULT_BAT_BITMAP_STATE
#define LOCATION_FAULT	VHDX_FAULT_BAT_LOCATION
#define RESERVED_FAULT	VHDX_FAULT_BAT_RESERVED_BITS

static const struct entry_case entry_cases[] = {
	{ "not present", &dynamic, 0, NOT_PRESENT },
	{ "undefined", &dynamic, 0, UNDEFINED },
	{ "zero", &dynamic, 0, ZERO },
	{ "unmapped", &dynamic, 0, UNMAPPED },
	{ "state 4", &dynamic, 0, FOUR | MIB(4), PAYLOAD_FAULT },
	{ "state 5", &dynamic, 0, FIVE | MIB(4), PAYLOAD_FAULT },
	{ "state 5 without location", &dynamic, 0, FIVE, PAYLOAD_FAULT },
	{ "full", &dynamic, 0, FULL | MIB(4), 0, MIB(4) },
	{ "partial without a parent", &dynamic, 0, PARTIAL | MIB(4), PAYLOAD_FAULT },
	{ "partial", &differencing, 0, PARTIAL | MIB(4), 0, MIB(4) },
	{ "full of a child", &differencing, 0, FULL | MIB(4), 0, MIB(4) },
	{ "not present of a child", &differencing, 0, NOT_PRESENT },
	{ "state 4 of a child", &differencing, 0, FOUR | MIB(4), PAYLOAD_FAULT },
	{ "state 5 of a child", &differencing, 0, FIVE | MIB(4), PAYLOAD_FAULT },

	{ "offset of not present is ignored", &dynamic, 0, NOT_PRESENT | MIB(4) },
	{ "offset of zero is ignored", &dynamic, 0, ZERO | MIB(4) },
	{ "even a wild one", &dynamic, 0, ZERO | 0xfffffffffff00000ULL },
	{ "anchor of undefined", &dynamic, 0, UNDEFINED | MIB(4), 0, MIB(4) },
	{ "anchor of unmapped", &dynamic, 0, UNMAPPED | MIB(4), 0, MIB(4) },

	{ "lowest reserved bit", &dynamic, 0, FULL | MIB(4) | 0x8, RESERVED_FAULT },
	{ "highest reserved bit", &dynamic, 0, FULL | MIB(4) | 0x80000, RESERVED_FAULT },
	{ "reserved bit of not present", &dynamic, 0, 0x10, RESERVED_FAULT },
	{ "reserved bit of a bitmap", &dynamic, BITMAP0, 0x400, RESERVED_FAULT },

	{ "full without location", &dynamic, 0, FULL, LOCATION_FAULT },
	{ "partial without location", &differencing, 0, PARTIAL, LOCATION_FAULT },
	{ "right behind the headers", &dynamic, 0, FULL | MIB(1), 0, MIB(1) },
	{ "ends with the file", &dynamic, 0, FULL | MIB(768), 0, MIB(768) },
	{ "1 MiB beyond the file", &dynamic, 0, FULL | MIB(769), LOCATION_FAULT },
	{ "behind the file", &dynamic, 0, FULL | GIB(1), LOCATION_FAULT },
	{ "sum overflows", &dynamic, 0, FULL | 0xfffffffffff00000ULL, LOCATION_FAULT },
	{ "last block, its disk part inside", &dynamic, LAST, FULL | MIB(1023), 0, MIB(1023) },
	{ "last block behind the file", &dynamic, LAST, FULL | GIB(1), LOCATION_FAULT },
	{ "last block, sum overflows", &dynamic, LAST, FULL | 0xfffffffffff00000ULL,
	  LOCATION_FAULT },
	{ "the block before it", &dynamic, LAST - 1, FULL | MIB(1023), LOCATION_FAULT },

	{ "no bitmap", &dynamic, BITMAP0, 0 },
	{ "bitmap's offset is ignored", &dynamic, BITMAP0, MIB(4) },
	{ "bitmap without a parent", &dynamic, BITMAP0, FULL | MIB(4), BITMAP_FAULT },
	{ "bitmap of a dynamic disk, state 2", &dynamic, BITMAP0, ZERO, BITMAP_FAULT },
	{ "no bitmap of a child", &differencing, BITMAP0, 0 },
	{ "bitmap", &differencing, BITMAP0, FULL | MIB(4), 0, MIB(4) },
	{ "bitmap ends with the file", &differencing, BITMAP0, FULL | MIB(1023), 0, MIB(1023) },
	{ "bitmap behind the file", &differencing, BITMAP0, FULL | GIB(1), LOCATION_FAULT },
	{ "bitmap without location", &differencing, BITMAP0, FULL, LOCATION_FAULT },
	{ "last bitmap", &differencing, 67, FULL | MIB(4), 0, MIB(4) },
	{ "bitmap in state 1", &differencing, BITMAP0, UNDEFINED | MIB(4), BITMAP_FAULT },
	{ "bitmap in state 2", &differencing, BITMAP0, ZERO | MIB(4), BITMAP_FAULT },
	{ "bitmap in state 3", &differencing, BITMAP0, UNMAPPED | MIB(4), BITMAP_FAULT },
	{ "bitmap in state 4", &differencing, BITMAP0, FOUR | MIB(4), BITMAP_FAULT },
	{ "bitmap in state 5", &differencing, BITMAP0, FIVE | MIB(4), BITMAP_FAULT },
	{ "bitmap in state 7", &differencing, BITMAP0, PARTIAL | MIB(4), BITMAP_FAULT },
};

static void entry_desc(const struct entry_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(entry, entry_cases, entry_desc);

static void bat_entry_test(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	struct vhdx_bat_entry entry;
	struct vhdx_finding fd;
	enum vhdx_fault fault;

	memset(&entry, 0xa5, sizeof(entry));
	fault = vhdx_bat_entry_decode(cpu_to_le64(c->raw), c->idx, c->geo, FILE_SIZE, &entry, &fd);
	KUNIT_ASSERT_EQ(test, fault, c->fault);
	if (fault) {
		KUNIT_EXPECT_EQ(test, fd.fault, fault);
		KUNIT_EXPECT_EQ(test, fd.off, BAT_OFF + 8 * c->idx);
		KUNIT_EXPECT_EQ(test, fd.value, c->raw);
		return;
	}
	KUNIT_EXPECT_EQ(test, entry.state, c->raw & 7);
	KUNIT_EXPECT_EQ(test, entry.off, c->off);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(vhdx_bat_entry_encode(&entry)), (c->raw & 7) | c->off);
}

static enum vhdx_fault decode(__le64 raw, u64 idx, const struct vhdx_geometry *geo, u64 size,
			      struct vhdx_bat_entry *entry)
{
	return vhdx_bat_entry_decode(raw, idx, geo, size, entry, NULL);
}

/* Each of the 17 reserved bits, in a payload and in a bitmap entry. */
static void bat_reserved_test(struct kunit *test)
{
	struct vhdx_bat_entry entry;
	__le64 raw;
	int bit;

	for (bit = 3; bit < 20; bit++) {
		raw = cpu_to_le64(MIB(4) | FULL | 1ULL << bit);
		KUNIT_EXPECT_EQ(test, decode(raw, 0, &dynamic, FILE_SIZE, &entry), RESERVED_FAULT);
		raw = cpu_to_le64(1ULL << bit);
		KUNIT_EXPECT_EQ(test, decode(raw, BITMAP0, &differencing, FILE_SIZE, &entry),
				RESERVED_FAULT);
	}
}

/*
 * A fixed image of QEMU ends with the disk, in the middle of the last block;
 * one sector less and the block's data is not all there.
 */
static void bat_last_block_test(struct kunit *test)
{
	__le64 raw = cpu_to_le64(MIB(8) | FULL);
	struct vhdx_bat_entry entry;

	KUNIT_EXPECT_EQ(test, decode(raw, LAST, &dynamic, MIB(8) + 512, &entry), 0);
	KUNIT_EXPECT_EQ(test, decode(raw, LAST, &dynamic, MIB(8) + 511, &entry), LOCATION_FAULT);
	KUNIT_EXPECT_EQ(test, decode(raw, LAST, &dynamic, MIB(8), &entry), LOCATION_FAULT);
}

/* What has no location in its state is written without one. */
static void bat_encode_test(struct kunit *test)
{
	struct vhdx_bat_entry entry = { .off = MIB(5) };

	entry.state = NOT_PRESENT;
	KUNIT_EXPECT_EQ(test, le64_to_cpu(vhdx_bat_entry_encode(&entry)), 0);
	entry.state = ZERO;
	KUNIT_EXPECT_EQ(test, le64_to_cpu(vhdx_bat_entry_encode(&entry)), ZERO);
	entry.state = UNMAPPED;
	KUNIT_EXPECT_EQ(test, le64_to_cpu(vhdx_bat_entry_encode(&entry)), MIB(5) | UNMAPPED);
	entry.state = FULL;
	KUNIT_EXPECT_EQ(test, le64_to_cpu(vhdx_bat_entry_encode(&entry)), MIB(5) | FULL);
}

static void bat_state_test(struct kunit *test)
{
	static const char * const names[] = {
		"not-present", "undefined", "zero", "unmapped", "reserved", "reserved",
		"fully-present", "partially-present", "reserved",
	};
	u8 state;

	for (state = 0; state < ARRAY_SIZE(names); state++) {
		KUNIT_EXPECT_STREQ(test, vhdx_block_state_name(state), names[state]);
		KUNIT_EXPECT_EQ(test, vhdx_block_is_present(state), state == 6 || state == 7);
	}
	KUNIT_EXPECT_STREQ(test, vhdx_block_state_name(255), "reserved");
}

/* The scan runs over a file of 2 GiB: log at 1, metadata at 2, BAT at 3 MiB. */
struct scan {
	struct vhdx_bat_scan	scan;
	struct vhdx_finding	fd;
	u8			*table;
	u8			*map;
	__le64			raw[68];
};

#define SCAN_SIZE	GIB(2)

static const struct vhdx_header header = {
	.version = 1, .log_off = SZ_1M, .log_len = SZ_1M,
};

static struct scan *scan_init(struct kunit *test, const struct vhdx_geometry *geo, u64 size)
{
	struct scan *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s);
	s->table = kunit_kzalloc(test, VHDX_REGION_TABLE_SIZE, GFP_KERNEL);
	s->map = kunit_kzalloc(test, vhdx_bat_scan_bytes(size), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->table);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->map);
	craft_region(s->table, 0, &VHDX_GUID_REGION_BAT, BAT_OFF, SZ_1M, 1);
	craft_region(s->table, 1, &VHDX_GUID_REGION_METADATA, MIB(2), SZ_1M, 1);
	craft_region_seal(s->table, 2);
	vhdx_bat_scan_init(&s->scan, geo, size, s->map, &header, s->table, 2);
	return s;
}

static enum vhdx_fault scan_all(struct scan *s)
{
	enum vhdx_fault fault;

	memset(&s->fd, 0xa5, sizeof(s->fd));
	fault = vhdx_bat_scan_entries(&s->scan, s->raw, ARRAY_SIZE(s->raw), &s->fd);
	return fault ?: vhdx_bat_scan_end(&s->scan, &s->fd);
}

static void scan_put(struct scan *s, u64 idx, u64 raw)
{
	s->raw[idx] = cpu_to_le64(raw);
}

static void bat_scan_empty_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &dynamic, SCAN_SIZE);

	KUNIT_EXPECT_EQ(test, s->scan.used_end, MIB(4));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.used_end, MIB(4));
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[NOT_PRESENT], 64);
	KUNIT_EXPECT_EQ(test, s->scan.nr_bitmaps, 0);
}

/* Something of each state, in two pieces, with the map that comes out. */
static void bat_scan_full_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &differencing, SCAN_SIZE);

	scan_put(s, 0, FULL | MIB(5));
	scan_put(s, 1, PARTIAL | MIB(261));
	scan_put(s, 2, ZERO | MIB(5));
	scan_put(s, 3, UNMAPPED | MIB(600));
	scan_put(s, 4, UNDEFINED | MIB(900));
	scan_put(s, 5, UNMAPPED);
	scan_put(s, BITMAP0, FULL | MIB(4));
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_entries(&s->scan, s->raw, 10, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.next, 10);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_entries(&s->scan, s->raw + 10, 58, NULL),
			VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_end(&s->scan, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[FULL], 1);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[PARTIAL], 1);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[ZERO], 1);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[UNMAPPED], 2);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[UNDEFINED], 1);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[NOT_PRESENT], 58);
	KUNIT_EXPECT_EQ(test, s->scan.nr_bitmaps, 1);
	KUNIT_EXPECT_EQ(test, s->scan.used_end, MIB(900 + 256));
}

/* The first MiB of a block, the last one, and the middle of something else. */
struct overlap_case {
	const char	*name;
	u64		first;	/* where block 0 lies, 0 for nowhere */
	u64		second;	/* where block 40 lies */
	enum vhdx_fault	fault;
};

static const struct overlap_case overlap_cases[] = {
	{ "apart", MIB(4), MIB(1000), 0 },
	{ "touching", MIB(4), MIB(260), 0 },
	{ "touching from below", MIB(260), MIB(4), 0 },
	{ "the same place", MIB(4), MIB(4), VHDX_FAULT_BAT_OVERLAP },
	{ "last MiB", MIB(4), MIB(259), VHDX_FAULT_BAT_OVERLAP },
	{ "first MiB", MIB(259), MIB(4), VHDX_FAULT_BAT_OVERLAP },
	{ "on the log", 0, MIB(1), VHDX_FAULT_BAT_OVERLAP },
	{ "on the metadata", 0, MIB(2), VHDX_FAULT_BAT_OVERLAP },
	{ "on the BAT", 0, MIB(3), VHDX_FAULT_BAT_OVERLAP },
	{ "at the end of the file", 0, SCAN_SIZE - MIB(256), 0 },
};

static void overlap_desc(const struct overlap_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(overlap, overlap_cases, overlap_desc);

static void bat_scan_overlap_test(struct kunit *test)
{
	const struct overlap_case *c = test->param_value;
	struct scan *s = scan_init(test, &dynamic, SCAN_SIZE);
	u64 idx = vhdx_bat_index(&dynamic, 40);

	if (c->first)
		scan_put(s, 0, FULL | c->first);
	scan_put(s, idx, FULL | c->second);
	KUNIT_ASSERT_EQ(test, scan_all(s), c->fault);
	if (!c->fault)
		return;
	KUNIT_EXPECT_EQ(test, s->fd.fault, c->fault);
	KUNIT_EXPECT_EQ(test, s->fd.off, BAT_OFF + 8 * idx);
	KUNIT_EXPECT_EQ(test, s->fd.value, FULL | c->second);
	KUNIT_EXPECT_EQ(test, s->scan.next, idx + 1);
}

/* Soft anchors and bitmaps own their space like any block. */
static void bat_scan_anchor_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &dynamic, SCAN_SIZE);

	scan_put(s, 0, UNMAPPED | MIB(4));
	scan_put(s, 1, FULL | MIB(100));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_BAT_OVERLAP);
	KUNIT_EXPECT_EQ(test, s->fd.off, BAT_OFF + 8);

	s = scan_init(test, &differencing, SCAN_SIZE);
	scan_put(s, 0, FULL | MIB(100));
	scan_put(s, BITMAP0, FULL | MIB(355));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_BAT_OVERLAP);
	KUNIT_EXPECT_EQ(test, s->fd.off, BAT_OFF + 8 * BITMAP0);
}

/* A bitmap takes 1 MiB, not a block. */
static void bat_scan_bitmap_size_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &differencing, SCAN_SIZE);

	scan_put(s, 1, PARTIAL | MIB(5));
	scan_put(s, BITMAP0, FULL | MIB(4));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.used_end, MIB(261));
}

/* After a fault the scan goes on behind it and finds the next one. */
static void bat_scan_resume_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &dynamic, SCAN_SIZE);
	static const u64 want[] = { 3, 5, 30 };
	u64 at = 0;
	size_t i;

	scan_put(s, 3, FOUR);
	scan_put(s, 4, FULL | MIB(4));
	scan_put(s, 5, FULL | MIB(4));
	scan_put(s, 30, 8);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		KUNIT_EXPECT_NE(test, vhdx_bat_scan_entries(&s->scan, s->raw + at, 67 - at, &s->fd),
				VHDX_FAULT_NONE);
		KUNIT_EXPECT_EQ(test, s->fd.off, BAT_OFF + 8 * want[i]);
		at = s->scan.next;
		KUNIT_ASSERT_EQ(test, at, want[i] + 1);
	}
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_entries(&s->scan, s->raw + at, 67 - at, &s->fd),
			VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_end(&s->scan, &s->fd), VHDX_FAULT_NONE);
}

/* What follows the disk's entries in the region is not looked at. */
static void bat_scan_beyond_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &dynamic, SCAN_SIZE);

	scan_put(s, 67, ~0ULL);
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_entries(&s->scan, s->raw + 67, 1, NULL),
			VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[NOT_PRESENT], 64);
}

/* A block in state 7 in chunk @chunk, and the bitmap of chunk @bitmap. */
static enum vhdx_fault scan_partial(struct kunit *test, struct scan **out, u64 blk,
				    u64 bitmap)
{
	struct scan *s = scan_init(test, &differencing, SCAN_SIZE);

	scan_put(s, vhdx_bat_index(&differencing, blk), PARTIAL | MIB(5));
	scan_put(s, vhdx_bat_bitmap_index(&differencing, bitmap), FULL | MIB(4));
	*out = s;
	return scan_all(s);
}

static void bat_scan_missing_bitmap_test(struct kunit *test)
{
	struct scan *s;
	u64 blk, chunk;

	for (blk = 0; blk < 64; blk++)
		for (chunk = 0; chunk < 4; chunk++) {
			if (chunk == blk / 16) {
				KUNIT_EXPECT_EQ(test, scan_partial(test, &s, blk, chunk),
						VHDX_FAULT_NONE);
				continue;
			}
			KUNIT_EXPECT_EQ(test, scan_partial(test, &s, blk, chunk),
					VHDX_FAULT_BAT_BITMAP_MISSING);
			KUNIT_EXPECT_EQ(test, s->fd.fault, VHDX_FAULT_BAT_BITMAP_MISSING);
			KUNIT_EXPECT_EQ(test, s->fd.off,
					BAT_OFF + 8 * vhdx_bat_index(&differencing, blk));
		}
}

/* The bitmap's place is in a hole, or the table ends before it. */
static void bat_scan_zeros_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &differencing, SCAN_SIZE);

	scan_put(s, 2, PARTIAL | MIB(5));
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_zeros(&s->scan, 2, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_entries(&s->scan, s->raw + 2, 1, NULL),
			VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_zeros(&s->scan, 65, &s->fd),
			VHDX_FAULT_BAT_BITMAP_MISSING);
	KUNIT_EXPECT_EQ(test, s->fd.off, BAT_OFF + 8 * 2);
}

static void bat_scan_end_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &differencing, SCAN_SIZE);

	scan_put(s, 2, PARTIAL | MIB(5));
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_entries(&s->scan, s->raw, 10, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_end(&s->scan, &s->fd), VHDX_FAULT_BAT_BITMAP_MISSING);
	KUNIT_EXPECT_EQ(test, s->fd.off, BAT_OFF + 8 * 2);
}

/* Holes count as blocks that are not present, bitmaps left out. */
static void bat_scan_zeros_count_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &differencing, SCAN_SIZE);
	u64 step;

	for (step = 1; s->scan.next < 68; step += 3)
		KUNIT_ASSERT_EQ(test, vhdx_bat_scan_zeros(&s->scan, step, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_end(&s->scan, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[NOT_PRESENT], 64);
	KUNIT_EXPECT_EQ(test, vhdx_bat_scan_zeros(&s->scan, 1ULL << 60, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.nr_states[NOT_PRESENT], 64);
}

/* The last block may end beyond the file, on nothing else. */
static void bat_scan_last_block_test(struct kunit *test)
{
	struct scan *s = scan_init(test, &dynamic, SCAN_SIZE);

	scan_put(s, LAST, FULL | (SCAN_SIZE - MIB(1)));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.used_end, SCAN_SIZE + MIB(255));

	s = scan_init(test, &dynamic, SCAN_SIZE);
	scan_put(s, 0, FULL | (SCAN_SIZE - MIB(256)));
	scan_put(s, LAST, FULL | (SCAN_SIZE - MIB(1)));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_BAT_OVERLAP);
}

/* QEMU's fixed images end anywhere; the map counts whole MiB. */
static void bat_scan_odd_size_test(struct kunit *test)
{
	u64 size = MIB(8) + 512;
	struct scan *s = scan_init(test, &dynamic, size);

	KUNIT_EXPECT_EQ(test, s->scan.size, MIB(9));
	KUNIT_EXPECT_GE(test, vhdx_bat_scan_bytes(size) * 8, 9 + 256);
	scan_put(s, LAST, FULL | MIB(8));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.used_end, MIB(8 + 256));
}

/* A file without a log may say anything about where it lies. */
static void bat_scan_no_log_test(struct kunit *test)
{
	const struct vhdx_header no_log = { .version = 1, .log_off = 1ULL << 60 };
	struct scan *s = scan_init(test, &dynamic, SCAN_SIZE);

	memset(s->map, 0, vhdx_bat_scan_bytes(SCAN_SIZE));
	vhdx_bat_scan_init(&s->scan, &dynamic, SCAN_SIZE, s->map, &no_log, s->table, 2);
	KUNIT_EXPECT_EQ(test, s->scan.used_end, MIB(4));
	scan_put(s, 0, FULL | MIB(4));
	KUNIT_EXPECT_EQ(test, scan_all(s), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, s->scan.used_end, MIB(260));
}

/* Random tables against a plain model of the file, MiB by MiB. */
static const unsigned int nr_random_tables = 200;

static bool model_take(u8 *used, u64 start, u64 nr)
{
	u64 i;

	for (i = start; i < start + nr; i++)
		if (used[i])
			return false;
	memset(used + start, 1, nr);
	return true;
}

static void bat_scan_random_test(struct kunit *test)
{
	u8 *used = kunit_kzalloc(test, 4096, GFP_KERNEL);
	u64 state = 1, place, idx, nr;
	unsigned int i;
	struct scan *s;
	bool free;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, used);
	for (i = 0; i < nr_random_tables; i++) {
		s = scan_init(test, &differencing, GIB(3));
		memset(used, 0, 4096);
		memset(used, 1, 4);
		for (idx = 0, free = true; idx < 68 && free; idx++) {
			if (craft_below(&state, 6))
				continue;
			nr = vhdx_bat_index_is_bitmap(&differencing, idx, &place) ? 1 : 256;
			place = 1 + craft_below(&state, 3072 - 256);
			scan_put(s, idx, FULL | MIB(place));
			free = model_take(used, place, nr);
		}
		KUNIT_EXPECT_EQ(test, scan_all(s), free ? 0 : VHDX_FAULT_BAT_OVERLAP);
		if (!free)
			KUNIT_EXPECT_EQ(test, s->fd.off, BAT_OFF + 8 * (idx - 1));
		kunit_kfree(test, s->map);
		kunit_kfree(test, s->table);
		kunit_kfree(test, s);
	}
}

static struct kunit_case bat_cases[] = {
	KUNIT_CASE_PARAM(bat_entry_test, entry_gen_params),
	KUNIT_CASE(bat_reserved_test),
	KUNIT_CASE(bat_last_block_test),
	KUNIT_CASE(bat_encode_test),
	KUNIT_CASE(bat_state_test),
	KUNIT_CASE(bat_scan_empty_test),
	KUNIT_CASE(bat_scan_full_test),
	KUNIT_CASE_PARAM(bat_scan_overlap_test, overlap_gen_params),
	KUNIT_CASE(bat_scan_anchor_test),
	KUNIT_CASE(bat_scan_bitmap_size_test),
	KUNIT_CASE(bat_scan_resume_test),
	KUNIT_CASE(bat_scan_beyond_test),
	KUNIT_CASE(bat_scan_missing_bitmap_test),
	KUNIT_CASE(bat_scan_zeros_test),
	KUNIT_CASE(bat_scan_end_test),
	KUNIT_CASE(bat_scan_zeros_count_test),
	KUNIT_CASE(bat_scan_last_block_test),
	KUNIT_CASE(bat_scan_odd_size_test),
	KUNIT_CASE(bat_scan_no_log_test),
	KUNIT_CASE(bat_scan_random_test),
	{}
};

static struct kunit_suite bat_suite = {
	.name = "vhdx_bat",
	.test_cases = bat_cases,
};

kunit_test_suite(bat_suite);
