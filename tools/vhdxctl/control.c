// SPDX-License-Identifier: GPL-2.0-only
/* The driver's control device. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "control.h"

#define CONTROL_PATH	"/dev/" VHDX_CONTROL_NAME

/* Tells "no driver" from the ENODEV of an ioctl. */
#define NO_DRIVER	(-ENOPKG)

static int try_open(void)
{
	int fd = open(CONTROL_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Have the module loaded; whether that went well shows in the next open. */
static void load_module(void)
{
	static char *const argv[] = { "modprobe", "-q", "vhdx", NULL };
	static char *const env[] = { "PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL };
	pid_t pid;

	if (posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, env))
		return;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int control_open(void)
{
	static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	int fd = try_open();
	int tries;

	if (fd != -ENOENT && fd != -ENODEV && fd != -ENXIO)
		return fd;
	load_module();
	/* devtmpfs or udev may need a moment to make the node. */
	for (tries = 0; tries < 50; tries++) {
		fd = try_open();
		if (fd != -ENOENT && fd != -ENODEV && fd != -ENXIO)
			return fd;
		if (access("/sys/module/vhdx", F_OK))
			break;
		nanosleep(&pause, NULL);
	}
	return NO_DRIVER;
}

static int control_call(unsigned long request, void *arg)
{
	int fd = control_open();
	int err;

	if (fd < 0)
		return fd;
	err = ioctl(fd, request, arg) ? -errno : 0;
	close(fd);
	return err;
}

int control_attach(int fd, const s32 *parents, u32 nr_parents, u32 flags, int *number,
		   struct vhdx_fault_reply *fault)
{
	struct vhdx_attach attach = {
		.size		= sizeof(attach),
		.flags		= flags,
		.fd		= fd,
		.nr_parents	= nr_parents,
		.parents	= (u64)(uintptr_t)parents,
		.number		= -1,
	};
	int err = control_call(VHDX_CTL_ATTACH, &attach);

	*number = attach.number;
	*fault = attach.fault;
	/* The kernel terminates them; a wrong driver must not hurt us. */
	fault->name[sizeof(fault->name) - 1] = '\0';
	fault->text[sizeof(fault->text) - 1] = '\0';
	return err;
}

int control_detach(int number, u32 flags)
{
	struct vhdx_detach detach = {
		.size	= sizeof(detach),
		.flags	= flags,
		.number	= number,
	};

	return control_call(VHDX_CTL_DETACH, &detach);
}

bool control_warn(int err)
{
	switch (err) {
	case NO_DRIVER:
		warnx("cannot open " CONTROL_PATH ": the driver is not loaded; load the driver: modprobe vhdx");
		return true;
	case -EACCES:
	case -EPERM:
		warnx("cannot use " CONTROL_PATH ": %s; run vhdxctl as root", strerror(-err));
		return true;
	case -ENOTTY:
		warnx(CONTROL_PATH " does not know this request: the loaded driver is older than vhdxctl; update it");
		return true;
	default:
		return false;
	}
}
