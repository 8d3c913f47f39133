// SPDX-License-Identifier: GPL-2.0-only
/* What one image itself says of its disk. */
#include <linux/kernel.h>

#include "bat.h"
#include "bitmap.h"
#include "file.h"
#include "map.h"

#define PAGE_MASK	((u64)LIBVHDX_MAP_PAGE - 1)

void libvhdx_map_init(struct libvhdx_map *map, const struct libvhdx_image *img)
{
	map->img = img;
	map->bat_at = 0;
	map->bits_at = 0;
}

/* The 8 bytes at file offset @off, by way of the page in @page, which is at *@at. */
static int read_word(const struct libvhdx_map *map, u64 *at, u8 *page, u64 off, __le64 *word)
{
	int err = 0;

	if (*at != (off & ~PAGE_MASK)) {
		*at = 0;
		err = map->img->src.read(&map->img->src, off & ~PAGE_MASK, page,
					 LIBVHDX_MAP_PAGE);
	}
	if (err)
		return err;
	*at = off & ~PAGE_MASK;
	*word = *(const __le64 *)(page + (off & PAGE_MASK));
	return 0;
}

static int map_entry(struct libvhdx_map *map, u64 idx, struct vhdx_bat_entry *entry,
		     struct vhdx_finding *fd)
{
	const struct libvhdx_image *img = map->img;
	__le64 raw;
	int err = read_word(map, &map->bat_at, map->bat, vhdx_bat_entry_off(&img->geo, idx),
			    &raw);

	if (err)
		return err;
	return (int)vhdx_bat_entry_decode(raw, idx, &img->geo, img->src.size, entry, fd);
}

/* How many of @nr sectors from @bit on are all present, or all not: *@run. */
static int run_of_bits(struct libvhdx_map *map, u64 bitmap, u32 bit, u32 nr, bool *set,
		       u32 *run)
{
	u32 some, whole;
	bool first = true, same;
	__le64 word;
	int err;

	for (*run = 0; nr; bit += some, nr -= some) {
		err = read_word(map, &map->bits_at, map->bits,
				bitmap + vhdx_bitmap_word_off(bit), &word);
		if (err)
			return err;
		whole = vhdx_bitmap_in_word(bit, nr);
		some = vhdx_bitmap_run(word, bit, nr, &same);
		if (!first && same != *set)
			break;
		first = false;
		*set = same;
		*run += some;
		if (some < whole)
			break;
	}
	return 0;
}

static int map_partial(struct libvhdx_map *map, u64 pos, struct libvhdx_extent *run,
		       struct vhdx_finding *fd)
{
	const struct vhdx_geometry *geo = &map->img->geo;
	u64 chunk = vhdx_block_of(geo, pos) >> geo->chunk_shift;
	struct vhdx_bat_entry bitmap;
	bool set = false;
	u32 nr;
	u64 idx = vhdx_bat_bitmap_index(geo, chunk);
	int err = map_entry(map, idx, &bitmap, fd);

	/* Whoever has scanned the BAT knows; not all who look up have. */
	if (!err && bitmap.state != VHDX_BITMAP_PRESENT)
		err = vhdx_fault_at(fd, VHDX_FAULT_BAT_BITMAP_MISSING,
				    vhdx_bat_entry_off(geo, idx), 0);
	if (!err)
		err = run_of_bits(map, bitmap.off, vhdx_bitmap_bit(geo, pos),
				  (u32)(run->len >> geo->sector_shift), &set, &nr);
	if (err)
		return err;
	run->kind = set ? LIBVHDX_EXTENT_DATA : LIBVHDX_EXTENT_PARENT;
	run->len = (u64)nr << geo->sector_shift;
	return 0;
}

/* Whole sectors of a hole at the beginning of the run. */
static void map_hole(const struct libvhdx_map *map, struct libvhdx_extent *run)
{
	u64 data = libvhdx_file_next_data(map->img->file, run->off, run->off + run->len);
	u64 hole = (data - run->off) >> map->img->geo.sector_shift
				     << map->img->geo.sector_shift;

	if (!hole)
		return;
	run->kind = LIBVHDX_EXTENT_ZERO;
	run->len = hole;
}

int libvhdx_map_run(struct libvhdx_map *map, u64 pos, u64 len, struct libvhdx_extent *run,
		    struct vhdx_finding *fd)
{
	const struct vhdx_geometry *geo = &map->img->geo;
	u64 blk = vhdx_block_of(geo, pos), inner = pos & (vhdx_block_size(geo) - 1);
	struct vhdx_bat_entry entry;
	int err;

	*run = (struct libvhdx_extent){ .kind = LIBVHDX_EXTENT_ZERO, .len = len };
	if (pos >= geo->disk_size)
		return 0;
	err = map_entry(map, vhdx_bat_index(geo, blk), &entry, fd);
	if (err)
		return err;
	run->len = min(len, vhdx_block_len(geo, blk) - inner);
	run->off = entry.off + inner;
	if (entry.state == VHDX_BLOCK_NOT_PRESENT && geo->differencing)
		run->kind = LIBVHDX_EXTENT_PARENT;
	else if (entry.state == VHDX_BLOCK_FULLY_PRESENT)
		run->kind = LIBVHDX_EXTENT_DATA;
	else if (entry.state == VHDX_BLOCK_PARTIALLY_PRESENT)
		err = map_partial(map, pos, run, fd);
	if (!err && run->kind == LIBVHDX_EXTENT_DATA)
		map_hole(map, run);
	return err;
}

u64 libvhdx_map_next(const struct libvhdx_map *map, u64 pos)
{
	const struct vhdx_geometry *geo = &map->img->geo;
	u64 from = vhdx_bat_index(geo, vhdx_block_of(geo, pos)), blk;
	u64 idx = libvhdx_image_next_bat(map->img, from);

	if (idx <= from)
		return pos;
	if (idx >= geo->nr_entries)
		return geo->disk_size;
	/* Of a chunk's last entry, for its bitmap, the next chunk's block. */
	if (vhdx_bat_index_is_bitmap(geo, idx, &blk))
		blk = (blk + 1) << geo->chunk_shift;
	return min(blk << geo->block_shift, geo->disk_size);
}
