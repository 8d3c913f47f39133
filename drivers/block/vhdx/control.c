// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control device and the register of attached images.
 *
 * The register's mutex is held to look something up or to change the
 * register, never over I/O: opening and closing an image may take long, and
 * with a file system whose server hangs, for ever. So an image is entered
 * before it is opened, and leaves after it was closed, and while it is
 * entered it can not be attached again.
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <uapi/linux/vhdx.h>

#include "control.h"
#include "debugfs.h"
#include "device.h"
#include "format/fault.h"
#include "format/text.h"
#include "sysfs.h"

/**
 * struct attachment - one entry of the register
 * @dev: the device; NULL while the images are being opened [register_lock;
 *	constant for the owner of a device that is DELETING]
 * @number: N of /dev/vhdxN [immutable]
 * @ref: the owner's, and one of who waits for @detached
 * @detach: removes the device, always: what is written then must depend neither on
 *	the signals nor on the limits of who asked for it
 * @detached: it is removed, and its files are closed
 * @result: of that [constant once @detached]
 * @write: the image is written to; its parents never are [immutable]
 * @nr: number of @hosts
 * @hosts: what the files are, the image first: the inodes that own the data,
 *	so that two device nodes or two opens are recognised as the same. Only
 *	compared, never dereferenced: no reference is held [immutable]
 *
 * Owned by the attach call until the device is added, then by @detach, which
 * whoever makes the device DELETING queues. The owner takes it out of the register.
 */
struct attachment {
	struct vhdx_device	*dev;
	u32			number;
	refcount_t		ref;
	struct work_struct	detach;
	struct completion	detached;
	int			result;
	bool			write;
	unsigned int		nr;
	const struct inode	*hosts[];
};

/* Guards @attachments and attachment.dev; nothing of ours is taken under it. */
static DEFINE_MUTEX(register_lock);
static DEFINE_XARRAY_ALLOC(attachments);

/*
 * Freezable: closing an image writes to it, see control_pm(). One that hangs is
 * no other's hindrance.
 */
static struct workqueue_struct *detach_wq;

/*
 * Say in words, in the reply, what no fault of an image says. Returns @err, so
 * that a refusal ends in one line.
 */
static __printf(3, 4) int refuse(struct vhdx_fault_reply *reply, int err,
				 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(reply->text, sizeof(reply->text), fmt, args);
	va_end(args);
	return err;
}

/* The register */

static bool attachment_shares_file(const struct attachment *a, const struct attachment *b)
{
	unsigned int i, j;

	for (i = 0; i < a->nr; i++)
		for (j = 0; j < b->nr; j++)
			if (a->hosts[i] == b->hosts[j] &&
			    ((a->write && !i) || (b->write && !j)))
				return true;
	return false;
}

/* Number of the device that uses one of our files in a way that excludes us. */
static int attachment_conflict(const struct attachment *att)
{
	struct attachment *other;
	unsigned long number;

	lockdep_assert_held(&register_lock);
	xa_for_each(&attachments, number, other)
		if (attachment_shares_file(att, other))
			return number;
	return -ENOENT;
}

static int attachment_number(struct attachment *att, int wanted,
			     struct vhdx_fault_reply *reply)
{
	struct xa_limit limit = XA_LIMIT(0, VHDX_MAX_DEVICES - 1);
	int ret;

	if (wanted >= 0)
		limit = XA_LIMIT(wanted, wanted);
	ret = xa_alloc(&attachments, &att->number, att, limit, GFP_KERNEL);
	if (ret == -EBUSY && wanted >= 0)
		return refuse(reply, -EEXIST, "there is a vhdx%d already", wanted);
	if (ret == -EBUSY)
		return refuse(reply, -ENOSPC, "there are as many devices as there can be");
	return ret;
}

static int attachment_enter_locked(struct attachment *att, int wanted,
				   struct vhdx_fault_reply *reply)
{
	int other = attachment_conflict(att);

	if (other >= 0)
		return refuse(reply, -EBUSY, "the file is in use by vhdx%d", other);
	return attachment_number(att, wanted, reply);
}

static int attachment_enter(struct attachment *att, int wanted,
			    struct vhdx_fault_reply *reply)
{
	int ret;

	mutex_lock(&register_lock);
	ret = attachment_enter_locked(att, wanted, reply);
	mutex_unlock(&register_lock);
	return ret;
}

static void attachment_set_device(struct attachment *att, struct vhdx_device *dev)
{
	mutex_lock(&register_lock);
	att->dev = dev;
	mutex_unlock(&register_lock);
}

