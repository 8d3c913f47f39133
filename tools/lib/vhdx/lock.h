/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locks by which programs that use an image keep out of each other's way.
 *
 * They are QEMU's: locks of the open file description, on one byte for each
 * right that is used and one for each right that is denied to others. They
 * belong to the descriptor, so the driver keeps them by keeping the file.
 */
#ifndef LIBVHDX_LOCK_H
#define LIBVHDX_LOCK_H

#include <linux/types.h>

/*
 * Take the locks of a writer or of a reader on @fd, which is open for reading
 * at least. A reader shares the image with readers, a writer with nobody.
 * Returns 0; -EBUSY when somebody else is in the way; another negative errno
 * when the file cannot be locked. On failure no lock is kept.
 */
int libvhdx_lock_image(int fd, bool write);

#endif
