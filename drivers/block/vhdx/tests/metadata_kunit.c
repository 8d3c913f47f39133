// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata: the table Windows wrote, QEMU's order, every way the table and
 * each item can be wrong. Nothing here has a checksum.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/metadata.h"
#include "format/raw.h"

#include "craft.h"
#include "ram.h"

#define PARAMETERS	VHDX_GUID_FILE_PARAMETERS
#define DISK_SIZE	VHDX_GUID_VIRTUAL_DISK_SIZE
#define DISK_ID		VHDX_GUID_VIRTUAL_DISK_ID
#define LOGICAL		VHDX_GUID_LOGICAL_SECTOR_SIZE
#define PHYSICAL	VHDX_GUID_PHYSICAL_SECTOR_SIZE
#define LOCATOR		VHDX_GUID_PARENT_LOCATOR
#define INCOMPLETE	VHDX_GUID_INCOMPLETE_FILE
#define CHS \
	GUID_INIT(0xda02d7bc, 0x3d3a, 0x423c, 0xac, 0x88, 0x2a, 0x36, 0xab, 0x21, 0x47, 0x9b)
#define OTHER1	GUID_INIT(0x11111111, 0x1111, 0x1111, 1, 1, 1, 1, 1, 1, 1, 1)
#define OTHER2	GUID_INIT(0x22222222, 0x2222, 0x2222, 2, 2, 2, 2, 2, 2, 2, 2)

#define REGION		0x200000	/* file offset of the region */
#define KEPT		(128 * 1024)	/* bytes of it that hold something */

/* Table and items of an image made by Windows Server 2012. */
static const u8 windows_table[192] = {
	'm', 'e', 't', 'a', 'd', 'a', 't', 'a', 0, 0, 5, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
	0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b,
	0, 0, 1, 0, 8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
	0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
	0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8,
	8, 0, 1, 0, 8, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
	0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
	0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f,
	0x10, 0, 1, 0, 4, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
	0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44,
	0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56,
	0x14, 0, 1, 0, 4, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
	0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45,
	0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46,
	0x18, 0, 1, 0, 0x10, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0,
};

static const u8 windows_items[40] = {
	0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0,
	0, 2, 0, 0, 0, 0x10, 0, 0,
	0xf1, 0x09, 0x72, 0xfc, 0xeb, 0xf6, 0x16, 0x46,
	0x9b, 0x77, 0xe9, 0x94, 0xe3, 0x01, 0x7d, 0xdd,
};

struct meta {
	struct ram		ram;
	struct vhdx_metadata	md;
	struct vhdx_finding	fd;
	u8			*region;
	u8			*table;
};

static struct meta *meta_init(struct kunit *test)
{
	struct meta *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	m->region = kunit_kzalloc(test, KEPT, GFP_KERNEL);
	m->table = kunit_kzalloc(test, VHDX_METADATA_TABLE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->region);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->table);
	memcpy(m->region, windows_table, sizeof(windows_table));
	memcpy(m->region + SZ_64K, windows_items, sizeof(windows_items));
	ram_init(&m->ram, SZ_4M);
	ram_extent_add(&m->ram, REGION, KEPT, m->region);
	return m;
}

static int meta_read(struct meta *m)
{
	memset(&m->md, 0xa5, sizeof(m->md));
	memset(&m->fd, 0xa5, sizeof(m->fd));
	return vhdx_metadata_read(&m->ram.src, REGION, SZ_1M, m->table, &m->md, &m->fd);
}

static void meta_expect(struct kunit *test, struct meta *m, enum vhdx_fault fault, u64 off)
{
	KUNIT_EXPECT_EQ(test, meta_read(m), (int)fault);
	KUNIT_EXPECT_EQ(test, m->ram.strayed, 0);
	if (fault) {
		KUNIT_EXPECT_EQ(test, m->fd.fault, fault);
		KUNIT_EXPECT_EQ(test, m->fd.off, REGION + off);
	}
}

