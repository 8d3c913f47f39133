// SPDX-License-Identifier: GPL-2.0-only
/*
 * A replayed log in memory.
 */
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "file.h"
#include "overlay.h"

/* Bounds for hostile logs, besides those of pages: 1 MiB of zero extents, half of them used. */
#define OVERLAY_MAX_EXTENTS	65536
#define OVERLAY_MIN_EXTENTS	64

static struct vhdx_overlay *to_overlay(struct vhdx_sink *sink)
{
	return container_of(sink, struct vhdx_overlay, sink);
}

static int overlay_too_big(struct vhdx_overlay *ov)
{
	ov->too_big = true;
	return -E2BIG;
}

static int overlay_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct vhdx_overlay *ov = to_overlay(sink);
	unsigned long idx = off >> VHDX_PAGE_SHIFT;
	void *page = xa_load(&ov->pages, idx);
	int ret;

	if (page) {
		memcpy(page, buf, VHDX_PAGE_SIZE);
		return 0;
	}
	if (ov->nr_pages >= ov->max_pages || off >> VHDX_PAGE_SHIFT > ULONG_MAX)
		return overlay_too_big(ov);
	page = kmemdup(buf, VHDX_PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	ret = xa_err(xa_store(&ov->pages, idx, page, GFP_KERNEL));
	if (ret)
		kfree(page);
	else
		ov->nr_pages++;
	return ret;
}

static int extent_cmp(const void *a, const void *b)
{
	const struct vhdx_overlay_extent *x = a, *y = b;

	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return 0;
}

void vhdx_overlay_finish(struct vhdx_overlay *ov)
{
	struct vhdx_overlay_extent *e = ov->extents;
	u32 i, n = 0;

	sort(e, ov->nr_extents, sizeof(*e), extent_cmp, NULL);
	for (i = 0; i < ov->nr_extents; i++) {
		if (n && e[i].off <= e[n - 1].end)
			e[n - 1].end = max(e[n - 1].end, e[i].end);
		else
			e[n++] = e[i];
	}
	ov->nr_extents = n;
}

/*
 * Make room for one more extent: merge first, grow if that did not help. Half of the
 * room must be free after it, or a log that repeats itself would have the whole
 * table sorted for each descriptor.
 */
static int overlay_extent_room(struct vhdx_overlay *ov)
{
	struct vhdx_overlay_extent *e;
	u32 max;

	if (ov->nr_extents < ov->max_extents)
		return 0;
	vhdx_overlay_finish(ov);
	if (ov->nr_extents < ov->max_extents / 2)
		return 0;
	if (ov->max_extents >= OVERLAY_MAX_EXTENTS)
		return overlay_too_big(ov);
	max = max_t(u32, ov->max_extents * 2, OVERLAY_MIN_EXTENTS);
	e = kvcalloc(max, sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	if (ov->nr_extents)
		memcpy(e, ov->extents, ov->nr_extents * sizeof(*e));
	kvfree(ov->extents);
	ov->extents = e;
	ov->max_extents = max;
	return 0;
}

static int overlay_zero(struct vhdx_sink *sink, u64 off, u64 len)
{
	struct vhdx_overlay *ov = to_overlay(sink);
	unsigned long idx;
	void *page;
	int ret;

	if (!len)
		return 0;
	ret = overlay_extent_room(ov);
	if (ret)
		return ret;
	xa_for_each_range(&ov->pages, idx, page, off >> VHDX_PAGE_SHIFT,
			  (off + len - 1) >> VHDX_PAGE_SHIFT) {
		xa_erase(&ov->pages, idx);
		kfree(page);
		ov->nr_pages--;
	}
	ov->extents[ov->nr_extents++] = (struct vhdx_overlay_extent){
		.off = off, .end = off + len,
	};
	return 0;
}

struct vhdx_overlay *vhdx_overlay_alloc(u64 max_pages)
{
	struct vhdx_overlay *ov = kzalloc(sizeof(*ov), GFP_KERNEL);

	if (!ov)
		return NULL;
	xa_init(&ov->pages);
	ov->max_pages = max_pages;
	ov->sink.write = overlay_write;
	ov->sink.zero = overlay_zero;
	return ov;
}

void vhdx_overlay_clear(struct vhdx_overlay *ov)
{
	unsigned long idx;
	void *page;

	xa_for_each(&ov->pages, idx, page)
		kfree(page);
	xa_destroy(&ov->pages);
	ov->nr_pages = 0;
	ov->nr_extents = 0;
	ov->too_big = false;
}

void vhdx_overlay_free(struct vhdx_overlay *ov)
{
	if (!ov)
		return;
	vhdx_overlay_clear(ov);
	kvfree(ov->extents);
	kfree(ov);
}

int vhdx_overlay_play(struct vhdx_overlay *ov, struct vhdx_sink *to)
{
	unsigned long idx;
	void *page;
	int ret = 0;
	u32 i;

	vhdx_overlay_finish(ov);
	for (i = 0; !ret && i < ov->nr_extents; i++)
		ret = to->zero(to, ov->extents[i].off,
			       ov->extents[i].end - ov->extents[i].off);
	if (ret)
		return ret;
	xa_for_each(&ov->pages, idx, page) {
		ret = to->write(to, (u64)idx << VHDX_PAGE_SHIFT, page);
		if (ret)
			return ret;
	}
	return 0;
}

static bool overlay_is_zero(const struct vhdx_overlay *ov, u64 off)
{
	u32 lo = 0, hi = ov->nr_extents;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (off < ov->extents[mid].off)
			hi = mid;
		else if (off >= ov->extents[mid].end)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

bool vhdx_overlay_read(const struct vhdx_overlay *ov, u64 off, void *buf, u32 len)
{
	const void *page = xa_load((struct xarray *)&ov->pages,
				   off >> VHDX_PAGE_SHIFT);

	if (page) {
		memcpy(buf, page + (off & (VHDX_PAGE_SIZE - 1)), len);
		return true;
	}
	if (!overlay_is_zero(ov, off))
		return false;
	memset(buf, 0, len);
	return true;
}