static void attachment_put(struct attachment *att)
{
	if (refcount_dec_and_test(&att->ref))
		kfree(att);
}

static void attachment_leave(struct attachment *att)
{
	mutex_lock(&register_lock);
	xa_erase(&attachments, att->number);
	mutex_unlock(&register_lock);
}

/*
 * The device, with a reference, or NULL. One that is CREATING does not count:
 * adding it may still fail, and then it goes without asking for references.
 */
static struct vhdx_device *attachment_get_device(struct attachment *att)
{
	lockdep_assert_held(&register_lock);
	if (!att->dev || READ_ONCE(att->dev->state) == VHDX_DEVICE_CREATING)
		return NULL;
	return vhdx_device_get(att->dev);
}

/* The device with the least number from *@number on, with a reference. */
static struct vhdx_device *attachment_next_device(unsigned long *number)
{
	struct vhdx_device *dev = NULL;
	struct attachment *att;

	mutex_lock(&register_lock);
	xa_for_each_start(&attachments, *number, att, *number) {
		dev = attachment_get_device(att);
		if (dev)
			break;
	}
	mutex_unlock(&register_lock);
	return dev;
}

/*
 * ERR_PTR: -ENODEV where there is nothing, -EBUSY while it is being attached.
 * The latter is what those see who detach on the disk's first uevent: it is
 * sent before the device is LIVE.
 */
static struct vhdx_device *attachment_find_device(int number)
{
	struct vhdx_device *dev = NULL;
	struct attachment *att = NULL;

	mutex_lock(&register_lock);
	if (number >= 0)
		att = xa_load(&attachments, number);
	if (att)
		dev = attachment_get_device(att);
	mutex_unlock(&register_lock);
	if (!att)
		return ERR_PTR(-ENODEV);
	return dev ?: ERR_PTR(-EBUSY);
}

/* Detaching */

/*
 * What went wrong was logged, for the case that nobody waits. The device that goes
 * may have been the last that pinned the module, whose end waits for this to end
 * (vhdx_control_exit()).
 */
static void attachment_detach_work(struct work_struct *work)
{
	struct attachment *att = container_of(work, struct attachment, detach);
	struct vhdx_device *dev = att->dev;

	vhdx_debugfs_remove(dev);
	att->result = vhdx_device_remove(dev);
	attachment_leave(att);
	vhdx_device_put(dev);
	complete(&att->detached);
	attachment_put(att);
}

/* The caller made the device DELETING. @att is gone then, but for a reference. */
static void attachment_detach(struct attachment *att)
{
	queue_work(detach_wq, &att->detach);
}

static void attachment_last_close(struct vhdx_device *dev)
{
	attachment_detach(dev->opt.owner);
}

/*
 * Who is killed does not wait any longer, and the device is removed all the same:
 * a file system may refuse to write for a task that is about to die, and what the
 * log still lacks would be lost.
 */
static int detach_device(struct vhdx_device *dev, bool lazy)
{
	struct attachment *att = dev->opt.owner;
	int ret = vhdx_device_begin_remove(dev, lazy);

	if (ret)
		return ret == -EINPROGRESS ? 0 : ret;
	refcount_inc(&att->ref);
	attachment_detach(att);
	ret = wait_for_completion_killable(&att->detached) ? -EINTR : att->result;
	attachment_put(att);
	return ret;
}

static bool all_zero(const __u32 *words, unsigned int nr)
{
	return !memchr_inv(words, 0, nr * sizeof(*words));
}

static long control_detach(void __user *arg, u32 size)
{
	struct vhdx_detach args;
	struct vhdx_device *dev;
	int ret;

	ret = copy_struct_from_user(&args, sizeof(args), arg, size);
	if (ret)
		return ret;
	if ((args.flags & ~VHDX_DETACH_ALL) ||
	    !all_zero(args.reserved, ARRAY_SIZE(args.reserved)))
		return -EINVAL;
	dev = attachment_find_device(args.number);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	ret = detach_device(dev, args.flags & VHDX_DETACH_LAZY);
	vhdx_device_put(dev);
	return ret;
}

/* Attaching */

/**
 * struct attach_files - what the caller passed in, with references
 * @nr: number of files
 * @file: the image, then its parents
 */
struct attach_files {
	unsigned int	nr;
	struct file	*file[1 + VHDX_MAX_PARENTS];
};

static void files_put(struct attach_files *files)
{
	while (files->nr)
		fput(files->file[--files->nr]);
}

