// SPDX-License-Identifier: GPL-2.0-only
/* Power cuts of one recorded run. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "random.h"

/* Of so many cuts one is followed by cuts of the recovery; or VHDX_CRASH_NESTED. */
#define NESTED_EVERY	8
#define READ_ONLY_PERCENT	25
/* Of so many cuts one is followed by a look at everything. */
#define FULL_EVERY	8

static struct trace *trace_new(void)
{
	struct trace *tr = malloc(sizeof(*tr));

	if (!tr)
		err(2, "no memory for a trace");
	trace_init(tr);
	return tr;
}

void cutter_start(struct cutter *c, unsigned int number, const struct setup *setup,
		  struct trace *tr, const struct oracle *or, const struct base *base,
		  const struct disk *disk, const u8 *image, bool library)
{
	u32 i;

	*c = (struct cutter){ .setup = setup, .disk = *disk, .image = image };
	walker_init(&c->walker, tr, &c->disk, c->image);
	c->level[0] = tr;
	for (i = 1; i <= CUT_LEVELS; i++)
		c->level[i] = trace_new();
	recovery_init(&c->rec, or, base);
	c->rec.library = library;
	if (library)
		loop_start(&c->loop, &c->disk);
	else
		nbd_start(&c->nbd, number, &c->disk, c->level[1]);
	target_init(&c->target, setup, library ? c->loop.path : c->nbd.path, number);
}

void cutter_stop(struct cutter *c)
{
	if (c->rec.library)
		loop_stop(&c->loop);
	else
		nbd_stop(&c->nbd);
}

/* Numbers of a cut at level @level; the choice of the disk depends on them. */
static struct random cut_random(const struct cutter *c, const struct cut *cut, u32 level)
{
	return random_start(c->setup->seed, (u64)cut->pos << 32 | cut->variant << 4 | level);
}

/*
 * Bring the platter to how the cuts at @nr levels left it: at each, what was
 * stable and a part of what was pending.
 */
static const char *set_platter(struct cutter *c, const struct cut *cut, u32 nr)
{
	struct random rnd = cut_random(c, cut, 0);
	const char *way;
	u32 i;

	disk_begin(&c->disk);
	way = walker_scatter(&c->walker, &rnd);
	for (i = 1; i < nr; i++) {
		struct walker w;

		rnd = cut_random(c, cut, i);
		walker_init(&w, c->level[i], &c->disk, c->image);
		walker_advance(&w, random_below(&rnd, c->level[i]->nr + 1));
		way = walker_scatter(&w, &rnd);
		walker_free(&w);
	}
	return way;
}

const char *cutter_set(struct cutter *c, const struct trace *tr, const struct cut *cut)
{
	walker_init(&c->walker, tr, &c->disk, c->image);
	walker_advance(&c->walker, cut->pos);
	return set_platter(c, cut, 1);
}

static int recover(struct cutter *c, const struct cut *cut, u32 nr)
{
	const char *way = set_platter(c, cut, nr);

	trace_reset(c->level[nr]);
	if (c->rec.library)
		loop_set(&c->loop, &c->disk);
	else
		c->nbd.trace = c->level[nr];
	if (!recovery_run(&c->rec, &c->target))
		return 0;
	snprintf(c->why, sizeof(c->why), "cut %u.%u, level %u, disk kept %s: %s",
		 cut->pos, cut->variant, nr, way, c->rec.why);
	return 1;
}

/* Power fails while the log is replayed, and again: the same must come out. */
static int cut_recovery(struct cutter *c, const struct cut *cut)
{
	size_t len = c->rec.or->nr_sectors * sizeof(*c->rec.seen);
	u32 nr, *first = malloc(len);
	int wrong = 0;

	if (!first)
		err(2, "no memory for a comparison");
	memcpy(first, c->rec.seen, len);
	for (nr = 2; nr <= CUT_LEVELS && !wrong; nr++) {
		wrong = recover(c, cut, nr);
		c->nr_nested++;
		if (!wrong && memcmp(first, c->rec.seen, len)) {
			snprintf(c->why, sizeof(c->why),
				 "cut %u.%u, level %u: another content than without the cut of the recovery",
				 cut->pos, cut->variant, nr);
			wrong = 1;
		}
	}
	free(first);
	return wrong;
}

static u32 nested_every(void)
{
	const char *every = getenv("VHDX_CRASH_NESTED");
	long n = every ? strtol(every, NULL, 10) : 0;

	return n > 0 ? (u32)n : NESTED_EVERY;
}

int cutter_run(struct cutter *c, const struct cut *cut, const char *judge)
{
	struct random rnd = cut_random(c, cut, 15);
	bool nested = !c->rec.library && !random_below(&rnd, nested_every());
	int wrong;

	c->rec.pos = cut->pos;
	c->rec.read_only = random_chance(&rnd, READ_ONLY_PERCENT);
	c->rec.judge = judge;
	c->rec.full = nested || c->rec.library || !random_below(&rnd, FULL_EVERY);
	c->rec.rnd = rnd;
	memset(c->rec.seen, 0, c->rec.or->nr_sectors * sizeof(*c->rec.seen));
	disk_undo(&c->disk);
	walker_advance(&c->walker, cut->pos);
	wrong = recover(c, cut, 1);
	return !wrong && nested ? cut_recovery(c, cut) : wrong;
}
