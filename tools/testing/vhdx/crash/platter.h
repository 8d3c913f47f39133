/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a disk may hold when power fails.
 *
 * A disk with a volatile cache promises little. Stable is a FUA write that was
 * answered, and a write that was answered before a flush arrived which was
 * itself answered. Everything else that has arrived is *pending*: each of its
 * sectors may have reached the platter or not, in any combination, also after
 * the write was answered, also when a later write did not. A sector is never
 * torn. Of two writes to one sector the one that arrived later wins, if both
 * are there.
 *
 * One exception is made for the file system's sake. ext4 writes its superblock,
 * two sectors, in place and does not mount when they do not match; XFS does not
 * mount when its replay was cut and left a torn buffer. So outside of the image
 * 4 KiB are written as a whole or not at all, as by a disk with such sectors.
 *
 * A walker goes forward through a trace and keeps the platter at what is
 * stable; what is pending can then be scattered over it, at random.
 */
#ifndef CRASH_PLATTER_H
#define CRASH_PLATTER_H

#include <linux/types.h>

struct disk;
struct random;
struct trace;

/**
 * struct walker - a position in a trace, and the platter there
 * @tr: the trace
 * @disk: the platter
 * @image: bit for each 4 KiB that are the image's, or NULL: all are
 * @pos: events before this one have happened
 * @pending: writes that are not stable, by arrival
 * @nr_pending: number of them
 * @settled: per sector: 1 + index of the write that is stable there, or 0
 */
struct walker {
	const struct trace	*tr;
	struct disk		*disk;
	const u8		*image;
	u32			pos;
	u32			*pending;
	u32			nr_pending;
	u32			*settled;
};

/* @disk holds what was stable before the first event. */
void walker_init(struct walker *w, const struct trace *tr, struct disk *disk,
		 const u8 *image);
void walker_free(struct walker *w);

/* Go on to @pos, which is not behind. */
void walker_advance(struct walker *w, u32 pos);

/* Let the disk have kept a part of what is pending; returns the name of how. */
const char *walker_scatter(const struct walker *w, struct random *rnd);

#endif
