/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connect /dev/nbdN through netlink, which takes no open device. Errors end
 * the program.
 */
#ifndef CRASH_NBD_CONTROL_H
#define CRASH_NBD_CONTROL_H

#include <linux/types.h>

/* @sock is the kernel's end; @flags are NBD_FLAG_*. */
void nbd_connect(u32 number, int sock, u64 size, u32 block_size, u64 flags);
void nbd_disconnect(u32 number);

#endif
