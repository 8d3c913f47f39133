// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata table and items, and the geometry that follows from them.
 *
 * Input: a byte of flags, the region's length in 64 KiB (1), the length of the
 * BAT in MiB (2), 128 bytes for the items, then the table behind its
 * signature. With flag 1 they are right, and at the end of the region (with 2
 * there is a locator among them), and the input is what is changed (xor) of the
 * places of the items (6) and then of the items.
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

static void good_items(u8 *items, bool parent)
{
	struct vhdx_raw_file_parameters *params = (void *)items;

	params->block_size = cpu_to_le32(SZ_2M);
	params->flags = cpu_to_le32(parent ? VHDX_PARAM_HAS_PARENT : 0);
	*(__le64 *)(items + 8) = cpu_to_le64(MIB(4100));
	*(__le32 *)(items + 16) = cpu_to_le32(512);
	*(__le32 *)(items + 20) = cpu_to_le32(4096);
}

/* Items may be up to four bytes behind the region. */
static void change_good(struct fuzz_input *in, bool parent)
{
	static const struct { guid_t guid; u32 len, flags; u8 at; } good[] = {
		{ VHDX_GUID_FILE_PARAMETERS, 8, 4, 0 },
		{ VHDX_GUID_VIRTUAL_DISK_SIZE, 8, 6, 8 },
		{ VHDX_GUID_LOGICAL_SECTOR_SIZE, 4, 6, 16 },
		{ VHDX_GUID_PHYSICAL_SECTOR_SIZE, 4, 6, 20 },
		{ VHDX_GUID_VIRTUAL_DISK_ID, 16, 6, ITEMS_LEN - 16 },
		{ VHDX_GUID_PARENT_LOCATOR, 20, 4, 32 },
	};
	u32 i, at, begin = sizeof(content) - ITEMS_LEN;

	craft_items_head(content, 5 + parent);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		at = (good[i].at ^ fuzz_u8(in)) % (ITEMS_LEN + 4);
		if (i < 5 + parent)
			craft_item(content, i, &good[i].guid, begin + at, good[i].len,
				   good[i].flags);
	}
	good_items(content + begin, parent);
	for (i = 0; i < ITEMS_LEN; i++)
		content[begin + i] ^= fuzz_u8(in);
}

static void take_table(struct fuzz_input *in)
{
	memcpy(content, "metadata", 8);
	fuzz_take(in, content + VHDX_METADATA_TABLE_SIZE, ITEMS_LEN);
	fuzz_take(in, content + 8, min_t(size_t, in->left, VHDX_METADATA_TABLE_SIZE - 8));
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
	if (flags & 1) {
		change_good(&in, flags & 2);
		len = sizeof(content);
	} else {
		take_table(&in);
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
