/* SPDX-License-Identifier: GPL-2.0-only */
/* An image file that a command changes while it is not attached. */
#ifndef VHDXCTL_EDIT_H
#define VHDXCTL_EDIT_H

#include "journal.h"
#include "target.h"

/**
 * struct edit - an open image
 * @path: as it was given
 * @fd: descriptor with a writer's lock
 * @file: the same for libvhdx
 * @j: the image and its log
 */
struct edit {
	const char		*path;
	int			fd;
	struct libvhdx_fd_file	file;
	struct libvhdx_journal	j;
};

/*
 * Open the image at @path, a regular file that nobody else uses. Replays its log
 * if that is dirty. 0, or -1 and a message; only after 0 it must be closed.
 */
int edit_open(struct edit *e, const char *path);
void edit_close(struct edit *e);

/* Nobody writes to the image in @t, which was opened to be looked at: 0, or -1 and who. */
int edit_check_idle(const struct target *t);

/* What went wrong with an image while it was changed; -1. */
int edit_failed(const struct edit *e, int err, const struct vhdx_finding *fd);

#endif
