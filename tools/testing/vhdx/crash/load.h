/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The workload: several threads that write stamps to the virtual disk, flush
 * it, and say in the trace what they do.
 */
#ifndef CRASH_LOAD_H
#define CRASH_LOAD_H

#include <linux/types.h>

struct target;
struct trace;

/* Rounds of attach, load, detach on a mounted target; errors end the program. */
void load_run(struct target *t, struct trace *tr);

#endif
