// SPDX-License-Identifier: GPL-2.0-only
/*
 * Geometry of a virtual disk.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "geometry.h"
#include "metadata.h"
#include "raw.h"
#include "region.h"

/* log2 of a power of two below 2^32. */
static unsigned int shift_of(u32 size)
{
	unsigned int shift = 0;

	while (size >>= 1)
		shift++;
	return shift;
}

/* Everything but the place of the BAT. Fits u64 with much to spare: 2^46. */
static void geometry_shape(struct vhdx_geometry *geo, u64 disk_size,
			   u32 block_size, u32 logical_size, bool differencing)
{
	u64 chunk_ratio;

	memset(geo, 0, sizeof(*geo));
	geo->disk_size = disk_size;
	geo->block_shift = shift_of(block_size);
	geo->sector_shift = shift_of(logical_size);
	geo->chunk_shift = VHDX_CHUNK_SECTORS_SHIFT + geo->sector_shift -
			   geo->block_shift;
	geo->differencing = differencing;
	if (!disk_size)
		return;
	chunk_ratio = 1ULL << geo->chunk_shift;
	geo->nr_blocks = ((disk_size - 1) >> geo->block_shift) + 1;
	geo->nr_chunks = ((geo->nr_blocks - 1) >> geo->chunk_shift) + 1;
	/* Without a parent the last bitmap's place is not needed. */
	if (differencing)
		geo->nr_entries = geo->nr_chunks * (chunk_ratio + 1);
	else
		geo->nr_entries = geo->nr_blocks + geo->nr_chunks - 1;
}

enum vhdx_fault vhdx_geometry_init(struct vhdx_geometry *geo,
				   const struct vhdx_metadata *md,
				   const struct vhdx_regions *regions,
				   struct vhdx_finding *fd)
{
	geometry_shape(geo, md->disk_size, md->block_size, md->logical_size,
		       md->has_parent);
	geo->bat_off = regions->bat_off;
	if (geo->nr_entries > regions->bat_len / sizeof(__le64))
		return vhdx_fault_at(fd, VHDX_FAULT_BAT_TOO_SMALL,
				     regions->bat_off, regions->bat_len);
	return VHDX_FAULT_NONE;
}

u64 vhdx_geometry_entries(u64 disk_size, u32 block_size, u32 logical_size,
			  bool differencing)
{
	struct vhdx_geometry geo;

	geometry_shape(&geo, disk_size, block_size, logical_size, differencing);
	return geo.nr_entries;
}

/*
 * The one ratio that is no power of two: a chunk has one entry more than
 * payload blocks. An index is below 2^29, as the length of a region is below
 * 2^32, so that a division of 32 bits does.
 */
bool vhdx_bat_index_is_bitmap(const struct vhdx_geometry *geo, u64 idx, u64 *nr)
{
	u32 per_chunk = (1U << geo->chunk_shift) + 1;
	u32 chunk = (u32)idx / per_chunk;

	if ((u32)idx - chunk * per_chunk == per_chunk - 1) {
		*nr = chunk;
		return true;
	}
	*nr = idx - chunk;
	return false;
}

u32 vhdx_block_len(const struct vhdx_geometry *geo, u64 blk)
{
	u64 rest;

	if (blk >= geo->nr_blocks)
		return 0;
	rest = geo->disk_size - (blk << geo->block_shift);
	return rest < vhdx_block_size(geo) ? rest : vhdx_block_size(geo);
}
