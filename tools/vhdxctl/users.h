/* SPDX-License-Identifier: GPL-2.0-only */
/* Who uses a device: mounts, swap, other devices, processes. */
#ifndef VHDXCTL_USERS_H
#define VHDXCTL_USERS_H

#include <stdbool.h>

/*
 * List on stderr who uses device @number or its partitions, as far as this
 * process can see: those of other mount namespaces and, without privileges,
 * other users' processes stay hidden.
 */
void users_warn(int number);

/*
 * Is there a user of the kind that does not go away by itself: a mount, swap
 * space, another device?
 */
bool users_last(int number);

#endif
