// SPDX-License-Identifier: GPL-2.0-only
/* An image file that a command looks at and does not change. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "lock.h"
#include "output.h"
#include "target.h"

static void warn_open(const char *path, int flags)
{
	bool denied = errno == EROFS || errno == EACCES || errno == EPERM;

	if (denied && (flags & O_ACCMODE) == O_RDWR)
		warn("%s: cannot be opened for writing; attach with --read-only", path);
	else
		warn("%s", path);
}

int open_image_file(const char *path, int flags)
{
	struct stat st;
	/* O_NONBLOCK: do not wait for the other end of a FIFO. */
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		warn_open(path, flags);
		return -1;
	}
	if (fstat(fd, &st))
		warn("%s", path);
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		warnx("%s: is neither a regular file nor a block device", path);
	else if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK))
		warn("%s", path);
	else
		return fd;
	close(fd);
	return -1;
}

int target_open(struct target *t, const char *path)
{
	int err;

	t->path = path;
	t->busy = false;
	t->fd = open_image_file(path, O_RDONLY);
	if (t->fd < 0)
		return -1;
	/*
	 * A lock that cannot be had for any other reason than its being taken
	 * (a file system without locks) must not keep anybody from looking.
	 */
	t->busy = libvhdx_lock_image(t->fd, false) == -EBUSY;
	err = libvhdx_fd_file_init(&t->file, t->fd);
	if (err) {
		warnx("%s: %s", path, strerror(-err));
		close(t->fd);
		return -1;
	}
	return 0;
}

void target_close(struct target *t)
{
	close(t->fd);
}

bool target_is_same(const struct target *a, const struct target *b)
{
	struct stat x, y;

	return !fstat(a->fd, &x) && !fstat(b->fd, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int target_open_image(struct target *t, struct libvhdx_image *img)
{
	struct vhdx_finding fd = { .fault = VHDX_FAULT_NONE };
	int err;

	if (t->busy)
		warnx("%s: warning: another process writes to the image; what follows may be out of date",
		      t->path);
	err = libvhdx_image_open(img, &t->file.file, &fd);
	if (!err)
		return 0;
	warn_image(t->path, err, &fd);
	return -1;
}
