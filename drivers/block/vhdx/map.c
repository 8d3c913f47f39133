// SPDX-License-Identifier: GPL-2.0-only
/*
 * Look-up and allocation of payload blocks, and what of them is present.
 */
#include <linux/minmax.h>

#include "format/bitmap.h"
#include "format/raw.h"
#include "image.h"
#include "image_types.h"
#include "map.h"
#include "pages.h"
#include "trace.h"

void vhdx_map_init(struct vhdx_map *map)
{
	unsigned int i;

	for (i = 0; i < VHDX_MAP_LOCKS; i++)
		mutex_init(&map->block[i]);
	mutex_init(&map->bitmap);
}

static struct mutex *map_lock_of(struct vhdx_image *img, u64 blk)
{
	return &img->map.block[blk % VHDX_MAP_LOCKS];
}

static u64 map_entry_off(struct vhdx_image *img, u64 blk)
{
	return vhdx_bat_entry_off(&img->geo, vhdx_bat_index(&img->geo, blk));
}

static u64 map_bitmap_index(struct vhdx_image *img, u64 blk)
{
	return vhdx_bat_bitmap_index(&img->geo, blk >> img->geo.chunk_shift);
}

/* One word of metadata: -EAGAIN with @nowait if it is not in memory. */
static int map_word(struct vhdx_image *img, u64 off, bool nowait, __le64 *raw)
{
	struct vhdx_page *page;
	int ret;

	ret = vhdx_pages_peek(&img->pages, off, raw);
	if (ret != -EAGAIN || nowait)
		return ret;
	page = vhdx_page_get(&img->pages, off);
	if (IS_ERR(page))
		return PTR_ERR(page);
	*raw = vhdx_page_read(page, off);
	vhdx_page_put(page);
	return 0;
}

/* The checked BAT entry with index @idx, of either kind. */
static int map_entry(struct vhdx_image *img, u64 idx, bool nowait,
		     struct vhdx_bat_entry *entry)
{
	struct vhdx_finding fd = { };
	enum vhdx_fault fault;
	__le64 raw;
	int ret;

	ret = map_word(img, vhdx_bat_entry_off(&img->geo, idx), nowait, &raw);
	if (ret)
		return ret;
	fault = vhdx_bat_entry_decode(raw, idx, &img->geo, vhdx_image_size(img),
				      entry, &fd);
	if (likely(!fault))
		return 0;
	vhdx_image_bad_entry(img, &fd);
	return vhdx_fault_errno(fault);
}

int vhdx_map_lookup(struct vhdx_image *img, u64 blk, bool nowait,
		    struct vhdx_bat_entry *entry)
{
	return map_entry(img, vhdx_bat_index(&img->geo, blk), nowait, entry);
}

/* Sector bitmaps */

/* Place of the sector bitmap block that partially present block @blk needs. */
static int map_bitmap(struct vhdx_image *img, u64 blk, bool nowait, u64 *place)
{
	u64 idx = map_bitmap_index(img, blk);
	struct vhdx_bat_entry entry;
	struct vhdx_finding fd = { };
	enum vhdx_fault fault;
	int ret;

	ret = map_entry(img, idx, nowait, &entry);
	if (ret)
		return ret;
	*place = entry.off;
	if (likely(entry.state == VHDX_BITMAP_PRESENT))
		return 0;
	fault = vhdx_fault_at(&fd, VHDX_FAULT_BAT_BITMAP_MISSING,
			      vhdx_bat_entry_off(&img->geo, idx), 0);
	vhdx_image_bad_entry(img, &fd);
	return vhdx_fault_errno(fault);
}

