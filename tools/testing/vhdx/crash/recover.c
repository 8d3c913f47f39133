// SPDX-License-Identifier: GPL-2.0-only
/* After the power cut. */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/vhdx.h>

#include "oracle.h"
#include "recover.h"
#include "stamp.h"
#include "target.h"
#include "trace.h"

#define PIECE_MAX	512U		/* sectors */
#define GRAIN		8U		/* so many are read, whatever was written */
#define GAP		32U		/* read rather than left out */

/* Cut the sectors that were written into pieces, with some of what is around. */
static void plan(struct recovery *rec)
{
	const struct oracle *or = rec->or;
	struct piece *p = NULL;
	u32 i;

	for (i = 0; i < or->nr_sectors; i++) {
		u64 lba = oracle_lba(or, i);

		if (!p || lba >= p->lba + PIECE_MAX || lba > p->lba + p->nr + GAP) {
			p = &rec->pieces[rec->nr_pieces++];
			*p = (struct piece){ .lba = lba / GRAIN * GRAIN, .sector = i };
		}
		p->nr = (u32)(lba - p->lba) / GRAIN * GRAIN + GRAIN;
	}
}

void recovery_init(struct recovery *rec, const struct oracle *or)
{
	*rec = (struct recovery){ .or = or };
	rec->seen = calloc(or->nr_sectors + 1, sizeof(*rec->seen));
	rec->pieces = calloc(or->nr_sectors + 1, sizeof(*rec->pieces));
	rec->buf = aligned_alloc(4096, PIECE_MAX * SECTOR);
	if (!rec->seen || !rec->pieces || !rec->buf)
		err(2, "no memory for a recovery");
	plan(rec);
}

static int complain(struct recovery *rec, const char *what, int ret)
{
	snprintf(rec->why, sizeof(rec->why), "%s: %s", what, strerror(-ret));
	return 1;
}

static int complain_sector(struct recovery *rec, u64 lba, u32 seen, const char *what)
{
	snprintf(rec->why, sizeof(rec->why), "sector %llu: %s (stamp %#x)", lba, what, seen);
	return 1;
}

static int check_piece(struct recovery *rec, const struct piece *p, u64 seed)
{
	const struct oracle *or = rec->or;
	u32 i, sector = p->sector;

	for (i = 0; i < p->nr; i++) {
		u64 lba = p->lba + i;
		u32 seen = stamp_read(rec->buf + (size_t)i * SECTOR, seed, lba);
		const char *wrong = seen == STAMP_ZERO ? NULL : "not zero, never written";

		if (sector < or->nr_sectors && oracle_lba(or, sector) == lba) {
			wrong = oracle_check(or, sector, rec->pos, seen);
			rec->seen[sector++] = seen;
		}
		if (wrong)
			return complain_sector(rec, lba, seen, wrong);
	}
	return 0;
}

static int check_content(struct recovery *rec, struct target *t)
{
	u32 i;

	for (i = 0; i < rec->nr_pieces; i++) {
		const struct piece *p = &rec->pieces[i];
		ssize_t n = pread(t->fd, rec->buf, (size_t)p->nr * SECTOR,
				  (off_t)(p->lba * SECTOR));

		if (n != (ssize_t)p->nr * SECTOR)
			return complain(rec, "read of the virtual disk",
					n < 0 ? -errno : -EIO);
		if (check_piece(rec, p, t->setup->seed))
			return 1;
	}
	return 0;
}

static int check_attached(struct recovery *rec, struct target *t, u32 flags)
{
	int wrong, ret;

	if (target_attach(t, flags, rec->why, sizeof(rec->why)))
		return 1;
	wrong = check_content(rec, t);
	ret = target_detach(t);
	if (!wrong && ret)
		wrong = complain(rec, "detach", ret);
	return wrong;
}

static int check_judge(struct recovery *rec, struct target *t)
{
	char line[300];
	int status;

	if (!rec->judge)
		return 0;
	snprintf(line, sizeof(line), "%s %s", rec->judge, t->image);
	status = system(line);
	if (!status)
		return 0;
	snprintf(rec->why, sizeof(rec->why), "'%s' failed with status %#x", line, status);
	return 1;
}

static int check_mounted(struct recovery *rec, struct target *t)
{
	int wrong = 0, ret;

	if (rec->read_only)
		wrong = check_attached(rec, t, VHDX_ATTACH_READ_ONLY);
	if (!wrong)
		wrong = check_attached(rec, t, 0);
	if (wrong)
		return wrong;
	ret = target_check(t, rec->why, sizeof(rec->why));
	if (ret < 0)
		return complain(rec, "check", ret);
	return ret ? ret : check_judge(rec, t);
}

int recovery_run(struct recovery *rec, struct target *t)
{
	int wrong, ret = target_mount(t);

	if (ret)
		return complain(rec, "mount", ret);
	wrong = check_mounted(rec, t);
	ret = target_unmount(t);
	if (ret)	/* nothing can be said about the cuts that follow */
		errx(2, "%s: cannot be unmounted: %s; %s", t->dir, strerror(-ret),
		     wrong ? rec->why : "nothing else was wrong");
	return wrong;
}
