/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where to cut: everywhere, but more often where the image's own structures
 * are being written.
 */
#ifndef CRASH_PICK_H
#define CRASH_PICK_H

#include <stdio.h>

#include <linux/types.h>

struct cut;
struct trace;

#define META_MAX	64
#define IMAGE_MAP	(512U << 20 >> 15)	/* a bit for 4 KiB of 512 MiB */

/**
 * struct meta - where on the disk the image's structures are
 * @nr: number of the ranges
 * @structure: which of them it is
 * @off: their first bytes
 * @len: their lengths
 * @image: bit for each 4 KiB of the disk that are the image's
 */
struct meta {
	u32	nr;
	u32	structure[META_MAX];
	u32	pad;
	u64	off[META_MAX];
	u64	len[META_MAX];
	u8	image[IMAGE_MAP];
};

/*
 * Headers, log and BAT of the image @path, and all of it, as libvhdx makes one. Errors end
 * the program.
 */
void meta_find(struct meta *meta, const char *path);

/* @nr cuts, by position; returns how many of them are near a write to @meta. */
u32 pick_cuts(struct cut *cuts, u32 nr, const struct trace *tr,
	      const struct meta *meta, u64 seed);

#endif
