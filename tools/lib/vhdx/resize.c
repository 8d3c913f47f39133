// SPDX-License-Identifier: GPL-2.0-only
/*
 * Another size for a disk.
 *
 * Entries of the BAT behind those in use mean nothing. Before the size grows,
 * and they come into use, they are set, and so are the blocks that they stand
 * for; before it shrinks those that go out of use are cleared, so that a disk
 * that grows again finds nothing old. What is read does not change by either.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "block.h"
#include "file.h"
#include "journal.h"
#include "raw.h"
#include "resize.h"

#define ENTRIES_PER_PAGE	(VHDX_LOG_SECTOR / sizeof(__le64))

/* Entries [@idx, @end) of the BAT become zero: NOT_PRESENT. */
static int clear_entries(struct libvhdx_journal *j, u64 idx, u64 end)
{
	static const __le64 none[ENTRIES_PER_PAGE];
	int err = 0;
	u64 n;

	for (; idx < end && !err; idx += n) {
		n = min(end - idx, ENTRIES_PER_PAGE - idx % ENTRIES_PER_PAGE);
		err = libvhdx_journal_reserve(j, 1);
		if (!err)
			err = libvhdx_journal_set(j, vhdx_bat_entry_off(&j->img.geo, idx), none,
						  (u32)(n * sizeof(*none)));
	}
	return err;
}

/* All that stands for the blocks of @from from the end of @to on. */
static int drop_blocks(struct libvhdx_journal *j, const struct vhdx_geometry *from,
		       const struct vhdx_geometry *to)
{
	u64 first = vhdx_bat_index(to, to->nr_blocks);
	u64 kept = to->differencing ? vhdx_bat_bitmap_index(to, to->nr_chunks - 1) : first;
	int err = clear_entries(j, min(first, kept), min(kept, from->nr_entries));

	/* The bitmap of the last chunk that is left is kept. */
	return err ? err : clear_entries(j, max(first, kept + to->differencing),
					 from->nr_entries);
}

/* The first @old entries, a page at a time; the new place is full of zeros. */
static int copy_bat(struct libvhdx_journal *j, u64 to, u64 old)
{
	u64 from = j->img.geo.bat_off, len = old * sizeof(__le64), off;
	static const u8 zeros[VHDX_LOG_SECTOR];
	u8 page[VHDX_LOG_SECTOR];
	int err = 0;

	for (off = 0; off < len && !err; off += sizeof(page)) {
		err = libvhdx_journal_read(j, from + off, page, sizeof(page));
		if (len - off < sizeof(page))
			memset(page + (len - off), 0, sizeof(page) - (len - off));
		if (!err && memcmp(page, zeros, sizeof(page)))
			err = libvhdx_file_write(j->img.file, to + off, page, sizeof(page));
	}
	return err;
}

/* Both copies of the region table say where the BAT is. */
static int store_regions(struct libvhdx_journal *j, u64 off, u32 len)
{
	static const guid_t bat = VHDX_GUID_REGION_BAT;
	unsigned int i, nr = j->img.regions.nr;
	struct vhdx_region *region = calloc(nr, sizeof(*region));
	int err = region ? libvhdx_journal_reserve(j, 2 * VHDX_REGION_TABLE_SIZE /
						   VHDX_LOG_SECTOR) : -ENOMEM;

	for (i = 0; i < nr && !err; i++) {
		vhdx_region_decode(j->img.region_table, i, &region[i]);
		if (!guid_equal(&region[i].guid, &bat))
			continue;
		region[i].off = off;
		region[i].len = len;
	}
	if (!err) {
		vhdx_region_table_encode(j->img.region_table, region, nr);
		err = libvhdx_journal_set(j, VHDX_REGION1_OFF, j->img.region_table,
					  VHDX_REGION_TABLE_SIZE);
	}
	if (!err)
		err = libvhdx_journal_set(j, VHDX_REGION2_OFF, j->img.region_table,
					  VHDX_REGION_TABLE_SIZE);
	free(region);
	return err;
}

/*
 * The BAT moves behind the end of the file, where nobody knows of it until an
 * entry of the log has the region tables. The commit flushes it first.
 */
