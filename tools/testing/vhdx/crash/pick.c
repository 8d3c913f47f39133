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

#include "cut.h"
#include "pick.h"
#include "random.h"
#include "trace.h"

/* Events after a write to the image's structures that count as near. */
#define NEAR		8
#define WEIGHT_NEAR	6

struct extents {
	struct fiemap		map;
	struct fiemap_extent	list[META_MAX];
};

void meta_find(struct meta *meta, const char *path, u64 len)
{
	struct extents *ext = calloc(1, sizeof(*ext));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	u32 i;

	if (fd < 0 || !ext || fsync(fd))
		err(2, "%s", path);
	ext->map.fm_length = len;
	ext->map.fm_extent_count = META_MAX;
	if (ioctl(fd, FS_IOC_FIEMAP, &ext->map))
		err(2, "%s: FIEMAP", path);
	*meta = (struct meta){ .nr = ext->map.fm_mapped_extents };
	if (!meta->nr || meta->nr == META_MAX)
		errx(2, "%s: %u extents", path, meta->nr);
	for (i = 0; i < meta->nr; i++) {
		u64 behind = len - ext->list[i].fe_logical;

		meta->off[i] = ext->list[i].fe_physical;
		meta->len[i] = ext->list[i].fe_length < behind ?
			       ext->list[i].fe_length : behind;
	}
	close(fd);
	free(ext);
}

static bool touches(const struct meta *meta, const struct event *ev)
{
	u32 i;

	for (i = 0; i < meta->nr; i++)
		if (ev->off < meta->off[i] + meta->len[i] &&
		    meta->off[i] < ev->off + ev->len)
			return true;
	return false;
}

/* The weight of a cut before event @i, for all of them; returns the sum. */
static u64 weigh(u8 *weight, const struct trace *tr, const struct meta *meta)
{
	u32 i, last = TRACE_NONE;
	u64 sum = 0;

	for (i = 0; i <= tr->nr; i++) {
		weight[i] = last != TRACE_NONE && i - last <= NEAR ? WEIGHT_NEAR : 1;
		sum += weight[i];
		if (i < tr->nr && tr->events[i].type == TRACE_WRITE &&
		    touches(meta, &tr->events[i]))
			last = i;
	}
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
		near += weight[pos] == WEIGHT_NEAR;
	}
	free(weight);
	return near;
}
