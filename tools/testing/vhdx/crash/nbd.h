/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk in memory as the block device /dev/nbdN, with a volatile cache and
 * FUA. Everything that is asked of it goes into a trace.
 *
 * The disk is slow to answer on purpose: the answer to a write may be held
 * back until more requests have come. A flush does not cover a write that has
 * not been answered, so whoever does not wait for the answer is found out.
 *
 * The device is not held open: when it is not mounted the kernel has forgotten
 * all about it, and the bytes of the disk may be changed.
 */
#ifndef CRASH_NBD_H
#define CRASH_NBD_H

#include <pthread.h>

#include <linux/types.h>

#include "random.h"

struct disk;
struct trace;

/**
 * struct nbd - the device
 * @disk: its bytes
 * @trace: what happens to it; changed only while nobody uses the device
 * @rnd: which answers are held back
 * @hold: percentage of them
 * @path: of the device
 * @number: of the device
 * @sock: our end of the connection
 * @kernel_sock: the kernel's end
 * @server: thread that answers
 */
struct nbd {
	struct disk	*disk;
	struct trace	*trace;
	struct random	rnd;
	u32		hold;
	char		path[32];
	u32		number;
	int		sock;
	int		kernel_sock;
	pthread_t	server;
};

/* Start /dev/nbd@number; errors end the program. */
void nbd_start(struct nbd *nbd, u32 number, struct disk *disk, struct trace *trace);
void nbd_stop(struct nbd *nbd);

#endif