/* How many of the bits [@bit, @bit + @nr) of the bitmap at @place equal the first. */
static int map_bits_run(struct vhdx_image *img, u64 place, u32 bit, u32 nr,
			bool nowait, bool *present, u32 *run)
{
	u32 n, in_word;
	bool set;
	__le64 raw;
	int ret;

	for (*run = 0; *run < nr; *run += n) {
		ret = map_word(img, place + vhdx_bitmap_word_off(bit + *run), nowait, &raw);
		if (ret)
			return ret;
		in_word = vhdx_bitmap_in_word(bit + *run, nr - *run);
		n = vhdx_bitmap_run(raw, bit + *run, nr - *run, &set);
		if (!*run)
			*present = set;
		else if (set != *present)
			return 0;
		if (n < in_word) {
			*run += n;
			return 0;
		}
	}
	return 0;
}

int vhdx_map_run(struct vhdx_image *img, u64 pos, u32 *len, bool nowait,
		 bool *present)
{
	unsigned int shift = img->geo.sector_shift;
	u64 place;
	u32 run;
	int ret;

	ret = map_bitmap(img, vhdx_block_of(&img->geo, pos), nowait, &place);
	if (!ret)
		ret = map_bits_run(img, place, vhdx_bitmap_bit(&img->geo, pos),
				   *len >> shift, nowait, present, &run);
	if (!ret)
		*len = run << shift;
	return ret;
}

static bool map_slice_is_dirty(struct vhdx_image *img, u64 pos, u32 len)
{
	u32 bit = vhdx_bitmap_bit(&img->geo, pos);
	u32 last = bit + (len >> img->geo.sector_shift) - 1;
	u64 blk = vhdx_block_of(&img->geo, pos);
	u64 place, off;

	if (vhdx_pages_is_dirty(&img->pages,
				vhdx_bat_entry_off(&img->geo, map_bitmap_index(img, blk))))
		return true;
	/* It was there when the block was looked up; gone from memory it is clean. */
	if (map_bitmap(img, blk, true, &place))
		return false;
	off = place + vhdx_bitmap_word_off(bit);
	for (off = round_down(off, VHDX_PAGE_SIZE);
	     off <= place + vhdx_bitmap_word_off(last); off += VHDX_PAGE_SIZE)
		if (vhdx_pages_is_dirty(&img->pages, off))
			return true;
	return false;
}

bool vhdx_map_is_dirty(struct vhdx_image *img, u64 pos, u32 len)
{
	u64 blk = vhdx_block_of(&img->geo, pos);
	struct vhdx_bat_entry entry;

	if (vhdx_pages_is_dirty(&img->pages, map_entry_off(img, blk)))
		return true;
	if (!img->geo.differencing)
		return false;
	/* A page that is not in memory is clean, but then its block may be either. */
	if (vhdx_map_lookup(img, blk, true, &entry))
		return true;
	return entry.state == VHDX_BLOCK_PARTIALLY_PRESENT &&
	       map_slice_is_dirty(img, pos, len);
}

/* Store one entry of the BAT, as an update of its own. */
static int map_publish(struct vhdx_image *img, u64 idx, u8 state, u64 place)
{
	struct vhdx_bat_entry entry = { .off = place, .state = state };
	u64 off = vhdx_bat_entry_off(&img->geo, idx);
	struct vhdx_page *page;
	int ret;

	page = vhdx_page_get(&img->pages, off);
	if (IS_ERR(page))
		return PTR_ERR(page);
	ret = vhdx_journal_begin(&img->journal, 1);
	if (!ret) {
		vhdx_journal_set(&img->journal, page, off, vhdx_bat_entry_encode(&entry));
		vhdx_journal_end(&img->journal, 1);
	}
	vhdx_page_put(page);
	return ret;
}

/* Take @len bytes of the file for entry @idx; new space, which reads as zeros. */
static int map_place(struct vhdx_image *img, u64 idx, u32 len, u64 *place,
		     int (*publish)(struct vhdx_image *img, u64 idx, u64 place))
{
	int ret = vhdx_space_reserve(&img->space, len, place);

	if (ret)
		return ret;
	ret = publish(img, idx, *place);
	if (ret)
		vhdx_space_unreserve(&img->space, *place, len);
	return ret;
}

