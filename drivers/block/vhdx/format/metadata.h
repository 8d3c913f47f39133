/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metadata table and items, [MS-VHDX] 2.6. Nothing of it has a checksum, so
 * every number is bounded here before anybody computes with it.
 */
#ifndef VHDX_FORMAT_METADATA_H
#define VHDX_FORMAT_METADATA_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "fault.h"

struct vhdx_source;

/* The known items; index into vhdx_metadata_items. */
enum vhdx_item {
	VHDX_ITEM_FILE_PARAMETERS,
	VHDX_ITEM_VIRTUAL_DISK_SIZE,
	VHDX_ITEM_VIRTUAL_DISK_ID,
	VHDX_ITEM_LOGICAL_SECTOR_SIZE,
	VHDX_ITEM_PHYSICAL_SECTOR_SIZE,
	VHDX_ITEM_PARENT_LOCATOR,
	VHDX_ITEM_NR
};

/**
 * struct vhdx_metadata_items - where the known items lie
 * @off: file offset of each item, 0 when it is absent
 * @len: its length in bytes
 * @nr: number of entries in the table, unknown optional ones included
 */
struct vhdx_metadata_items {
	u64		off[VHDX_ITEM_NR];
	u32		len[VHDX_ITEM_NR];
	unsigned int	nr;
};

enum vhdx_disk_type {
	VHDX_DISK_FIXED,
	VHDX_DISK_DYNAMIC,
	VHDX_DISK_DIFFERENCING,
};

/* What the metadata says, checked: [MS-VHDX] 2.6.2. */
struct vhdx_metadata {
	struct vhdx_metadata_items	items;
	enum vhdx_disk_type		type;
	u64				disk_size;	/* bytes */
	guid_t				disk_id;
	u32				block_size;
	u32				logical_size;	/* 512 or 4096 */
	u32				physical_size;	/* 512 or 4096 */
	bool				leave_allocated; /* LeaveBlocksAllocated */
	bool				has_parent;
};

/*
 * Check the 64 KiB table of the metadata region at file offset @off, @len
 * bytes long, and find the known items. An exact duplicate of an entry is
 * tolerated.
 */
enum vhdx_fault vhdx_metadata_table_check(const void *table, u64 off, u32 len,
					  struct vhdx_metadata_items *items,
					  struct vhdx_finding *fd);

/*
 * Read and check the table and the fixed-size items of the region at @off.
 * @table is 64 KiB and holds the table afterwards. Returns 0, a negative
 * errno of the source, or a positive fault.
 */
int vhdx_metadata_read(const struct vhdx_source *src, u64 off, u32 len,
		       void *table, struct vhdx_metadata *md,
		       struct vhdx_finding *fd);

/*
 * Encode table and items of a new file into @buf, @len bytes long (at least
 * 128 KiB, a whole region or its beginning). Items are laid out as Windows
 * does: from 64 KiB on, File Parameters first. @locator (may be NULL) is
 * placed at 68 KiB. md->items is not looked at. Returns the bytes used, or 0
 * when the locator does not fit.
 */
u32 vhdx_metadata_encode(void *buf, u32 len, const struct vhdx_metadata *md,
			 const void *locator, u32 locator_len);

/*
 * Give the known item @kind, which the checked @table of a region of @region_len
 * bytes lists, @len bytes, at a place that no other item uses; at its own if
 * there is room. Only the table is changed. Returns the item's offset in the
 * region, or 0 when there is no room, and then nothing was changed.
 */
u32 vhdx_metadata_table_resize(void *table, u32 region_len, enum vhdx_item kind, u32 len);

/*
 * The first entry of the checked @table from number *@i on that is an item of the
 * virtual disk, not of the file, and not a known one: its number in *@i, place in
 * the region and length. false: there is none.
 */
bool vhdx_metadata_table_foreign(const void *table, unsigned int *i, u32 *off, u32 *len);

/* Take entry @i out of the table. */
void vhdx_metadata_table_remove(void *table, unsigned int i);

/*
 * Add what entry @i of the checked table @from lists, at a place in a region of
 * @region_len bytes that no other item uses: *@off, 0 for an item without content.
 * Only the table is changed. false: there is no room.
 */
bool vhdx_metadata_table_add(void *table, u32 region_len, const void *from, unsigned int i,
			     u32 *off);

/* "fixed", "dynamic" or "differencing". */
const char *vhdx_disk_type_name(enum vhdx_disk_type type);

#endif
