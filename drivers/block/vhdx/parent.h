/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parents, shared: chains that lead to one image have one object of it, with
 * its pages of metadata and its replayed log.
 *
 * An image that is only read does not change while it is open: nobody may
 * write to a file that is in the register of attachments (control.c). Its
 * pages are loaded and dropped under locks of its own, by any number of users,
 * and it knows nothing of the devices above it. So all that sharing takes is a
 * count of the chains, and a list to find it in.
 *
 * What is shared is what one path leads to, opened with the same wish for
 * direct I/O. An inode alone would not do: a device would keep a mount busy by
 * which it did not come, and show a path that it was not given.
 *
 * The list's mutex is held to look and to link, never over I/O: two chains that
 * open an image at the same time may both do so, and the second then takes the
 * first one's. An image leaves the list in the same step in which its count
 * becomes zero, so what is on the list has a user, and may be taken.
 */
#ifndef VHDX_PARENT_H
#define VHDX_PARENT_H

struct file;
struct vhdx_finding;
struct vhdx_image;
struct vhdx_image_options;
struct vhdx_parent;

/*
 * The image in @file, with a reference; ERR_PTR, and then *@fd as
 * vhdx_image_open() leaves it. @opt says with which parent of its own, and how;
 * it is opened for reading, and named after its file. An image that others have
 * open is checked against opt->parent, too, which need not be the same as theirs.
 * May sleep, and holds no lock meanwhile.
 */
struct vhdx_parent *vhdx_parent_get(struct file *file,
				    const struct vhdx_image_options *opt,
				    struct vhdx_finding *fd);

/* Closes the image if nobody else has it. May sleep. */
void vhdx_parent_put(struct vhdx_parent *parent);

struct vhdx_image *vhdx_parent_image(struct vhdx_parent *parent);

/*
 * Show all that are open, with the number of chains that have them. @show is
 * called under the list's mutex: it must not get or put a parent.
 */
void vhdx_parents_show(void (*show)(void *data, struct vhdx_image *img, unsigned int users),
		       void *data);

#endif
