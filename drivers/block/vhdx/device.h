/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One block device, /dev/vhdxN, and what it is made of.
 *
 * Life of a device:
 *
 *	vhdx_device_create()	opens the images; nobody else can see it
 *	vhdx_device_add()	makes it visible, scans partitions
 *	vhdx_device_begin_remove()	decides who takes it away
 *	vhdx_device_remove()	takes it away; the images are closed
 *	vhdx_device_put()	the last reference frees it
 *
 * struct vhdx_device lives as long as its gendisk, to whose references
 * get and put refer. The images live from create to remove. Who may use them
 * in between, and why they are still there:
 *
 *  - requests: del_gendisk() waits for all of them;
 *  - attributes in sysfs: removed by del_gendisk(), which waits for readers;
 *  - files in debugfs: their owner removes them before vhdx_device_remove();
 *  - the work that announces a mode: cancelled before the disk goes, and once
 *    more before the images do;
 *  - the work that empties the log: excluded by @stop_lock, and it has a
 *    reference to the device.
 *
 * State. CREATING -> LIVE -> DELETING, under disk->open_mutex, which the block
 * layer holds over ->open and ->release. To take a device away one must find
 * it LIVE and not open, and make it DELETING; from then on ->open refuses, so
 * nobody can come in, and as only one caller makes that step, only one
 * removes. No other lock is shared between the open and the control path.
 *
 * Each device holds a reference to the module until it is freed.
 */
#ifndef VHDX_DEVICE_H
#define VHDX_DEVICE_H

#include <linux/atomic.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "file.h"
#include "image.h"

struct attribute_group;
struct dentry;
struct vhdx_chain;
struct vhdx_device;
struct vhdx_finding;
struct vhdx_image;
struct vhdx_requests;

#define VHDX_MINOR_BITS		6
#define VHDX_MAX_DEVICES	(1 << (MINORBITS - VHDX_MINOR_BITS))

enum vhdx_device_state {
	VHDX_DEVICE_CREATING,
	VHDX_DEVICE_LIVE,
	VHDX_DEVICE_DELETING,
};

/**
 * struct vhdx_device_options - how to make a device
 * @number: N of /dev/vhdxN
 * @write: the image is opened for writing
 * @partscan: look for partitions
 * @autoclear: detach when the last user has closed it
 * @dio: direct I/O wanted
 * @groups: attributes of the disk
 * @last_close: the device has become DELETING because its last user closed it:
 *	called once, under open_mutex; schedules the removal
 * @owner: the caller's, see vhdx_device.owner
 */
struct vhdx_device_options {
	int				number;
	bool				write;
	bool				partscan;
	bool				autoclear;
	enum vhdx_file_dio		dio;
	const struct attribute_group	**groups;
	void				(*last_close)(struct vhdx_device *dev);
	void				*owner;
};

/**
 * struct vhdx_device - one attached image
 * @opt: as given [immutable]
 * @name: "vhdx0"; the disk's and the image's [immutable]
 * @disk: the gendisk [immutable once visible]
 * @tag_set: hardware queues and tags [immutable once visible]
 * @chain: the images [immutable until removed]
 * @requests: threads that serve the disk [immutable until removed]
 * @state: see above [open_mutex; READ_ONCE elsewhere]
 * @clear_on_close: the last user who closes the device takes it away: asked
 *	for by a lazy detach, or autoclear and @used [open_mutex]
 * @mode_work: announces a change of the image's mode
 * @announced: the mode that was announced last [@mode_work]
 * @clean_work: empties the log; has a reference while it is queued or running
 * @nr_cleans: how often it is queued or running, for those who wait for it
 * @stop_lock: serialises @clean_work and the end of the image; outside of all
 *	locks that an image has, see image.h
 * @stopped: the image may not be touched any more [stop_lock]
 * @debugfs: the owner's directory
 */
struct vhdx_device {
	struct vhdx_device_options	opt;
	char				name[DISK_NAME_LEN];
	struct gendisk			*disk;
	struct blk_mq_tag_set		tag_set;
	struct vhdx_chain		*chain;
	struct vhdx_requests		*requests;
	enum vhdx_device_state		state;
	bool				clear_on_close;
	struct work_struct		mode_work;
	enum vhdx_mode			announced;
	struct work_struct		clean_work;
	atomic_t			nr_cleans;
	struct mutex			stop_lock;
	bool				stopped;
	struct dentry			*debugfs;
};

/* Major number and workqueue of all devices. */
int vhdx_device_init(void);
void vhdx_device_exit(void);

/* Is @file the node of one of our devices, or of a partition on one? */
bool vhdx_device_owns_file(struct file *file);

/*
 * Open the images @files[0] to @files[@nr - 1] and make a device of them. The
 * references to the files stay the caller's. On failure an ERR_PTR, with
 * *@image and *@fd as vhdx_chain_open() leaves them. When threads or the disk are
 * what fails, a dirty log was replayed: the image is as good as one that was
 * attached and detached. May sleep.
 */
struct vhdx_device *vhdx_device_create(const struct vhdx_device_options *opt,
				       struct file **files, unsigned int nr,
				       unsigned int *image,
				       struct vhdx_finding *fd);

/* Take back a device that was not added. */
void vhdx_device_destroy(struct vhdx_device *dev);

/*
 * Make the device visible. On success it may be gone at any time after the
 * call unless the caller has a reference; on failure it must be destroyed.
 * I/O begins inside of the call.
 */
int vhdx_device_add(struct vhdx_device *dev);

struct vhdx_device *vhdx_device_get(struct vhdx_device *dev);
void vhdx_device_put(struct vhdx_device *dev);

/*
 * 0: nobody has the device open, and it is now the caller's to remove.
 * -EBUSY: it is open, or not added yet. -ENODEV: somebody else removes it.
 * -EINPROGRESS: @lazy, and it is open: its last user will remove it.
 */
int vhdx_device_begin_remove(struct vhdx_device *dev, bool lazy);

/*
 * Remove the disk, finish writing, close the images. The device is gone in any
 * case; an error says that the last writes or the clean-up of the log failed.
 * The caller's reference stays. Context: a task without signals and limits of a
 * user, which a file system might heed in the middle of it.
 */
int vhdx_device_remove(struct vhdx_device *dev);

/*
 * Have the log of the image emptied; nothing if the device is being removed.
 * Does not wait: that may take for ever if the image's server hangs.
 */
void vhdx_device_start_clean(struct vhdx_device *dev);

/*
 * Wait at most @timeout jiffies for what vhdx_device_start_clean() began. 0 if
 * it is not done by then, else what is left of @timeout, at least 1.
 */
long vhdx_device_wait_clean(struct vhdx_device *dev, long timeout);

/* The image that is written to. */
struct vhdx_image *vhdx_device_leaf(struct vhdx_device *dev);

#endif
