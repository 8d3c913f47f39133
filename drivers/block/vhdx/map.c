// SPDX-License-Identifier: GPL-2.0-only
/*
 * Look-up and allocation of payload blocks.
 */
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
}

static u64 map_entry_off(struct vhdx_image *img, u64 blk)
{
	return vhdx_bat_entry_off(&img->geo, vhdx_bat_index(&img->geo, blk));
}

static int map_load(struct vhdx_image *img, u64 off, __le64 *raw)
{
	struct vhdx_page *page = vhdx_page_get(&img->pages, off);

	if (IS_ERR(page))
		return PTR_ERR(page);
	*raw = vhdx_page_read(page, off);
	vhdx_page_put(page);
	return 0;
}

static int map_decode(struct vhdx_image *img, u64 blk, __le64 raw,
		      struct vhdx_bat_entry *entry)
{
	struct vhdx_finding fd = { };
	enum vhdx_fault fault;

	fault = vhdx_bat_entry_decode(raw, vhdx_bat_index(&img->geo, blk),
				      &img->geo, vhdx_image_size(img), entry, &fd);
	if (likely(!fault))
		return 0;
	vhdx_image_bad_entry(img, &fd);
	return vhdx_fault_errno(fault);
}

int vhdx_map_lookup(struct vhdx_image *img, u64 blk, bool nowait,
		    struct vhdx_bat_entry *entry)
{
	u64 off = map_entry_off(img, blk);
	__le64 raw;
	int ret;

	ret = vhdx_pages_peek(&img->pages, off, &raw);
	if (ret == -EAGAIN && !nowait)
		ret = map_load(img, off, &raw);
	return ret ?: map_decode(img, blk, raw, entry);
}

bool vhdx_map_is_dirty(struct vhdx_image *img, u64 blk)
{
	return vhdx_pages_is_dirty(&img->pages, map_entry_off(img, blk));
}

/* The place is new and reads as zeros: it may be seen at once. */
static int map_publish(struct vhdx_image *img, u64 blk, struct vhdx_page *page,
		       u64 place)
{
	struct vhdx_bat_entry entry = {
		.off = place,
		.state = VHDX_BLOCK_FULLY_PRESENT,
	};
	int ret = vhdx_journal_begin(&img->journal, 1);

	if (ret)
		return ret;
	vhdx_journal_set(&img->journal, page, map_entry_off(img, blk),
			 vhdx_bat_entry_encode(&entry));
	vhdx_journal_end(&img->journal, 1);
	atomic64_inc(&img->nr_allocated);
	trace_vhdx_block_allocate(img->name, blk, place);
	return 0;
}

static int map_allocate_in(struct vhdx_image *img, u64 blk, struct vhdx_page *page)
{
	u32 len = vhdx_block_size(&img->geo);
	u64 place;
	int ret;

	ret = vhdx_space_reserve(&img->space, len, &place);
	if (ret)
		return ret;
	ret = map_publish(img, blk, page, place);
	if (ret)
		vhdx_space_unreserve(&img->space, place, len);
	return ret;
}

static int map_allocate_locked(struct vhdx_image *img, u64 blk)
{
	struct vhdx_bat_entry entry;
	struct vhdx_page *page;
	int ret;

	ret = vhdx_map_lookup(img, blk, false, &entry);
	if (ret || vhdx_block_is_present(entry.state))
		return ret;
	page = vhdx_page_get(&img->pages, map_entry_off(img, blk));
	if (IS_ERR(page))
		return PTR_ERR(page);
	ret = map_allocate_in(img, blk, page);
	vhdx_page_put(page);
	return ret;
}

int vhdx_map_allocate(struct vhdx_image *img, u64 blk)
{
	struct mutex *lock = &img->map.block[blk % VHDX_MAP_LOCKS];
	int ret;

	mutex_lock(lock);
	ret = map_allocate_locked(img, blk);
	mutex_unlock(lock);
	return ret;
}
