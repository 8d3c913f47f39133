// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block device: disk, queue limits, open and release, tear-down.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "chain.h"
#include "device.h"
#include "format/geometry.h"
#include "format/metadata.h"
#include "image.h"
#include "request.h"
#include "trace.h"

/* 4 MiB: what one thread should at most zero or copy at a time. */
#define MAX_HW_SECTORS	8192

#define MAX_QUEUES	64
#define MAX_DEPTH	10240

static unsigned int nr_hw_queues = 4;
module_param(nr_hw_queues, uint, 0444);
MODULE_PARM_DESC(nr_hw_queues,
		 "Hardware queues of a device, at most one for each CPU (default 4)");

static unsigned int queue_depth = 128;
module_param(queue_depth, uint, 0444);
MODULE_PARM_DESC(queue_depth, "Requests in each hardware queue (default 128)");

static int device_major;
/* Not freezable: the log is emptied whatever state the machine is in. */
static struct workqueue_struct *device_wq;

struct vhdx_image *vhdx_device_leaf(struct vhdx_device *dev)
{
	return vhdx_chain_leaf(dev->chain);
}

/* Open and release */

static bool device_is_open(struct vhdx_device *dev)
{
	return disk_openers(dev->disk);
}

/* The last user is gone. Whoever makes this step hands the device over. */
static void device_closed(struct vhdx_device *dev)
{
	lockdep_assert_held(&dev->disk->open_mutex);
	if (dev->state != VHDX_DEVICE_LIVE || !dev->clear_on_close ||
	    device_is_open(dev))
		return;
	WRITE_ONCE(dev->state, VHDX_DEVICE_DELETING);
	dev->opt.last_close(dev);
}

/*
 * A device that detaches itself must survive those who only have a look at
 * every new device, as udev does, before its user comes: it counts as used
 * once it was opened for writing or exclusively (mount, device mapper, ...).
 */
static int disk_open(struct gendisk *disk, blk_mode_t mode)
{
	struct vhdx_device *dev = disk->private_data;

	if (dev->state == VHDX_DEVICE_DELETING)
		return -ENXIO;
	if (dev->opt.autoclear && (mode & (BLK_OPEN_WRITE | BLK_OPEN_EXCL)))
		WRITE_ONCE(dev->clear_on_close, true);
	return 0;
}

static void disk_release(struct gendisk *disk)
{
	device_closed(disk->private_data);
}

/*
 * The block layer may drop the last reference to a disk when it holds none to
 * the module any more, so the device has its own; see vhdx_device_exit() for
 * the time between the end of that and the end of this function.
 */
static void device_free(struct vhdx_device *dev)
{
	blk_mq_free_tag_set(&dev->tag_set);
	kfree(dev);
	module_put(THIS_MODULE);
}

static void disk_free(struct gendisk *disk)
{
	device_free(disk->private_data);
}

static const struct block_device_operations device_ops = {
	.owner		= THIS_MODULE,
	.open		= disk_open,
	.release	= disk_release,
	.free_disk	= disk_free,
};

bool vhdx_device_owns_file(struct file *file)
{
	struct inode *inode = file->f_mapping->host;

	return S_ISBLK(inode->i_mode) &&
	       I_BDEV(inode)->bd_disk->fops == &device_ops;
}

/* The mode of the image */

static bool device_is_live(const struct vhdx_device *dev)
{
	return READ_ONCE(dev->state) == VHDX_DEVICE_LIVE;
}

/*
 * An announcement that found no memory is made later: it may be want of memory
 * that the mode fell for. Nobody has seen it then. Other errors are those of
 * who listens.
 */
static void device_announce_mode(struct vhdx_device *dev, enum vhdx_mode mode)
{
	struct kobject *kobj = &disk_to_dev(dev->disk)->kobj;
	char text[32];
	char *envp[2] = { text };

	snprintf(text, sizeof(text), "VHDX_MODE=%s", vhdx_mode_name(mode));
	trace_vhdx_device_mode(dev->name, vhdx_mode_name(mode));
	set_disk_ro(dev->disk, true);
	while (kobject_uevent_env(kobj, KOBJ_CHANGE, envp) == -ENOMEM &&
	       device_is_live(dev))
		msleep(100);
}

