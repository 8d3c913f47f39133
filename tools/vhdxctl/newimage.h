/* SPDX-License-Identifier: GPL-2.0-only */
/* The file of a new image, and what a child has of its parent. */
#ifndef VHDXCTL_NEWIMAGE_H
#define VHDXCTL_NEWIMAGE_H

#include <stdbool.h>

#include "create.h"

struct libvhdx_image;
struct target;

/*
 * Make the parameters those of a child at @path of @img, the open image in @t:
 * sector sizes where none are given, identity, and the locator, which is put
 * into @buf of LIBVHDX_LOCATOR_MAX bytes. The disk's size is the caller's. 0,
 * or -1 and a message.
 */
int new_image_child(struct libvhdx_params *params, const char *path, const struct target *t,
		    const struct libvhdx_image *img, void *buf);

/*
 * Write an image with @params, which were checked, and give it the name @path
 * when it is complete; a file of that name is replaced with @force only. 0, or
 * -1 and a message.
 */
int new_image(const char *path, const struct libvhdx_params *params, bool force);

#endif
