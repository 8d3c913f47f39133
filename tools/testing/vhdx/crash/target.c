// SPDX-License-Identifier: GPL-2.0-only
/* A file system, an image in it, the virtual disk. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>
#include <linux/vhdx.h>

#include "base.h"
#include "check.h"
#include "create.h"
#include "file.h"
#include "image.h"
#include "random.h"
#include "resolve.h"
#include "target.h"

#define MIB	(1ULL << 20)

void setup_choose(struct setup *setup, u64 seed, const char *fs)
{
	static const u32 blocks[] = { 1, 1, 2, 8, 32 };
	struct random rnd = random_start(seed, 1);

	*setup = (struct setup){ .seed = seed };
	snprintf(setup->fs, sizeof(setup->fs), "%s", fs);
	setup->disk_size = 512 * MIB;
	setup->sector = random_chance(&rnd, 25) ? 4096 : 512;
	setup->block = blocks[random_below(&rnd, ARRAY_SIZE(blocks))] * (u32)MIB;
	setup->nr_blocks = 4096;
	setup->buffered = random_chance(&rnd, 25);
	setup->child = random_chance(&rnd, 40);
}

void setup_print(const struct setup *setup)
{
	printf("seed %llu: %s, %s, blocks of %llu MiB, sectors of %u, %s I/O\n", setup->seed,
	       setup->fs, setup->child ? "differencing" : "dynamic", setup->block / MIB,
	       setup->sector, setup->buffered ? "buffered" : "direct");
}

void target_init(struct target *t, const struct setup *setup, const char *device,
		 unsigned int number)
{
	*t = (struct target){ .setup = setup, .device = device, .number = -1, .fd = -1 };
	snprintf(t->dir, sizeof(t->dir), "/run/vhdx-crash.%u", number);
	snprintf(t->image, sizeof(t->image), "%s/a.vhdx", t->dir);
	snprintf(t->parent, sizeof(t->parent), "%s/p.vhdx", t->dir);
	if (mkdir(t->dir, 0700) && errno != EEXIST)
		err(2, "%s", t->dir);
}

/* Small and quick to recover; nothing is left for later to write. */
static void make_fs(const struct target *t)
{
	const char *command = strcmp(t->setup->fs, "xfs") ?
		"mkfs.ext4 -q -F -N 64 -J size=4 -E lazy_itable_init=0,lazy_journal_init=0" :
		"mkfs.xfs -q -f -K";
	char line[160];
	int status;

	snprintf(line, sizeof(line), "%s %s", command, t->device);
	status = system(line);
	if (status)
		errx(2, "'%s' failed with status %#x", line, status);
}

/* The locator of a child of the parent that was just made. */
static void make_locator(const struct target *t, struct libvhdx_params *params, void *buf)
{
	int ret, fd = open(t->parent, O_RDONLY | O_CLOEXEC);
	struct vhdx_finding finding = { };
	struct libvhdx_fd_file file;
	struct libvhdx_image img;

	ret = fd < 0 ? -errno : libvhdx_fd_file_init(&file, fd);
	if (!ret)
		ret = libvhdx_image_open(&img, &file.file, &finding);
	if (!ret) {
		ret = libvhdx_locator_make(buf, LIBVHDX_LOCATOR_MAX, &params->locator_len,
					   &img.hdrs.cur.data_write_guid, t->image,
					   t->parent);
		libvhdx_image_close(&img);
	}
	if (ret)
		errx(2, "%s: cannot be a parent: %d", t->parent, ret);
	params->locator = buf;
	close(fd);
}

static void make_parent(const struct target *t)
{
	struct base base;

	if (!t->setup->child)
		return;
	base_init(&base, t->setup);
	base_make(&base, t->parent);
	free(base.filled);
}

