/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The workload: several threads that write stamps to the virtual disk, flush
 * it, and say in the trace what they do.
 */
#ifndef CRASH_LOAD_H
#define CRASH_LOAD_H

#include <linux/types.h>

struct setup;
struct target;
struct trace;

/*
 * Call @window for each range of the virtual disk that the workload may write
 * to, with a number of its own; ranges may overlap, and are multiples of 4096.
 */
void load_windows(const struct setup *setup,
		  void (*window)(void *data, u32 number, u64 pos, u32 len), void *data);

/* Rounds of attach, load, detach on a mounted target; errors end the program. */
void load_run(struct target *t, struct trace *tr);

#endif
