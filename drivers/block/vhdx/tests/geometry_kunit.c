// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic between blocks and BAT entries: the tables of the format's
 * description, chunk boundaries, and the largest disk.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/geometry.h"
#include "format/metadata.h"
#include "format/raw.h"
#include "format/region.h"

#define MIB(n)	((u64)(n) << 20)
#define GIB(n)	((u64)(n) << 30)
#define TIB(n)	((u64)(n) << 40)

struct shape_case {
	const char	*name;
	u64		disk_size;
	u32		block_size;
	u32		logical_size;
	u32		chunk_ratio;
	u64		nr_blocks;
	u64		nr_chunks;
	u64		nr_dynamic;	/* entries */
	u64		nr_differencing;
};

static const struct shape_case shape_cases[] = {
	{ "one sector", 512, SZ_1M, 512, 4096, 1, 1, 1, 4097 },
	{ "1 MiB", MIB(1), SZ_1M, 512, 4096, 1, 1, 1, 4097 },
	{ "1 GiB", GIB(1), SZ_32M, 512, 128, 32, 1, 32, 129 },
	{ "4 GiB", GIB(4), SZ_32M, 512, 128, 128, 1, 128, 129 },
	{ "4 GiB less a sector", GIB(4) - 512, SZ_32M, 512, 128, 128, 1, 128, 129 },
	{ "4 GiB and a sector", GIB(4) + 512, SZ_32M, 512, 128, 129, 2, 130, 258 },
	{ "8 GiB", GIB(8), SZ_256M, 512, 16, 32, 2, 33, 34 },
	{ "127 GiB in 1 MiB", GIB(127), SZ_1M, 512, 4096, 130048, 32, 130079, 131104 },
	{ "127 GiB in 32 MiB", GIB(127), SZ_32M, 512, 128, 4064, 32, 4095, 4128 },
	{ "1 TiB", TIB(1), SZ_1M, 512, 4096, 1048576, 256, 1048831, 1048832 },
	{ "2 TiB of 4096", TIB(2), SZ_32M, 4096, 1024, 65536, 64, 65599, 65600 },
	{ "64 TiB in 1 MiB", TIB(64), SZ_1M, 512, 4096, 67108864, 16384, 67125247, 67125248 },
	{ "64 TiB in 256 MiB", TIB(64), SZ_256M, 512, 16, 262144, 16384, 278527, 278528 },
	{ "64 TiB of 4096", TIB(64), SZ_1M, 4096, 32768, 67108864, 2048, 67110911, 67110912 },
};

