/* SPDX-License-Identifier: GPL-2.0-only */
/* What one image itself says of its disk, run by run. */
#ifndef LIBVHDX_MAP_H
#define LIBVHDX_MAP_H

#include <linux/types.h>

#include "image.h"

enum libvhdx_extent_kind {
	LIBVHDX_EXTENT_DATA,	/* in the file */
	LIBVHDX_EXTENT_ZERO,
	LIBVHDX_EXTENT_PARENT,	/* the parent knows */
};

/**
 * struct libvhdx_extent - a run of the disk
 * @kind: where its content is
 * @off: DATA: file offset
 * @len: bytes, more than 0
 */
struct libvhdx_extent {
	enum libvhdx_extent_kind	kind;
	u64				off;
	u64				len;
};

#define LIBVHDX_MAP_PAGE	4096

/**
 * struct libvhdx_map - an image that is looked into
 * @img: the image, which does not change meanwhile
 * @bat_at: file offset of @bat, 0: nothing was read yet
 * @bits_at: file offset of @bits
 * @bat: a page of the BAT
 * @bits: a page of a sector bitmap
 */
struct libvhdx_map {
	const struct libvhdx_image	*img;
	u64				bat_at;
	u64				bits_at;
	u8				bat[LIBVHDX_MAP_PAGE];
	u8				bits[LIBVHDX_MAP_PAGE];
};

void libvhdx_map_init(struct libvhdx_map *map, const struct libvhdx_image *img);

/*
 * The run at the beginning of the @len bytes of the disk from @pos on, both
 * multiples of the sector size. Behind the end of the disk are zeros. Blocks in
 * all states but these three read as zeros, and so do holes of the file. 0, a
 * negative errno, or the fault of a BAT entry.
 */
int libvhdx_map_run(struct libvhdx_map *map, u64 pos, u64 len, struct libvhdx_extent *run,
		    struct vhdx_finding *fd);

/*
 * The first position from @pos on of which the image may say more than that it
 * knows nothing; the size of the disk if there is none. Skips holes of the BAT.
 */
u64 libvhdx_map_next(const struct libvhdx_map *map, u64 pos);

#endif
