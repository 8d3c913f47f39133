/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whole objects of live devices as text, /sys/kernel/debug/vhdx/vhdxN/. For
 * people; nothing about it is kept between versions.
 */
#ifndef VHDX_DEBUGFS_H
#define VHDX_DEBUGFS_H

struct vhdx_device;

/* The common directory. debugfs is optional: nothing here can fail. */
void vhdx_debugfs_init(void);
void vhdx_debugfs_exit(void);

void vhdx_debugfs_add(struct vhdx_device *dev);

/* Waits for readers. The images are still open. */
void vhdx_debugfs_remove(struct vhdx_device *dev);

#endif