static void shape_desc(const struct shape_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(shape, shape_cases, shape_desc);

static enum vhdx_fault shape_init(struct vhdx_geometry *geo, const struct shape_case *c,
				  bool differencing, u32 bat_len, struct vhdx_finding *fd)
{
	struct vhdx_metadata md = {
		.type = differencing ? VHDX_DISK_DIFFERENCING : VHDX_DISK_DYNAMIC,
		.has_parent = differencing,
		.disk_size = c->disk_size,
		.block_size = c->block_size,
		.logical_size = c->logical_size,
		.physical_size = 4096,
	};
	struct vhdx_regions regions = {
		.bat_off = MIB(3), .bat_len = bat_len, .meta_off = MIB(2), .meta_len = SZ_1M,
	};

	memset(geo, 0xa5, sizeof(*geo));
	return vhdx_geometry_init(geo, &md, &regions, fd);
}

static u64 shape_entries(const struct shape_case *c, bool differencing)
{
	return differencing ? c->nr_differencing : c->nr_dynamic;
}

static void geometry_shape_test(struct kunit *test)
{
	const struct shape_case *c = test->param_value;
	struct vhdx_geometry geo;
	int diff;

	for (diff = 0; diff < 2; diff++) {
		KUNIT_EXPECT_EQ(test, vhdx_geometry_entries(c->disk_size, c->block_size,
							    c->logical_size, diff),
				shape_entries(c, diff));
		KUNIT_ASSERT_EQ(test, shape_init(&geo, c, diff, 0xfff00000, NULL),
				VHDX_FAULT_NONE);
		KUNIT_EXPECT_EQ(test, geo.disk_size, c->disk_size);
		KUNIT_EXPECT_EQ(test, geo.nr_blocks, c->nr_blocks);
		KUNIT_EXPECT_EQ(test, geo.nr_chunks, c->nr_chunks);
		KUNIT_EXPECT_EQ(test, geo.nr_entries, shape_entries(c, diff));
		KUNIT_EXPECT_EQ(test, geo.bat_off, MIB(3));
		KUNIT_EXPECT_EQ(test, 1U << geo.block_shift, c->block_size);
		KUNIT_EXPECT_EQ(test, vhdx_block_size(&geo), c->block_size);
		KUNIT_EXPECT_EQ(test, 1U << geo.sector_shift, c->logical_size);
		KUNIT_EXPECT_EQ(test, 1U << geo.chunk_shift, c->chunk_ratio);
		KUNIT_EXPECT_EQ(test, geo.differencing, (bool)diff);
	}
}

/* Every payload and every bitmap entry has one index, and the index has it. */
static void geometry_index_test(struct kunit *test)
{
	const struct shape_case *c = test->param_value;
	u64 nr, blk, idx, step = (u32)c->nr_blocks / 4000 + 1;
	struct vhdx_geometry geo;
	u32 wrong = 0;

	KUNIT_ASSERT_EQ(test, shape_init(&geo, c, true, 0xfff00000, NULL), VHDX_FAULT_NONE);
	for (blk = 0; blk < geo.nr_blocks; blk += step) {
		idx = vhdx_bat_index(&geo, blk);
		wrong += vhdx_bat_index_is_bitmap(&geo, idx, &nr) || nr != blk;
		wrong += idx >= geo.nr_entries || vhdx_bat_entry_off(&geo, idx) != MIB(3) + 8 * idx;
	}
	for (blk = 0; blk < geo.nr_chunks; blk++) {
		idx = vhdx_bat_bitmap_index(&geo, blk);
		wrong += !vhdx_bat_index_is_bitmap(&geo, idx, &nr) || nr != blk;
		wrong += idx >= geo.nr_entries || (u32)idx % (c->chunk_ratio + 1) != c->chunk_ratio;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, vhdx_bat_bitmap_index(&geo, geo.nr_chunks - 1), geo.nr_entries - 1);
}

/* The indices around the chunk boundaries of 32 MiB blocks, by hand. */
static void geometry_boundary_test(struct kunit *test)
{
	const struct shape_case c = { "", GIB(12), SZ_32M, 512 };
	struct vhdx_geometry geo;

	KUNIT_ASSERT_EQ(test, shape_init(&geo, &c, false, SZ_1M, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_bat_index(&geo, 0), 0);
	KUNIT_EXPECT_EQ(test, vhdx_bat_index(&geo, 127), 127);
	KUNIT_EXPECT_EQ(test, vhdx_bat_bitmap_index(&geo, 0), 128);
	KUNIT_EXPECT_EQ(test, vhdx_bat_index(&geo, 128), 129);
	KUNIT_EXPECT_EQ(test, vhdx_bat_index(&geo, 255), 256);
	KUNIT_EXPECT_EQ(test, vhdx_bat_bitmap_index(&geo, 1), 257);
	KUNIT_EXPECT_EQ(test, vhdx_bat_index(&geo, 256), 258);
	KUNIT_EXPECT_EQ(test, vhdx_block_of(&geo, GIB(4) - 512), 127);
	KUNIT_EXPECT_EQ(test, vhdx_block_of(&geo, GIB(4)), 128);
	KUNIT_EXPECT_EQ(test, vhdx_bat_index(&geo, vhdx_block_of(&geo, GIB(4) - 512)), 127);
	KUNIT_EXPECT_EQ(test, vhdx_bat_index(&geo, vhdx_block_of(&geo, GIB(4))), 129);
}

/* The chunk ratios of every legal block size. */
static void geometry_ratio_test(struct kunit *test)
{
	struct shape_case c = { .disk_size = GIB(1), .logical_size = 512 };
	struct vhdx_geometry geo;
	unsigned int shift;

	for (shift = 0; shift <= 8; shift++) {
		c.block_size = SZ_1M << shift;
		c.logical_size = 512;
		KUNIT_ASSERT_EQ(test, shape_init(&geo, &c, false, SZ_1M, NULL), VHDX_FAULT_NONE);
		KUNIT_EXPECT_EQ(test, 1U << geo.chunk_shift, 4096 >> shift);
		c.logical_size = 4096;
		KUNIT_ASSERT_EQ(test, shape_init(&geo, &c, false, SZ_1M, NULL), VHDX_FAULT_NONE);
		KUNIT_EXPECT_EQ(test, 1U << geo.chunk_shift, 32768 >> shift);
	}
}

/* A BAT of 1 MiB holds 131072 entries: 131041 blocks and 31 bitmaps. */
static void geometry_bat_size_test(struct kunit *test)
{
	struct shape_case c = { .block_size = SZ_1M, .logical_size = 512 };
	struct vhdx_geometry geo;
	struct vhdx_finding fd;

	c.disk_size = MIB(131040);	/* one entry less than 1 MiB holds */
	KUNIT_EXPECT_EQ(test, shape_init(&geo, &c, false, SZ_1M, &fd), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, geo.nr_entries, 131071);
	KUNIT_EXPECT_EQ(test, shape_init(&geo, &c, true, SZ_1M, &fd), VHDX_FAULT_BAT_TOO_SMALL);
	c.disk_size = MIB(131041);
	KUNIT_EXPECT_EQ(test, shape_init(&geo, &c, false, SZ_1M, &fd), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, geo.nr_entries, 131072);
	c.disk_size = MIB(131041) + 512;
	KUNIT_EXPECT_EQ(test, shape_init(&geo, &c, false, SZ_1M, &fd), VHDX_FAULT_BAT_TOO_SMALL);
	KUNIT_EXPECT_EQ(test, fd.fault, VHDX_FAULT_BAT_TOO_SMALL);
	KUNIT_EXPECT_EQ(test, fd.off, MIB(3));
	KUNIT_EXPECT_EQ(test, shape_init(&geo, &c, false, SZ_2M, &fd), VHDX_FAULT_NONE);
}

/* The largest disk needs 513 MiB of BAT, differencing or not. */
static void geometry_largest_test(struct kunit *test)
{
	struct shape_case c = { .disk_size = TIB(64), .block_size = SZ_1M, .logical_size = 512 };
	struct vhdx_geometry geo;
	int diff;

	for (diff = 0; diff < 2; diff++) {
		KUNIT_EXPECT_EQ(test, shape_init(&geo, &c, diff, 513 * SZ_1M, NULL),
				VHDX_FAULT_NONE);
		KUNIT_EXPECT_EQ(test, shape_init(&geo, &c, diff, 512 * SZ_1M, NULL),
				VHDX_FAULT_BAT_TOO_SMALL);
	}
}

static void geometry_block_len_test(struct kunit *test)
{
	struct shape_case c = { .disk_size = GIB(4) + 512, .block_size = SZ_32M };
	struct vhdx_geometry geo;

	c.logical_size = 512;
	KUNIT_ASSERT_EQ(test, shape_init(&geo, &c, false, SZ_1M, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_block_len(&geo, 0), SZ_32M);
	KUNIT_EXPECT_EQ(test, vhdx_block_len(&geo, 127), SZ_32M);
	KUNIT_EXPECT_EQ(test, vhdx_block_len(&geo, 128), 512);
	c.disk_size = GIB(4);
	KUNIT_ASSERT_EQ(test, shape_init(&geo, &c, false, SZ_1M, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_block_len(&geo, 127), SZ_32M);
	c.disk_size = GIB(4) - 4096;
	KUNIT_ASSERT_EQ(test, shape_init(&geo, &c, false, SZ_1M, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_block_len(&geo, 127), SZ_32M - 4096);
}

static struct kunit_case geometry_cases[] = {
	KUNIT_CASE_PARAM(geometry_shape_test, shape_gen_params),
	KUNIT_CASE_PARAM(geometry_index_test, shape_gen_params),
	KUNIT_CASE(geometry_boundary_test),
	KUNIT_CASE(geometry_ratio_test),
	KUNIT_CASE(geometry_bat_size_test),
	KUNIT_CASE(geometry_largest_test),
	KUNIT_CASE(geometry_block_len_test),
	{}
};

static struct kunit_suite geometry_suite = {
	.name = "vhdx_geometry",
	.test_cases = geometry_cases,
};

kunit_test_suite(geometry_suite);