static int map_publish_bitmap(struct vhdx_image *img, u64 idx, u64 place)
{
	return map_publish(img, idx, VHDX_BITMAP_PRESENT, place);
}

/* The chunk of @blk has a sector bitmap block when this returns 0. */
static int map_ensure_bitmap(struct vhdx_image *img, u64 blk)
{
	u64 idx = map_bitmap_index(img, blk);
	struct vhdx_bat_entry entry;
	u64 place;
	int ret;

	mutex_lock(&img->map.bitmap);
	ret = map_entry(img, idx, false, &entry);
	if (!ret && entry.state != VHDX_BITMAP_PRESENT)
		ret = map_place(img, idx, VHDX_SB_BLOCK_SIZE, &place, map_publish_bitmap);
	mutex_unlock(&img->map.bitmap);
	return ret;
}

/* Clear the words of [@off, @end), which lie in one page; an update of its own. */
static int map_clear_page(struct vhdx_image *img, u64 off, u64 end)
{
	struct vhdx_page *page = vhdx_page_get(&img->pages, off);
	int ret;

	if (IS_ERR(page))
		return PTR_ERR(page);
	ret = vhdx_journal_begin(&img->journal, 1);
	if (!ret) {
		for (; off < end; off += sizeof(__le64))
			if (vhdx_page_read(page, off))
				vhdx_journal_set(&img->journal, page, off, 0);
		vhdx_journal_end(&img->journal, 1);
	}
	vhdx_page_put(page);
	return ret;
}

/*
 * Clear the bits of @blk, which nobody looks at: its state does not need them.
 * 256 MiB in sectors of 512 bytes have 64 KiB of them, so page by page, each
 * as an update of its own. A part of it may reach the file, and does no harm.
 */
static int map_clear_slice(struct vhdx_image *img, u64 blk)
{
	u64 pos = blk << img->geo.block_shift;
	u64 place, off, next, end;
	int ret;

	ret = map_bitmap(img, blk, false, &place);
	if (ret)
		return ret;
	off = place + vhdx_bitmap_word_off(vhdx_bitmap_bit(&img->geo, pos));
	end = off + (vhdx_block_size(&img->geo) >> (img->geo.sector_shift + 3));
	for (; !ret && off < end; off = next) {
		next = min(round_down(off, VHDX_PAGE_SIZE) + VHDX_PAGE_SIZE, end);
		ret = map_clear_page(img, off, next);
	}
	return ret;
}

/* Publishing a block, as @idx in the BAT */

/* The place reads as zeros, which is what the block held. */
static int map_publish_full(struct vhdx_image *img, u64 idx, u64 place)
{
	return map_publish(img, idx, VHDX_BLOCK_FULLY_PRESENT, place);
}

/*
 * The block goes on to show its parent, until bits are set. Bits of the past
 * are gone before the entry is stored, and no later entry of the log has them.
 */
static int map_publish_partial(struct vhdx_image *img, u64 idx, u64 place)
{
	u64 blk;
	int ret;

	vhdx_bat_index_is_bitmap(&img->geo, idx, &blk);
	ret = map_clear_slice(img, blk);
	return ret ?: map_publish(img, idx, VHDX_BLOCK_PARTIALLY_PRESENT, place);
}

static int map_allocate_locked(struct vhdx_image *img, u64 blk)
{
	u64 place, idx = vhdx_bat_index(&img->geo, blk);
	struct vhdx_bat_entry entry;
	bool partial;
	int ret;

	ret = vhdx_map_lookup(img, blk, false, &entry);
	if (ret || vhdx_block_is_present(entry.state))
		return ret;
	partial = img->geo.differencing && entry.state == VHDX_BLOCK_NOT_PRESENT;
	if (partial)
		ret = map_ensure_bitmap(img, blk);
	if (!ret)
		ret = map_place(img, idx, vhdx_block_size(&img->geo), &place,
				partial ? map_publish_partial : map_publish_full);
	if (ret)
		return ret;
	atomic64_inc(&img->nr_allocated);
	trace_vhdx_block_allocate(img->name, blk, place);
	return 0;
}