static void device_mode_work(struct work_struct *work)
{
	struct vhdx_device *dev = container_of(work, struct vhdx_device, mode_work);
	enum vhdx_mode mode = vhdx_image_mode(vhdx_device_leaf(dev));

	if (!device_is_live(dev) || mode <= dev->announced)
		return;
	dev->announced = mode;
	device_announce_mode(dev, mode);
}

/*
 * While the images are being opened there is nothing to tell anybody;
 * vhdx_device_add() catches up with what happens before the device is LIVE.
 */
static void device_mode_changed(void *data)
{
	struct vhdx_device *dev = data;

	if (device_is_live(dev))
		queue_work(device_wq, &dev->mode_work);
}

/* The log of the image */

/* What becomes of a log that could not be emptied. The image is open. */
static const char *device_log_prospect(struct vhdx_device *dev)
{
	if (vhdx_file_is_deleted(vhdx_image_file(vhdx_device_leaf(dev))))
		return "it goes with the file, which was deleted";
	return "it will be replayed at the next attach";
}

static void device_clean(struct vhdx_device *dev)
{
	unsigned int noio = memalloc_noio_save();
	int ret = 0;

	mutex_lock(&dev->stop_lock);
	if (!dev->stopped)
		ret = vhdx_image_clean(vhdx_device_leaf(dev));
	if (ret)
		pr_err("%s: cannot empty the log (error %d): %s\n", dev->name, ret,
		       device_log_prospect(dev));
	mutex_unlock(&dev->stop_lock);
	memalloc_noio_restore(noio);
}

static void device_clean_done(struct vhdx_device *dev)
{
	if (atomic_dec_and_test(&dev->nr_cleans))
		wake_up_var(&dev->nr_cleans);
	vhdx_device_put(dev);
}

static void device_clean_work(struct work_struct *work)
{
	struct vhdx_device *dev = container_of(work, struct vhdx_device, clean_work);

	device_clean(dev);
	device_clean_done(dev);
}

/*
 * A run that has begun may have missed what was written last, so another one
 * is queued behind it; one that has not is as good as a new one.
 */
void vhdx_device_start_clean(struct vhdx_device *dev)
{
	if (!dev->opt.write)
		return;
	vhdx_device_get(dev);
	atomic_inc(&dev->nr_cleans);
	if (!queue_work(device_wq, &dev->clean_work))
		device_clean_done(dev);
}

long vhdx_device_wait_clean(struct vhdx_device *dev, long timeout)
{
	return wait_var_event_timeout(&dev->nr_cleans, !atomic_read(&dev->nr_cleans),
				      timeout);
}

/* Making one */

static int device_open_chain(struct vhdx_device *dev, struct file **files,
			     unsigned int nr, unsigned int *image,
			     struct vhdx_finding *fd)
{
	const struct vhdx_image_options opt = {
		.write		= dev->opt.write,
		.dio		= dev->opt.dio,
		.mode_changed	= device_mode_changed,
		.data		= dev,
		.name		= dev->name,
	};

	dev->chain = vhdx_chain_open(files, nr, &opt, image, fd);
	return PTR_ERR_OR_ZERO(dev->chain);
}

static unsigned int device_nr_queues(void)
{
	return clamp(nr_hw_queues, 1U, min(num_online_cpus(), MAX_QUEUES + 0U));
}

static int device_alloc_tag_set(struct vhdx_device *dev)
{
	struct blk_mq_tag_set *set = &dev->tag_set;

	vhdx_requests_setup(dev->requests, set);
	set->queue_depth = clamp(queue_depth, 1U, MAX_DEPTH + 0U);
	set->numa_node = NUMA_NO_NODE;
	set->flags = BLK_MQ_F_STACKING | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	return blk_mq_alloc_tag_set(set);
}

/* The strictest of all files; whatever memory is good for buffered I/O. */
static u32 device_dma_alignment(struct vhdx_device *dev)
{
	u32 align = 0;
	unsigned int i;

	for (i = 0; i < vhdx_chain_depth(dev->chain); i++) {
		struct vhdx_file *file =
			vhdx_image_file(vhdx_chain_image(dev->chain, i));

		if (file->direct)
			align = max(align, file->mem_align);
	}
	return align ? align - 1 : 0;
}

/* Parents are only read: what is below them needs nothing of us. */
static blk_features_t device_write_features(struct vhdx_device *dev)
{
	struct vhdx_file *file = vhdx_image_file(vhdx_device_leaf(dev));
	blk_features_t features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;

	if (vhdx_file_needs_stable_pages(file))
		features |= BLK_FEAT_STABLE_WRITES;
	return features;
}

