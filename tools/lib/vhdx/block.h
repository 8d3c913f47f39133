/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Content is put into one block of an image: parts of it get new data, become
 * zeros, or stay what they are.
 *
 * Payload is written at once and metadata goes into the running transaction, a
 * block wholly or not at all. So until the next commit a crash shows the block
 * as it was, except for those parts that were in the file before: they may be
 * old or new, in any mixture. A block that is not present yet gets new space.
 */
#ifndef LIBVHDX_BLOCK_H
#define LIBVHDX_BLOCK_H

#include <stdbool.h>

#include <linux/types.h>

#include "map.h"

struct libvhdx_file;
struct libvhdx_journal;
struct vhdx_finding;

/**
 * struct libvhdx_content - what shall be put
 * @run: the first run of [@pos, @pos + @len): DATA of @file, ZERO, or PARENT for
 *	what stays; 0, a negative errno, or a positive fault
 * @file: where data comes from
 * @stop: asked now and then; true ends it with -EINTR. May be NULL
 * @reading: out: what failed was about @file, not about the image
 */
struct libvhdx_content {
	int (*run)(struct libvhdx_content *content, u64 pos, u64 len,
		   struct libvhdx_extent *run, struct vhdx_finding *fd);
	struct libvhdx_file	*file;
	bool			(*stop)(void);
	bool			reading;
};

/*
 * Put @content into block @blk of the image in @j, whose headers have a new
 * DataWriteGuid already. 0, a negative errno, or a positive fault; the block's
 * metadata are then as before.
 */
int libvhdx_block_put(struct libvhdx_journal *j, u64 blk, struct libvhdx_content *content,
		      struct vhdx_finding *fd);

/* Store entry @idx of the BAT, for which a page was reserved. */
int libvhdx_block_set_entry(struct libvhdx_journal *j, u64 idx,
			    const struct vhdx_bat_entry *entry);

#endif
