/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Apply the sequence that a scan found, [MS-VHDX] 2.3.3, to a sink: to the
 * file itself, or to memory when the file must not change.
 *
 * Only absolute content is written, never to the headers or the log: doing
 * it twice, or again after a crash in the middle, gives the same bytes.
 */
#ifndef VHDX_FORMAT_LOG_REPLAY_H
#define VHDX_FORMAT_LOG_REPLAY_H

#include <linux/types.h>

struct vhdx_finding;
struct vhdx_log_area;
struct vhdx_log_sequence;
struct vhdx_sink;
struct vhdx_source;

/**
 * struct vhdx_log_replay - what was applied
 * @nr_entries: entries
 * @nr_data: data descriptors, 4 KiB each
 * @nr_zero: zero descriptors
 */
struct vhdx_log_replay {
	u64	nr_entries;
	u64	nr_data;
	u64	nr_zero;
};

#define VHDX_LOG_REPLAY_SCRATCH		(128 * 1024)

/*
 * Apply the entries of @seq in order to @sink. Every entry is checked again
 * as it is read: the file may have changed since the scan. If src->fixed, and the
 * scan had the same source, checksums are not: they can not have. Nothing goes to the
 * sink from beyond the file's end and seq->end. @scratch is VHDX_LOG_REPLAY_SCRATCH
 * bytes. Growing the file to seq->end, before or after, then flushing and clearing
 * the LogGuid are the caller's.
 *
 * Returns 0, a negative errno of source or sink, or a positive fault.
 */
int vhdx_log_replay(const struct vhdx_source *src,
		    const struct vhdx_log_area *area,
		    const struct vhdx_log_sequence *seq, struct vhdx_sink *sink,
		    void *scratch, struct vhdx_log_replay *done,
		    struct vhdx_finding *fd);

#endif
