/* SPDX-License-Identifier: GPL-2.0-only */
/* An image file that a command looks at and does not change. */
#ifndef VHDXCTL_TARGET_H
#define VHDXCTL_TARGET_H

#include "file.h"
#include "image.h"

/**
 * struct target - an open file
 * @path: as it was given
 * @fd: descriptor, holds a reader's lock unless @busy
 * @file: the same for libvhdx
 * @busy: somebody writes to the image right now
 */
struct target {
	const char		*path;
	int			fd;
	struct libvhdx_fd_file	file;
	bool			busy;
};

/*
 * Open @path for reading. 0 or -1 with a message. The second is for a @path that
 * comes from an image and not from the user: whoever made the image must not
 * choose a device for us.
 */
int target_open(struct target *t, const char *path);
int target_open_regular(struct target *t, const char *path);
void target_close(struct target *t);

/*
 * Open the image in it; warns when it is busy. 0 or -1 with a message; only
 * after 0 @img must be closed.
 */
int target_open_image(struct target *t, struct libvhdx_image *img);

/* Are both the same file, whatever they are called? */
bool target_is_same(const struct target *a, const struct target *b);

/*
 * Open @path, a regular file or a block device, or a regular file only. What is
 * something else is not opened even to see what it is. -1 and a message.
 */
int open_image_file(const char *path, int flags);
int open_regular_file(const char *path, int flags);

/* Are both descriptors of the same file, whatever it is called? */
bool same_file(int a, int b);

/*
 * Does @path still lead to the file open as @fd? To be asked when the file is
 * locked: whoever had the lock before may have put another one in its place.
 */
bool path_leads_to(const char *path, int fd);

#endif
