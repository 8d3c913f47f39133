/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an open image is made of; for the files of floor 2 only.
 */
#ifndef VHDX_IMAGE_TYPES_H
#define VHDX_IMAGE_TYPES_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uuid.h>

#include "file.h"
#include "format/geometry.h"
#include "format/header.h"
#include "format/metadata.h"
#include "format/region.h"
#include "image.h"
#include "journal.h"
#include "map.h"
#include "pages.h"
#include "space.h"

struct vhdx_overlay;

#define VHDX_IMAGE_NAME_LEN	32

/**
 * struct vhdx_image - one open VHDX file
 * @name: of the device, for messages [immutable]
 * @file: the backing file
 * @writable: opened for writing [immutable]
 * @mode: enum vhdx_mode; only grows, by cmpxchg in vhdx_image_fail()
 * @mode_changed: see struct vhdx_image_options [immutable]
 * @mode_data: its argument [immutable]
 * @header_lock: guards @hdrs and the header slots
 * @hdrs: current header and its slot [@header_lock; constant while the image is
 *	not open for writing]
 * @header_page: where a header is built [@header_lock]
 * @guid_lock: guards the next two, for readers that must not wait for the I/O
 *	under @header_lock
 * @data_write_guid: as in @hdrs [@guid_lock]
 * @file_write_guid: as in @hdrs [@guid_lock]
 * @file_touched: FileWriteGuid is new in this session [@header_lock; READ_ONCE
 *	by vhdx_image_clean()]
 * @data_touched: so is DataWriteGuid; READ_ONCE on the data path
 * @regions: where BAT and metadata are [immutable after open]
 * @region_table: the table, until the BAT was scanned [space lock]
 * @md: what the metadata says [immutable after open]
 * @geo: the disk's shape [immutable after open]
 * @overlay: the replayed log of a read-only image, or NULL [immutable after open]
 * @overlay_size: size of the file as the overlay has it [immutable after open]
 * @stable_size: size of the file at the last flush [journal commit mutex]
 * @pages: metadata in memory
 * @map: serialises allocations
 * @space: the allocator
 * @journal: the log; only for a writable image
 * @nr_allocated: payload blocks with a place, once scanned
 * @nr_replayed: log entries replayed at open
 * @nr_header_writes: header slots written
 * @complaints: limits messages about damaged metadata
 */
struct vhdx_image {
	char			name[VHDX_IMAGE_NAME_LEN];
	struct vhdx_file	file;
	bool			writable;
	atomic_t		mode;
	void			(*mode_changed)(void *data);
	void			*mode_data;
	struct mutex		header_lock;
	struct vhdx_headers	hdrs;
	struct page		*header_page;
	spinlock_t		guid_lock;
	guid_t			data_write_guid;
	guid_t			file_write_guid;
	bool			file_touched;
	bool			data_touched;
	struct vhdx_regions	regions;
	void			*region_table;
	struct vhdx_metadata	md;
	struct vhdx_geometry	geo;
	struct vhdx_overlay	*overlay;
	u64			overlay_size;
	u64			stable_size;
	struct vhdx_pages	pages;
	struct vhdx_map		map;
	struct vhdx_space	space;
	struct vhdx_journal	journal;
	atomic64_t		nr_allocated;
	u64			nr_replayed;
	atomic64_t		nr_header_writes;
	struct ratelimit_state	complaints;
};

/* Size of the file, as far as a replayed log says it. Never sleeps. */
static inline u64 vhdx_image_size(const struct vhdx_image *img)
{
	return img->overlay ? img->overlay_size : READ_ONCE(img->file.cur_size);
}

/*
 * Bytes of the file as they are after replay, through the page cache: for
 * opening and scanning. May sleep.
 */
int vhdx_image_pread(struct vhdx_image *img, u64 off, void *buf, u32 len);

/* One 4 KiB page of metadata as it is after replay. May sleep. */
int vhdx_image_read_page(struct vhdx_image *img, u64 off, struct page *page);

/*
 * A BAT entry that was just read is damaged: reported, and the image fails if
 * the whole table had been in order before. Then somebody else writes to the
 * file, or the disk returns what nobody wrote, and an entry that looks right
 * is worth no more. Without that knowledge it is one damaged entry of an image
 * whose other blocks may well be read. Never sleeps.
 */
void vhdx_image_bad_entry(struct vhdx_image *img, const struct vhdx_finding *fd);

/* Log what is wrong with the image, not too often. Never sleeps. */
void vhdx_image_report(struct vhdx_image *img, const struct vhdx_finding *fd);

/*
 * Is the current header still the one that we wrote or found, and the other slot
 * none that is newer? -ESTALE if not: then somebody else has written to the file,
 * and the image is read-only. -EIO if it was before. Reads both slots, one page
 * each; takes the header lock.
 */
int vhdx_image_check_headers(struct vhdx_image *img);

/*
 * Write both header slots, [MS-VHDX] 2.2.2: the slot that is not current
 * first, each stable before the next. Sets the LogGuid to @log_guid unless it
 * is NULL, gives the session its FileWriteGuid if it has none yet, and, with
 * @new_data, its DataWriteGuid. Checks before, as above. A failure makes the image read-only: which
 * header the next reader finds is no longer known. Takes the header lock.
 */
int vhdx_image_write_headers(struct vhdx_image *img, const guid_t *log_guid,
			     bool new_data);

/* The session's FileWriteGuid is stable when this returns 0. */
int vhdx_image_touch_file(struct vhdx_image *img);

#endif
