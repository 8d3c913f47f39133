/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a log replay would write, kept in memory beside a file that must not
 * change.
 *
 * Used in three steps: the replay fills it through @sink, sealing puts the
 * pieces in order so that of two that overlap the later one counts, and then
 * it is laid over what is read from the file.
 */
#ifndef LIBVHDX_OVERLAY_H
#define LIBVHDX_OVERLAY_H

#include <linux/types.h>

#include "source.h"

/* More than this many bytes are not kept: -EFBIG. */
#define LIBVHDX_OVERLAY_MAX	(1ULL << 30)

struct libvhdx_overlay_piece;

/**
 * struct libvhdx_overlay - replayed content
 * @sink: to be given to the replay
 * @written: what came in, in log order
 * @nr_written: number of pieces
 * @max_written: for how many there is room
 * @bytes: memory they take
 * @pieces: after sealing: disjoint, in the order of their offsets
 * @nr_pieces: number of them
 */
struct libvhdx_overlay {
	struct vhdx_sink		sink;
	struct libvhdx_overlay_piece	*written;
	size_t				nr_written;
	size_t				max_written;
	u64				bytes;
	struct libvhdx_overlay_piece	*pieces;
	size_t				nr_pieces;
};

void libvhdx_overlay_init(struct libvhdx_overlay *ov);
void libvhdx_overlay_release(struct libvhdx_overlay *ov);

/* No more writes; 0 or -ENOMEM. */
int libvhdx_overlay_seal(struct libvhdx_overlay *ov);

/* Replace what is covered of the @len bytes of file offset @off in @buf. */
void libvhdx_overlay_apply(const struct libvhdx_overlay *ov, u64 off, void *buf,
			   u64 len);

/* First byte from @off on that is covered, at most @end. */
u64 libvhdx_overlay_next(const struct libvhdx_overlay *ov, u64 off, u64 end);

#endif
