/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * After the power cut: does everything come up again, and what can be read?
 */
#ifndef CRASH_RECOVER_H
#define CRASH_RECOVER_H

#include <stdbool.h>

#include <linux/types.h>

#include "random.h"

struct base;
struct oracle;
struct target;

/**
 * struct piece - a range of the virtual disk that is read at once
 * @lba: first sector, a multiple of 8
 * @nr: sectors, a multiple of 8
 * @sector: number of the first of them that the oracle knows
 */
struct piece {
	u64	lba;
	u32	nr;
	u32	sector;
};

/**
 * struct recovery - one attempt, and what it saw
 * @or: what may be read
 * @base: what was there before
 * @pieces: what is read
 * @nr_pieces: their number
 * @buf: for one of them
 * @pos: where in the trace the power was cut
 * @full: look at everything, not only at what was written lately and a sample
 * @rnd: chooses the sample
 * @read_only: attach read-only first
 * @judge: a program that looks at the image, too, or NULL
 * @library: nothing is attached: libvhdx reads the image as it was left
 * @seen: for each sector of the oracle: the stamp
 * @seen_read_only: the same of the read-only attach
 * @why: what is wrong, in words
 */
struct recovery {
	const struct oracle	*or;
	const struct base	*base;
	struct piece		*pieces;
	u32			nr_pieces;
	u8			*buf;
	u32			pos;
	bool			full;
	struct random		rnd;
	bool			read_only;
	const char		*judge;
	bool			library;
	u32			*seen;
	u32			*seen_read_only;
	char			why[400];
};

void recovery_init(struct recovery *rec, const struct oracle *or,
		   const struct base *base);

/*
 * Mount, attach, compare, detach, check, unmount, on a disk that holds what a
 * cut at rec->pos left. 0, or 1 with rec->why.
 */
int recovery_run(struct recovery *rec, struct target *t);

#endif
