// SPDX-License-Identifier: GPL-2.0-only
/* An image file that a command changes. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "edit.h"
#include "fault.h"
#include "lock.h"
#include "output.h"

static void warn_in_use(const char *path)
{
	char dev[DEVICE_PATH];
	int number = device_find(path);

	if (number < 0) {
		warnx("%s: is in use by another process (QEMU image lock); stop it first", path);
		return;
	}
	device_path(dev, number);
	warnx("%s: is attached, as %s; 'vhdxctl detach %s' ends that", path, dev, dev);
}

int edit_check_idle(const struct target *t)
{
	if (!t->busy)
		return 0;
	warn_in_use(t->path);
	return -1;
}

static int lock(const char *path, int fd)
{
	int err = libvhdx_lock_image(fd, true);

	if (err == -EBUSY)
		warn_in_use(path);
	else if (err)
		warnx("%s: cannot lock the image: %s; its file system must support file locks",
		      path, strerror(-err));
	if (err || path_leads_to(path, fd))
		return err;
	warnx("%s: was replaced by another process just now", path);
	return -ESTALE;
}

/*
 * The file, locked; or -1 and a message. The path may come from an image. A block
 * device could not grow.
 */
static int open_locked(const char *path)
{
	int fd;

	if (!access(path, F_OK) && access(path, W_OK)) {
		warn("%s: cannot be written to", path);
		return -1;
	}
	fd = open_regular_file(path, O_RDWR);
	if (fd < 0)
		return -1;
	if (!lock(path, fd))
		return fd;
	close(fd);
	return -1;
}

int edit_failed(const struct edit *e, int err, const struct vhdx_finding *fd)
{
	if (err == -EROFS)
		warnx("%s: has no log, and so can only be read", e->path);
	else if (err == -EOVERFLOW)
		warnx("%s: has no room in its metadata, or its log, for what shall be stored there",
		      e->path);
	else
		warn_image(e->path, err, fd);
	return -1;
}

int edit_open(struct edit *e, const char *path)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	int err;

	e->path = path;
	e->fd = open_locked(path);
	if (e->fd < 0)
		return -1;
	err = libvhdx_fd_file_init(&e->file, e->fd);
	if (!err)
		err = libvhdx_journal_open(&e->j, &e->file.file, &finding);
	if (!err)
		return 0;
	close(e->fd);
	return edit_failed(e, err, &finding);
}

void edit_close(struct edit *e)
{
	libvhdx_journal_close(&e->j);
	close(e->fd);
}
