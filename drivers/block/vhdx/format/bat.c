// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of the block allocation table.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "bat.h"
#include "geometry.h"
#include "header.h"
#include "raw.h"
#include "region.h"

#define NOTHING_PARTIAL	(~0ULL)

/* What bat_entry_decode() needs to know of an entry beyond its bits. */
struct place {
	bool	bitmap;
	u64	nr;		/* of the block, or of the chunk */
};

static struct place place_of(const struct vhdx_geometry *geo, u64 idx)
{
	struct place at;

	at.bitmap = vhdx_bat_index_is_bitmap(geo, idx, &at.nr);
	return at;
}

static enum vhdx_fault check_state(u8 state, bool bitmap, bool differencing)
{
	if (bitmap) {
		if (state == VHDX_BITMAP_NOT_PRESENT ||
		    (state == VHDX_BITMAP_PRESENT && differencing))
			return VHDX_FAULT_NONE;
		return VHDX_FAULT_BAT_BITMAP_STATE;
	}
	switch (state) {
	case VHDX_BLOCK_NOT_PRESENT:
	case VHDX_BLOCK_UNDEFINED:
	case VHDX_BLOCK_ZERO:
	case VHDX_BLOCK_UNMAPPED:
	case VHDX_BLOCK_FULLY_PRESENT:
		return VHDX_FAULT_NONE;
	case VHDX_BLOCK_PARTIALLY_PRESENT:
		if (differencing)
			return VHDX_FAULT_NONE;
	}
	return VHDX_FAULT_BAT_PAYLOAD_STATE;
}

/* States that need a location; UNDEFINED and UNMAPPED only may have one. */
static bool needs_location(u8 state)
{
	return state == VHDX_BLOCK_FULLY_PRESENT ||
	       state == VHDX_BLOCK_PARTIALLY_PRESENT;
}

static bool may_have_location(u8 state)
{
	return state != VHDX_BLOCK_NOT_PRESENT && state != VHDX_BLOCK_ZERO;
}

/*
 * Bytes that must be in the file. Of the last block that is only the part that
 * belongs to the disk: QEMU's fixed images end where the disk does.
 */
static u32 len_in_file(const struct vhdx_geometry *geo, const struct place *at)
{
	return at->bitmap ? VHDX_SB_BLOCK_SIZE : vhdx_block_len(geo, at->nr);
}

static bool location_is_good(u64 off, u32 len, u64 size)
{
	u64 end;

	return off >= VHDX_HEADER_SECTION_SIZE &&
	       !check_add_overflow(off, (u64)len, &end) && end <= size;
}

