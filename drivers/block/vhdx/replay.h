/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log at open: find what is in it, and apply it to memory or to the file.
 */
#ifndef VHDX_REPLAY_H
#define VHDX_REPLAY_H

struct vhdx_finding;
struct vhdx_image;
struct vhdx_log_sequence;

/*
 * Find the active sequence of a file whose LogGuid is set. 0, an errno, or a
 * fault; nothing is written.
 */
int vhdx_replay_scan(struct vhdx_image *img, struct vhdx_log_sequence *seq,
		     struct vhdx_finding *fd);

/* Apply @seq to a new overlay: img->overlay and img->overlay_size. */
int vhdx_replay_to_memory(struct vhdx_image *img,
			  const struct vhdx_log_sequence *seq,
			  struct vhdx_finding *fd);

/*
 * Apply @seq to the file: new FileWriteGuid, the size, the content, a flush,
 * and the LogGuid cleared, in this order. A crash anywhere in between, or the end
 * of the task, leaves the same log to be replayed again. Memory that is short and
 * a size that the file cannot have are found before the first of these.
 */
int vhdx_replay_to_file(struct vhdx_image *img,
			const struct vhdx_log_sequence *seq,
			struct vhdx_finding *fd);

#endif
