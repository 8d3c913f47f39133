/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does the campaign itself know what a disk may hold and what may be read?
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

/* Prints KTAP; returns the number of cases that failed. */
unsigned int model_run(void);

#endif
