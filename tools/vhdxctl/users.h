/* SPDX-License-Identifier: GPL-2.0-only */
/* Who uses a device: mounts, swap, other devices, processes. */
#ifndef VHDXCTL_USERS_H
#define VHDXCTL_USERS_H

/*
 * List on stderr who uses device @number or its partitions, as far as this
 * process can see: those of other mount namespaces and, without privileges,
 * other users' processes stay hidden.
 */
void users_warn(int number);

#endif
