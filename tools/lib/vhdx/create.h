/* SPDX-License-Identifier: GPL-2.0-only */
/* A new, empty image. */
#ifndef LIBVHDX_CREATE_H
#define LIBVHDX_CREATE_H

#include <linux/types.h>

#include "metadata.h"

struct libvhdx_file;
struct vhdx_finding;

#define LIBVHDX_BLOCK_DYNAMIC	(32 * 1024 * 1024U)	/* what Windows takes, too */
#define LIBVHDX_BLOCK_FIXED	(2 * 1024 * 1024U)
#define LIBVHDX_BLOCK_CHILD	(2 * 1024 * 1024U)
#define LIBVHDX_LOCATOR_MAX	(60 * 1024U)	/* room for it in a new file */
#define LIBVHDX_LOG_LENGTH	(1024 * 1024U)

/**
 * struct libvhdx_params - what the image shall be
 * @type: what kind of disk; a differencing one has a locator
 * @disk_size: bytes of the virtual disk
 * @block_size: bytes of a payload block, 0 for the default of the type
 * @log_len: bytes of the log, 0 for the default
 * @logical_size: logical sector size, 0 for 512
 * @physical_size: physical sector size, 0 for 4096
 * @creator: who writes the file, ASCII
 * @disk_id: Virtual Disk ID, null for a new one; a child has its parent's
 * @locator: the parent locator, or NULL
 * @locator_len: bytes of it
 */
struct libvhdx_params {
	enum vhdx_disk_type	type;
	u64			disk_size;
	u32			block_size;
	u32			log_len;
	u32			logical_size;
	u32			physical_size;
	const char		*creator;
	guid_t			disk_id;
	const void		*locator;
	u32			locator_len;
};

/*
 * Replace defaults by numbers and check all of them. Returns the fault that
 * an image with such numbers would have.
 */
enum vhdx_fault libvhdx_params_check(struct libvhdx_params *params,
				     struct vhdx_finding *fd);

/*
 * Write an image to @file, which must be empty. The parameters were checked.
 * The file does not identify itself as a VHDX before everything else is
 * stable, and is opened and checked at the end. Returns 0, a negative errno,
 * or the positive fault that the final look found.
 */
int libvhdx_create(struct libvhdx_file *file, const struct libvhdx_params *params,
		   struct vhdx_finding *fd);

#endif
