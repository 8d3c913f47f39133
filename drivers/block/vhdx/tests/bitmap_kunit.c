// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the sector bitmap's arithmetic, against bits counted one by one.
 */
#include <asm/byteorder.h>
#include <kunit/test.h>
#include <linux/sizes.h>

#include "format/bitmap.h"
#include "format/metadata.h"
#include "format/raw.h"
#include "format/region.h"

static const u64 words[] = {
	0, ~0ULL, 1, 1ULL << 63, 0x8000000000000001, 0xaaaaaaaaaaaaaaaa,
	0x00000000ffffffff, 0xffffffff00000000, 0x0000ffffffff0000,
	0x0123456789abcdef, 0xfffffffffffffffe, 0x7fffffffffffffff,
};

static struct vhdx_geometry shape(u32 block, u32 sector)
{
	struct vhdx_metadata md = {
		.disk_size	= 1ULL << 40,
		.block_size	= block,
		.logical_size	= sector,
		.has_parent	= true,
	};
	struct vhdx_regions regions = { .bat_off = SZ_1M, .bat_len = SZ_256M };
	struct vhdx_geometry geo;

	vhdx_geometry_init(&geo, &md, &regions, NULL);
	return geo;
}

/* The slices that the specification's layout gives, second chunks included. */
static void bitmap_bit_test(struct kunit *test)
{
	struct vhdx_geometry small = shape(SZ_1M, 512);
	struct vhdx_geometry large = shape(SZ_256M, 4096);

	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&small, 0), 0U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&small, 511), 0U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&small, 512), 1U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&small, SZ_1M), 2048U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&small, (4ULL << 30) - 512), (1U << 23) - 1);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&small, 4ULL << 30), 0U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&small, (4ULL << 30) + SZ_1M + 1024), 2050U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&large, SZ_256M), 65536U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_bit(&large, (32ULL << 30) + 4096), 1U);
}

static void bitmap_word_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_word_off(0), 0U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_word_off(63), 0U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_word_off(64), 8U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_word_off((1U << 23) - 1), (u32)SZ_1M - 8);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_in_word(0, 1), 1U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_in_word(0, 1000), 64U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_in_word(63, 1000), 1U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_in_word(100, 28), 28U);
	KUNIT_EXPECT_EQ(test, vhdx_bitmap_in_word(100, 29), 28U);
}

static u64 mask_one_by_one(u32 bit, u32 nr)
{
	u64 mask = 0;
	u32 i;

	for (i = bit; i < bit + nr && i / 64 == bit / 64; i++)
		mask |= 1ULL << (i % 64);
	return mask;
}

static void bitmap_mask_test(struct kunit *test)
{
	u32 bit, nr;

	for (bit = 64; bit < 128; bit++)
		for (nr = 1; nr <= 130; nr++)
			KUNIT_EXPECT_EQ(test,
					le64_to_cpu(vhdx_bitmap_mask(bit, nr)),
					mask_one_by_one(bit, nr));
}

static u32 run_one_by_one(u64 word, u32 bit, u32 nr)
{
	u64 first = word >> (bit % 64) & 1;
	u32 i;

	for (i = bit; i < bit + nr && i / 64 == bit / 64; i++)
		if ((word >> (i % 64) & 1) != first)
			break;
	return i - bit;
}

static void bitmap_run_test(struct kunit *test)
{
	u32 i, bit, nr;
	bool set;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		for (bit = 0; bit < 64; bit++)
			for (nr = 1; nr <= 70; nr++) {
				KUNIT_EXPECT_EQ(test,
						vhdx_bitmap_run(cpu_to_le64(words[i]),
								bit, nr, &set),
						run_one_by_one(words[i], bit, nr));
				KUNIT_EXPECT_EQ(test, set,
						(bool)(words[i] >> bit & 1));
			}
}

static struct kunit_case bitmap_cases[] = {
	KUNIT_CASE(bitmap_bit_test),
	KUNIT_CASE(bitmap_word_test),
	KUNIT_CASE(bitmap_mask_test),
	KUNIT_CASE(bitmap_run_test),
	{}
};

static struct kunit_suite bitmap_suite = {
	.name		= "vhdx_bitmap",
	.test_cases	= bitmap_cases,
};

kunit_test_suite(bitmap_suite);
