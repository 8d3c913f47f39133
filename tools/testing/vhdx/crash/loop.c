// SPDX-License-Identifier: GPL-2.0-only
/* A copy of a platter as a loop device. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/loop.h>

#include "disk.h"
#include "loop.h"

#define PAGE	4096U

static int loop_configure(struct loop *loop)
{
	struct loop_config config = {
		.fd = (u32)loop->fd,
		.block_size = 512,
	};
	int number, fd, ret, control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		err(2, "/dev/loop-control");
	number = ioctl(control, LOOP_CTL_GET_FREE);
	if (number < 0)
		err(2, "no loop device is free");
	close(control);
	snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", number);
	fd = open(loop->path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(2, "%s", loop->path);
	ret = ioctl(fd, LOOP_CONFIGURE, &config);
	if (ret && errno != EBUSY)
		err(2, "%s", loop->path);
	/*
	 * Not held open: with its last user the device forgets its pages, all of
	 * them, which no ioctl achieves for certain.
	 */
	close(fd);
	return ret;
}

void loop_start(struct loop *loop, const struct disk *disk)
{
	loop->fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (loop->fd < 0 || ftruncate(loop->fd, (off_t)disk->size))
		err(2, "/dev/shm");
	loop->mem = mmap(NULL, disk->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 loop->fd, 0);
	if (loop->mem == MAP_FAILED)
		err(2, "no memory for %s", loop->path);
	/* Somebody may take the free one first. */
	while (loop_configure(loop))
		;
}

static void copy_page(struct loop *loop, const struct disk *disk, u64 off)
{
	if (memcmp(loop->mem + off, disk->mem + off, PAGE))
		memcpy(loop->mem + off, disk->mem + off, PAGE);
}

/* What the file has and the disk never had: the file system put it there. */
static void copy_strange(struct loop *loop, const struct disk *disk)
{
	off_t off = 0, end;

	while ((off = lseek(loop->fd, off, SEEK_DATA)) >= 0) {
		end = lseek(loop->fd, off, SEEK_HOLE);
		for (; off < end; off += PAGE)
			copy_page(loop, disk, (u64)off);
	}
	if (errno != ENXIO)
		err(2, "%s: cannot look for data", loop->path);
}

void loop_set(struct loop *loop, const struct disk *disk)
{
	u32 page;

	for (page = 0; page < disk->size / PAGE; page++)
		if (disk_is_used(disk, page))
			copy_page(loop, disk, (u64)page * PAGE);
	copy_strange(loop, disk);
}

void loop_stop(struct loop *loop)
{
	int fd = open(loop->path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LOOP_CLR_FD, 0))
		warn("%s", loop->path);
	close(fd);
	close(loop->fd);
}
