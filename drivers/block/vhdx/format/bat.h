/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of the block allocation table, [MS-VHDX] 2.5.1, and the scan over
 * a whole table that finds blocks lying on each other.
 */
#ifndef VHDX_FORMAT_BAT_H
#define VHDX_FORMAT_BAT_H

#include <linux/types.h>

#include "fault.h"

struct vhdx_geometry;
struct vhdx_header;

/* [MS-VHDX] 2.5.1.1; 4 and 5 are reserved. */
enum vhdx_block_state {
	VHDX_BLOCK_NOT_PRESENT		= 0,
	VHDX_BLOCK_UNDEFINED		= 1,
	VHDX_BLOCK_ZERO			= 2,
	VHDX_BLOCK_UNMAPPED		= 3,
	VHDX_BLOCK_FULLY_PRESENT	= 6,
	VHDX_BLOCK_PARTIALLY_PRESENT	= 7,
};

/* [MS-VHDX] 2.5.1.2; the others are reserved. */
enum vhdx_bitmap_state {
	VHDX_BITMAP_NOT_PRESENT		= 0,
	VHDX_BITMAP_PRESENT		= 6,
};

/**
 * struct vhdx_bat_entry - one checked entry
 * @off: file offset of the block, 0 where the state gives it no location
 * @state: an enum vhdx_block_state or vhdx_bitmap_state value
 */
struct vhdx_bat_entry {
	u64	off;
	u8	state;
};

/* May a read of a block in @state look into this file for data? */
static inline bool vhdx_block_is_present(u8 state)
{
	return state == VHDX_BLOCK_FULLY_PRESENT ||
	       state == VHDX_BLOCK_PARTIALLY_PRESENT;
}

/*
 * Decode and check the on-disk entry @raw with index @idx: reserved bits, the
 * states its kind of disk allows, and the location against a file of @size
 * bytes. The last payload block may end beyond the file if the part of it
 * that belongs to the disk does not. The offset of states 0 and 2 is ignored;
 * blocks of states 1 and 3 keep their location if they have one, and it is
 * checked like that of a block with data.
 */
enum vhdx_fault vhdx_bat_entry_decode(__le64 raw, u64 idx,
				      const struct vhdx_geometry *geo, u64 size,
				      struct vhdx_bat_entry *entry,
				      struct vhdx_finding *fd);

__le64 vhdx_bat_entry_encode(const struct vhdx_bat_entry *entry);

/* "fully-present" and so on; "reserved" for what is none. */
const char *vhdx_block_state_name(u8 state);

/**
 * struct vhdx_bat_scan - state of a walk over the whole table, in order
 * @geo: shape of the disk
 * @file_size: file size in bytes, which no block but the last may exceed
 * @size: the same, rounded up to 1 MiB
 * @map: one bit for each MiB of the file that is in use; from the caller,
 *	vhdx_bat_scan_bytes() long, zeroed
 * @used_end: end of the last thing in the file
 * @next: index of the entry that comes next
 * @partial_idx: entry of a partially present block that waits for its sector
 *	bitmap block to be seen, or U64_MAX
 * @nr_states: payload blocks seen in each state
 * @nr_bitmaps: sector bitmap blocks present
 */
struct vhdx_bat_scan {
	const struct vhdx_geometry	*geo;
	u64				file_size;
	u64				size;
	u8				*map;
	u64				used_end;
	u64				next;
	u64				partial_idx;
	u64				nr_states[8];
	u64				nr_bitmaps;
};

/*
 * Bytes of map that a scan of a file of @size bytes needs. The last block
 * may end up to 256 MiB beyond the file; the map covers that too.
 */
u64 vhdx_bat_scan_bytes(u64 size);

/*
 * Begin a scan: the header section, the log of @hdr and the @nr regions of
 * the checked @table are marked as used.
 */
void vhdx_bat_scan_init(struct vhdx_bat_scan *scan,
			const struct vhdx_geometry *geo, u64 size, u8 *map,
			const struct vhdx_header *hdr, const void *table,
			unsigned int nr);

/*
 * Look at the next @nr entries of the table; entries beyond geo->nr_entries
 * are ignored. Stops at the first fault; after a fault scan->next is the
 * entry behind the faulty one, so that a checker may go on from there.
 */
enum vhdx_fault vhdx_bat_scan_entries(struct vhdx_bat_scan *scan,
				      const __le64 *raw, u64 nr,
				      struct vhdx_finding *fd);

/*
 * Skip @nr entries that are known to read as zero (a hole of the file): all
 * of them NOT_PRESENT. Can find a missing sector bitmap.
 */
enum vhdx_fault vhdx_bat_scan_zeros(struct vhdx_bat_scan *scan, u64 nr,
				    struct vhdx_finding *fd);

/* Ends the scan; the last chunk's missing sector bitmap shows here. */
enum vhdx_fault vhdx_bat_scan_end(struct vhdx_bat_scan *scan,
				  struct vhdx_finding *fd);

#endif
