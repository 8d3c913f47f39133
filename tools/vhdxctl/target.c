// SPDX-License-Identifier: GPL-2.0-only
/* An image file that a command looks at and does not change. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "lock.h"
#include "output.h"
#include "target.h"

/* Only root can attach, so that --read-only is of no use to anybody else. */
static void warn_open(const char *path, int flags)
{
	bool denied = errno == EACCES || errno == EPERM;

	if ((flags & O_ACCMODE) != O_RDWR || !(denied || errno == EROFS))
		warn("%s", path);
	else if (denied && geteuid())
		warn("%s: cannot be opened for writing; run vhdxctl as root", path);
	else
		warn("%s: cannot be opened for writing; attach with --read-only", path);
}

bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool path_leads_to(const char *path, int fd)
{
	int at = open(path, O_PATH | O_CLOEXEC);
	bool same = at >= 0 && same_file(at, fd);

	if (at >= 0)
		close(at);
	return same;
}

/* Is the file behind @fd of a kind that may be opened? Warns. */
static bool check_kind(const char *path, int fd, bool regular)
{
	struct stat st;

	if (fstat(fd, &st)) {
		warn("%s", path);
		return false;
	}
	if (S_ISREG(st.st_mode) || (S_ISBLK(st.st_mode) && !regular))
		return true;
	warnx("%s: %s", path, regular ? "is not a regular file" :
	      "is neither a regular file nor a block device");
	return false;
}

/* Open what is behind @at, which was opened with O_PATH by the name @path. -1 and errno. */
static int reopen(int at, const char *path, int flags)
{
	char link[32];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
	fd = open(link, flags);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	/* There is no /proc: by the name again, and it must still be the same file. */
	fd = open(path, flags);
	if (fd < 0 || same_file(fd, at))
		return fd;
	close(fd);
	errno = ESTALE;
	return -1;
}

/*
 * To open a device may do something: a watchdog begins to count, a tape rewinds.
 * So a file is opened only when it is known what it is. O_NONBLOCK: nor does the
 * open wait, be it for a medium or for a lease that somebody holds.
 */
static int open_kind(const char *path, int flags, bool regular)
{
	int at = open(path, O_PATH | O_CLOEXEC);
	int fd = -1;

	if (at < 0) {
		warn("%s", path);
		return -1;
	}
	if (check_kind(path, at, regular)) {
		fd = reopen(at, path, flags | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			warn_open(path, flags);
	}
	close(at);
	if (fd < 0 || !fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK))
		return fd;
	warn("%s", path);
	close(fd);
	return -1;
}

int open_image_file(const char *path, int flags)
{
	return open_kind(path, flags, false);
}

int open_regular_file(const char *path, int flags)
{
	return open_kind(path, flags, true);
}

/* @fd is the open @path, or -1 after a message. */
static int target_init(struct target *t, const char *path, int fd)
{
	int err;

	t->path = path;
	t->busy = false;
	t->fd = fd;
	if (t->fd < 0)
		return -1;
	/*
	 * That somebody has the lock must not keep anybody from looking, nor that
	 * there is none (a file system without locks); but then nobody else is
	 * kept from writing either.
	 */
	err = libvhdx_lock_image(t->fd, false);
	t->busy = err == -EBUSY;
	if (err && !t->busy)
		warnx("%s: warning: cannot be locked: %s; nothing must write to it meanwhile",
		      path, strerror(-err));
	err = libvhdx_fd_file_init(&t->file, t->fd);
	if (err) {
		warnx("%s: %s", path, strerror(-err));
		close(t->fd);
		return -1;
	}
	return 0;
}

int target_open(struct target *t, const char *path)
{
	return target_init(t, path, open_image_file(path, O_RDONLY));
}

int target_open_regular(struct target *t, const char *path)
{
	return target_init(t, path, open_regular_file(path, O_RDONLY));
}

void target_close(struct target *t)
{
	close(t->fd);
}

bool target_is_same(const struct target *a, const struct target *b)
{
	return same_file(a->fd, b->fd);
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
