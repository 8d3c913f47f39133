/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Power cuts of one recorded run.
 */
#ifndef CRASH_CUT_H
#define CRASH_CUT_H

#include <linux/types.h>

#include "disk.h"
#include "loop.h"
#include "nbd.h"
#include "oracle.h"
#include "platter.h"
#include "recover.h"
#include "target.h"
#include "trace.h"

/* A cut, a cut of what came up after it, and one more. */
#define CUT_LEVELS	3

/**
 * struct cut - where power is cut, and what the disk does then
 * @pos: position in the trace
 * @variant: number of the choice what the disk keeps
 */
struct cut {
	u32	pos;
	u32	variant;
};

/**
 * struct cutter - one worker
 * @setup: of the run
 * @disk: the platter
 * @image: what of it is the image's, see struct walker
 * @walker: goes through the recorded run
 * @level: what happened after each cut; the first is the recorded run
 * @nbd: serves @disk, if a driver is tested
 * @loop: else: holds a copy of @disk
 * @target: on it
 * @rec: the recovery
 * @nr_nested: out: cuts of a recovery
 * @why: out: what was wrong with the last cut
 */
struct cutter {
	const struct setup	*setup;
	struct disk		disk;
	const u8		*image;
	struct walker		walker;
	struct trace		*level[CUT_LEVELS + 1];
	struct nbd		nbd;
	struct loop		loop;
	struct target		target;
	struct recovery		rec;
	u32			nr_nested;
	char			why[600];
};

/*
 * Worker number @number for the run in @tr, whose disk began as @disk, and
 * whose virtual disk as @base. With @library no driver is needed: libvhdx replays
 * in memory and reads.
 */
void cutter_start(struct cutter *c, unsigned int number, const struct setup *setup,
		  struct trace *tr, const struct oracle *or, const struct base *base,
		  const struct disk *disk, const u8 *image, bool library);
void cutter_stop(struct cutter *c);

/* Only the disk as the cut leaves it; c->setup and c->disk are set. */
const char *cutter_set(struct cutter *c, const struct trace *tr, const struct cut *cut);

/* Cuts must come by their positions. 0, or 1 with c->why. @judge may be NULL. */
int cutter_run(struct cutter *c, const struct cut *cut, const char *judge);

#endif
