// SPDX-License-Identifier: GPL-2.0-only
/* The file of a new image, and what a child has of its parent. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "file.h"
#include "lock.h"
#include "newimage.h"
#include "output.h"
#include "resolve.h"
#include "target.h"

static void inherit(struct libvhdx_params *p, const struct vhdx_metadata *md)
{
	if (!p->logical_size)
		p->logical_size = md->logical_size;
	if (!p->physical_size)
		p->physical_size = md->physical_size;
	p->disk_id = md->disk_id;
}

int new_image_child(struct libvhdx_params *params, const char *path, const struct target *t,
		    const struct libvhdx_image *img, void *buf)
{
	int err;

	inherit(params, &img->md);
	if (params->logical_size != img->md.logical_size) {
		warnx("%s: --logical-sector-size: must be %u, as in the parent", path,
		      img->md.logical_size);
		return -1;
	}
	if (t->busy) {
		warnx("%s: is in use by another process, which writes to it (QEMU image lock); stop it first",
		      t->path);
		return -1;
	}
	err = libvhdx_locator_make(buf, LIBVHDX_LOCATOR_MAX, &params->locator_len,
				   &img->hdrs.cur.data_write_guid, path, t->path);
	if (err)
		warnx("%s: cannot be named in %s: %s", t->path, path, strerror(-err));
	params->locator = buf;
	return err ? -1 : 0;
}

/*
 * May @path, which exists, be replaced? Not if it is no file or in use. Keeps
 * the lock until the process ends.
 */
static int check_replace(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st)) {
		warn("%s", path);
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		warnx("%s: is not a regular file and cannot be replaced", path);
		return -1;
	}
	if (libvhdx_lock_image(fd, true) == -EBUSY) {
		warnx("%s: is in use by another process (QEMU image lock); stop it first", path);
		return -1;
	}
	return 0;
}

/**
 * struct output - the file under construction
 * @path: what it will be called, links resolved
 * @temp: what it is called, in the same directory
 * @mode: its permissions
 * @replace: something of that name may be replaced
 */
struct output {
	char	*path;
	char	*temp;
	mode_t	mode;
	bool	replace;
};

/* Where to write to; -1 and a message when it must not be. */
static int output_prepare(struct output *out, const char *path, bool force)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	out->mode = 0666 & ~mask;
	out->replace = force;
	out->path = realpath(path, NULL);
	if (!out->path) {
		/* No such file, which is as it should be, or no directory. */
		out->path = strdup(path);
	} else if (force) {
		if (check_replace(path, &st))
			return -1;
		out->mode = st.st_mode & 07777;
	} else {
		warnx("%s: exists; use --force to replace it", path);
		return -1;
	}
	if (!out->path || asprintf(&out->temp, "%s.XXXXXX", out->path) < 0) {
		warn("%s", path);
		return -1;
	}
	return 0;
}

static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, err = -1;

	if (!copy)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	err = fsync(fd);
	/* Some file systems have no such thing as a directory to sync. */
	if (err && errno == EINVAL)
		err = 0;
	close(fd);
	return err;
}

/* Give the finished file its name; nothing is replaced that may not be. */
static int output_publish(const struct output *out)
{
	unsigned int flags = out->replace ? 0 : RENAME_NOREPLACE;
	int err = renameat2(AT_FDCWD, out->temp, AT_FDCWD, out->path, flags);

	if (err && flags && (errno == EINVAL || errno == ENOSYS)) {
		err = link(out->temp, out->path);
		if (!err)
			err = unlink(out->temp);
	}
	return err ? err : sync_directory(out->path);
}

static int output_write(const struct output *out, int fd, const char *path,
			const struct libvhdx_params *params)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_fd_file file;
	int err = libvhdx_fd_file_init(&file, fd);

	if (!err && fchmod(fd, out->mode))
		err = -errno;
	if (!err)
		err = libvhdx_create(&file.file, params, &finding);
	if (err) {
		warn_image(path, err, &finding);
		return -1;
	}
	return 0;
}

int new_image(const char *path, const struct libvhdx_params *params, bool force)
{
	struct output out = { .path = NULL };
	int status = -1;
	int fd;

	if (output_prepare(&out, path, force))
		goto out_free;
	fd = mkostemp(out.temp, O_CLOEXEC);
	if (fd < 0) {
		warn("%s", path);
		goto out_free;
	}
	if (output_write(&out, fd, path, params)) {
		unlink(out.temp);
	} else if (output_publish(&out)) {
		warn("%s", path);
		unlink(out.temp);
	} else {
		status = 0;
	}
	close(fd);
out_free:
	free(out.temp);
	free(out.path);
	return status;
}
