// SPDX-License-Identifier: GPL-2.0-only
/* A differencing image that takes what is written in the place of its parent. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "fault.h"
#include "file.h"
#include "newimage.h"
#include "output.h"
#include "snapshot.h"
#include "target.h"

#define DEFAULT_DIR	"/var/tmp"

static const char *temp_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : DEFAULT_DIR;
}

/* For file systems that know no O_TMPFILE. */
static int open_unlinked(const char *dir)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/vhdx-snapshot.XXXXXX", dir) < 0)
		err(EXIT_FAILURE, NULL);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0 && unlink(path)) {
		warn("%s", path);
		close(fd);
		fd = -1;
	} else if (fd < 0) {
		warn("%s: cannot make a file for the snapshot; TMPDIR says where", dir);
	}
	free(path);
	return fd;
}

static int open_unnamed(const char *dir)
{
	int fd = open(dir, O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? open_unlinked(dir) : fd;
}

static void warn_unnamed(const char *dir, int err, const struct vhdx_finding *finding)
{
	if (err == -ENOSPC || err == -EDQUOT)
		warnx("%s: has no room for the snapshot: %s; set TMPDIR to another directory, or name a file with --snapshot=FILE",
		      dir, strerror(-err));
	else
		warn_image(dir, err, finding);
}

static int write_unnamed(int fd, const struct libvhdx_params *params)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_fd_file file;
	int err = libvhdx_fd_file_init(&file, fd);

	if (!err)
		err = libvhdx_create(&file.file, params, &finding);
	if (err)
		warn_unnamed(temp_dir(), err, &finding);
	return err ? -1 : 0;
}

/* The name that a child's own path begins from; nobody ever opens it by that. */
static char *child_path(const char *file)
{
	char *path;

	if (asprintf(&path, "%s%s", file ? file : temp_dir(), file ? "" : "/snapshot") < 0)
		err(EXIT_FAILURE, NULL);
	return path;
}

static int child_params(struct libvhdx_params *params, const struct target *t,
			const struct libvhdx_image *img, const char *file, void *buf)
{
	struct vhdx_finding finding;
	char *path = child_path(file);
	int err = new_image_child(params, path, t, img, buf);

	if (!err) {
		err = (int)libvhdx_params_check(params, &finding);
		if (err)
			warn_image(t->path, err, &finding);
	}
	free(path);
	return err ? -1 : 0;
}

/* To @file, or else to @fd. */
static int child_write(const struct target *t, const struct libvhdx_image *img,
		       const char *file, int fd)
{
	struct libvhdx_params params = {
		.type		= VHDX_DISK_DIFFERENCING,
		.disk_size	= img->md.disk_size,
		.creator	= "vhdxctl " VHDXCTL_VERSION,
	};
	void *buf = malloc(LIBVHDX_LOCATOR_MAX);
	int ret;

	if (!buf)
		err(EXIT_FAILURE, NULL);
	ret = child_params(&params, t, img, file, buf);
	if (!ret)
		ret = file ? new_image(file, &params, false) : write_unnamed(fd, &params);
	free(buf);
	return ret;
}

static int child_of(const char *image, const char *file, int fd)
{
	struct libvhdx_image img;
	struct target t;
	int ret = -1;

	if (target_open(&t, image))
		return -1;
	if (!target_open_image(&t, &img)) {
		ret = child_write(&t, &img, file, fd);
		libvhdx_image_close(&img);
	}
	target_close(&t);
	return ret;
}

int snapshot_open(const char *image)
{
	int fd = open_unnamed(temp_dir());

	if (fd < 0 || !child_of(image, NULL, fd))
		return fd;
	close(fd);
	return -1;
}

int snapshot_create(const char *file, const char *image)
{
	if (!access(file, F_OK)) {
		warnx("%s: exists; attach it to go on with it, or name another file", file);
		return -1;
	}
	return child_of(image, file, -1);
}