int vhdx_map_allocate(struct vhdx_image *img, u64 blk)
{
	struct mutex *lock = map_lock_of(img, blk);
	int ret;

	mutex_lock(lock);
	ret = map_allocate_locked(img, blk);
	mutex_unlock(lock);
	return ret;
}

/* Marking sectors as present */

static __le64 map_marked(struct vhdx_page *page, u64 off, u32 bit, u32 nr)
{
	return vhdx_page_read(page, off) | vhdx_bitmap_mask(bit, nr);
}

/* Set bits of one page: *@done of the @nr from @bit on. */
static int map_mark_page(struct vhdx_image *img, u64 place, u32 bit, u32 nr, u32 *done)
{
	u64 off = place + vhdx_bitmap_word_off(bit);
	struct vhdx_page *page = vhdx_page_get(&img->pages, off);
	u64 end;
	u32 n;
	int ret;

	if (IS_ERR(page))
		return PTR_ERR(page);
	end = page->off + VHDX_PAGE_SIZE;
	*done = 0;
	ret = vhdx_journal_begin(&img->journal, 1);
	if (!ret) {
		for (; *done < nr && off < end; *done += n, off += sizeof(__le64)) {
			n = vhdx_bitmap_in_word(bit + *done, nr - *done);
			vhdx_journal_set(&img->journal, page, off,
					 map_marked(page, off, bit + *done, n));
		}
		vhdx_journal_end(&img->journal, 1);
	}
	vhdx_page_put(page);
	return ret;
}

/*
 * Are all sectors of @blk that belong to the disk present, as far as memory
 * knows? From the end: who writes forwards has not come there yet.
 */
static bool map_slice_is_full(struct vhdx_image *img, u64 blk, u64 place)
{
	u32 first = vhdx_bitmap_bit(&img->geo, blk << img->geo.block_shift);
	u32 bit = first + (vhdx_block_len(&img->geo, blk) >> img->geo.sector_shift);
	__le64 raw, mask;
	u32 begin;

	while (bit > first) {
		begin = round_down(bit - 1, VHDX_BITMAP_WORD_BITS);
		mask = vhdx_bitmap_mask(begin, bit - begin);
		if (vhdx_pages_peek(&img->pages, place + vhdx_bitmap_word_off(begin), &raw) ||
		    (raw & mask) != mask)
			return false;
		bit = begin;
	}
	return true;
}

static int map_mark_locked(struct vhdx_image *img, u64 blk, u32 bit, u32 nr)
{
	struct vhdx_bat_entry entry;
	u64 place;
	u32 done;
	int ret;

	ret = vhdx_map_lookup(img, blk, false, &entry);
	/* Somebody else's bits may have been the last. */
	if (ret || entry.state == VHDX_BLOCK_FULLY_PRESENT)
		return ret;
	ret = map_bitmap(img, blk, false, &place);
	for (; !ret && nr; bit += done, nr -= done)
		ret = map_mark_page(img, place, bit, nr, &done);
	if (ret || !map_slice_is_full(img, blk, place))
		return ret;
	trace_vhdx_block_complete(img->name, blk, entry.off);
	return map_publish(img, vhdx_bat_index(&img->geo, blk),
			   VHDX_BLOCK_FULLY_PRESENT, entry.off);
}

int vhdx_map_mark(struct vhdx_image *img, u64 pos, u32 len)
{
	u64 blk = vhdx_block_of(&img->geo, pos);
	struct mutex *lock = map_lock_of(img, blk);
	int ret;

	/* What is left of a sector would be shown as the parent has it. */
	if (WARN_ON_ONCE((pos | len) & ((1U << img->geo.sector_shift) - 1)))
		return -EIO;
	mutex_lock(lock);
	ret = map_mark_locked(img, blk, vhdx_bitmap_bit(&img->geo, pos),
			      len >> img->geo.sector_shift);
	mutex_unlock(lock);
	return ret;
}