/*
 * A device of ours is refused as an image. A loop could not come of it, since
 * a device is there before what is attached on it; but it would be two layers
 * where a differencing image is meant. What else may be wrong with a file is
 * found when it is opened.
 */
static int files_check(struct file *file, bool write, struct vhdx_fault_reply *reply)
{
	if (!(file->f_mode & FMODE_READ))
		return refuse(reply, -EBADF, "the file is not open for reading");
	if (write && !(file->f_mode & FMODE_WRITE))
		return refuse(reply, -EBADF, "the file is not open for writing");
	if (vhdx_device_owns_file(file))
		return refuse(reply, -ELOOP, "the file is a device of this driver; attach an image file");
	return 0;
}

static int files_add(struct attach_files *files, int fd, bool write,
		     struct vhdx_fault_reply *reply)
{
	struct file *file = fget(fd);
	int ret;

	reply->image = files->nr;
	if (!file)
		return refuse(reply, -EBADF, "there is no open file with the number %d", fd);
	ret = files_check(file, write, reply);
	if (ret) {
		fput(file);
		return ret;
	}
	files->file[files->nr++] = file;
	reply->image = 0;
	return 0;
}

static int files_add_parents(struct attach_files *files, struct vhdx_attach *args)
{
	__s32 __user *fds = u64_to_user_ptr(args->parents);
	unsigned int i;
	__s32 fd;
	int ret;

	for (i = 0; i < args->nr_parents; i++) {
		if (get_user(fd, fds + i))
			return refuse(&args->fault, -EFAULT, "the parents cannot be read");
		ret = files_add(files, fd, false, &args->fault);
		if (ret)
			return ret;
	}
	return 0;
}

/* On failure the caller puts what was got so far. */
static int files_get(struct attach_files *files, struct vhdx_attach *args)
{
	bool write = !(args->flags & VHDX_ATTACH_READ_ONLY);
	int ret;

	ret = files_add(files, args->fd, write, &args->fault);
	return ret ?: files_add_parents(files, args);
}

static struct attachment *attachment_alloc(const struct attach_files *files, bool write)
{
	struct attachment *att;
	unsigned int i;

	att = kzalloc(struct_size(att, hosts, files->nr), GFP_KERNEL);
	if (!att)
		return NULL;
	refcount_set(&att->ref, 1);
	INIT_WORK(&att->detach, attachment_detach_work);
	init_completion(&att->detached);
	att->write = write;
	att->nr = files->nr;
	for (i = 0; i < files->nr; i++)
		att->hosts[i] = files->file[i]->f_mapping->host;
	return att;
}

static enum vhdx_file_dio attach_dio(u32 flags)
{
	if (flags & VHDX_ATTACH_DIRECT_IO)
		return VHDX_DIO_ON;
	return flags & VHDX_ATTACH_BUFFERED_IO ? VHDX_DIO_OFF : VHDX_DIO_AUTO;
}

/*
 * Of what else opening an image may end in, with no finding; NULL where the
 * error number says it all.
 */
static const char *attach_cause(int err, u32 flags)
{
	switch (err) {
	case -EBADF:
		return "the file cannot be read, or not be written at any place";
	case -EINVAL:
		return flags & VHDX_ATTACH_DIRECT_IO ?
		       "direct I/O is not possible to this file" :
		       "it is neither a regular file nor a block device";
	case -EIO:
		return "the file could not be read";
	case -EISDIR:
		return "it is a directory";
	case -ENOMEM:
		return "there is not memory enough";
	case -EROFS:
		return "the file system is read-only";
	default:
		return NULL;
	}
}

/* The name and the offset have fields of their own: only the sentence. */
static void reply_fault(struct vhdx_fault_reply *reply, unsigned int image,
			const struct vhdx_finding *fd)
{
	char text[VHDX_FAULT_NAME_LEN + VHDX_FAULT_TEXT_LEN + 64];
	const char *sentence;

	reply->image = image;
	reply->code = fd->fault;
	if (fd->fault == VHDX_FAULT_NONE)
		return;
	reply->offset = fd->off;
	strscpy(reply->name, vhdx_fault_name(fd->fault), sizeof(reply->name));
	vhdx_finding_to_text(text, sizeof(text), fd);
	sentence = strstr(text, ": ");
	strscpy(reply->text, sentence ? sentence + 2 : vhdx_fault_text(fd->fault),
		sizeof(reply->text));
}

