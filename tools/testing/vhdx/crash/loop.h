/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A copy of a platter as the loop device /dev/loopN, for kernels that have no
 * network block device. What is written to it is not seen; the next copy
 * undoes it.
 */
#ifndef CRASH_LOOP_H
#define CRASH_LOOP_H

#include <linux/types.h>

struct disk;

/**
 * struct loop - the device
 * @path: of the device
 * @fd: of the file behind it
 * @mem: the file's bytes
 */
struct loop {
	char	path[32];
	int	fd;
	u8	*mem;
};

/* Errors end the program. */
void loop_start(struct loop *loop, const struct disk *disk);

/* What does not work is said; for use at the end. */
void loop_stop(struct loop *loop);

/* Copy @disk, on which nothing is mounted. */
void loop_set(struct loop *loop, const struct disk *disk);

#endif
