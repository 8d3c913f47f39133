// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata table and items, and the geometry that follows from them.
 *
 * Input: a byte of flags, the region's length in 64 KiB (1), the length of the
 * BAT in MiB (2), 128 bytes for the items, then the table behind its
 * signature. Flag 1 makes a table that is right but for the places of its
 * items (with 2 there is a locator among them), and brings all items to the
 * end of the region, where the 128 bytes are then.
 */
#include "format/geometry.h"
#include "format/metadata.h"
#include "format/region.h"

#include "fuzz.h"

#define REGION		MIB(2)
#define ITEMS_LEN	128

static u8 content[2 * VHDX_METADATA_TABLE_SIZE];
static u8 table[VHDX_METADATA_TABLE_SIZE];

static void check_accepted(const struct vhdx_metadata *md, u32 len)
{
	unsigned int i;

	fuzz_assert(md->block_size >= SZ_1M && md->block_size <= SZ_256M);
	fuzz_assert(!(md->block_size & (md->block_size - 1)));
	fuzz_assert(md->logical_size == 512 || md->logical_size == 4096);
	fuzz_assert(md->physical_size == 512 || md->physical_size == 4096);
	fuzz_assert(md->disk_size && md->disk_size <= VHDX_DISK_MAX);
	fuzz_assert(!(md->disk_size % md->logical_size));
	fuzz_assert(md->has_parent == (md->type == VHDX_DISK_DIFFERENCING));
	for (i = 0; i < VHDX_ITEM_NR; i++) {
		if (!md->items.off[i])
			continue;
		fuzz_assert(md->items.off[i] >= REGION + VHDX_METADATA_TABLE_SIZE);
		fuzz_assert(md->items.off[i] + md->items.len[i] <= REGION + len);
		fuzz_assert(md->items.len[i] <= VHDX_METADATA_MAX_ITEM);
	}
	fuzz_assert(!md->has_parent || md->items.len[VHDX_ITEM_PARENT_LOCATOR]);
}

/* Every block has a place of its own in the table, below its end. */
static void check_geometry(const struct vhdx_metadata *md, const struct vhdx_geometry *geo)
{
	u64 nr, last = geo->nr_blocks - 1;

	fuzz_assert((geo->nr_blocks << geo->block_shift) >= md->disk_size);
	fuzz_assert((last << geo->block_shift) < md->disk_size);
	fuzz_assert(vhdx_bat_index(geo, last) < geo->nr_entries);
	fuzz_assert(!vhdx_bat_index_is_bitmap(geo, vhdx_bat_index(geo, last), &nr) && nr == last);
	fuzz_assert(vhdx_block_len(geo, last) && vhdx_block_len(geo, last) <= md->block_size);
	if (geo->differencing) {
		fuzz_assert(vhdx_bat_index_is_bitmap(geo, geo->nr_entries - 1, &nr));
		fuzz_assert(nr == geo->nr_chunks - 1);
	}
	fuzz_assert(geo->nr_entries == vhdx_geometry_entries(md->disk_size, md->block_size,
							     md->logical_size, md->has_parent));
}

static void check_round_trip(const struct vhdx_metadata *md)
{
	u32 used = vhdx_metadata_encode(content, sizeof(content), md,
					md->has_parent ? "locator" : NULL, 7);
	struct vhdx_metadata again;
	struct ram ram;

	fuzz_assert(used <= sizeof(content));
	ram_init(&ram, MIB(4));
	ram_extent_add(&ram, REGION, used, content);
	fuzz_assert(!vhdx_metadata_read(&ram.src, REGION, SZ_1M, table, &again, NULL));
	fuzz_assert(again.disk_size == md->disk_size && again.type == md->type);
	fuzz_assert(again.block_size == md->block_size);
	fuzz_assert(again.logical_size == md->logical_size);
	fuzz_assert(again.physical_size == md->physical_size);
	fuzz_assert(again.leave_allocated == md->leave_allocated);
	fuzz_assert(guid_equal(&again.disk_id, &md->disk_id));
}

static void draw_near(bool parent)
{
	static const struct { guid_t guid; u32 len, flags; } good[] = {
		{ VHDX_GUID_FILE_PARAMETERS, 8, 4 },
		{ VHDX_GUID_VIRTUAL_DISK_SIZE, 8, 6 },
		{ VHDX_GUID_LOGICAL_SECTOR_SIZE, 4, 6 },
		{ VHDX_GUID_PHYSICAL_SECTOR_SIZE, 4, 6 },
		{ VHDX_GUID_VIRTUAL_DISK_ID, 16, 6 },
		{ VHDX_GUID_PARENT_LOCATOR, 20, 4 },
	};
	struct vhdx_raw_metadata_entry *raw = (void *)(content + 32);
	u8 *items = content + VHDX_METADATA_TABLE_SIZE;
	unsigned int i, at;

	craft_items_head(content, 5 + parent);
	for (i = 0; i < 5 + parent; i++) {
		/* Up to four bytes behind the last of them. */
		at = (le32_to_cpu(raw[i].offset) & 0xff) % (ITEMS_LEN + 4);
		craft_item(content, i, &good[i].guid, sizeof(content) - ITEMS_LEN + at,
			   good[i].len, good[i].flags);
	}
	memcpy(content + sizeof(content) - ITEMS_LEN, items, ITEMS_LEN);
	memset(items, 0, ITEMS_LEN);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u8 flags = fuzz_u8(&in);
	u32 len = fuzz_u8(&in) * SZ_64K;
	struct vhdx_regions regions = { .bat_off = MIB(64), .bat_len = (u32)fuzz_u16(&in) << 20 };
	struct vhdx_geometry geo;
	struct vhdx_metadata md;
	struct vhdx_finding fd;
	char text[1000];
	struct ram ram;
	int ret;

	memset(content, 0, sizeof(content));
	memcpy(content, "metadata", 8);
	fuzz_take(&in, content + VHDX_METADATA_TABLE_SIZE, ITEMS_LEN);
	fuzz_take(&in, content + 8, min_t(size_t, in.left, VHDX_METADATA_TABLE_SIZE - 8));
	if (flags & 1) {
		draw_near(flags & 2);
		len = sizeof(content);
	}
	ram_init(&ram, MIB(20));
	ram_extent_add(&ram, REGION, sizeof(content), content);
	ret = vhdx_metadata_read(&ram.src, REGION, len, table, &md, &fd);
	fuzz_assert(!ram.strayed && ret >= 0);
	fuzz_check_finding(ret, &fd);
	if (ret)
		return 0;
	fuzz_accept();
	check_accepted(&md, len);
	fuzz_assert(vhdx_metadata_to_text(text, sizeof(text), &md) > 0);
	ret = vhdx_geometry_init(&geo, &md, &regions, &fd);
	fuzz_check_finding(ret, &fd);
	if (!ret) {
		fuzz_assert(geo.nr_entries * 8 <= regions.bat_len);
		check_geometry(&md, &geo);
		fuzz_assert(vhdx_geometry_to_text(text, sizeof(text), &geo) > 0);
	}
	check_round_trip(&md);
	return 0;
}