/* Make the device of an entered attachment; the entry is the caller's again on failure. */
static int attachment_attach(struct attachment *att, struct attach_files *files,
			     struct vhdx_attach *args)
{
	const struct vhdx_device_options opt = {
		.number		= att->number,
		.write		= att->write,
		.partscan	= !(args->flags & VHDX_ATTACH_NO_PARTSCAN),
		.autoclear	= args->flags & VHDX_ATTACH_AUTOCLEAR,
		.dio		= attach_dio(args->flags),
		.groups		= vhdx_sysfs_groups,
		.last_close	= attachment_last_close,
		.owner		= att,
	};
	struct vhdx_finding fd = { };
	struct vhdx_device *dev;
	unsigned int image = 0;
	int ret;

	dev = vhdx_device_create(&opt, files->file, files->nr, &image, &fd);
	if (IS_ERR(dev)) {
		reply_fault(&args->fault, image, &fd);
		return PTR_ERR(dev);
	}
	vhdx_debugfs_add(dev);
	attachment_set_device(att, dev);
	ret = vhdx_device_add(dev);
	if (ret) {
		attachment_set_device(att, NULL);
		vhdx_debugfs_remove(dev);
		vhdx_device_destroy(dev);
	}
	return ret;
}

static int attach_files(struct attach_files *files, struct vhdx_attach *args)
{
	struct attachment *att;
	int wanted = args->number;
	int ret;

	att = attachment_alloc(files, !(args->flags & VHDX_ATTACH_READ_ONLY));
	if (!att)
		return -ENOMEM;
	ret = attachment_enter(att, wanted, &args->fault);
	if (ret) {
		attachment_put(att);
		return ret;
	}
	/* Once added the device may be detached, and @att be gone, at any time. */
	args->number = att->number;
	ret = attachment_attach(att, files, args);
	if (ret) {
		args->number = wanted;
		attachment_leave(att);
		attachment_put(att);
	}
	return ret;
}

static int attach_check(struct vhdx_attach *args)
{
	const u32 dio = VHDX_ATTACH_DIRECT_IO | VHDX_ATTACH_BUFFERED_IO;
	struct vhdx_fault_reply *reply = &args->fault;

	if (args->flags & ~VHDX_ATTACH_ALL)
		return refuse(reply, -EINVAL, "the driver does not know the flags 0x%x",
			      args->flags & ~VHDX_ATTACH_ALL);
	if ((args->flags & dio) == dio)
		return refuse(reply, -EINVAL, "direct and buffered I/O exclude each other");
	if (args->nr_parents > VHDX_MAX_PARENTS)
		return refuse(reply, -EINVAL, "the chain is longer than %d images",
			      VHDX_MAX_PARENTS + 1);
	if (args->number < -1 || args->number >= VHDX_MAX_DEVICES)
		return refuse(reply, -EINVAL, "the number is not from 0 to %d",
			      VHDX_MAX_DEVICES - 1);
	if (!all_zero(args->reserved, ARRAY_SIZE(args->reserved)))
		return refuse(reply, -EINVAL, "a reserved field is not zero");
	return 0;
}

static int attach_run(struct vhdx_attach *args)
{
	struct attach_files *files = kzalloc(sizeof(*files), GFP_KERNEL);
	int ret;

	if (!files)
		return -ENOMEM;
	ret = files_get(files, args);
	if (!ret)
		ret = attach_files(files, args);
	files_put(files);
	kfree(files);
	return ret;
}

/*
 * That the reply can be written is tried before anything is done, so that a
 * bad address does not leave a device behind of which the caller knows nothing.
 */
static long control_attach(void __user *arg, u32 size)
{
	struct vhdx_attach args;
	size_t len = min_t(size_t, size, sizeof(args));
	const char *cause;
	int ret;

	ret = copy_struct_from_user(&args, sizeof(args), arg, size);
	if (ret)
		return ret;
	memset(&args.fault, 0, sizeof(args.fault));
	if (copy_to_user(arg, &args, len))
		return -EFAULT;
	ret = attach_check(&args);
	if (!ret)
		ret = attach_run(&args);
	cause = attach_cause(ret, args.flags);
	if (cause && !*args.fault.text)
		strscpy(args.fault.text, cause, sizeof(args.fault.text));
	if (copy_to_user(arg, &args, len))
		return -EFAULT;
	return ret;
}

/* The control device */

/**
 * struct command - one ioctl
 * @cmd: its number as the current header has it
 * @min_size: size of the structure in the first version
 * @run: does it; gets the size that the caller gave
 */
struct command {
	unsigned int	cmd;
	u32		min_size;
	long		(*run)(void __user *arg, u32 size);
};

