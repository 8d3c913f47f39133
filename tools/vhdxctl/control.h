/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's control device; nothing else opens it. Each function is one
 * ioctl and returns 0 or a negative errno. If the device is missing an attempt
 * is made to load the driver.
 */
#ifndef VHDXCTL_CONTROL_H
#define VHDXCTL_CONTROL_H

#include <linux/types.h>
#include <linux/vhdx.h>

/*
 * Attach the image open as @fd, with the @nr_parents parents open as @parents
 * and VHDX_ATTACH_* @flags; *@number is the device's. When an image is to blame
 * *@fault says why, else fault->code is 0, and fault->text may still be a
 * sentence about the reason. The driver keeps the open files, and with them
 * the locks on them.
 */
int control_attach(int fd, const s32 *parents, u32 nr_parents, u32 flags, int *number,
		   struct vhdx_fault_reply *fault);

/* Detach /dev/vhdx@number with VHDX_DETACH_* @flags. */
int control_detach(int number, u32 flags);

/*
 * If @err, which one of the above returned, is about the way to the driver and
 * not about the image or the device: say so, with the remedy, and return true.
 */
bool control_warn(int err);

#endif
