/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Another parent for a differencing image, or another place of the same: its
 * parent locator is rewritten. After a crash it is the old one or the new one.
 */
#ifndef LIBVHDX_RELINK_H
#define LIBVHDX_RELINK_H

#include <linux/types.h>
#include <linux/uuid.h>

struct libvhdx_journal;
struct vhdx_finding;

/**
 * struct libvhdx_relink - what shall be different
 * @child: path of the image
 * @parent: path of its parent, which exists; NULL: the paths stay
 * @linkage: new parent_linkage; NULL: linkages stay
 * @linkage2: new parent_linkage2, if there is a new parent_linkage; NULL: none
 *
 * A volume_path goes away with the other paths: no such thing is known here.
 * Pairs that have nothing to do with it stay as they are.
 */
struct libvhdx_relink {
	const char	*child;
	const char	*parent;
	const guid_t	*linkage;
	const guid_t	*linkage2;
};

/*
 * Rewrite the locator of the image in @j, durably, with an empty log afterwards.
 * 0, a negative errno, or a positive fault. -ENAMETOOLONG: the paths do not fit;
 * -EOVERFLOW: there is no room for the locator in the file.
 */
int libvhdx_relink(struct libvhdx_journal *j, const struct libvhdx_relink *want,
		   struct vhdx_finding *fd);

#endif