static const struct command commands[] = {
	{ VHDX_CTL_ATTACH, offsetofend(struct vhdx_attach, fault), control_attach },
	{ VHDX_CTL_DETACH, offsetofend(struct vhdx_detach, reserved), control_detach },
};

/* A command is known by all but the size, which may be another version's. */
static const struct command *command_find(unsigned int cmd)
{
	const unsigned int size_mask = _IOC_SIZEMASK << _IOC_SIZESHIFT;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (((cmd ^ commands[i].cmd) & ~size_mask) == 0)
			return &commands[i];
	return NULL;
}

static long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct command *command = command_find(cmd);
	void __user *uarg = (void __user *)arg;
	u32 size;

	if (!command)
		return -ENOTTY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < command->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return command->run(uarg, size);
}

static const struct file_operations control_fops = {
	.owner		= THIS_MODULE,
	.open		= nonseekable_open,
	.unlocked_ioctl	= control_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice control_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= VHDX_CONTROL_NAME,
	.fops	= &control_fops,
	.mode	= 0600,
};

/* Reboot and hibernation */

/* How long a reboot waits for logs to be emptied; that is a courtesy. */
#define REBOOT_TIMEOUT	(10 * HZ)
/* Hibernation is about to write everything anyway, and waits longer for that. */
#define HIBERNATE_TIMEOUT	(60 * HZ)

/* From before the memory is saved until it is back, or was not saved after all. */
static bool hibernating;

static void clean_start_all(void)
{
	struct vhdx_device *dev;
	unsigned long number;

	for (number = 0; (dev = attachment_next_device(&number)); number++) {
		vhdx_device_start_clean(dev);
		vhdx_device_put(dev);
	}
}

static bool clean_wait_all(long timeout)
{
	struct vhdx_device *dev;
	unsigned long number;
	bool done = true;

	for (number = 0; (dev = attachment_next_device(&number)); number++) {
		timeout = vhdx_device_wait_clean(dev, timeout);
		if (!timeout) {
			pr_warn("%s: its log is not empty yet: if that does not end in time it will be replayed at the next attach\n",
				dev->name);
			done = false;
		}
		vhdx_device_put(dev);
	}
	return done;
}

/*
 * Whoever reads the images next should find them clean. Devices stay usable:
 * the root file system may be on one. All of them are cleaned at once, and one
 * whose server is gone does not keep the machine from going down.
 */
static int control_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	if (READ_ONCE(hibernating))
		return NOTIFY_DONE;
	clean_start_all();
	clean_wait_all(REBOOT_TIMEOUT);
	return NOTIFY_DONE;
}

static struct notifier_block control_reboot_nb = {
	.notifier_call = control_reboot,
};

/*
 * To power the machine off hibernation calls the reboot notifiers, but by then
 * the memory is saved: what would be written to an image, and to the file
 * system that it is on, would not be known to those who go on from there. So
 * the logs are emptied before anything is saved or frozen. What is written
 * after that, when file systems are synced, is in the log, and good there.
 *
 * Work that is not done in time would also write behind the saved memory:
 * there is no hibernation then.
 */
static int control_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
		clean_start_all();
		if (!clean_wait_all(HIBERNATE_TIMEOUT))
			return notifier_from_errno(-EBUSY);
		WRITE_ONCE(hibernating, true);
		break;
	case PM_POST_HIBERNATION:
		WRITE_ONCE(hibernating, false);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block control_pm_nb = {
	.notifier_call = control_pm,
};

int vhdx_control_init(void)
{
	int ret;

	detach_wq = alloc_workqueue("vhdx-detach", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!detach_wq)
		return -ENOMEM;
	ret = register_reboot_notifier(&control_reboot_nb);
	if (ret)
		goto out_destroy_wq;
	ret = register_pm_notifier(&control_pm_nb);
	if (ret)
		goto out_unregister_reboot;
	ret = misc_register(&control_misc);
	if (ret)
		goto out_unregister_pm;
	return 0;

out_unregister_pm:
	unregister_pm_notifier(&control_pm_nb);
out_unregister_reboot:
	unregister_reboot_notifier(&control_reboot_nb);
out_destroy_wq:
	destroy_workqueue(detach_wq);
	return ret;
}

void vhdx_control_exit(void)
{
	misc_deregister(&control_misc);
	unregister_pm_notifier(&control_pm_nb);
	unregister_reboot_notifier(&control_reboot_nb);
	destroy_workqueue(detach_wq);
}
