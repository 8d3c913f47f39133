// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl detach */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "command.h"
#include "control.h"
#include "device.h"
#include "users.h"

static const struct option options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "lazy", no_argument, NULL, 'l' },
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

static bool device_exists(int number)
{
	char *devno = device_attr(number, "dev");
	bool exists = devno;

	free(devno);
	return exists;
}

static void warn_busy(int number, const char *dev)
{
	if (!device_exists(number)) {
		warnx("%s: is still being attached", dev);
		return;
	}
	warnx("%s: is in use; end that first, or detach with --lazy:", dev);
	users_warn(number);
}

static void warn_detach(int number, int err, bool deleted)
{
	char dev[DEVICE_PATH];

	device_path(dev, number);
	if (control_warn(err))
		return;
	if (err == -EBUSY)
		warn_busy(number, dev);
	else if (err == -ENODEV)
		warnx("%s: is not attached", dev);
	else if (device_exists(number))
		warnx("%s: cannot detach: %s", dev, strerror(-err));
	else if (deleted)
		warnx("%s: is detached; its last writes failed: %s; its file was deleted, and unless it has another name nothing of it stays",
		      dev, strerror(-err));
	else
		warnx("%s: is detached, but its image may lack the last writes: %s; the log is replayed at the next attach",
		      dev, strerror(-err));
}

/*
 * udev opens a device for a moment when it appears, and whenever somebody has
 * closed it who could write, so it may be busy right after its last use. Who
 * has it open without having mounted it or the like is given a second to go.
 */
static int detach_patiently(int number, u32 flags)
{
	static const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int err = control_detach(number, flags);
	int tries;

	for (tries = 0; err == -EBUSY && tries < 20 && !users_last(number); tries++) {
		nanosleep(&pause, NULL);
		err = control_detach(number, flags);
	}
	return err;
}

/* With @may_be_gone somebody else may have taken it away meanwhile. */
static int detach(int number, u32 flags, bool may_be_gone)
{
	bool deleted = device_file_is_deleted(number);
	int err = detach_patiently(number, flags);

	if (!err || (err == -ENODEV && may_be_gone))
		return EXIT_SUCCESS;
	warn_detach(number, err, deleted);
	return EXIT_FAILURE;
}

static int detach_all(u32 flags)
{
	int status = EXIT_SUCCESS;
	int *numbers;
	size_t nr = device_list(&numbers);
	size_t i;

	for (i = 0; i < nr; i++) {
		if (detach(numbers[i], flags, true))
			status = EXIT_FAILURE;
	}
	free(numbers);
	return status;
}

/* @name is a device, or else the image of one. */
static int detach_name(const char *name, u32 flags)
{
	int number = device_number(name);

	if (number == -EISDIR) {
		warnx("%s: is a partition; detach the whole device", name);
		return EXIT_FAILURE;
	}
	if (number < 0)
		number = device_find(name);
	if (number >= 0)
		return detach(number, flags, false);
	if (access(name, F_OK))
		warn("%s", name);
	else
		warnx("%s: is neither a VHDX device nor the image of one; see 'vhdxctl list'",
		      name);
	return EXIT_FAILURE;
}

static int cmd_detach_run(int argc, char **argv)
{
	int status = EXIT_SUCCESS;
	bool all = false;
	u32 flags = 0;
	int c;

	while ((c = getopt_long(argc, argv, "alhV", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'l':
			flags |= VHDX_DETACH_LAZY;
			break;
		default:
			command_other_option(&cmd_detach, c);
		}
	}
	if (all && optind < argc)
		command_usage_error(&cmd_detach, "--all takes no operands");
	if (all)
		return detach_all(flags);
	if (optind == argc)
		command_usage_error(&cmd_detach,
				    "a device or an image must be given, or --all");
	for (; optind < argc; optind++) {
		if (detach_name(argv[optind], flags))
			status = EXIT_FAILURE;
	}
	return status;
}

const struct command cmd_detach = {
	.name		= "detach",
	.run		= cmd_detach_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "[--lazy] DEVICE|FILE... | --all",
	.summary	= "Write everything, clean the log and take the device away",
	.options	=
		"  -a, --all      detach all VHDX devices\n"
		"  -l, --lazy     let a device that is in use go when its last user closes it\n",
};