static int move_bat(struct libvhdx_journal *j, u64 nr_entries)
{
	u64 len = (nr_entries * sizeof(__le64) + VHDX_UNIT - 1) & ~(u64)(VHDX_UNIT - 1);
	u64 off;
	int err = libvhdx_journal_commit(j);

	if (!err)
		err = libvhdx_journal_allocate(j, len, false, &off);
	if (!err)
		err = copy_bat(j, off, j->img.geo.nr_entries);
	if (!err)
		err = store_regions(j, off, (u32)len);
	if (!err)
		err = libvhdx_journal_commit(j);
	if (err)
		return err;
	j->img.regions.bat_off = off;
	j->img.regions.bat_len = (u32)len;
	j->img.geo.bat_off = off;
	return 0;
}

/* Zeros from a place on, and in front of it what is there. */
struct zeros_from {
	struct libvhdx_content	content;
	u64			from;
};

static int zeros_run(struct libvhdx_content *content, u64 pos, u64 len,
		     struct libvhdx_extent *run, struct vhdx_finding *fd)
{
	const struct zeros_from *z = container_of(content, struct zeros_from, content);

	(void)fd;
	run->kind = pos < z->from ? LIBVHDX_EXTENT_PARENT : LIBVHDX_EXTENT_ZERO;
	run->len = pos < z->from ? min(len, z->from - pos) : len;
	return 0;
}

/* A fixed disk has all of its blocks. */
static int add_fixed_block(struct libvhdx_journal *j, u64 blk)
{
	struct vhdx_bat_entry entry = { .state = VHDX_BLOCK_FULLY_PRESENT };
	int err = libvhdx_journal_reserve(j, 1);

	if (!err)
		err = libvhdx_journal_allocate(j, vhdx_block_size(&j->img.geo), true, &entry.off);
	if (!err)
		err = libvhdx_block_set_entry(j, vhdx_bat_index(&j->img.geo, blk), &entry);
	return err;
}

/*
 * The geometry is the new one already. What was the last block may hold anything
 * behind the old end. A dynamic disk needs nothing more, its entries are zero.
 */
static int fill_new(struct libvhdx_journal *j, u64 old_size, struct vhdx_finding *fd)
{
	struct zeros_from z = { .content.run = zeros_run, .from = old_size };
	u64 blk = vhdx_block_of(&j->img.geo, old_size - 1);
	int err = libvhdx_block_put(j, blk, &z.content, fd);

	if (j->img.md.type == VHDX_DISK_DYNAMIC)
		return err;
	while (!err && ++blk < j->img.geo.nr_blocks) {
		if (j->img.geo.differencing)
			err = libvhdx_block_put(j, blk, &z.content, fd);
		else
			err = add_fixed_block(j, blk);
	}
	return err;
}

static int store_size(struct libvhdx_journal *j, u64 size)
{
	__le64 raw = cpu_to_le64(size);
	int err = libvhdx_journal_commit(j);

	if (!err)
		err = libvhdx_journal_reserve(j, 1);
	if (!err)
		err = libvhdx_journal_set(j, j->img.md.items.off[VHDX_ITEM_VIRTUAL_DISK_SIZE],
					  &raw, sizeof(raw));
	return err ? err : libvhdx_journal_commit(j);
}

static int grow(struct libvhdx_journal *j, const struct vhdx_geometry *next,
		struct vhdx_finding *fd)
{
	const struct vhdx_geometry was = j->img.geo;
	u64 capacity = j->img.regions.bat_len / sizeof(__le64);
	int err;

	if (next->nr_entries > capacity)
		err = move_bat(j, next->nr_entries);
	else
		err = clear_entries(j, was.nr_entries, next->nr_entries);
	if (err)
		return err;
	j->img.geo = *next;
	j->img.geo.bat_off = j->img.regions.bat_off;
	return fill_new(j, was.disk_size, fd);
}

int libvhdx_resize(struct libvhdx_journal *j, u64 size, struct vhdx_finding *fd)
{
	struct vhdx_regions large = j->img.regions;
	struct vhdx_metadata md = j->img.md;
	struct vhdx_geometry next;
	int err;

	if (size == md.disk_size)
		return 0;
	md.disk_size = size;
	large.bat_len = ~0U;
	err = (int)vhdx_geometry_init(&next, &md, &large, fd);
	if (!err && size > j->img.geo.disk_size)
		err = grow(j, &next, fd);
	else if (!err)
		err = drop_blocks(j, &j->img.geo, &next);
	if (!err)
		err = store_size(j, size);
	return err ? err : libvhdx_journal_reload(j, fd);
}
