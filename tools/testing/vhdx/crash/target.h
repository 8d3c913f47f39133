/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is under test: a file system on a block device, an image in it, the
 * image as a virtual disk.
 *
 * Functions that return int return 0 or a negative errno.
 */
#ifndef CRASH_TARGET_H
#define CRASH_TARGET_H

#include <stdbool.h>

#include <linux/types.h>

struct trace;

/**
 * struct setup - what a seed decides about a run
 * @seed: of everything
 * @fs: "ext4" or "xfs"
 * @disk_size: bytes of the disk below
 * @sector: logical sector size of the virtual disk
 * @block: block size of the image
 * @nr_blocks: blocks of the virtual disk
 * @buffered: the driver uses the page cache of the file
 * @child: the image is a differencing one, see base.h
 */
struct setup {
	u64	seed;
	char	fs[8];
	u64	disk_size;
	u32	sector;
	u32	block;
	u32	nr_blocks;
	u8	buffered;
	u8	child;
	u8	pad[6];
};

void setup_choose(struct setup *setup, u64 seed, const char *fs);

/* One line for people. */
void setup_print(const struct setup *setup);

/**
 * struct target - one run of it
 * @setup: what it is
 * @device: block device of the file system
 * @dir: where that is mounted
 * @image: path of the image
 * @parent: path of its parent, if it has one
 * @number: of the virtual disk, or -1
 * @fd: the virtual disk, opened for direct I/O, or -1
 */
struct target {
	const struct setup	*setup;
	const char		*device;
	char			dir[64];
	char			image[80];
	char			parent[80];
	int			number;
	int			fd;
};

void target_init(struct target *t, const struct setup *setup, const char *device,
		 unsigned int number);

/* First of all: what is mounted from now on nobody else can see. */
void target_hide_mounts(void);

/* Make the file system and the image in it; errors end the program. */
void target_make(struct target *t);

int target_mount(struct target *t);
int target_unmount(struct target *t);

/* Attach and open; with an error @why says more, at most @len bytes. */
int target_attach(struct target *t, u32 flags, char *why, u32 len);
int target_detach(struct target *t);

/* A number that sysfs has about the attached image; errors end the program. */
u64 target_attr(const struct target *t, const char *name);

/*
 * As vhdxctl check: 0, 1 with the first complaint in @why, or an errno. The log
 * must be clean, or @may_be_dirty.
 */
int target_check(struct target *t, bool may_be_dirty, char *why, u32 len);

#endif
