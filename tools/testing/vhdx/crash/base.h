/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was there before the run. Nothing, or, where the image has a parent,
 * stamps in most of the windows that the workload writes to: they are in the
 * parent, and must show through until something else is written.
 *
 * For the oracle both are the same: a sector is as it was. So the stamp of what
 * is there before stands for zeros, and zeros in its place are foreign.
 */
#ifndef CRASH_BASE_H
#define CRASH_BASE_H

#include <stdbool.h>

#include <linux/types.h>

struct setup;

/**
 * struct base - content before the run
 * @setup: of the run
 * @filled: bit for each 4 KiB of the virtual disk that holds stamps; NULL where
 *	there is no parent
 */
struct base {
	const struct setup	*setup;
	u8			*filled;
};

/* What @setup decides; errors end the program. */
void base_init(struct base *base, const struct setup *setup);

/* Write it as an image to @path; errors end the program. */
void base_make(const struct base *base, const char *path);

/* Fill @buf with the sector at @lba. */
void base_sector(const struct base *base, u64 lba, void *buf);

/* What was read at @lba, as the oracle understands it. */
u32 base_seen(const struct base *base, u64 lba, u32 seen);

#endif