static void make_image(const struct target *t)
{
	const struct setup *setup = t->setup;
	static u8 locator[LIBVHDX_LOCATOR_MAX];
	struct libvhdx_params params = {
		.type = setup->child ? VHDX_DISK_DIFFERENCING : VHDX_DISK_DYNAMIC,
		.disk_size = (u64)setup->nr_blocks * setup->block,
		.block_size = setup->block,
		.logical_size = setup->sector,
		.creator = "vhdx-crash",
	};
	struct vhdx_finding fd = { };
	struct libvhdx_fd_file file;
	int ret, image = open(t->image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (image < 0)
		err(2, "%s", t->image);
	if (setup->child)
		make_locator(t, &params, locator);
	if (libvhdx_params_check(&params, &fd))
		errx(2, "the image cannot be made: fault %u", fd.fault);
	ret = libvhdx_fd_file_init(&file, image);
	if (!ret)
		ret = libvhdx_create(&file.file, &params, &fd);
	if (ret)
		errx(2, "%s: cannot be made: %d", t->image, ret);
	close(image);
}

void target_make(struct target *t)
{
	int ret;

	make_fs(t);
	ret = target_mount(t);
	if (ret)
		errx(2, "%s: cannot be mounted: %s", t->device, strerror(-ret));
	make_parent(t);
	make_image(t);
	ret = target_unmount(t);
	if (ret)
		errx(2, "%s: cannot be unmounted: %s", t->dir, strerror(-ret));
}

/*
 * The journal of ext4 commits often, so that it gets between our writes. XFS is
 * not disturbed by the other workers' copies of it.
 */
int target_mount(struct target *t)
{
	const char *options = strcmp(t->setup->fs, "ext4") ? "nouuid" : "commit=1";

	return mount(t->device, t->dir, t->setup->fs, MS_NOATIME, options) ? -errno : 0;
}

/*
 * Whoever copies the mount name space while our file system is mounted would
 * keep it alive, and the next mount would show it again instead of the disk.
 */
void target_hide_mounts(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		err(2, "no mount name space of our own");
}

/* Nobody has the device mounted any more: so the kernel forgot its content. */
static int check_unused(const struct target *t)
{
	int fd = open(t->device, O_RDONLY | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int target_unmount(struct target *t)
{
	return umount(t->dir) ? -errno : check_unused(t);
}

static int control(unsigned long request, void *arg)
{
	int ret, fd = open("/dev/" VHDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(2, "/dev/" VHDX_CONTROL_NAME);
	ret = ioctl(fd, request, arg) ? -errno : 0;
	close(fd);
	return ret;
}

static int attach_fds(struct target *t, int fd, s32 parent, u32 flags, char *why, u32 len)
{
	struct vhdx_attach attach = {
		.size = sizeof(attach),
		.flags = flags | VHDX_ATTACH_NO_PARTSCAN |
			 (t->setup->buffered ? VHDX_ATTACH_BUFFERED_IO : 0),
		.fd = fd,
		.nr_parents = parent < 0 ? 0 : 1,
		.parents = (u64)(uintptr_t)&parent,
		.number = -1,
	};
	int ret = control(VHDX_CTL_ATTACH, &attach);

	if (ret)
		snprintf(why, len, "attach: %s %.200s", strerror(-ret), attach.fault.text);
	else
		t->number = attach.number;
	return ret;
}

static int attach_fd(struct target *t, int fd, u32 flags, char *why, u32 len)
{
	int ret, parent = -1;

	if (t->setup->child) {
		parent = open(t->parent, O_RDONLY | O_CLOEXEC);
		if (parent < 0) {
			ret = -errno;
			snprintf(why, len, "open of the parent: %s", strerror(-ret));
			return ret;
		}
	}
	ret = attach_fds(t, fd, parent, flags, why, len);
	if (parent >= 0)
		close(parent);
	return ret;
}

int target_attach(struct target *t, u32 flags, char *why, u32 len)
{
	bool read_only = flags & VHDX_ATTACH_READ_ONLY;
	int fd = open(t->image, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	char path[32];
	int ret;

	if (fd < 0) {
		ret = -errno;
		snprintf(why, len, "open of the image: %s", strerror(-ret));
		return ret;
	}
	ret = attach_fd(t, fd, flags, why, len);
	close(fd);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/dev/vhdx%d", t->number);
	t->fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
	if (t->fd < 0)
		err(2, "%s", path);
	return 0;
}

int target_detach(struct target *t)
{
	struct vhdx_detach detach = { .size = sizeof(detach), .number = t->number };
	int ret, tries;

	close(t->fd);
	for (tries = 0; tries < 200; tries++) {
		ret = control(VHDX_CTL_DETACH, &detach);
		if (ret != -EBUSY)
			break;
		usleep(5000);
	}
	t->fd = -1;
	t->number = -1;
	return ret;
}

u64 target_attr(const struct target *t, const char *name)
{
	unsigned long long value;
	char path[96];
	FILE *in;

	snprintf(path, sizeof(path), "/sys/block/vhdx%d/vhdx/%s", t->number, name);
	in = fopen(path, "r");
	if (!in || fscanf(in, "%llu", &value) != 1)
		errx(2, "%s can not be read", path);
	fclose(in);
	return value;
}

struct complaint {
	struct libvhdx_check	chk;
	bool			may_be_dirty;
	char			*why;
	u32			len;
};

static void note_complaint(struct libvhdx_check *chk, const struct libvhdx_message *msg)
{
	struct complaint *c = container_of(chk, struct complaint, chk);

	if (!*c->why && (msg->severity == LIBVHDX_ERROR ||
			 (!c->may_be_dirty && !strcmp(msg->name, "log-dirty"))))
		snprintf(c->why, c->len, "check: %s at %#llx: %s", msg->name, msg->off,
			 msg->text);
}

int target_check(struct target *t, bool may_be_dirty, char *why, u32 len)
{
	struct complaint c = {
		.chk.report = note_complaint,
		.may_be_dirty = may_be_dirty,
		.why = why,
		.len = len,
	};
	int ret, fd = open(t->image, O_RDONLY | O_CLOEXEC);
	struct libvhdx_fd_file file;
	struct libvhdx_image img;

	if (fd < 0)
		return -errno;
	*why = '\0';
	ret = libvhdx_fd_file_init(&file, fd);
	if (!ret) {
		ret = libvhdx_check(&c.chk, &img, &file.file);
		libvhdx_image_close(&img);
	}
	close(fd);
	if (!ret && (c.chk.nr_errors || !c.chk.whole || *why))
		ret = 1;
	return ret;
}
