/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What makes an older kernel look like the newest one.
 *
 * The module's Makefile includes this file before everything else; no other
 * file knows that kernels differ. Each shim names the kernel and the change
 * that made it unnecessary; on the newest kernel nothing is left of the file.
 * What a kernel offers is asked by conftest.sh, never read off its version:
 * long-term kernels carry backports.
 *
 * Shims that stand for a structure or a function of the kernel take over its
 * name, so the headers that declare the original are included here first.
 */
#ifndef VHDX_COMPAT_H
#define VHDX_COMPAT_H

#include "have.h"

/*
 * 6.5, d32e2bf83791 "block: pass a gendisk to ->open", ae220766d87c "block:
 * remove the unused mode argument to ->release", and the block layer's own
 * type for the mode: the operations were given a block device and an fmode_t.
 *
 * The macros expand only where the name is followed by a parenthesis, that is
 * at the definition of the operation: they put a function with the old
 * signature and the operation's name in front of it.
 *
 * And, in the same series, 9d1c92872e70 "block: also call ->open for
 * incremental partition opens": nothing was said of who opened a partition
 * that was open. If they have written, ->release makes up for it. Not noticed
 * are those who did not write, such as a read-only mount, while somebody else
 * had that partition open first, and writers where queue/iostats is off.
 */
#ifndef HAVE_BDEV_OPS_DISK
#include <linux/blkdev.h>
#include <linux/part_stat.h>

#define blk_mode_t	fmode_t
#define BLK_OPEN_WRITE	FMODE_WRITE
#define BLK_OPEN_EXCL	FMODE_EXCL

#define disk_open(disk, mode)						\
compat_disk_open(disk, mode);						\
static int disk_open(struct block_device *bdev, fmode_t flags)		\
{									\
	return compat_disk_open(bdev->bd_disk, flags);			\
}									\
static int compat_disk_open(disk, mode)

#define disk_release(disk)						\
compat_disk_release(disk);						\
static void disk_release(struct gendisk *arg, fmode_t flags)		\
{									\
	if (part_stat_read(arg->part0, ios[STAT_WRITE]))		\
		compat_disk_open(arg, FMODE_WRITE);			\
	compat_disk_release(arg);					\
}									\
static void compat_disk_release(disk)
#endif

/*
 * 6.9, 27e32cd23fed "block: pass a queue_limits argument to
 * blk_mq_alloc_disk", and 6.11, 1122c0c1cc71 "block: move cache control
 * settings out of queue->flags": limits were set one by one, on the queue.
 */
#ifndef HAVE_QUEUE_LIMITS_FEATURES
#include <linux/blk-mq.h>
#include <linux/blkdev.h>

#define blk_features_t		unsigned int

struct vhdx_compat_limits {
	blk_features_t	features;
	unsigned int	logical_block_size;
	unsigned int	physical_block_size;
	unsigned int	io_min;
	unsigned int	io_opt;
	unsigned int	chunk_sectors;
	unsigned int	max_hw_sectors;
	unsigned int	max_segment_size;
	unsigned short	max_segments;
	unsigned int	dma_alignment;
};

struct gendisk *vhdx_compat_alloc_disk(struct blk_mq_tag_set *set,
				       const struct vhdx_compat_limits *lim,
				       void *queuedata);

#define queue_limits		vhdx_compat_limits
#define BLK_FEAT_WRITE_CACHE	(1U << 0)
#define BLK_FEAT_FUA		(1U << 1)
#define BLK_FEAT_STABLE_WRITES	(1U << 2)
#ifndef VHDX_COMPAT_C
#undef blk_mq_alloc_disk
#define blk_mq_alloc_disk(set, lim, queuedata) \
	vhdx_compat_alloc_disk(set, lim, queuedata)
#endif
#endif

/*
 * 6.14, cc76ace465d6 "block: remove BLK_MQ_F_SHOULD_MERGE": merging was
 * something that a driver had to ask for.
 */
#ifdef HAVE_SHOULD_MERGE
#include <linux/blk-mq.h>

static inline int vhdx_compat_alloc_tag_set(struct blk_mq_tag_set *set)
{
	set->flags |= BLK_MQ_F_SHOULD_MERGE;
	return blk_mq_alloc_tag_set(set);
}

#define blk_mq_alloc_tag_set(set) vhdx_compat_alloc_tag_set(set)
#endif

/*
 * 6.7, c42d50aefd17 "mm: shrinker: add infrastructure for dynamically
 * allocating shrinker": the shrinker was the caller's, and had no room for
 * the caller's data.
 */
#ifndef HAVE_SHRINKER_ALLOC
#include <linux/fs.h>
#include <linux/shrinker.h>

struct vhdx_compat_shrinker {
	struct shrinker	real;
	bool		registered;
	char		name[32];
	unsigned long	(*count_objects)(struct vhdx_compat_shrinker *shrinker,
					 struct shrink_control *sc);
	unsigned long	(*scan_objects)(struct vhdx_compat_shrinker *shrinker,
					struct shrink_control *sc);
	long		batch;
	int		seeks;
	void		*private_data;
};

__printf(2, 3)
struct vhdx_compat_shrinker *vhdx_compat_shrinker_alloc(unsigned int flags,
							const char *fmt, ...);
void vhdx_compat_shrinker_register(struct vhdx_compat_shrinker *shrinker);
void vhdx_compat_shrinker_free(struct vhdx_compat_shrinker *shrinker);

#ifndef VHDX_COMPAT_C
#define shrinker		vhdx_compat_shrinker
#define shrinker_alloc		vhdx_compat_shrinker_alloc
#define shrinker_register	vhdx_compat_shrinker_register
#define shrinker_free		vhdx_compat_shrinker_free
#endif
#endif

/*
 * 6.7, 762321dab9a7 "filemap: add a per-mapping stable writes flag": the flag
 * was the super block's alone.
 */
#ifndef HAVE_MAPPING_STABLE_WRITES
#include <linux/fs.h>

static inline bool mapping_stable_writes(const struct address_space *mapping)
{
	return mapping->host->i_sb->s_iflags & SB_I_STABLE_WRITES;
}
#endif

/*
 * 6.6, ed0360bbab72 "fs: create kiocb_{start,end}_write() helpers".
 */
#ifndef HAVE_KIOCB_START_WRITE
#include <linux/fs.h>

static inline void kiocb_start_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	sb_start_write(sb);
	/* The task that ends the write may be another one. */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
}

static inline void kiocb_end_write(struct kiocb *iocb)
{
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
}
#endif

#endif