/*
 * chunk_sectors is what keeps a request inside of one payload block. io_opt is
 * left alone: it would size the read-ahead, and a block is far too large for
 * that.
 */
static void device_limits(struct vhdx_device *dev, struct queue_limits *lim)
{
	struct vhdx_image *leaf = vhdx_device_leaf(dev);
	const struct vhdx_metadata *md = vhdx_image_metadata(leaf);
	u32 physical = max(md->logical_size, md->physical_size);

	*lim = (struct queue_limits){
		.logical_block_size	= md->logical_size,
		.physical_block_size	= physical,
		.io_min			= physical,
		.chunk_sectors		= md->block_size >> SECTOR_SHIFT,
		.max_hw_sectors		= MAX_HW_SECTORS,
		.max_segments		= USHRT_MAX,
		.max_segment_size	= UINT_MAX,
		.dma_alignment		= device_dma_alignment(dev),
	};
	if (dev->opt.write)
		lim->features = device_write_features(dev);
}

static int device_alloc_disk(struct vhdx_device *dev)
{
	struct queue_limits lim;
	struct gendisk *disk;

	device_limits(dev, &lim);
	disk = blk_mq_alloc_disk(&dev->tag_set, &lim, dev);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	disk->major = device_major;
	disk->first_minor = dev->opt.number << VHDX_MINOR_BITS;
	disk->minors = 1 << VHDX_MINOR_BITS;
	disk->fops = &device_ops;
	disk->private_data = dev;
	strscpy(disk->disk_name, dev->name, sizeof(disk->disk_name));
	set_capacity(disk, vhdx_image_geometry(vhdx_device_leaf(dev))->disk_size >>
			   SECTOR_SHIFT);
	set_disk_ro(disk, !dev->opt.write);
	if (!dev->opt.partscan)
		set_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	dev->disk = disk;
	return 0;
}

/* Everything above the open images. */
static int device_make_disk(struct vhdx_device *dev)
{
	int ret;

	dev->tag_set.nr_hw_queues = device_nr_queues();
	dev->requests = vhdx_requests_start(dev->name, dev->chain,
					    dev->tag_set.nr_hw_queues);
	if (IS_ERR(dev->requests))
		return PTR_ERR(dev->requests);
	ret = device_alloc_tag_set(dev);
	if (ret)
		goto out_stop_requests;
	ret = device_alloc_disk(dev);
	if (ret)
		goto out_free_tag_set;
	return 0;

out_free_tag_set:
	blk_mq_free_tag_set(&dev->tag_set);
out_stop_requests:
	vhdx_requests_stop(dev->requests);
	return ret;
}

static struct vhdx_device *device_alloc(const struct vhdx_device_options *opt)
{
	struct vhdx_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return NULL;
	/* The caller came through a file of the module. */
	__module_get(THIS_MODULE);
	dev->opt = *opt;
	snprintf(dev->name, sizeof(dev->name), "vhdx%d", opt->number);
	INIT_WORK(&dev->mode_work, device_mode_work);
	dev->announced = opt->write ? VHDX_MODE_WRITE : VHDX_MODE_READ_ONLY;
	INIT_WORK(&dev->clean_work, device_clean_work);
	mutex_init(&dev->stop_lock);
	return dev;
}

/*
 * Stop the image and close all of them. The mode may change while it stops,
 * so the work that announces it may be queued once more, if only to find that
 * the device is not LIVE; once it has stopped nothing changes it any more.
 */
static int device_close_chain(struct vhdx_device *dev)
{
	const char *prospect = device_log_prospect(dev);
	unsigned int noio = memalloc_noio_save();
	int ret;

	mutex_lock(&dev->stop_lock);
	dev->stopped = true;
	ret = vhdx_image_stop(vhdx_device_leaf(dev));
	mutex_unlock(&dev->stop_lock);
	cancel_work_sync(&dev->mode_work);
	vhdx_chain_close(dev->chain);
	memalloc_noio_restore(noio);
	if (ret)
		pr_err("%s: the last writes or the clean-up of the log failed (error %d): %s\n",
		       dev->name, ret, prospect);
	return ret;
}