static void metadata_windows_test(struct kunit *test)
{
	struct meta *m = meta_init(test);

	KUNIT_ASSERT_EQ(test, meta_read(m), 0);
	KUNIT_EXPECT_EQ(test, memcmp(m->table, m->region, VHDX_METADATA_TABLE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, m->md.type, VHDX_DISK_DYNAMIC);
	KUNIT_EXPECT_EQ(test, m->md.disk_size, SZ_1G);
	KUNIT_EXPECT_EQ(test, m->md.block_size, SZ_32M);
	KUNIT_EXPECT_EQ(test, m->md.logical_size, 512);
	KUNIT_EXPECT_EQ(test, m->md.physical_size, 4096);
	KUNIT_EXPECT_EQ(test, memcmp(&m->md.disk_id, windows_items + 24, 16), 0);
	KUNIT_EXPECT_FALSE(test, m->md.leave_allocated);
	KUNIT_EXPECT_FALSE(test, m->md.has_parent);
	KUNIT_EXPECT_EQ(test, m->md.items.nr, 5);
	KUNIT_EXPECT_EQ(test, m->md.items.off[VHDX_ITEM_VIRTUAL_DISK_ID], REGION + 0x10018);
	KUNIT_EXPECT_EQ(test, m->md.items.len[VHDX_ITEM_VIRTUAL_DISK_ID], 16);
	KUNIT_EXPECT_EQ(test, m->md.items.off[VHDX_ITEM_PARENT_LOCATOR], 0);
}

static void metadata_encode_test(struct kunit *test)
{
	struct meta *m = meta_init(test);
	u8 *buf = kunit_kzalloc(test, KEPT, GFP_KERNEL);
	u32 used;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, meta_read(m), 0);
	memset(buf, 0xa5, KEPT);
	used = vhdx_metadata_encode(buf, KEPT, &m->md, NULL, 0);
	KUNIT_EXPECT_GE(test, used, SZ_64K + 40);
	KUNIT_ASSERT_LE(test, used, KEPT);
	KUNIT_EXPECT_EQ(test, memcmp(buf, m->region, used), 0);
}

/* A differencing disk with a locator: encoded, then read back. */
static void metadata_encode_locator_test(struct kunit *test)
{
	static const u8 locator[] = "any bytes do: the locator is looked at elsewhere";
	struct meta *m = meta_init(test);
	struct vhdx_metadata md;
	u32 used;

	KUNIT_ASSERT_EQ(test, meta_read(m), 0);
	md = m->md;
	md.type = VHDX_DISK_DIFFERENCING;
	md.has_parent = true;
	md.logical_size = 4096;
	md.block_size = SZ_2M;
	md.disk_size = VHDX_DISK_MAX;
	used = vhdx_metadata_encode(m->region, KEPT, &md, locator, sizeof(locator));
	KUNIT_EXPECT_EQ(test, used, 68 * 1024 + sizeof(locator));
	KUNIT_ASSERT_EQ(test, meta_read(m), 0);
	KUNIT_EXPECT_EQ(test, m->md.type, VHDX_DISK_DIFFERENCING);
	KUNIT_EXPECT_TRUE(test, m->md.has_parent);
	KUNIT_EXPECT_EQ(test, m->md.disk_size, VHDX_DISK_MAX);
	KUNIT_EXPECT_EQ(test, m->md.block_size, SZ_2M);
	KUNIT_EXPECT_EQ(test, m->md.logical_size, 4096);
	KUNIT_EXPECT_TRUE(test, guid_equal(&m->md.disk_id, &md.disk_id));
	KUNIT_EXPECT_EQ(test, m->md.items.nr, 6);
	KUNIT_EXPECT_EQ(test, m->md.items.off[VHDX_ITEM_PARENT_LOCATOR], REGION + 68 * 1024);
	KUNIT_EXPECT_EQ(test, m->md.items.len[VHDX_ITEM_PARENT_LOCATOR], sizeof(locator));
	KUNIT_EXPECT_EQ(test, memcmp(m->region + 68 * 1024, locator, sizeof(locator)), 0);
}

struct item {
	guid_t	guid;
	u32	off;
	u32	len;
	u32	flags;
};

/* Replaces entry @i; a table that grows gets the new count. */
static void meta_put(struct meta *m, unsigned int i, const struct item *item)
{
	struct vhdx_raw_metadata_table *raw = (void *)m->region;

	craft_item(m->region, i, &item->guid, item->off, item->len, item->flags);
	if (i >= le16_to_cpu(raw->entry_count))
		raw->entry_count = cpu_to_le16(i + 1);
}

/* QEMU's order of items, the ID before the sector sizes. */
static void metadata_qemu_test(struct kunit *test)
{
	struct meta *m = meta_init(test);

	meta_put(m, 2, &(struct item){ DISK_ID, 0x10010, 16, 6 });
	meta_put(m, 3, &(struct item){ LOGICAL, 0x10020, 4, 6 });
	meta_put(m, 4, &(struct item){ PHYSICAL, 0x10024, 4, 6 });
	memcpy(m->region + 0x10010, windows_items + 24, 16);
	memcpy(m->region + 0x10020, windows_items + 16, 8);
	KUNIT_ASSERT_EQ(test, meta_read(m), 0);
	KUNIT_EXPECT_EQ(test, m->md.physical_size, 4096);
	KUNIT_EXPECT_EQ(test, m->md.logical_size, 512);
	KUNIT_EXPECT_EQ(test, memcmp(&m->md.disk_id, windows_items + 24, 16), 0);
}

/* Windows' table with entry @i replaced or added. Offsets are in the region. */
struct item_case {
	const char	*name;
	unsigned int	i;
	struct item	item;
	enum vhdx_fault	fault;
	u64		off;
};

