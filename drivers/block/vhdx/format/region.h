/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The region table, [MS-VHDX] 2.2.3: two copies, changed only through the
 * log, so they are read after replay.
 */
#ifndef VHDX_FORMAT_REGION_H
#define VHDX_FORMAT_REGION_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "fault.h"

struct vhdx_header;
struct vhdx_source;

struct vhdx_region {
	guid_t	guid;
	u64	off;
	u32	len;
	bool	required;
};

/**
 * struct vhdx_regions - the two regions that a disk needs
 * @bat_off: file offset of the BAT region
 * @meta_off: file offset of the metadata region
 * @bat_len: its length in bytes
 * @meta_len: its length in bytes
 * @nr: number of entries in the table, unknown optional ones included
 * @copy: which copy was used, 0 or 1
 * @differ: the other copy is damaged or different
 */
struct vhdx_regions {
	u64		bat_off;
	u64		meta_off;
	u32		bat_len;
	u32		meta_len;
	unsigned int	nr;
	unsigned int	copy;
	bool		differ;
};

/* Decode entry @i of a table that passed vhdx_region_table_check(). */
void vhdx_region_decode(const void *table, unsigned int i,
			struct vhdx_region *region);

/*
 * Check the whole 64 KiB table @table that was read from file offset @off:
 * checksum, count, each entry's alignment, range (a file of @size bytes),
 * duplicates, overlaps (log of @hdr included), unknown required regions, and
 * that BAT and metadata are there. Fills @out (copy and differ left alone).
 */
enum vhdx_fault vhdx_region_table_check(const void *table, u64 off, u64 size,
					const struct vhdx_header *hdr,
					struct vhdx_regions *out,
					struct vhdx_finding *fd);

/* Seal a 64 KiB buffer with @nr entries from @regions; the rest becomes zero. */
void vhdx_region_table_encode(void *table, const struct vhdx_region *regions,
			      unsigned int nr);

/*
 * Read both copies through @src, pick the first whose signature and checksum
 * are right, check it, and leave it in @table. @table and @scratch are 64 KiB.
 * Returns 0, a negative errno of the source, or a positive fault.
 */
int vhdx_regions_read(const struct vhdx_source *src,
		      const struct vhdx_header *hdr, void *table, void *scratch,
		      struct vhdx_regions *out, struct vhdx_finding *fd);

#endif
