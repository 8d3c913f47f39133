/* SPDX-License-Identifier: GPL-2.0-only */
/* Attached devices as sysfs shows them. */
#ifndef VHDXCTL_DEVICE_H
#define VHDXCTL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DEVICE_PATH	32	/* "/dev/vhdx2147483647" */

/* Count of all devices; *@numbers, in order, is the caller's to free. */
size_t device_list(int **numbers);

/*
 * Read attribute @attr ("size", "vhdx/mode") of device @number, without its
 * last newline; NULL if there is none. The caller frees it.
 */
char *device_attr(int number, const char *attr);

/* "/dev/vhdxN": DEVICE_PATH bytes at @buf, returned. */
char *device_path(char *buf, int number);

/* Wait until the node is there, a few seconds at most. */
bool device_wait(int number);

/*
 * Number of the device that @name ("/dev/vhdx0", "vhdx0", a link to it)
 * means: -ENOENT if it names no VHDX device, -EISDIR for a partition.
 */
int device_number(const char *name);

/*
 * Was the file of device @number deleted, as that of a snapshot is from the
 * beginning? Unless it has another name nothing of it stays.
 */
bool device_file_is_deleted(int number);

/*
 * Path of the image that device @number is a snapshot of: writes go to a child
 * of it, whose file has no name. NULL if it is none. The caller frees it.
 */
char *device_snapshot_of(int number);

/*
 * Number of a device that the file @path is backing, or, if there is none, of
 * one that is a snapshot of it, or -1.
 */
int device_find(const char *path);

#endif