#define ENTRY(i, field)	(32 + 32 * (i) + (field))

static const struct item_case item_cases[] = {
	{ "unknown optional", 5, { OTHER1, 0x11000, 100, 0 } },
	{ "unknown optional and empty", 5, { OTHER1, 0, 0, 0 } },
	{ "unknown of the virtual disk", 5, { OTHER1, 0x11000, 1, 2 } },
	{ "CHS parameters", 5, { CHS, 0x11000, 8, 2 } },
	{ "user item", 5, { OTHER1, 0x11000, 4096, 1 } },
	{ "ends with the region", 5, { OTHER1, SZ_1M - 100, 100, 1 } },
	{ "fills the region", 5, { OTHER1, 0x10028, SZ_1M - 0x10028, 0 } },
	{ "exact duplicate", 5, { DISK_ID, 0x10018, 16, 6 } },
	{ "same GUID for a user", 5, { DISK_ID, 0x11000, 3, 1 } },
	{ "locator without parent", 5, { LOCATOR, 0x11000, 100, 4 } },
	{ "optional flags of a known item", 4, { DISK_ID, 0x10018, 16, 0 } },

	{ "reserved flag", 5, { OTHER1, 0x11000, 8, 8 },
	  VHDX_FAULT_METADATA_ITEM_FLAGS, ENTRY(5, 24) },
	{ "highest reserved flag", 0, { PARAMETERS, 0x10000, 8, 0x80000004 },
	  VHDX_FAULT_METADATA_ITEM_FLAGS, ENTRY(0, 24) },
	{ "longer than 1 MiB", 5, { OTHER1, 0x11000, SZ_1M + 1, 0 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(5, 20) },
	{ "longest of all", 5, { OTHER1, 0x11000, U32_MAX, 0 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(5, 20) },
	{ "parameters too short", 0, { PARAMETERS, 0x10000, 4, 4 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(0, 20) },
	{ "parameters empty", 0, { PARAMETERS, 0, 0, 4 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(0, 20) },
	{ "size too long", 1, { DISK_SIZE, 0x11000, 9, 6 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(1, 20) },
	{ "logical too long", 2, { LOGICAL, 0x11000, 8, 6 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(2, 20) },
	{ "physical too short", 3, { PHYSICAL, 0x11000, 2, 6 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(3, 20) },
	{ "ID too long", 4, { DISK_ID, 0x11000, 17, 6 },
	  VHDX_FAULT_METADATA_ITEM_LENGTH, ENTRY(4, 20) },
	{ "in the table", 5, { OTHER1, 0xffff, 1, 0 },
	  VHDX_FAULT_METADATA_ITEM_RANGE, ENTRY(5, 16) },
	{ "at the start", 5, { OTHER1, 0, 1, 0 },
	  VHDX_FAULT_METADATA_ITEM_RANGE, ENTRY(5, 16) },
	{ "empty but somewhere", 5, { OTHER1, 0x11000, 0, 0 },
	  VHDX_FAULT_METADATA_ITEM_RANGE, ENTRY(5, 16) },
	{ "a byte beyond the region", 5, { OTHER1, SZ_1M - 100, 101, 0 },
	  VHDX_FAULT_METADATA_ITEM_RANGE, ENTRY(5, 16) },
	{ "behind the region", 5, { OTHER1, SZ_1M, 1, 0 },
	  VHDX_FAULT_METADATA_ITEM_RANGE, ENTRY(5, 16) },
	{ "sum overflows", 5, { OTHER1, 0xfffff000, 0x1000, 0 },
	  VHDX_FAULT_METADATA_ITEM_RANGE, ENTRY(5, 16) },
	{ "known item out of range", 1, { DISK_SIZE, SZ_1M - 4, 8, 6 },
	  VHDX_FAULT_METADATA_ITEM_RANGE, ENTRY(1, 16) },
	{ "duplicate elsewhere", 5, { DISK_ID, 0x11000, 16, 6 },
	  VHDX_FAULT_METADATA_ITEM_DUPLICATE, ENTRY(5, 0) },
	{ "duplicate with other flags", 5, { DISK_ID, 0x10018, 16, 4 },
	  VHDX_FAULT_METADATA_ITEM_DUPLICATE, ENTRY(5, 0) },
	{ "overlap of one byte", 5, { OTHER1, 0x10027, 1, 0 },
	  VHDX_FAULT_METADATA_ITEM_OVERLAP, ENTRY(5, 16) },
	{ "overlap of known items", 1, { DISK_SIZE, 0x10004, 8, 6 },
	  VHDX_FAULT_METADATA_ITEM_OVERLAP, ENTRY(1, 16) },
	{ "unknown required", 5, { OTHER2, 0x11000, 8, 4 },
	  VHDX_FAULT_METADATA_ITEM_UNKNOWN, ENTRY(5, 0) },
	{ "unknown required by the user", 5, { OTHER2, 0x11000, 8, 5 },
	  VHDX_FAULT_METADATA_ITEM_UNKNOWN, ENTRY(5, 0) },
	{ "never finished", 5, { INCOMPLETE, 0, 0, 4 },
	  VHDX_FAULT_METADATA_INCOMPLETE, ENTRY(5, 0) },
	{ "no parameters", 0, { OTHER1, 0x10000, 8, 0 },
	  VHDX_FAULT_METADATA_PARAMETERS_MISSING, 10 },
	{ "only a user's parameters", 0, { PARAMETERS, 0x10000, 8, 1 },
	  VHDX_FAULT_METADATA_PARAMETERS_MISSING, 10 },
	{ "no size", 1, { OTHER1, 0x10008, 8, 0 }, VHDX_FAULT_METADATA_SIZE_MISSING, 10 },
	{ "no logical size", 2, { OTHER1, 0x10010, 4, 0 },
	  VHDX_FAULT_METADATA_LOGICAL_MISSING, 10 },
	{ "no physical size", 3, { OTHER1, 0x10014, 4, 0 },
	  VHDX_FAULT_METADATA_PHYSICAL_MISSING, 10 },
	{ "no ID", 4, { OTHER1, 0x10018, 16, 0 }, VHDX_FAULT_METADATA_ID_MISSING, 10 },
};

static void item_desc(const struct item_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(item, item_cases, item_desc);

static void metadata_item_test(struct kunit *test)
{
	const struct item_case *c = test->param_value;
	struct meta *m = meta_init(test);

	meta_put(m, c->i, &c->item);
	meta_expect(test, m, c->fault, c->off);
	if (c->fault == VHDX_FAULT_METADATA_ITEM_UNKNOWN)
		KUNIT_EXPECT_TRUE(test, guid_equal(&m->fd.guid, &c->item.guid));
	else if (c->fault)
		KUNIT_EXPECT_TRUE(test, guid_is_null(&m->fd.guid));
	else
		KUNIT_EXPECT_EQ(test, m->md.disk_size, SZ_1G);
}

/* The items of the region are overwritten with these; @off counts from the first. */
struct value_case {
	const char	*name;
	u32		block_size;
	u32		flags;
	u64		disk_size;
	u32		logical;
	u32		physical;
	enum vhdx_fault	fault;
	u32		off;
	u64		value;
};

#define TIB64	VHDX_DISK_MAX

static const struct value_case value_cases[] = {
	{ "smallest", SZ_1M, 0, 512, 512, 512 },
	{ "largest", SZ_256M, 0, TIB64, 4096, 4096 },
	{ "fixed", SZ_32M, 1, SZ_1G, 512, 4096 },
	{ "odd size", SZ_2M, 0, SZ_1G + 512, 512, 4096 },
	{ "4096 over 512", SZ_2M, 0, SZ_1G, 4096, 512 },
	{ "block size 0", 0, 0, SZ_1G, 512, 512, VHDX_FAULT_PARAMETERS_BLOCK_SIZE, 0, 0 },
	{ "block size small", SZ_512K, 0, SZ_1G, 512, 512,
	  VHDX_FAULT_PARAMETERS_BLOCK_SIZE, 0, SZ_512K },
	{ "block size large", SZ_512M, 0, SZ_1G, 512, 512,
	  VHDX_FAULT_PARAMETERS_BLOCK_SIZE, 0, SZ_512M },
	{ "block size largest", 0x80000000, 0, SZ_1G, 512, 512,
	  VHDX_FAULT_PARAMETERS_BLOCK_SIZE, 0, 0x80000000 },
	{ "block size 3 MiB", 3 * SZ_1M, 0, SZ_1G, 512, 512,
	  VHDX_FAULT_PARAMETERS_BLOCK_SIZE, 0, 3 * SZ_1M },
	{ "block size odd", SZ_1M + 1, 0, SZ_1G, 512, 512,
	  VHDX_FAULT_PARAMETERS_BLOCK_SIZE, 0, SZ_1M + 1 },
	{ "parameter flag", SZ_1M, 4, SZ_1G, 512, 512, VHDX_FAULT_PARAMETERS_FLAGS, 4, 4 },
	{ "last parameter flag", SZ_1M, 0x80000001, SZ_1G, 512, 512,
	  VHDX_FAULT_PARAMETERS_FLAGS, 4, 0x80000001 },
	{ "size 0", SZ_1M, 0, 0, 512, 512, VHDX_FAULT_DISK_SIZE_ZERO, 8, 0 },
	{ "size too large", SZ_1M, 0, TIB64 + 512, 512, 512,
	  VHDX_FAULT_DISK_SIZE_LIMIT, 8, TIB64 + 512 },
	{ "size of all bits", SZ_1M, 0, U64_MAX, 512, 512,
	  VHDX_FAULT_DISK_SIZE_LIMIT, 8, U64_MAX },
	{ "size not in sectors", SZ_1M, 0, 513, 512, 512,
	  VHDX_FAULT_DISK_SIZE_ALIGNMENT, 8, 513 },
	{ "size not in large sectors", SZ_1M, 0, SZ_1G + 512, 4096, 4096,
	  VHDX_FAULT_DISK_SIZE_ALIGNMENT, 8, SZ_1G + 512 },
	{ "logical 0", SZ_1M, 0, SZ_1G, 0, 512, VHDX_FAULT_LOGICAL_SECTOR_SIZE, 16, 0 },
	{ "logical 1024", SZ_1M, 0, SZ_1G, 1024, 512, VHDX_FAULT_LOGICAL_SECTOR_SIZE, 16, 1024 },
	{ "logical 8192", SZ_1M, 0, SZ_1G, 8192, 512, VHDX_FAULT_LOGICAL_SECTOR_SIZE, 16, 8192 },
	{ "physical 0", SZ_1M, 0, SZ_1G, 512, 0, VHDX_FAULT_PHYSICAL_SECTOR_SIZE, 20, 0 },
	{ "physical 520", SZ_1M, 0, SZ_1G, 512, 520, VHDX_FAULT_PHYSICAL_SECTOR_SIZE, 20, 520 },
};

static void value_desc(const struct value_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(value, value_cases, value_desc);

static void metadata_value_test(struct kunit *test)
{
	const struct value_case *c = test->param_value;
	struct meta *m = meta_init(test);
	__le32 *items = (void *)(m->region + SZ_64K);

	items[0] = cpu_to_le32(c->block_size);
	items[1] = cpu_to_le32(c->flags);
	items[2] = cpu_to_le32((u32)c->disk_size);
	items[3] = cpu_to_le32(c->disk_size >> 32);
	items[4] = cpu_to_le32(c->logical);
	items[5] = cpu_to_le32(c->physical);
	meta_expect(test, m, c->fault, SZ_64K + c->off);
	if (c->fault) {
		KUNIT_EXPECT_EQ(test, m->fd.value, c->value);
		return;
	}
	KUNIT_EXPECT_EQ(test, m->md.block_size, c->block_size);
	KUNIT_EXPECT_EQ(test, m->md.disk_size, c->disk_size);
	KUNIT_EXPECT_EQ(test, m->md.logical_size, c->logical);
	KUNIT_EXPECT_EQ(test, m->md.physical_size, c->physical);
	KUNIT_EXPECT_EQ(test, m->md.type, c->flags ? VHDX_DISK_FIXED : VHDX_DISK_DYNAMIC);
}

/* HasParent makes a differencing disk, whatever LeaveBlocksAllocated says. */
static void metadata_parent_test(struct kunit *test)
{
	struct meta *m = meta_init(test);

	m->region[SZ_64K + 4] = VHDX_PARAM_HAS_PARENT;
	meta_expect(test, m, VHDX_FAULT_METADATA_LOCATOR_MISSING, 10);
	meta_put(m, 5, &(struct item){ LOCATOR, 0x11000, 100, 4 });
	meta_expect(test, m, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_EQ(test, m->md.type, VHDX_DISK_DIFFERENCING);
	KUNIT_EXPECT_EQ(test, m->md.items.off[VHDX_ITEM_PARENT_LOCATOR], REGION + 0x11000);
	KUNIT_EXPECT_EQ(test, m->md.items.len[VHDX_ITEM_PARENT_LOCATOR], 100);
	m->region[SZ_64K + 4] = VHDX_PARAM_ALL;
	meta_expect(test, m, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_EQ(test, m->md.type, VHDX_DISK_DIFFERENCING);
	KUNIT_EXPECT_TRUE(test, m->md.leave_allocated);
}

static void metadata_signature_test(struct kunit *test)
{
	struct meta *m = meta_init(test);
	int i;

	for (i = 0; i < 64; i++) {
		m->region[i / 8] ^= 1 << (i % 8);
		meta_expect(test, m, VHDX_FAULT_METADATA_SIGNATURE, 0);
		m->region[i / 8] ^= 1 << (i % 8);
	}
	memset(m->region + 12, 0xff, 20);	/* reserved: ignored */
	m->region[32 + 28] = 1;
	meta_expect(test, m, VHDX_FAULT_NONE, 0);
}

/* Fill the table up to @nr entries with empty items of @flags. */
static void meta_crowd(struct meta *m, unsigned int nr, u32 flags)
{
	struct item item = { OTHER1, 0, 0, flags };
	unsigned int i;

	for (i = 5; i < nr; i++) {
		item.guid.b[0] = i;
		item.guid.b[1] = i >> 8;
		meta_put(m, i, &item);
	}
}

static void metadata_count_test(struct kunit *test)
{
	struct meta *m = meta_init(test);
	struct vhdx_raw_metadata_table *raw = (void *)m->region;

	meta_crowd(m, 2047, 0);
	meta_expect(test, m, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_EQ(test, m->md.items.nr, 2047);
	raw->entry_count = cpu_to_le16(2048);
	meta_expect(test, m, VHDX_FAULT_METADATA_COUNT, 10);
	KUNIT_EXPECT_EQ(test, m->fd.value, 2048);
	raw->entry_count = cpu_to_le16(65535);
	meta_expect(test, m, VHDX_FAULT_METADATA_COUNT, 10);
}

static void metadata_user_count_test(struct kunit *test)
{
	struct meta *m = meta_init(test);

	meta_crowd(m, 5 + 1024, VHDX_METADATA_IS_USER);
	meta_expect(test, m, VHDX_FAULT_NONE, 0);
	meta_crowd(m, 5 + 1025, VHDX_METADATA_IS_USER);
	KUNIT_EXPECT_EQ(test, meta_read(m), VHDX_FAULT_METADATA_USER_COUNT);
	KUNIT_EXPECT_EQ(test, m->fd.fault, VHDX_FAULT_METADATA_USER_COUNT);
}

/* The last slot of the table is looked at, and the one behind is not. */
static void metadata_last_slot_test(struct kunit *test)
{
	struct meta *m = meta_init(test);

	meta_crowd(m, 2047, 0);
	meta_put(m, 2046, &(struct item){ OTHER2, 0, 0, 4 });
	meta_expect(test, m, VHDX_FAULT_METADATA_ITEM_UNKNOWN, ENTRY(2046, 0));
	((struct vhdx_raw_metadata_table *)m->region)->entry_count = cpu_to_le16(2046);
	meta_expect(test, m, VHDX_FAULT_NONE, 0);
}

/* The table alone, in a region that ends where the table does. */
static void metadata_table_check_test(struct kunit *test)
{
	struct vhdx_metadata_items items;
	struct meta *m = meta_init(test);
	struct vhdx_finding fd;

	KUNIT_EXPECT_EQ(test, vhdx_metadata_table_check(m->region, REGION, SZ_1M, &items, &fd),
			VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, items.nr, 5);
	KUNIT_EXPECT_EQ(test, items.off[VHDX_ITEM_FILE_PARAMETERS], REGION + 0x10000);
	KUNIT_EXPECT_EQ(test, vhdx_metadata_table_check(m->region, REGION, SZ_64K, &items, &fd),
			VHDX_FAULT_METADATA_ITEM_RANGE);
	KUNIT_EXPECT_EQ(test, fd.off, REGION + ENTRY(0, 16));
}

/* A region that is too short, or not all in the file, is not read. */
static void metadata_range_test(struct kunit *test)
{
	struct meta *m = meta_init(test);

	KUNIT_EXPECT_EQ(test, vhdx_metadata_read(&m->ram.src, REGION, SZ_64K - 1, m->table,
						 &m->md, NULL), VHDX_FAULT_REGION_RANGE);
	KUNIT_EXPECT_EQ(test, vhdx_metadata_read(&m->ram.src, SZ_4M - SZ_64K, SZ_1M, m->table,
						 &m->md, NULL), VHDX_FAULT_REGION_RANGE);
	KUNIT_EXPECT_EQ(test, vhdx_metadata_read(&m->ram.src, ~0ULL << 20, SZ_1M, m->table,
						 &m->md, NULL), VHDX_FAULT_REGION_RANGE);
	KUNIT_EXPECT_EQ(test, m->ram.nr_reads, 0);
}

static void metadata_error_test(struct kunit *test)
{
	struct meta *m = meta_init(test);
	u64 reads;

	KUNIT_ASSERT_EQ(test, meta_read(m), 0);
	reads = m->ram.nr_reads;
	KUNIT_EXPECT_GT(test, reads, 1);
	m->ram.error = -ENOLINK;
	for (m->ram.fail_read = 1; m->ram.fail_read <= reads; m->ram.fail_read++) {
		m->ram.nr_reads = 0;
		KUNIT_EXPECT_EQ(test, meta_read(m), -ENOLINK);
	}
}

static void metadata_type_name_test(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, vhdx_disk_type_name(VHDX_DISK_FIXED), "fixed");
	KUNIT_EXPECT_STREQ(test, vhdx_disk_type_name(VHDX_DISK_DYNAMIC), "dynamic");
	KUNIT_EXPECT_STREQ(test, vhdx_disk_type_name(VHDX_DISK_DIFFERENCING), "differencing");
}

/* A region with a locator of @len bytes at 68 KiB. */
static struct meta *meta_with_locator(struct kunit *test, u32 len)
{
	struct meta *m = meta_init(test);

	m->region[SZ_64K + 4] = VHDX_PARAM_HAS_PARENT;
	meta_put(m, 5, &(struct item){ LOCATOR, 68 * 1024, len, 4 });
	return m;
}

static u32 resize_locator(struct meta *m, u32 region_len, u32 len)
{
	return vhdx_metadata_table_resize(m->region, region_len, VHDX_ITEM_PARENT_LOCATOR, len);
}

/* The item stays where there is room, and goes where there is some. */
static void metadata_resize_test(struct kunit *test)
{
	struct meta *m = meta_with_locator(test, 100);
	struct vhdx_metadata_items items;
	struct vhdx_finding fd;

	KUNIT_EXPECT_EQ(test, resize_locator(m, SZ_1M, 50000), 68 * 1024);
	KUNIT_EXPECT_EQ(test, meta_read(m), 0);
	KUNIT_EXPECT_EQ(test, m->md.items.len[VHDX_ITEM_PARENT_LOCATOR], 50000);
	KUNIT_EXPECT_EQ(test, m->md.items.off[VHDX_ITEM_PARENT_LOCATOR], REGION + 68 * 1024);
	/* Somebody else's item right behind it. */
	meta_put(m, 6, &(struct item){ OTHER1, 72 * 1024, 4097, 0 });
	KUNIT_EXPECT_EQ(test, resize_locator(m, SZ_1M, 4096), 68 * 1024);
	KUNIT_EXPECT_EQ(test, resize_locator(m, SZ_1M, 4097), 80 * 1024);
	KUNIT_EXPECT_EQ(test, vhdx_metadata_table_check(m->region, REGION, SZ_1M, &items, &fd),
			VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, items.off[VHDX_ITEM_PARENT_LOCATOR], REGION + 80 * 1024);
	/* A place once left is free again. */
	KUNIT_EXPECT_EQ(test, resize_locator(m, 80 * 1024, 4000), 68 * 1024);
}

static void metadata_resize_full_test(struct kunit *test)
{
	struct meta *m = meta_with_locator(test, 100);
	u8 before[sizeof(windows_table) + 64];

	memcpy(before, m->region, sizeof(before));
	KUNIT_EXPECT_EQ(test, resize_locator(m, SZ_128K, 60 * 1024 + 1), 0);
	KUNIT_EXPECT_EQ(test, memcmp(before, m->region, sizeof(before)), 0);
	KUNIT_EXPECT_EQ(test, resize_locator(m, SZ_128K, 60 * 1024), 68 * 1024);
	/* It is not in the table. */
	m = meta_init(test);
	KUNIT_EXPECT_EQ(test, resize_locator(m, SZ_1M, 100), 0);
}

/* Both of two equal entries change. */
static void metadata_resize_twice_test(struct kunit *test)
{
	struct meta *m = meta_with_locator(test, 100);

	meta_put(m, 6, &(struct item){ LOCATOR, 68 * 1024, 100, 4 });
	KUNIT_EXPECT_EQ(test, resize_locator(m, SZ_1M, 200), 68 * 1024);
	KUNIT_EXPECT_EQ(test, meta_read(m), 0);
	KUNIT_EXPECT_EQ(test, m->md.items.len[VHDX_ITEM_PARENT_LOCATOR], 200);
}

/* Of what is nobody's here some belong to the disk: users' and the system's. */
static void metadata_foreign_test(struct kunit *test)
{
	struct meta *m = meta_init(test);
	unsigned int i = 0;
	u32 off, len;

	KUNIT_EXPECT_FALSE(test, vhdx_metadata_table_foreign(m->region, &i, &off, &len));
	KUNIT_EXPECT_EQ(test, i, 5);
	meta_put(m, 5, &(struct item){ OTHER1, 68 * 1024, 7, 0 });
	meta_put(m, 6, &(struct item){ OTHER2, 70 * 1024, 9, 2 });
	meta_put(m, 7, &(struct item){ DISK_ID, 0, 0, 3 });
	meta_put(m, 8, &(struct item){ OTHER1, 72 * 1024, 9, 1 });
	i = 0;
	KUNIT_EXPECT_TRUE(test, vhdx_metadata_table_foreign(m->region, &i, &off, &len));
	KUNIT_EXPECT_EQ(test, i, 6);
	KUNIT_EXPECT_EQ(test, off, 70 * 1024);
	KUNIT_EXPECT_EQ(test, len, 9);
	i++;
	KUNIT_EXPECT_TRUE(test, vhdx_metadata_table_foreign(m->region, &i, &off, &len));
	KUNIT_EXPECT_EQ(test, i, 7);
	KUNIT_EXPECT_EQ(test, len, 0);
	i++;
	KUNIT_EXPECT_FALSE(test, vhdx_metadata_table_foreign(m->region, &i, &off, &len));
}

static void metadata_remove_test(struct kunit *test)
{
	struct meta *m = meta_init(test);
	u8 before[sizeof(windows_table)];

	memcpy(before, m->region, sizeof(before));
	meta_put(m, 5, &(struct item){ OTHER1, 68 * 1024, 7, 0 });
	vhdx_metadata_table_remove(m->region, 5);
	KUNIT_EXPECT_EQ(test, memcmp(before, m->region, sizeof(before)), 0);
	vhdx_metadata_table_remove(m->region, 0);
	meta_expect(test, m, VHDX_FAULT_METADATA_PARAMETERS_MISSING, 10);
	KUNIT_EXPECT_EQ(test, memcmp(before + 64, m->region + 32, 4 * 32), 0);
}

static void metadata_add_test(struct kunit *test)
{
	struct meta *from = meta_init(test), *m = meta_init(test);
	u32 off;

	meta_put(from, 5, &(struct item){ OTHER1, 68 * 1024, 5000, 2 });
	meta_put(from, 6, &(struct item){ OTHER2, 0, 0, 3 });
	KUNIT_EXPECT_TRUE(test, vhdx_metadata_table_add(m->region, SZ_1M, from->region, 5, &off));
	KUNIT_EXPECT_EQ(test, off, 68 * 1024);
	KUNIT_EXPECT_TRUE(test, vhdx_metadata_table_add(m->region, SZ_1M, from->region, 6, &off));
	KUNIT_EXPECT_EQ(test, off, 0);
	meta_expect(test, m, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_EQ(test, m->md.items.nr, 7);
	KUNIT_EXPECT_EQ(test, memcmp(m->region, from->region, 32 + 7 * 32), 0);
	/* The place is taken, and the region full. */
	meta_put(from, 5, &(struct item){ LOCATOR, 68 * 1024, SZ_4K, 2 });
	KUNIT_EXPECT_FALSE(test, vhdx_metadata_table_add(m->region, 80 * 1024 - 1, from->region, 5,
							 &off));
	KUNIT_EXPECT_TRUE(test, vhdx_metadata_table_add(m->region, 80 * 1024, from->region, 5,
							&off));
	KUNIT_EXPECT_EQ(test, off, 76 * 1024);
	KUNIT_EXPECT_EQ(test, vhdx_metadata_table_resize(m->region, SZ_1M,
							 VHDX_ITEM_VIRTUAL_DISK_ID, 16), 0x10018);
}

static void metadata_add_limits_test(struct kunit *test)
{
	struct meta *from = meta_init(test), *m = meta_init(test);
	u32 off;

	meta_put(from, 5, &(struct item){ OTHER1, 0, 0, 3 });
	meta_put(from, 6, &(struct item){ OTHER1, 0, 0, 2 });
	meta_crowd(m, 5 + 1024, 1);
	KUNIT_EXPECT_FALSE(test, vhdx_metadata_table_add(m->region, SZ_1M, from->region, 5, &off));
	KUNIT_EXPECT_TRUE(test, vhdx_metadata_table_add(m->region, SZ_1M, from->region, 6, &off));
	meta_crowd(m, 2047, 0);
	KUNIT_EXPECT_FALSE(test, vhdx_metadata_table_add(m->region, SZ_1M, from->region, 6, &off));
}

static struct kunit_case metadata_cases[] = {
	KUNIT_CASE(metadata_windows_test),
	KUNIT_CASE(metadata_encode_test),
	KUNIT_CASE(metadata_encode_locator_test),
	KUNIT_CASE(metadata_qemu_test),
	KUNIT_CASE_PARAM(metadata_item_test, item_gen_params),
	KUNIT_CASE_PARAM(metadata_value_test, value_gen_params),
	KUNIT_CASE(metadata_parent_test),
	KUNIT_CASE(metadata_signature_test),
	KUNIT_CASE(metadata_count_test),
	KUNIT_CASE(metadata_user_count_test),
	KUNIT_CASE(metadata_last_slot_test),
	KUNIT_CASE(metadata_table_check_test),
	KUNIT_CASE(metadata_range_test),
	KUNIT_CASE(metadata_resize_test),
	KUNIT_CASE(metadata_resize_full_test),
	KUNIT_CASE(metadata_resize_twice_test),
	KUNIT_CASE(metadata_foreign_test),
	KUNIT_CASE(metadata_remove_test),
	KUNIT_CASE(metadata_add_test),
	KUNIT_CASE(metadata_add_limits_test),
	KUNIT_CASE(metadata_error_test),
	KUNIT_CASE(metadata_type_name_test),
	{}
};

static struct kunit_suite metadata_suite = {
	.name = "vhdx_metadata",
	.test_cases = metadata_cases,
};

kunit_test_suite(metadata_suite);
