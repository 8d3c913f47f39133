/* SPDX-License-Identifier: GPL-2.0-only */
/* A differencing image that takes what is written in the place of its parent. */
#ifndef VHDXCTL_SNAPSHOT_H
#define VHDXCTL_SNAPSHOT_H

/*
 * An empty child of @image in a file without a name, open for reading and
 * writing: it is gone, and its space free, when the last descriptor is closed.
 * The file is in $TMPDIR, or /var/tmp. Returns the descriptor, or -1 and a
 * message.
 */
int snapshot_open(const char *image);

/* The same as a new @file, which stays. 0, or -1 and a message. */
int snapshot_create(const char *file, const char *image);

#endif
