// SPDX-License-Identifier: GPL-2.0-only
/*
 * The region table: the one Windows wrote, every way a table can be wrong,
 * and the choice between the two copies.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/header.h"
#include "format/raw.h"
#include "format/region.h"

#include "craft.h"
#include "ram.h"

#define BAT	VHDX_GUID_REGION_BAT
#define META	VHDX_GUID_REGION_METADATA
#define OTHER1	GUID_INIT(0x11111111, 0x1111, 0x1111, 1, 1, 1, 1, 1, 1, 1, 1)
#define OTHER2	GUID_INIT(0x22222222, 0x2222, 0x2222, 2, 2, 2, 2, 2, 2, 2, 2)
#define MIB(n)	((u64)(n) << 20)

/* First 80 bytes of a table made by Windows Server 2012; the rest is zero. */
static const u8 windows_table[80] = {
	0x72, 0x65, 0x67, 0x69, 0xae, 0x8c, 0x6b, 0xc6, 2, 0, 0, 0, 0, 0, 0, 0,
	0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
	0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08,
	0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0,
	0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
	0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e,
	0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0, 0,
};

static const struct vhdx_header header = {
	.version = 1, .log_off = SZ_1M, .log_len = SZ_1M,
};

static u8 *table_alloc(struct kunit *test)
{
	u8 *table = kunit_kzalloc(test, VHDX_REGION_TABLE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	return table;
}

static u8 *table_windows(struct kunit *test)
{
	u8 *table = table_alloc(test);

	memcpy(table, windows_table, sizeof(windows_table));
	return table;
}

static void region_windows_test(struct kunit *test)
{
	u8 *table = table_windows(test);
	struct vhdx_region region;
	struct vhdx_regions out;

	memset(&out, 0, sizeof(out));
	KUNIT_ASSERT_EQ(test, vhdx_region_table_check(table, VHDX_REGION1_OFF, SZ_4M, &header,
						      &out, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, out.bat_off, 0x300000);
	KUNIT_EXPECT_EQ(test, out.bat_len, 0x100000);
	KUNIT_EXPECT_EQ(test, out.meta_off, 0x200000);
	KUNIT_EXPECT_EQ(test, out.meta_len, 0x100000);
	KUNIT_EXPECT_EQ(test, out.nr, 2);
	vhdx_region_decode(table, 1, &region);
	KUNIT_EXPECT_TRUE(test, guid_equal(&region.guid, &META));
	KUNIT_EXPECT_EQ(test, region.off, 0x200000);
	KUNIT_EXPECT_EQ(test, region.len, 0x100000);
	KUNIT_EXPECT_TRUE(test, region.required);
}

static void region_encode_test(struct kunit *test)
{
	static const struct vhdx_region regions[] = {
		{ .guid = BAT, .off = 0x300000, .len = 0x100000, .required = true },
		{ .guid = META, .off = 0x200000, .len = 0x100000, .required = true },
		{ .guid = OTHER1, .off = 0x1234500000ULL, .len = 0xfff00000, .required = false },
	};
	u8 *table = table_alloc(test);
	u8 *want = table_windows(test);
	struct vhdx_region region;

	memset(table, 0xa5, VHDX_REGION_TABLE_SIZE);
	vhdx_region_table_encode(table, regions, 2);
	KUNIT_EXPECT_EQ(test, memcmp(table, want, VHDX_REGION_TABLE_SIZE), 0);
	vhdx_region_table_encode(table, regions, 3);
	vhdx_region_decode(table, 2, &region);
	KUNIT_EXPECT_TRUE(test, guid_equal(&region.guid, &regions[2].guid));
	KUNIT_EXPECT_EQ(test, region.off, regions[2].off);
	KUNIT_EXPECT_EQ(test, region.len, regions[2].len);
	KUNIT_EXPECT_FALSE(test, region.required);
}

/* The bits of the entries, and one bit of every further sector. */
static void region_bit_flip_test(struct kunit *test)
{
	u8 *table = table_windows(test);
	enum vhdx_fault fault, want;
	struct vhdx_regions out;
	struct vhdx_finding fd;
	u32 i, missed = 0;

	for (i = 0; i < VHDX_REGION_TABLE_SIZE * 8; i += i < 640 ? 1 : 4093) {
		want = i < 32 ? VHDX_FAULT_REGION_SIGNATURE : VHDX_FAULT_REGION_CHECKSUM;
		table[i / 8] ^= 1 << (i % 8);
		fault = vhdx_region_table_check(table, VHDX_REGION2_OFF, SZ_4M, &header,
						&out, &fd);
		missed += fault != want || fd.off != VHDX_REGION2_OFF + (i < 32 ? 0 : 4);
		table[i / 8] ^= 1 << (i % 8);
	}
	KUNIT_EXPECT_EQ(test, missed, 0);
}

/* The file is 16 MiB with the log in the second MiB, unless @size says so. */
struct table_case {
	const char	*name;
	unsigned int	nr;
	struct {
		guid_t	guid;
		u64	off;
		u32	len;
		u32	required;
	} entry[4];
	u64		size;
	enum vhdx_fault	fault;
	u32		off;
	u64		value;
};

static const struct table_case table_cases[] = {
	{ "good", 2, { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 } } },
	{ "none required, as QEMU writes", 2,
	  { { BAT, MIB(3), SZ_1M, 0 }, { META, MIB(2), SZ_1M, 0 } } },
	{ "unknown optional", 3,
	  { { OTHER1, MIB(4), SZ_1M, 0 }, { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 } } },
	{ "reserved bits of an optional one", 3,
	  { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 },
	    { OTHER1, MIB(4), SZ_1M, 0xfffffffe } } },
	{ "touching, up to the end", 2,
	  { { META, MIB(2), SZ_4M, 1 }, { BAT, MIB(6), 10 * SZ_1M, 1 } } },
	{ "largest length", 2,
	  { { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(3), 0xfff00000, 1 } }, MIB(3 + 4095) },
	{ "offset alignment", 2,
	  { { BAT, MIB(3) + 65536, SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_ALIGNMENT, 16 + 16, MIB(3) + 65536 },
	{ "length alignment", 2,
	  { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), 65536, 1 } }, 0,
	  VHDX_FAULT_REGION_ALIGNMENT, 16 + 32 + 24, 65536 },
	{ "alignment of an unknown one", 3,
	  { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 }, { OTHER1, 512, SZ_1M, 0 } }, 0,
	  VHDX_FAULT_REGION_ALIGNMENT, 16 + 64 + 16, 512 },
	{ "in the header section", 2,
	  { { BAT, 0, SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_RANGE, 16 + 16, 0 },
	{ "length zero", 2,
	  { { BAT, MIB(3), 0, 1 }, { META, MIB(2), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_RANGE, 16 + 24, 0 },
	{ "beyond the end", 2,
	  { { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(15), SZ_2M, 1 } }, 0,
	  VHDX_FAULT_REGION_RANGE, 16 + 32 + 16, MIB(15) },
	{ "wholly beyond the end", 2,
	  { { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(16), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_RANGE, 16 + 32 + 16, MIB(16) },
	{ "a byte beyond the end", 2,
	  { { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(3), SZ_1M, 1 } }, MIB(4) - 1,
	  VHDX_FAULT_REGION_RANGE, 16 + 32 + 16, MIB(3) },
	{ "sum overflows", 2,
	  { { BAT, 0xfffffffffff00000ULL, SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_RANGE, 16 + 16, 0xfffffffffff00000ULL },
	{ "range of an unknown one", 3,
	  { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 }, { OTHER1, MIB(99), SZ_1M, 0 } },
	  0, VHDX_FAULT_REGION_RANGE, 16 + 64 + 16, MIB(99) },
	{ "BAT twice", 3,
	  { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(5), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_DUPLICATE, 16 + 64, 0 },
	{ "unknown one twice", 4,
	  { { OTHER1, MIB(4), SZ_1M, 0 }, { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 },
	    { OTHER1, MIB(5), SZ_1M, 0 } }, 0,
	  VHDX_FAULT_REGION_DUPLICATE, 16 + 96, 0 },
	{ "on another", 2,
	  { { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(2), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_OVERLAP, 16 + 32 + 16, MIB(2) },
	{ "last MiB on another", 2,
	  { { META, MIB(4), SZ_1M, 1 }, { BAT, MIB(3), SZ_2M, 1 } }, 0,
	  VHDX_FAULT_REGION_OVERLAP, 16 + 32 + 16, MIB(3) },
	{ "within an unknown one", 3,
	  { { OTHER2, MIB(4), SZ_8M, 0 }, { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(6), SZ_1M, 1 } },
	  0, VHDX_FAULT_REGION_OVERLAP, 16 + 64 + 16, MIB(6) },
	{ "on the log", 2,
	  { { META, MIB(2), SZ_1M, 1 }, { BAT, MIB(1), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_OVERLAP, 16 + 32 + 16, MIB(1) },
	{ "unknown required", 3,
	  { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 }, { OTHER2, MIB(4), SZ_1M, 1 } },
	  0, VHDX_FAULT_REGION_UNKNOWN, 16 + 64, 0 },
	{ "bit 0 of many makes required", 3,
	  { { BAT, MIB(3), SZ_1M, 1 }, { META, MIB(2), SZ_1M, 1 },
	    { OTHER2, MIB(4), SZ_1M, 0x80000001 } }, 0,
	  VHDX_FAULT_REGION_UNKNOWN, 16 + 64, 0 },
	{ "no BAT", 1, { { META, MIB(2), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_BAT_MISSING, 8, 1 },
	{ "no metadata", 1, { { BAT, MIB(3), SZ_1M, 1 } }, 0,
	  VHDX_FAULT_REGION_METADATA_MISSING, 8, 1 },
	{ "empty", 0, {}, 0, VHDX_FAULT_REGION_BAT_MISSING, 8, 0 },
};

static void table_desc(const struct table_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(table, table_cases, table_desc);

static void region_table_test(struct kunit *test)
{
	const struct table_case *c = test->param_value;
	u8 *table = table_alloc(test);
	struct vhdx_regions out;
	struct vhdx_finding fd;
	enum vhdx_fault fault;
	unsigned int i;

	for (i = 0; i < c->nr; i++)
		craft_region(table, i, &c->entry[i].guid, c->entry[i].off, c->entry[i].len,
			     c->entry[i].required);
	craft_region_seal(table, c->nr);
	fault = vhdx_region_table_check(table, VHDX_REGION1_OFF, c->size ?: SZ_16M, &header,
					&out, &fd);
	KUNIT_ASSERT_EQ(test, fault, c->fault);
	if (!fault) {
		KUNIT_EXPECT_EQ(test, out.nr, c->nr);
		return;
	}
	KUNIT_EXPECT_EQ(test, fd.fault, fault);
	KUNIT_EXPECT_EQ(test, fd.off, VHDX_REGION1_OFF + c->off);
	KUNIT_EXPECT_EQ(test, fd.value, c->value);
	if (fault == VHDX_FAULT_REGION_UNKNOWN)
		KUNIT_EXPECT_TRUE(test, guid_equal(&fd.guid, &OTHER2));
	else
		KUNIT_EXPECT_TRUE(test, guid_is_null(&fd.guid));
}

/* Without a log nothing can lie on it. */
static void region_no_log_test(struct kunit *test)
{
	struct vhdx_header hdr = { .version = 1 };
	u8 *table = table_alloc(test);
	struct vhdx_regions out;

	craft_region(table, 0, &BAT, MIB(1), SZ_1M, 1);
	craft_region(table, 1, &META, MIB(2), SZ_1M, 1);
	craft_region_seal(table, 2);
	KUNIT_EXPECT_EQ(test, vhdx_region_table_check(table, VHDX_REGION1_OFF, SZ_4M, &hdr,
						      &out, NULL), VHDX_FAULT_NONE);
}

/* 2047 entries fill the table; a count above that is not believed. */
static void region_count_test(struct kunit *test)
{
	static const u32 bad[] = { 2048, 2049, 0x7fffffff, U32_MAX };
	u8 *table = table_alloc(test);
	guid_t guid = OTHER1;
	struct vhdx_regions out;
	struct vhdx_finding fd;
	u32 i;

	craft_region(table, 0, &META, MIB(2), SZ_1M, 1);
	for (i = 1; i < 2046; i++) {
		guid.b[0] = i;
		guid.b[1] = i >> 8;
		craft_region(table, i, &guid, MIB(2 + i), SZ_1M, 0);
	}
	craft_region(table, 2046, &BAT, MIB(2 + 2046), SZ_1M, 1);
	craft_region_seal(table, 2047);
	KUNIT_EXPECT_EQ(test, vhdx_region_table_check(table, VHDX_REGION1_OFF, MIB(2049), &header,
						      &out, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, out.nr, 2047);
	KUNIT_EXPECT_EQ(test, out.bat_off, MIB(2048));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		craft_region_seal(table, bad[i]);
		KUNIT_EXPECT_EQ(test, vhdx_region_table_check(table, VHDX_REGION1_OFF, MIB(2049),
							      &header, &out, &fd),
				VHDX_FAULT_REGION_COUNT);
		KUNIT_EXPECT_EQ(test, fd.off, VHDX_REGION1_OFF + 8);
		KUNIT_EXPECT_EQ(test, fd.value, bad[i]);
	}
}

/* Two copies in a file of 8 MiB; @bat moves the BAT so that copies differ. */
struct copies {
	struct ram	ram;
	u8		*disk[2];
	u8		*table;
	u8		*scratch;
};

static struct copies *copies_init(struct kunit *test, u64 bat0, u64 bat1)
{
	struct copies *cp = kunit_kzalloc(test, sizeof(*cp), GFP_KERNEL);
	u64 bat[] = { bat0, bat1 };
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cp);
	ram_init(&cp->ram, SZ_8M);
	for (i = 0; i < 2; i++) {
		cp->disk[i] = table_alloc(test);
		craft_region(cp->disk[i], 0, &BAT, bat[i], SZ_1M, 1);
		craft_region(cp->disk[i], 1, &META, MIB(2), SZ_1M, 1);
		craft_region_seal(cp->disk[i], 2);
		ram_extent_add(&cp->ram, i ? VHDX_REGION2_OFF : VHDX_REGION1_OFF,
			       VHDX_REGION_TABLE_SIZE, cp->disk[i]);
	}
	cp->table = table_alloc(test);
	cp->scratch = table_alloc(test);
	return cp;
}

static int copies_read(struct copies *cp, struct vhdx_regions *out, struct vhdx_finding *fd)
{
	memset(out, 0xa5, sizeof(*out));
	return vhdx_regions_read(&cp->ram.src, &header, cp->table, cp->scratch, out, fd);
}

static void copies_expect(struct kunit *test, struct copies *cp, unsigned int copy,
			  bool differ, u64 bat_off)
{
	struct vhdx_regions out;

	KUNIT_ASSERT_EQ(test, copies_read(cp, &out, NULL), 0);
	KUNIT_EXPECT_EQ(test, out.copy, copy);
	KUNIT_EXPECT_EQ(test, out.differ, differ);
	KUNIT_EXPECT_EQ(test, out.bat_off, bat_off);
	KUNIT_EXPECT_EQ(test, memcmp(cp->table, cp->disk[copy], VHDX_REGION_TABLE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, cp->ram.strayed, 0);
}

static void region_copies_test(struct kunit *test)
{
	struct copies *cp = copies_init(test, MIB(3), MIB(3));

	copies_expect(test, cp, 0, false, MIB(3));
	cp->disk[1][65535] ^= 1;
	copies_expect(test, cp, 0, true, MIB(3));
	cp->disk[0][0] ^= 1;
	cp->disk[1][65535] ^= 1;
	copies_expect(test, cp, 1, true, MIB(3));
	cp->disk[0][0] ^= 1;
	cp->disk[0][4] ^= 1;
	copies_expect(test, cp, 1, true, MIB(3));
}

static void region_copies_differ_test(struct kunit *test)
{
	struct copies *cp = copies_init(test, MIB(3), MIB(4));

	copies_expect(test, cp, 0, true, MIB(3));
}

static void region_copies_none_test(struct kunit *test)
{
	struct copies *cp = copies_init(test, MIB(3), MIB(3));
	struct vhdx_regions out;
	struct vhdx_finding fd;

	cp->disk[0][100] ^= 1;
	cp->disk[1][0] ^= 1;
	KUNIT_EXPECT_EQ(test, copies_read(cp, &out, &fd), VHDX_FAULT_REGION_NONE_VALID);
	KUNIT_EXPECT_EQ(test, fd.fault, VHDX_FAULT_REGION_NONE_VALID);
	KUNIT_EXPECT_EQ(test, fd.off, VHDX_REGION1_OFF);
}

/* A copy that is sealed counts, even if what it says is wrong. */
static void region_copies_wrong_test(struct kunit *test)
{
	struct copies *cp = copies_init(test, MIB(2), MIB(3));
	struct vhdx_regions out;
	struct vhdx_finding fd;

	KUNIT_EXPECT_EQ(test, copies_read(cp, &out, &fd), VHDX_FAULT_REGION_OVERLAP);
	KUNIT_EXPECT_GE(test, fd.off, VHDX_REGION1_OFF);
	KUNIT_EXPECT_LT(test, fd.off, VHDX_REGION2_OFF);
	cp->disk[0][0] ^= 1;
	cp->disk[1][8] = 1;
	craft_seal(cp->disk[1], VHDX_REGION_TABLE_SIZE);
	KUNIT_EXPECT_EQ(test, copies_read(cp, &out, &fd), VHDX_FAULT_REGION_METADATA_MISSING);
	KUNIT_EXPECT_EQ(test, fd.off, VHDX_REGION2_OFF + 8);
}

static void region_copies_small_test(struct kunit *test)
{
	struct copies *cp = copies_init(test, MIB(3), MIB(3));
	struct vhdx_regions out;
	struct vhdx_finding fd;

	cp->ram.src.size = SZ_1M - 1;
	KUNIT_EXPECT_EQ(test, copies_read(cp, &out, &fd), VHDX_FAULT_FILE_TOO_SMALL);
	KUNIT_EXPECT_EQ(test, fd.off, 0);
	KUNIT_EXPECT_EQ(test, fd.value, SZ_1M - 1);
	KUNIT_EXPECT_EQ(test, cp->ram.nr_reads, 0);
}

static void region_copies_error_test(struct kunit *test)
{
	struct copies *cp = copies_init(test, MIB(3), MIB(3));
	struct vhdx_regions out;
	u64 reads;

	copies_expect(test, cp, 0, false, MIB(3));
	reads = cp->ram.nr_reads;
	for (cp->ram.fail_read = 1; cp->ram.fail_read <= reads; cp->ram.fail_read++) {
		cp->ram.nr_reads = 0;
		cp->ram.error = -ENOMEM;
		KUNIT_EXPECT_EQ(test, copies_read(cp, &out, NULL), -ENOMEM);
	}
}

static struct kunit_case region_cases[] = {
	KUNIT_CASE(region_windows_test),
	KUNIT_CASE(region_encode_test),
	KUNIT_CASE(region_bit_flip_test),
	KUNIT_CASE_PARAM(region_table_test, table_gen_params),
	KUNIT_CASE(region_no_log_test),
	KUNIT_CASE(region_count_test),
	KUNIT_CASE(region_copies_test),
	KUNIT_CASE(region_copies_differ_test),
	KUNIT_CASE(region_copies_none_test),
	KUNIT_CASE(region_copies_wrong_test),
	KUNIT_CASE(region_copies_small_test),
	KUNIT_CASE(region_copies_error_test),
	{}
};

static struct kunit_suite region_suite = {
	.name = "vhdx_region",
	.test_cases = region_cases,
};

kunit_test_suite(region_suite);
