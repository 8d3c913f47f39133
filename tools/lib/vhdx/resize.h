/* SPDX-License-Identifier: GPL-2.0-only */
/* Another size for the disk of an image that is not attached. */
#ifndef LIBVHDX_RESIZE_H
#define LIBVHDX_RESIZE_H

#include <linux/types.h>

struct libvhdx_journal;
struct vhdx_finding;

/*
 * The disk of the image in @j, whose headers have a new DataWriteGuid already,
 * shall have @size bytes, a multiple of its sector size. What is new reads as
 * zeros, also in a differencing image whose parent is longer; blocks behind a
 * new end are gone. The BAT moves to the end of the file if it has become too
 * small. The new size becomes stable after all that it needs, so after a crash
 * the disk has the old size or the new one. 0, a negative errno, or a positive
 * fault.
 */
int libvhdx_resize(struct libvhdx_journal *j, u64 size, struct vhdx_finding *fd);

#endif
