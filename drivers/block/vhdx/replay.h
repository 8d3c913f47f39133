/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log at open: find what is in it, and apply it to memory or to the file.
 */
#ifndef VHDX_REPLAY_H
#define VHDX_REPLAY_H

#include "file.h"
#include "format/log_entry.h"
#include "format/log_scan.h"
#include "format/source.h"

struct vhdx_finding;
struct vhdx_image;
struct vhdx_overlay;

/* A longer log is not held in memory, nor replayed there for a writable attach. */
#define VHDX_REPLAY_MEMORY	(64U << 20)

/**
 * struct vhdx_replay - the replay of one image
 * @img: the image
 * @src: what the log is read from: @copy if there is one, else the file, through
 *	the page cache. Never what the log says over it
 * @area: where the log is
 * @copy: the whole log, as it was read once: what is applied is what was checked
 * @seq: what is to be applied
 * @ov: @seq applied to memory, on its way to the file; NULL if it was not
 */
struct vhdx_replay {
	struct vhdx_image		*img;
	struct vhdx_source		src;
	struct vhdx_log_area		area;
	struct vhdx_buf			copy;
	struct vhdx_log_sequence	seq;
	struct vhdx_overlay		*ov;
};

/*
 * Read the log of an image whose LogGuid is set, and find the active sequence:
 * rp->seq. 0, an errno, or a fault; nothing is written. vhdx_replay_end() in any
 * case.
 */
int vhdx_replay_begin(struct vhdx_replay *rp, struct vhdx_image *img,
		      struct vhdx_finding *fd);
void vhdx_replay_end(struct vhdx_replay *rp);

/*
 * Apply rp->seq to a new overlay: img->overlay and img->overlay_size. The copy of
 * the log is given back.
 */
int vhdx_replay_to_memory(struct vhdx_replay *rp, struct vhdx_finding *fd);

/* img->overlay becomes rp->ov: the image is from now on what the file says. */
void vhdx_replay_take_memory(struct vhdx_replay *rp);

/*
 * Apply rp->ov, or else rp->seq, to the file: new FileWriteGuid, the size, the content, a
 * flush, and the LogGuid cleared, in this order. A crash anywhere in between, or the
 * end of the task, leaves the same log to be replayed again. Memory that is short and
 * a size that the file cannot have are found before the first of these.
 */
int vhdx_replay_to_file(struct vhdx_replay *rp, struct vhdx_finding *fd);

#endif
