/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk in memory as the block device /dev/nbdN, with a volatile cache and
 * FUA. Everything that is asked of it goes into a trace.
 *
 * The disk is slow to answer on purpose: the answer to a write may be held
 * back until more requests have come. A flush does not cover a write that has
 * not been answered, so whoever does not wait for the answer is found out.
 */
#ifndef CRASH_NBD_H
#define CRASH_NBD_H

#include <pthread.h>

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
 * @fd: the device
 * @sock: our end of the connection
 * @kernel_sock: the kernel's end
 * @server: thread that answers
 * @waiter: thread that sits in the kernel as long as the device lives
 */
struct nbd {
	struct disk	*disk;
	struct trace	*trace;
	struct random	rnd;
	u32		hold;
	char		path[32];
	int		fd;
	int		sock;
	int		kernel_sock;
	pthread_t	server;
	pthread_t	waiter;
};

/* Start /dev/nbd@number; errors end the program. */
void nbd_start(struct nbd *nbd, unsigned int number, struct disk *disk,
	       struct trace *trace);
void nbd_stop(struct nbd *nbd);

/* The bytes of the disk were changed behind the kernel's back. */
void nbd_forget_cache(struct nbd *nbd);

#endif
