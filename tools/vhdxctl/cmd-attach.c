// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl attach */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "command.h"
#include "control.h"
#include "device.h"
#include "lock.h"
#include "parents.h"
#include "snapshot.h"
#include "target.h"

enum { OPT_NO_PARTSCAN = 256, OPT_AUTOCLEAR, OPT_DIRECT_IO, OPT_SNAPSHOT };

static const struct option options[] = {
	{ "read-only", no_argument, NULL, 'r' },
	{ "no-partscan", no_argument, NULL, OPT_NO_PARTSCAN },
	{ "autoclear", no_argument, NULL, OPT_AUTOCLEAR },
	{ "direct-io", required_argument, NULL, OPT_DIRECT_IO },
	{ "snapshot", optional_argument, NULL, OPT_SNAPSHOT },
	OPTION_PARENT,
	OPTION_PARENT_DIR,
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

static u32 direct_io_flags(const char *arg)
{
	if (!strcmp(arg, "on"))
		return VHDX_ATTACH_DIRECT_IO;
	if (!strcmp(arg, "off"))
		return VHDX_ATTACH_BUFFERED_IO;
	if (strcmp(arg, "auto"))
		command_usage_error(&cmd_attach, "--direct-io=%s: must be on, off or auto", arg);
	return 0;
}

/**
 * struct request - what is asked for
 * @flags: of the driver
 * @snapshot: writes go to a child of the image
 * @file: the child's file; NULL: one without a name
 * @parents: where to look for parents
 */
struct request {
	u32			flags;
	bool			snapshot;
	const char		*file;
	struct parent_options	parents;
};

static void parse(int argc, char **argv, struct request *rq)
{
	int c;

	while ((c = getopt_long(argc, argv, "rhV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			rq->flags |= VHDX_ATTACH_READ_ONLY;
			break;
		case OPT_NO_PARTSCAN:
			rq->flags |= VHDX_ATTACH_NO_PARTSCAN;
			break;
		case OPT_AUTOCLEAR:
			rq->flags |= VHDX_ATTACH_AUTOCLEAR;
			break;
		case OPT_DIRECT_IO:
			rq->flags &= ~(VHDX_ATTACH_DIRECT_IO | VHDX_ATTACH_BUFFERED_IO);
			rq->flags |= direct_io_flags(optarg);
			break;
		case OPT_SNAPSHOT:
			rq->snapshot = true;
			rq->file = optarg;
			break;
		default:
			if (!parent_option(&rq->parents, c, optarg))
				command_other_option(&cmd_attach, c);
		}
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_attach, "exactly one image file must be given");
	if (rq->snapshot && rq->flags & VHDX_ATTACH_READ_ONLY)
		command_usage_error(&cmd_attach,
				    "--snapshot is for writing, and excludes --read-only");
}

/* The image is attached: name the device. */
static bool warn_attached(const char *path)
{
	char dev[DEVICE_PATH];
	int number = device_find(path);

	if (number < 0)
		return false;
	device_path(dev, number);
	warnx("%s: is attached already, as %s; 'vhdxctl detach %s' ends that", path, dev, dev);
	return true;
}

static void warn_locked(const char *path, int fd, bool write)
{
	if (warn_attached(path))
		return;
	if (write && !libvhdx_lock_image(fd, false))
		warnx("%s: is in use by another process, which reads it (QEMU image lock); stop it or attach with --read-only",
		      path);
	else
		warnx("%s: is in use by another process, which writes to it (QEMU image lock); stop it first",
		      path);
}

/* The image, locked; or -1 and a message. */
static int open_locked(const char *path, bool write)
{
	int fd = open_image_file(path, write ? O_RDWR : O_RDONLY);
	int err;

	if (fd < 0)
		return -1;
	err = libvhdx_lock_image(fd, write);
	if (!err && path_leads_to(path, fd))
		return fd;
	if (!err)
		warnx("%s: was replaced by another process just now", path);
	else if (err == -EBUSY)
		warn_locked(path, fd, write);
	else
		warnx("%s: cannot lock the image: %s; its file system must support file locks",
		      path, strerror(-err));
	close(fd);
	return -1;
}

/* The image that the driver speaks of. */
static const char *blamed(const char *path, const struct parents *parents, u32 image)
{
	return image && image <= parents->nr ? parents->parent[image - 1]->path : path;
}

static void warn_attach(const char *path, const struct parents *parents, int err, u32 flags,
			const struct vhdx_fault_reply *fault)
{
	if (fault->code)
		warnx("%s: %s at offset 0x%llx: %s", blamed(path, parents, fault->image),
		      fault->name, (unsigned long long)fault->offset, fault->text);
	else if (control_warn(err) || (err == -EBUSY && warn_attached(path)))
		return;
	else if (err == -EINVAL && flags & VHDX_ATTACH_DIRECT_IO)
		warnx("%s: direct I/O is not possible to this file; use --direct-io=auto",
		      blamed(path, parents, fault->image));
	else if (*fault->text)
		warnx("%s: %s", blamed(path, parents, fault->image), fault->text);
	else
		warnx("%s: cannot attach: %s; the kernel's log may say more", path,
		      strerror(-err));
}

/*
 * Has the image no parent, as far as the file says it without its log? To apply a
 * log takes as long here as in the driver, and no log that was ever seen gives an
 * image a parent. If one does the driver misses the parent, and it is looked for;
 * what was applied to the file by then, of a log that is too long to be tried
 * first, would have been applied all the same.
 */
static bool seems_single(int fd, const struct parent_options *opt)
{
	struct vhdx_finding finding;
	struct libvhdx_fd_file file;
	struct libvhdx_image img;
	int err;

	if (opt->nr_files || libvhdx_fd_file_init(&file, fd))
		return false;
	libvhdx_image_init(&img, &file.file);
	err = libvhdx_image_load_headers(&img, &finding);
	if (!err)
		err = libvhdx_image_load_regions(&img, &finding);
	if (!err)
		err = libvhdx_image_load_metadata(&img, &finding);
	if (!err)
		err = img.md.has_parent;
	libvhdx_image_close(&img);
	return !err;
}

/*
 * What is wrong with the image itself the driver knows better, and says: here
 * nothing comes of it but that no parent is looked for.
 */
static int find_parents(const char *path, int fd, const struct parent_options *opt,
			struct parents *parents)
{
	struct vhdx_finding finding;
	struct libvhdx_fd_file file;
	struct libvhdx_image img;
	int err;

	parents->nr = 0;
	if (libvhdx_fd_file_init(&file, fd) || libvhdx_image_open(&img, &file.file, &finding))
		return 0;
	err = parents_open(parents, path, fd, &img, opt);
	libvhdx_image_close(&img);
	return err;
}

static int attach_chain(int fd, const struct parents *parents, u32 flags, int *number,
			struct vhdx_fault_reply *fault)
{
	s32 fds[VHDX_MAX_PARENTS];
	u32 i;

	for (i = 0; i < parents->nr; i++)
		fds[i] = parents->parent[i]->target.fd;
	return control_attach(fd, fds, i, flags, number, fault);
}

/* The number of the device, or -1 and a message. */
static int attach_found(const char *path, int fd, const struct request *rq,
			struct parents *parents)
{
	struct vhdx_fault_reply fault = { .code = VHDX_FAULT_CHAIN_PARENT_MISSING };
	int err = -EUCLEAN, number;

	if (seems_single(fd, &rq->parents))
		err = attach_chain(fd, parents, rq->flags, &number, &fault);
	if (err && fault.code == VHDX_FAULT_CHAIN_PARENT_MISSING) {
		if (find_parents(path, fd, &rq->parents, parents))
			return -1;
		err = attach_chain(fd, parents, rq->flags, &number, &fault);
	}
	if (!err)
		return number;
	warn_attach(path, parents, err, rq->flags, &fault);
	return -1;
}

/* The image at @path, which is open as @fd. Closes it: the driver has it, locks included. */
static int attach_open(const char *path, int fd, const struct request *rq)
{
	struct parents parents = { .nr = 0 };
	int number = attach_found(path, fd, rq, &parents);

	parents_close(&parents);
	close(fd);
	return number;
}

static int attach_image(const char *path, const struct request *rq)
{
	int fd = open_locked(path, !(rq->flags & VHDX_ATTACH_READ_ONLY));

	return fd < 0 ? -1 : attach_open(path, fd, rq);
}

/* A child of the image is attached, with the image as the parent that was named first. */
static int attach_snapshot(const char *image, struct request *rq)
{
	int fd, number;

	parent_option_first(&rq->parents, image);
	if (!rq->file) {
		fd = snapshot_open(image);
		return fd < 0 ? -1 : attach_open(image, fd, rq);
	}
	if (snapshot_create(rq->file, image))
		return -1;
	number = attach_image(rq->file, rq);
	if (number < 0)
		unlink(rq->file);
	return number;
}

static int attach(const char *path, struct request *rq)
{
	int number = rq->snapshot ? attach_snapshot(path, rq) : attach_image(path, rq);
	char dev[DEVICE_PATH];

	if (number < 0)
		return EXIT_FAILURE;
	device_path(dev, number);
	puts(dev);
	if (device_wait(number))
		return EXIT_SUCCESS;
	warnx("%s: is attached, but there is no %s; is devtmpfs mounted on /dev? 'vhdxctl detach %s' ends that",
	      path, dev, dev);
	return EXIT_FAILURE;
}

static int cmd_attach_run(int argc, char **argv)
{
	struct request rq = { .flags = 0 };
	int status;

	parse(argc, argv, &rq);
	status = attach(argv[optind], &rq);
	parent_options_free(&rq.parents);
	return status;
}

const struct command cmd_attach = {
	.name		= "attach",
	.run		= cmd_attach_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "[OPTION]... FILE",
	.summary	= "Make a block device of an image and print its name",
	.options	=
		"  -r, --read-only         never write to the image; a dirty log is replayed in memory\n"
		"      --no-partscan       do not look for partitions\n"
		"      --autoclear         detach when the last user has closed the device\n"
		"      --direct-io=WHEN    bypass the page cache: on, off, or auto (where possible)\n"
		"      --snapshot[=FILE]   write to a child of the image: one without a name, or FILE\n"
		HELP_PARENTS,
};
