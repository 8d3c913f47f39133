// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shims that are too long for compat.h. Empty on the newest kernel.
 */
#include <linux/slab.h>

#ifndef HAVE_QUEUE_LIMITS_FEATURES
static struct gendisk *compat_alloc_disk(struct blk_mq_tag_set *set, void *queuedata)
{
#ifdef HAVE_ALLOC_DISK_LIMITS
	return blk_mq_alloc_disk(set, NULL, queuedata);
#else
	return blk_mq_alloc_disk(set, queuedata);
#endif
}

struct gendisk *vhdx_compat_alloc_disk(struct blk_mq_tag_set *set,
				       const struct vhdx_compat_limits *lim,
				       void *queuedata)
{
	struct gendisk *disk = compat_alloc_disk(set, queuedata);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_logical_block_size(q, lim->logical_block_size);
	blk_queue_physical_block_size(q, lim->physical_block_size);
	blk_queue_io_min(q, lim->io_min);
	blk_queue_io_opt(q, lim->io_opt);
	blk_queue_chunk_sectors(q, lim->chunk_sectors);
	blk_queue_max_hw_sectors(q, lim->max_hw_sectors);
	blk_queue_max_segments(q, lim->max_segments);
	blk_queue_max_segment_size(q, lim->max_segment_size);
	if (lim->dma_alignment)
		blk_queue_dma_alignment(q, lim->dma_alignment);
	blk_queue_write_cache(q, lim->features & BLK_FEAT_WRITE_CACHE,
			      lim->features & BLK_FEAT_FUA);
	if (lim->features & BLK_FEAT_STABLE_WRITES)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	return disk;
}
#endif

#ifndef HAVE_SHRINKER_ALLOC
static unsigned long compat_count(struct shrinker *real, struct shrink_control *sc)
{
	struct vhdx_compat_shrinker *shrinker =
		container_of(real, struct vhdx_compat_shrinker, real);

	return shrinker->count_objects(shrinker, sc);
}

static unsigned long compat_scan(struct shrinker *real, struct shrink_control *sc)
{
	struct vhdx_compat_shrinker *shrinker =
		container_of(real, struct vhdx_compat_shrinker, real);

	return shrinker->scan_objects(shrinker, sc);
}

struct vhdx_compat_shrinker *vhdx_compat_shrinker_alloc(unsigned int flags,
							const char *fmt, ...)
{
	struct vhdx_compat_shrinker *shrinker;
	va_list args;

	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
	if (!shrinker)
		return NULL;
	va_start(args, fmt);
	vsnprintf(shrinker->name, sizeof(shrinker->name), fmt, args);
	va_end(args);
	shrinker->real.flags = flags;
	shrinker->seeks = DEFAULT_SEEKS;
	return shrinker;
}

/*
 * Like its namesake this can not fail. Without memory to register it the
 * cache is not shrunk, which is no worse than what the caller would do.
 */
void vhdx_compat_shrinker_register(struct vhdx_compat_shrinker *shrinker)
{
	shrinker->real.count_objects = compat_count;
	shrinker->real.scan_objects = compat_scan;
	shrinker->real.batch = shrinker->batch;
	shrinker->real.seeks = shrinker->seeks;
	shrinker->registered = !register_shrinker(&shrinker->real, "%s",
						  shrinker->name);
	if (!shrinker->registered)
		pr_warn("%s: out of memory: its cache will not be shrunk\n",
			shrinker->name);
}

void vhdx_compat_shrinker_free(struct vhdx_compat_shrinker *shrinker)
{
	if (shrinker->registered)
		unregister_shrinker(&shrinker->real);
	kfree(shrinker);
}
#endif
