// SPDX-License-Identifier: GPL-2.0-only
/*
 * Apply a sequence of log entries.
 *
 * Each entry is verified whole before the first byte of it is applied: the
 * scan may be long ago, and half an entry is none. Its checksum is included
 * unless the source is a copy, of which the scan has computed all of them.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "fault.h"
#include "log_entry.h"
#include "log_replay.h"
#include "log_scan.h"
#include "raw.h"
#include "source.h"

/* The scratch: a window over data sectors, one of descriptors, one page. */
#define DATA_WINDOW	(VHDX_LOG_REPLAY_SCRATCH / 2)

/**
 * struct apply - one entry on its way to the sink
 * @src: where the log is
 * @area: the ring
 * @sink: where the content goes
 * @limit: no target ends behind it
 * @entry: the entry, verified
 * @pos: its log offset
 * @data: window over its data sectors
 * @descs: one sector of descriptors
 * @page: a target put together
 * @at: bytes from the start of the entry to the window
 * @have: bytes in the window
 * @used: bytes of it that are done with
 */
struct apply {
	const struct vhdx_source	*src;
	const struct vhdx_log_area	*area;
	struct vhdx_sink		*sink;
	u64				limit;
	struct vhdx_log_entry		entry;
	u32				pos;
	u8				*data;
	u8				*descs;
	u8				*page;
	u32				at;
	u32				have;
	u32				used;
};

/* The next data sector; there is one, as the entry was verified. */
static int apply_next_data(struct apply *a, const u8 **sector)
{
	u32 rest;
	int ret;

	if (a->used == a->have) {
		a->at += a->have;
		rest = a->entry.len - a->at;
		a->have = rest < DATA_WINDOW ? rest : DATA_WINDOW;
		a->used = 0;
		ret = vhdx_log_read(a->src, a->area, vhdx_log_ring_add(a->area, a->pos, a->at),
				    a->data, a->have);
		if (ret)
			return ret;
	}
	*sector = a->data + a->used;
	a->used += VHDX_LOG_SECTOR;
	return 0;
}

static int apply_data(struct apply *a, const struct vhdx_log_desc *desc,
		      struct vhdx_finding *fd)
{
	const u8 *sector;
	u64 off;
	int ret;

	if (a->at + a->used >= a->entry.len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_LENGTH,
				     a->area->off + a->pos, a->entry.len);
	ret = apply_next_data(a, &sector);
	if (ret)
		return ret;
	off = a->area->off + vhdx_log_ring_add(a->area, a->pos, a->at + a->used - VHDX_LOG_SECTOR);
	ret = vhdx_log_data_check(sector, off, a->entry.seq, fd);
	if (ret)
		return ret;
	vhdx_log_data_decode(sector, desc, a->page);
	return a->sink->write(a->sink, desc->off, a->page);
}

static int apply_desc(struct apply *a, const u8 *raw, u64 off,
		      struct vhdx_log_replay *done, struct vhdx_finding *fd)
{
	struct vhdx_log_desc desc;
	int ret;

	ret = vhdx_log_desc_decode(raw, off, a->entry.seq, a->area, &desc, fd);
	if (ret)
		return ret;
	if (desc.zero) {
		done->nr_zero++;
		return desc.len ? a->sink->zero(a->sink, desc.off, desc.len) : 0;
	}
	done->nr_data++;
	return apply_data(a, &desc, fd);
}

static int apply_entry(struct apply *a, struct vhdx_log_replay *done,
		       struct vhdx_finding *fd)
{
	u32 i, in_sector, sector_pos = 0;
	u32 at = sizeof(struct vhdx_raw_log_entry);
	int ret;

	a->at = a->entry.desc_len;
	a->have = 0;
	a->used = 0;
	for (i = 0; i < a->entry.nr_desc; i++, at += VHDX_LOG_DESC_SIZE) {
		in_sector = at & (VHDX_LOG_SECTOR - 1);
		if (!i || !in_sector) {
			sector_pos = vhdx_log_ring_add(a->area, a->pos, at - in_sector);
			ret = vhdx_log_read(a->src, a->area, sector_pos, a->descs,
					    VHDX_LOG_SECTOR);
			if (ret)
				return ret;
		}
		ret = apply_desc(a, a->descs + in_sector,
				 a->area->off + sector_pos + in_sector, done, fd);
		if (ret)
			return ret;
	}
	done->nr_entries++;
	return 0;
}

/* The entry at a->pos must be the one with number @seq that the scan saw. */
static int apply_verify(struct apply *a, u64 seq, struct vhdx_finding *fd)
{
	int ret;

	ret = vhdx_log_entry_verify(a->src, a->area, a->pos, a->src->fixed, a->data,
				    &a->entry, fd);
	if (ret)
		return ret;
	if (a->entry.target_end > a->limit)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_TARGET_BEYOND, a->area->off + a->pos,
				     a->entry.target_end);
	if (a->entry.seq != seq)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_SEQUENCE,
				     a->area->off + a->pos +
				     offsetof(struct vhdx_raw_log_entry, sequence_number),
				     a->entry.seq);
	return 0;
}

int vhdx_log_replay(const struct vhdx_source *src,
		    const struct vhdx_log_area *area,
		    const struct vhdx_log_sequence *seq, struct vhdx_sink *sink,
		    void *scratch, struct vhdx_log_replay *done,
		    struct vhdx_finding *fd)
{
	struct apply a = {
		.src = src,
		.area = area,
		.sink = sink,
		.limit = seq->end > src->size ? seq->end : src->size,
		.pos = seq->tail,
		.data = scratch,
		.descs = (u8 *)scratch + DATA_WINDOW,
		.page = (u8 *)scratch + DATA_WINDOW + VHDX_LOG_SECTOR,
	};
	u32 i;
	int ret;

	memset(done, 0, sizeof(*done));
	for (i = 0; i < seq->nr; i++) {
		ret = apply_verify(&a, seq->tail_seq + i, fd);
		if (!ret)
			ret = apply_entry(&a, done, fd);
		if (ret)
			return ret;
		a.pos = vhdx_log_ring_add(area, a.pos, a.entry.len);
	}
	return 0;
}
