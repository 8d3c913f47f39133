/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes, shifts and the arithmetic between blocks and BAT entries,
 * [MS-VHDX] 2.5. All ratios are powers of two: there is no division.
 *
 * The BAT interleaves the payload blocks of one chunk with one sector bitmap
 * block that follows them, in every kind of disk.
 */
#ifndef VHDX_FORMAT_GEOMETRY_H
#define VHDX_FORMAT_GEOMETRY_H

#include <linux/types.h>

#include "fault.h"

struct vhdx_metadata;
struct vhdx_regions;

/**
 * struct vhdx_geometry - shape of one virtual disk
 * @disk_size: bytes
 * @nr_blocks: payload blocks, the last one may be partial
 * @nr_chunks: sector bitmap blocks that a differencing disk can have
 * @nr_entries: BAT entries that are in use; what follows is not looked at
 * @bat_off: file offset of the BAT
 * @block_shift: log2 of the block size in bytes
 * @sector_shift: log2 of the logical sector size
 * @chunk_shift: log2 of the chunk ratio (payload blocks per chunk)
 * @differencing: the disk has a parent
 */
struct vhdx_geometry {
	u64		disk_size;
	u64		nr_blocks;
	u64		nr_chunks;
	u64		nr_entries;
	u64		bat_off;
	unsigned int	block_shift;
	unsigned int	sector_shift;
	unsigned int	chunk_shift;
	bool		differencing;
};

/* Compute @geo from checked metadata; BAT_TOO_SMALL if the region is. */
enum vhdx_fault vhdx_geometry_init(struct vhdx_geometry *geo,
				   const struct vhdx_metadata *md,
				   const struct vhdx_regions *regions,
				   struct vhdx_finding *fd);

/* BAT entries that a disk of this shape needs; for whoever creates one. */
u64 vhdx_geometry_entries(u64 disk_size, u32 block_size, u32 logical_size,
			  bool differencing);

static inline u32 vhdx_block_size(const struct vhdx_geometry *geo)
{
	return 1U << geo->block_shift;
}

static inline u64 vhdx_block_of(const struct vhdx_geometry *geo, u64 pos)
{
	return pos >> geo->block_shift;
}

/* BAT index of payload block @blk. */
static inline u64 vhdx_bat_index(const struct vhdx_geometry *geo, u64 blk)
{
	return blk + (blk >> geo->chunk_shift);
}

/* BAT index of the sector bitmap block of chunk @chunk. */
static inline u64 vhdx_bat_bitmap_index(const struct vhdx_geometry *geo, u64 chunk)
{
	return ((chunk + 1) << geo->chunk_shift) + chunk;
}

/* File offset of BAT entry @idx. */
static inline u64 vhdx_bat_entry_off(const struct vhdx_geometry *geo, u64 idx)
{
	return geo->bat_off + idx * 8;
}

/*
 * What BAT entry @idx describes: true and the chunk number for a sector
 * bitmap block, false and the block number for a payload block.
 */
bool vhdx_bat_index_is_bitmap(const struct vhdx_geometry *geo, u64 idx, u64 *nr);

/* Bytes of block @blk that belong to the disk; less than a block in the last. */
u32 vhdx_block_len(const struct vhdx_geometry *geo, u64 blk);

#endif