struct vhdx_device *vhdx_device_create(const struct vhdx_device_options *opt,
				       struct file **files, unsigned int nr,
				       unsigned int *image,
				       struct vhdx_finding *fd)
{
	struct vhdx_device *dev = device_alloc(opt);
	int ret;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	ret = device_open_chain(dev, files, nr, image, fd);
	if (ret)
		goto out_free;
	ret = device_make_disk(dev);
	if (ret)
		goto out_close_chain;
	return dev;

out_close_chain:
	device_close_chain(dev);
out_free:
	kfree(dev);
	module_put(THIS_MODULE);
	return ERR_PTR(ret);
}

/* ->free_disk is called for disks only that were added. */
void vhdx_device_destroy(struct vhdx_device *dev)
{
	vhdx_requests_stop(dev->requests);
	device_close_chain(dev);
	put_disk(dev->disk);
	device_free(dev);
}

struct vhdx_device *vhdx_device_get(struct vhdx_device *dev)
{
	get_device(disk_to_dev(dev->disk));
	return dev;
}

void vhdx_device_put(struct vhdx_device *dev)
{
	put_disk(dev->disk);
}

static void device_go_live(struct vhdx_device *dev)
{
	mutex_lock(&dev->disk->open_mutex);
	WRITE_ONCE(dev->state, VHDX_DEVICE_LIVE);
	/* What device_mode_changed() did not tell while we were CREATING. */
	queue_work(device_wq, &dev->mode_work);
	device_closed(dev);
	mutex_unlock(&dev->disk->open_mutex);
}

int vhdx_device_add(struct vhdx_device *dev)
{
	int ret = device_add_disk(NULL, dev->disk, dev->opt.groups);

	if (ret)
		return ret;
	trace_vhdx_device_attach(dev->name, get_capacity(dev->disk) << SECTOR_SHIFT,
				 dev->opt.write);
	pr_info("%s: attached %s\n", dev->name,
		dev->opt.write ? "for reading and writing" : "read-only");
	vhdx_device_get(dev);
	device_go_live(dev);
	vhdx_device_put(dev);
	return 0;
}

/* Taking one away */

static int device_begin_remove_locked(struct vhdx_device *dev, bool lazy)
{
	lockdep_assert_held(&dev->disk->open_mutex);
	switch (dev->state) {
	case VHDX_DEVICE_CREATING:
		return -EBUSY;
	case VHDX_DEVICE_DELETING:
		return -ENODEV;
	case VHDX_DEVICE_LIVE:
		break;
	}
	if (!device_is_open(dev)) {
		WRITE_ONCE(dev->state, VHDX_DEVICE_DELETING);
		return 0;
	}
	if (!lazy)
		return -EBUSY;
	WRITE_ONCE(dev->clear_on_close, true);
	return -EINPROGRESS;
}

int vhdx_device_begin_remove(struct vhdx_device *dev, bool lazy)
{
	int ret;

	mutex_lock(&dev->disk->open_mutex);
	ret = device_begin_remove_locked(dev, lazy);
	mutex_unlock(&dev->disk->open_mutex);
	return ret;
}

int vhdx_device_remove(struct vhdx_device *dev)
{
	int ret;

	WARN_ON_ONCE(READ_ONCE(dev->state) != VHDX_DEVICE_DELETING);
	/* Found the device LIVE, and is about to use what del_gendisk() takes. */
	cancel_work_sync(&dev->mode_work);
	del_gendisk(dev->disk);
	vhdx_requests_stop(dev->requests);
	ret = device_close_chain(dev);
	trace_vhdx_device_detach(dev->name, ret);
	pr_info("%s: detached\n", dev->name);
	return ret;
}

int vhdx_device_init(void)
{
	int ret;

	device_wq = alloc_workqueue("vhdx", WQ_UNBOUND, 0);
	if (!device_wq)
		return -ENOMEM;
	ret = register_blkdev(0, "vhdx");
	if (ret < 0) {
		destroy_workqueue(device_wq);
		return ret;
	}
	device_major = ret;
	return 0;
}

/*
 * Every device pinned the module: none is left. But the task that freed the
 * last one may have been preempted on its way out of device_free(), whose code
 * is about to go: it is out of there when it has slept or returned to user
 * space, which is what is waited for.
 */
void vhdx_device_exit(void)
{
	unregister_blkdev(device_major, "vhdx");
	destroy_workqueue(device_wq);
	synchronize_rcu_tasks();
}
