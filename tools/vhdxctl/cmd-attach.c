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
#include "target.h"

enum { OPT_NO_PARTSCAN = 256, OPT_AUTOCLEAR, OPT_DIRECT_IO };

static const struct option options[] = {
	{ "read-only", no_argument, NULL, 'r' },
	{ "no-partscan", no_argument, NULL, OPT_NO_PARTSCAN },
	{ "autoclear", no_argument, NULL, OPT_AUTOCLEAR },
	{ "direct-io", required_argument, NULL, OPT_DIRECT_IO },
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

static u32 parse(int argc, char **argv)
{
	u32 flags = 0;
	int c;

	while ((c = getopt_long(argc, argv, "rhV", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			flags |= VHDX_ATTACH_READ_ONLY;
			break;
		case OPT_NO_PARTSCAN:
			flags |= VHDX_ATTACH_NO_PARTSCAN;
			break;
		case OPT_AUTOCLEAR:
			flags |= VHDX_ATTACH_AUTOCLEAR;
			break;
		case OPT_DIRECT_IO:
			flags &= ~(VHDX_ATTACH_DIRECT_IO | VHDX_ATTACH_BUFFERED_IO);
			flags |= direct_io_flags(optarg);
			break;
		default:
			command_other_option(&cmd_attach, c);
		}
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_attach, "exactly one image file must be given");
	return flags;
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
	if (!err)
		return fd;
	if (err == -EBUSY)
		warn_locked(path, fd, write);
	else
		warnx("%s: cannot lock the image: %s; its file system must support file locks",
		      path, strerror(-err));
	close(fd);
	return -1;
}

static void warn_attach(const char *path, int err, u32 flags,
			const struct vhdx_fault_reply *fault)
{
	if (fault->code && fault->image)
		warnx("%s: parent %u: %s at offset 0x%llx: %s", path, fault->image,
		      fault->name, (unsigned long long)fault->offset, fault->text);
	else if (fault->code)
		warnx("%s: %s at offset 0x%llx: %s", path, fault->name,
		      (unsigned long long)fault->offset, fault->text);
	else if (control_warn(err) || (err == -EBUSY && warn_attached(path)))
		return;
	else if (*fault->text)
		warnx("%s: %s", path, fault->text);
	else if (err == -EINVAL && flags & VHDX_ATTACH_DIRECT_IO)
		warnx("%s: direct I/O is not possible to this file; use --direct-io=auto", path);
	else if (err == -ELOOP)
		warnx("%s: is a device of this driver; attach an image file", path);
	else
		warnx("%s: cannot attach: %s; the kernel's log may say more", path,
		      strerror(-err));
}

static int attach(const char *path, u32 flags)
{
	struct vhdx_fault_reply fault;
	char dev[DEVICE_PATH];
	int fd = open_locked(path, !(flags & VHDX_ATTACH_READ_ONLY));
	int err, number;

	if (fd < 0)
		return EXIT_FAILURE;
	err = control_attach(fd, flags, &number, &fault);
	close(fd);	/* the driver has the file, and the locks with it */
	if (err) {
		warn_attach(path, err, flags, &fault);
		return EXIT_FAILURE;
	}
	device_path(dev, number);
	puts(dev);
	if (device_wait(number))
		return EXIT_SUCCESS;
	warnx("%s: is attached, but there is no %s; is devtmpfs mounted on /dev?", path, dev);
	return EXIT_FAILURE;
}

static int cmd_attach_run(int argc, char **argv)
{
	u32 flags = parse(argc, argv);

	return attach(argv[optind], flags);
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
		"      --direct-io=WHEN    bypass the page cache: on, off, or auto (where possible)\n",
};