static enum vhdx_fault check_entry(u64 bits, const struct place *at,
				   const struct vhdx_geometry *geo, u64 size)
{
	u8 state = bits & VHDX_BAT_STATE_MASK;
	u64 off = bits & VHDX_BAT_OFFSET_MASK;
	enum vhdx_fault fault;

	if (bits & VHDX_BAT_RESERVED_MASK)
		return VHDX_FAULT_BAT_RESERVED_BITS;
	fault = check_state(state, at->bitmap, geo->differencing);
	if (fault || !may_have_location(state))
		return fault;
	if (!off && !needs_location(state))
		return VHDX_FAULT_NONE;
	if (!location_is_good(off, len_in_file(geo, at), size))
		return VHDX_FAULT_BAT_LOCATION;
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault entry_decode(__le64 raw, u64 idx, const struct place *at,
				    const struct vhdx_geometry *geo, u64 size,
				    struct vhdx_bat_entry *entry,
				    struct vhdx_finding *fd)
{
	u64 bits = le64_to_cpu(raw);
	enum vhdx_fault fault = check_entry(bits, at, geo, size);

	if (fault)
		return vhdx_fault_at(fd, fault, vhdx_bat_entry_off(geo, idx), bits);
	entry->state = bits & VHDX_BAT_STATE_MASK;
	entry->off = may_have_location(entry->state) ? bits & VHDX_BAT_OFFSET_MASK : 0;
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_bat_entry_decode(__le64 raw, u64 idx,
				      const struct vhdx_geometry *geo, u64 size,
				      struct vhdx_bat_entry *entry,
				      struct vhdx_finding *fd)
{
	struct place at = place_of(geo, idx);

	return entry_decode(raw, idx, &at, geo, size, entry, fd);
}

__le64 vhdx_bat_entry_encode(const struct vhdx_bat_entry *entry)
{
	u64 bits = entry->state & VHDX_BAT_STATE_MASK;

	if (may_have_location(entry->state))
		bits |= entry->off & VHDX_BAT_OFFSET_MASK;
	return cpu_to_le64(bits);
}

const char *vhdx_block_state_name(u8 state)
{
	switch (state) {
	case VHDX_BLOCK_NOT_PRESENT:
		return "not-present";
	case VHDX_BLOCK_UNDEFINED:
		return "undefined";
	case VHDX_BLOCK_ZERO:
		return "zero";
	case VHDX_BLOCK_UNMAPPED:
		return "unmapped";
	case VHDX_BLOCK_FULLY_PRESENT:
		return "fully-present";
	case VHDX_BLOCK_PARTIALLY_PRESENT:
		return "partially-present";
	}
	return "reserved";
}

static u64 units_of(u64 size)
{
	return (size >> VHDX_UNIT_SHIFT) + !!(size & (VHDX_UNIT - 1));
}

u64 vhdx_bat_scan_bytes(u64 size)
{
	return (units_of(size) + (VHDX_BLOCK_MAX >> VHDX_UNIT_SHIFT) + 7) >> 3;
}

/*
 * Mark what lies at @off as used, a byte of the map at a time. Returns whether
 * any of it was in use before. All of it is on the map: it begins in the file
 * and does not go on behind it for more than a block.
 */
static bool map_mark(struct vhdx_bat_scan *scan, u64 off, u64 len)
{
	u64 unit = off >> VHDX_UNIT_SHIFT;
	u64 end = units_of(off + len);
	bool hit = false;
	unsigned int nr;
	u8 mask;

	while (unit < end) {
		nr = 8 - (unit & 7);
		if (nr > end - unit)
			nr = end - unit;
		mask = ((1U << nr) - 1) << (unit & 7);
		hit |= scan->map[unit >> 3] & mask;
		scan->map[unit >> 3] |= mask;
		unit += nr;
	}
	if (scan->used_end < off + len)
		scan->used_end = off + len;
	return hit;
}

void vhdx_bat_scan_init(struct vhdx_bat_scan *scan,
			const struct vhdx_geometry *geo, u64 size, u8 *map,
			const struct vhdx_header *hdr, const void *table,
			unsigned int nr)
{
	struct vhdx_region region;
	unsigned int i;

	memset(scan, 0, sizeof(*scan));
	scan->geo = geo;
	scan->file_size = size;
	scan->size = units_of(size) << VHDX_UNIT_SHIFT;
	scan->map = map;
	scan->partial_idx = NOTHING_PARTIAL;
	map_mark(scan, 0, VHDX_HEADER_SECTION_SIZE);
	/* Where a log without length lies was not checked, and does not matter. */
	if (hdr->log_len)
		map_mark(scan, hdr->log_off, hdr->log_len);
	for (i = 0; i < nr; i++) {
		vhdx_region_decode(table, i, &region);
		map_mark(scan, region.off, region.len);
	}
}

/* The sector bitmap that was waited for is not there, or never came. */
static enum vhdx_fault bitmap_missing(struct vhdx_bat_scan *scan,
				      struct vhdx_finding *fd)
{
	u64 idx = scan->partial_idx;

	scan->partial_idx = NOTHING_PARTIAL;
	return vhdx_fault_at(fd, VHDX_FAULT_BAT_BITMAP_MISSING,
			     vhdx_bat_entry_off(scan->geo, idx), 0);
}

static enum vhdx_fault scan_bitmap(struct vhdx_bat_scan *scan,
				   const struct vhdx_bat_entry *entry,
				   struct vhdx_finding *fd)
{
	if (entry->state == VHDX_BITMAP_PRESENT) {
		scan->nr_bitmaps++;
		scan->partial_idx = NOTHING_PARTIAL;
	} else if (scan->partial_idx != NOTHING_PARTIAL) {
		return bitmap_missing(scan, fd);
	}
	return VHDX_FAULT_NONE;
}

static void scan_payload(struct vhdx_bat_scan *scan, u64 idx,
			 const struct vhdx_bat_entry *entry)
{
	scan->nr_states[entry->state]++;
	if (entry->state == VHDX_BLOCK_PARTIALLY_PRESENT &&
	    scan->partial_idx == NOTHING_PARTIAL)
		scan->partial_idx = idx;
}

static enum vhdx_fault scan_entry(struct vhdx_bat_scan *scan, __le64 raw, u64 idx,
				  struct vhdx_finding *fd)
{
	struct place at = place_of(scan->geo, idx);
	struct vhdx_bat_entry entry;
	enum vhdx_fault fault;
	u32 len;

	fault = entry_decode(raw, idx, &at, scan->geo, scan->file_size, &entry, fd);
	if (fault) {
		/* One finding is enough; the chunk ends here either way. */
		if (at.bitmap)
			scan->partial_idx = NOTHING_PARTIAL;
		return fault;
	}
	if (at.bitmap)
		fault = scan_bitmap(scan, &entry, fd);
	else
		scan_payload(scan, idx, &entry);
	if (fault || !entry.off)
		return fault;
	len = at.bitmap ? VHDX_SB_BLOCK_SIZE : vhdx_block_size(scan->geo);
	if (map_mark(scan, entry.off, len))
		return vhdx_fault_at(fd, VHDX_FAULT_BAT_OVERLAP,
				     vhdx_bat_entry_off(scan->geo, idx),
				     le64_to_cpu(raw));
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_bat_scan_entries(struct vhdx_bat_scan *scan,
				      const __le64 *raw, u64 nr,
				      struct vhdx_finding *fd)
{
	enum vhdx_fault fault;

	for (; nr && scan->next < scan->geo->nr_entries; nr--, raw++) {
		fault = scan_entry(scan, *raw, scan->next++, fd);
		if (fault)
			return fault;
	}
	return VHDX_FAULT_NONE;
}

/* Payload blocks among the entries before @idx. */
static u64 payload_before(const struct vhdx_geometry *geo, u64 idx)
{
	u64 nr;

	if (vhdx_bat_index_is_bitmap(geo, idx, &nr))
		return (nr + 1) << geo->chunk_shift;
	return nr;
}

enum vhdx_fault vhdx_bat_scan_zeros(struct vhdx_bat_scan *scan, u64 nr,
				    struct vhdx_finding *fd)
{
	const struct vhdx_geometry *geo = scan->geo;
	u64 left = geo->nr_entries - scan->next;
	u64 end = scan->next + (nr < left ? nr : left);
	bool missing = false;
	u64 blk, bitmap;

	if (scan->partial_idx != NOTHING_PARTIAL) {
		blk = payload_before(geo, scan->partial_idx);
		bitmap = vhdx_bat_bitmap_index(geo, blk >> geo->chunk_shift);
		missing = bitmap < end;
		if (missing)
			end = bitmap + 1;
	}
	scan->nr_states[VHDX_BLOCK_NOT_PRESENT] +=
		payload_before(geo, end) - payload_before(geo, scan->next);
	scan->next = end;
	return missing ? bitmap_missing(scan, fd) : VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_bat_scan_end(struct vhdx_bat_scan *scan,
				  struct vhdx_finding *fd)
{
	if (scan->partial_idx == NOTHING_PARTIAL)
		return VHDX_FAULT_NONE;
	return bitmap_missing(scan, fd);
}
