/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attributes of a device, /sys/block/vhdxN/vhdx/; see
 * Documentation/ABI/testing/sysfs-block-vhdx. They exist before the disk is
 * announced and are gone, with all their readers, before its images are.
 */
#ifndef VHDX_SYSFS_H
#define VHDX_SYSFS_H

struct attribute_group;

extern const struct attribute_group *vhdx_sysfs_groups[];

#endif
