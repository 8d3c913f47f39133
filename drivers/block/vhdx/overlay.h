/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A log replayed into memory: what the file would hold, without touching it.
 *
 * A data descriptor becomes a page, a zero descriptor an extent. A zero
 * descriptor removes the pages it covers, so whatever page is found is newer
 * than every extent over it, and the extents may be kept sorted and merged.
 *
 * Filled by one task while the image is being opened, constant afterwards:
 * readers need no lock.
 */
#ifndef VHDX_OVERLAY_H
#define VHDX_OVERLAY_H

#include <linux/xarray.h>

#include "format/source.h"

struct vhdx_overlay_extent {
	u64	off;
	u64	end;
};

/*
 * The most pages of a log that is looked at, and of one that is on its way to
 * the file.
 */
#define VHDX_OVERLAY_MAX_PAGES		65536	/* 256 MiB */
#define VHDX_OVERLAY_SPILL_PAGES	4096	/* 16 MiB */

/**
 * struct vhdx_overlay - replayed log content
 * @sink: what vhdx_log_replay() writes to; -E2BIG, and @too_big, when it is full
 * @pages: 4 KiB pages by file offset
 * @extents: ranges that read as zeros, sorted and disjoint after
 *	vhdx_overlay_finish()
 * @nr_extents: how many
 * @max_extents: room for so many
 * @nr_pages: number of pages
 * @max_pages: the most that it may have
 * @too_big: the log needs more memory than we give it
 */
struct vhdx_overlay {
	struct vhdx_sink		sink;
	struct xarray			pages;
	struct vhdx_overlay_extent	*extents;
	u32				nr_extents;
	u32				max_extents;
	u64				nr_pages;
	u64				max_pages;
	bool				too_big;
};

/* An empty one, or NULL. */
struct vhdx_overlay *vhdx_overlay_alloc(u64 max_pages);
void vhdx_overlay_free(struct vhdx_overlay *ov);

/* Empty it again. */
void vhdx_overlay_clear(struct vhdx_overlay *ov);

/* To be called after the replay and before the first look-up. */
void vhdx_overlay_finish(struct vhdx_overlay *ov);

/*
 * Give all that it holds to @to: what reads as zeros first, then pages, no page
 * twice, both in the order of the file. Pages that lie in zeros are newer than
 * these, so the result is that of the log's own order. 0 or an errno of @to.
 */
int vhdx_overlay_play(struct vhdx_overlay *ov, struct vhdx_sink *to);

/*
 * Copy @len bytes of the 4 KiB page around @off to @buf if the overlay knows
 * them; false if the file does. The range lies in one page. Never sleeps.
 */
bool vhdx_overlay_read(const struct vhdx_overlay *ov, u64 off, void *buf, u32 len);

#endif
