/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/vhdx-control: the register of attached images, and the ioctls that add
 * and remove them. The commands are described in uapi/linux/vhdx.h.
 */
#ifndef VHDX_CONTROL_H
#define VHDX_CONTROL_H

int vhdx_control_init(void);

/* No device is left: each pins the module. */
void vhdx_control_exit(void);

#endif
