// SPDX-License-Identifier: GPL-2.0-only
/* Where to cut. */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/kernel.h>

#include "cut.h"
#include "pick.h"
#include "random.h"
#include "trace.h"

/*
 * Headers and BAT are written in place more rarely than the log, and after a
 * checkpoint there is a flush before the next entry.
 */
static const struct {
	u64	off, len;
	u8	weight, near;
} structures[] = {
	{ 0, 1 << 20, 16, 8 }, { 1 << 20, 1 << 20, 4, 8 }, { 2 << 20, 2 << 20, 24, 48 },
};

struct extents {
	struct fiemap		map;
	struct fiemap_extent	list[META_MAX];
};

#define PAGE	4096U

static void add_extent(struct meta *meta, const struct fiemap_extent *ext, u64 off,
		       u64 len, u32 structure)
{
	u64 begin = ext->fe_logical > off ? ext->fe_logical : off;
	u64 end = ext->fe_logical + ext->fe_length;

	end = end < off + len ? end : off + len;
	if (meta->nr == META_MAX)
		errx(2, "the image has more than %u extents", META_MAX);
	meta->structure[meta->nr] = structure;
	meta->off[meta->nr] = ext->fe_physical + begin - ext->fe_logical;
	meta->len[meta->nr++] = end - begin;
}

static void find_extents(struct meta *meta, int fd, u32 structure)
{
	u64 off = structures[structure].off, len = structures[structure].len;
	struct extents *ext = calloc(1, sizeof(*ext));
	u32 i;

	if (!ext)
		err(2, "no memory for extents");
	ext->map.fm_start = off;
	ext->map.fm_length = len;
	ext->map.fm_extent_count = META_MAX;
	if (ioctl(fd, FS_IOC_FIEMAP, &ext->map))
		err(2, "FIEMAP");
	for (i = 0; i < ext->map.fm_mapped_extents; i++)
		add_extent(meta, &ext->list[i], off, len, structure);
	free(ext);
}

/* The next extents of the file from *@off on; *@off is then behind them. */
static bool mark_extents(struct meta *meta, struct extents *ext, int fd, u64 *off)
{
	u32 i;

	memset(ext, 0, sizeof(*ext));
	ext->map.fm_start = *off;
	ext->map.fm_length = FIEMAP_MAX_OFFSET - *off;
	ext->map.fm_extent_count = META_MAX;
	if (ioctl(fd, FS_IOC_FIEMAP, &ext->map))
		err(2, "FIEMAP");
	for (i = 0; i < ext->map.fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &ext->list[i];
		u64 page, end = (e->fe_physical + e->fe_length) / PAGE;

		if (end > 8 * IMAGE_MAP)
			errx(2, "the image leaves the disk");
		for (page = e->fe_physical / PAGE; page < end; page++)
			meta->image[page / 8] |= 1U << (page % 8);
		*off = e->fe_logical + e->fe_length;
	}
	return i;
}

static void mark_image(struct meta *meta, int fd)
{
	struct extents ext;
	u64 off = 0;

	while (mark_extents(meta, &ext, fd, &off))
		;
}

void meta_find(struct meta *meta, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	u32 i;

	if (fd < 0 || fsync(fd))
		err(2, "%s", path);
	*meta = (struct meta){ };
	for (i = 0; i < ARRAY_SIZE(structures); i++)
		find_extents(meta, fd, i);
	mark_image(meta, fd);
	close(fd);
}

static bool touches(const struct meta *meta, u32 n, const struct event *ev)
{
	return ev->type == TRACE_WRITE && ev->off < meta->off[n] + meta->len[n] &&
	       meta->off[n] < ev->off + ev->len;
}

/* Event @i happened: what comes next is worth more cuts. */
static void make_likely(u8 *weight, const struct trace *tr, u32 i, u32 structure)
{
	u32 n, end = i + structures[structure].near;

	for (n = i + 1; n <= end && n <= tr->nr; n++)
		if (weight[n] < structures[structure].weight)
			weight[n] = structures[structure].weight;
}

/* The weight of a cut before event @i, for all of them; returns the sum. */
static u64 weigh(u8 *weight, const struct trace *tr, const struct meta *meta)
{
	u64 sum = 0;
	u32 i, n;

	memset(weight, 1, tr->nr + 1);
	for (i = 0; i < tr->nr; i++)
		for (n = 0; n < meta->nr; n++)
			if (touches(meta, n, &tr->events[i]))
				make_likely(weight, tr, i, meta->structure[n]);
	for (i = 0; i <= tr->nr; i++)
		sum += weight[i];
	return sum;
}

u32 pick_cuts(struct cut *cuts, u32 nr, const struct trace *tr,
	      const struct meta *meta, u64 seed)
{
	struct random rnd = random_start(seed, 2);
	u8 *weight = malloc(tr->nr + 1);
	u64 sum, behind = 0;
	u32 i, pos = 0, near = 0;

	if (!weight)
		err(2, "no memory to choose cuts");
	sum = weigh(weight, tr, meta);
	for (i = 0; i < nr; i++) {
		/* A random place in the i-th of nr parts of equal weight. */
		u64 at = sum * i / nr + random_next(&rnd) % (sum / nr + 1);

		while (pos < tr->nr && behind + weight[pos] <= at)
			behind += weight[pos++];
		cuts[i] = (struct cut){ .pos = pos, .variant = i };
		near += weight[pos] > 1;
	}
	free(weight);
	return near;
}
