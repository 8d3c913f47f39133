// SPDX-License-Identifier: GPL-2.0-only
/*
 * Questions to the kernel's headers, read by conftest.sh and never linked.
 *
 * Each question begins with a #line directive that names it. What does not
 * compile is answered with no, so a question contains nothing but what it
 * asks, and no two questions call the same function that may be missing.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/shrinker.h>

#line 1 "CONTROL_YES"
int control_yes(struct gendisk *disk);
int control_yes(struct gendisk *disk)
{
	set_capacity(disk, 0);
	return 0;
}

#line 1 "CONTROL_NO"
int control_no(struct gendisk *disk);
int control_no(struct gendisk *disk)
{
	return vhdx_no_such_function(disk);
}

#line 1 "HAVE_BDEV_OPS_DISK"
void ask_bdev_ops_disk(const struct block_device_operations *ops, struct gendisk *disk);
void ask_bdev_ops_disk(const struct block_device_operations *ops, struct gendisk *disk)
{
	ops->open(disk, BLK_OPEN_WRITE | BLK_OPEN_EXCL);
	ops->release(disk);
}

#line 1 "HAVE_QUEUE_LIMITS_FEATURES"
struct gendisk *ask_queue_limits_features(struct blk_mq_tag_set *set);
struct gendisk *ask_queue_limits_features(struct blk_mq_tag_set *set)
{
	struct queue_limits lim = {
		.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA,
		.max_hw_discard_sectors = 0,
	};

	return blk_mq_alloc_disk(set, &lim, NULL);
}

#line 1 "HAVE_ALLOC_DISK_LIMITS"
struct gendisk *ask_alloc_disk_limits(struct blk_mq_tag_set *set);
struct gendisk *ask_alloc_disk_limits(struct blk_mq_tag_set *set)
{
	return blk_mq_alloc_disk(set, NULL, NULL);
}

#line 1 "HAVE_SHOULD_MERGE"
int ask_should_merge(void);
int ask_should_merge(void)
{
	return BLK_MQ_F_SHOULD_MERGE;
}

#line 1 "HAVE_SHRINKER_ALLOC"
void ask_shrinker_alloc(void);
void ask_shrinker_alloc(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "vhdx");

	shrinker->private_data = NULL;
	shrinker_register(shrinker);
	shrinker_free(shrinker);
}

#line 1 "HAVE_MAPPING_STABLE_WRITES"
bool ask_mapping_stable_writes(const struct address_space *mapping);
bool ask_mapping_stable_writes(const struct address_space *mapping)
{
	return mapping_stable_writes(mapping);
}

#line 1 "HAVE_KIOCB_START_WRITE"
void ask_kiocb_start_write(struct kiocb *iocb);
void ask_kiocb_start_write(struct kiocb *iocb)
{
	kiocb_start_write(iocb);
	kiocb_end_write(iocb);
}
