/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A child is merged into its parent: afterwards the parent's disk is what the
 * child's was.
 *
 * What must be true at every moment at which power may fail: the child can be
 * opened with its parents and reads as before, and the merge can be begun again.
 *
 *  1. What the child holds does not change, and hides what its parent holds in
 *     the same place. Only there is the parent changed. So for a reader of the
 *     child it does not matter which of the changes have reached the disk.
 *  2. The parent gets a new DataWriteGuid before its content changes: whoever
 *     else has it as a parent must not open it any more. The child may. So its
 *     locator first gets the new one as parent_linkage2, beside the old one,
 *     and that is stable before the parent's header is written.
 *  3. A merge that is begun again does the same: parent_linkage becomes what
 *     the parent has by then, parent_linkage2 a fresh one. So even a child that
 *     was made of the half-merged parent does not go on unnoticed.
 *  4. The disk of the parent takes the child's size before content is put in.
 *     When it shrinks, the child does not reach what is lost; when it grows, it
 *     grows by zeros, which is what the child reads behind a parent's end.
 *  5. All of that is stable, and the parent's log is empty, before the child's
 *     locator is written the last time and names the new identity alone.
 */
#ifndef LIBVHDX_MERGE_H
#define LIBVHDX_MERGE_H

#include <stdbool.h>

#include <linux/types.h>

struct libvhdx_journal;
struct vhdx_finding;

/**
 * struct libvhdx_merge - two images, and who is told
 * @child: the child
 * @parent: the image that it is merged into, at present its parent, or one
 *	that reads the same as its parent
 * @child_path: path of the child's file
 * @parent_path: path of the parent's
 * @progress: told how far it is, @done of @total; may be NULL
 * @stop: true: stop at the next place; may be NULL
 * @in_child: out: what failed was about the child's file
 */
struct libvhdx_merge {
	struct libvhdx_journal	*child;
	struct libvhdx_journal	*parent;
	const char		*child_path;
	const char		*parent_path;
	void			(*progress)(u64 done, u64 total);
	bool			(*stop)(void);
	bool			in_child;
};

/*
 * Merge. 0, a negative errno, or a positive fault; -EINTR when it was stopped;
 * -EOVERFLOW: the parent has no room for the child's metadata items.
 * Whatever it returns the child reads as before, and is a child of the parent.
 */
int libvhdx_merge(struct libvhdx_merge *m, struct vhdx_finding *fd);

#endif
