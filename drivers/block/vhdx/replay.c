// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log replay when an image is opened.
 *
 * A log of usual length is read once. It is searched, checked and applied to an
 * overlay from this copy, and the overlay is what goes to the file, page by page
 * in the order of the file. If memory is short it is read twice, for the search and
 * to be applied. So is a longer log, whose overlay goes to the file whenever it is full.
 * So the memory is bounded by twice VHDX_REPLAY_MEMORY for writing, and a page that
 * is in many entries is written once, or once for each time that the overlay was full.
 *
 * Of the order of the log nothing is needed but that the last content of each page
 * is there in the end, before the flush: the LogGuid is cleared after that, and
 * until then whoever opens the file replays all of it again.
 */
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "format/log_replay.h"
#include "image.h"
#include "image_types.h"
#include "overlay.h"
#include "replay.h"
#include "writer.h"

/* Read at a time, between two looks at whether the task is to die. */
#define REPLAY_READ	SZ_4M

/* The search and the replay read whole sectors of the log. */
static int replay_read(const struct vhdx_source *src, u64 off, void *buf, u32 len)
{
	const struct vhdx_replay *rp = container_of(src, struct vhdx_replay, src);
	u32 i;

	if (fatal_signal_pending(current))
		return -EINTR;
	if (!src->fixed)
		return vhdx_file_pread(&rp->img->file, off, buf, len);
	off -= rp->area.off;
	for (i = 0; i < len; i += VHDX_PAGE_SIZE)
		memcpy(buf + i, vhdx_buf_at(&rp->copy, off + i), VHDX_PAGE_SIZE);
	cond_resched();
	return 0;
}

/* Of memory that is short three quarters are left to what comes next, and to others. */
static bool replay_may_copy(u32 len)
{
	return len <= VHDX_REPLAY_MEMORY && len / PAGE_SIZE <= si_mem_available() / 4;
}

static int replay_copy_log(struct vhdx_replay *rp)
{
	struct vhdx_buf part;
	u32 at, len;
	int ret;

	ret = vhdx_buf_alloc_pages(&rp->copy, rp->area.len);
	for (at = 0; !ret && at < rp->area.len; at += len) {
		if (fatal_signal_pending(current))
			return -EINTR;
		len = min_t(u32, rp->area.len - at, REPLAY_READ);
		part = (struct vhdx_buf){ .bvec = rp->copy.bvec + at / PAGE_SIZE };
		ret = vhdx_file_read(&rp->img->file, rp->area.off + at, &part, len);
	}
	return ret;
}

static int replay_scan(struct vhdx_replay *rp, struct vhdx_finding *fd)
{
	struct vhdx_log_slot *slots;
	void *scratch;
	int ret = -ENOMEM;

	slots = kvcalloc(VHDX_LOG_SCAN_SLOTS(rp->area.len), sizeof(*slots), GFP_KERNEL);
	scratch = kvmalloc(VHDX_LOG_SCAN_SCRATCH, GFP_KERNEL);
	if (slots && scratch)
		ret = vhdx_log_scan(&rp->src, &rp->area, slots, scratch, &rp->seq, NULL,
				    fd);
	kvfree(scratch);
	kvfree(slots);
	if (!ret && rp->seq.newer_seq)
		pr_warn("%s: the log has entries up to number %llu that can not be replayed, for others are damaged; what is replayed ends with number %llu\n",
			rp->img->name, rp->seq.newer_seq, rp->seq.head_seq);
	return ret;
}

int vhdx_replay_begin(struct vhdx_replay *rp, struct vhdx_image *img,
		      struct vhdx_finding *fd)
{
	const struct vhdx_header *hdr = &img->hdrs.cur;
	int ret = 0;

	*rp = (struct vhdx_replay){
		.img = img,
		.src = { .read = replay_read, .size = img->file.cur_size },
		.area = { .off = hdr->log_off, .len = hdr->log_len, .guid = hdr->log_guid },
	};
	rp->src.fixed = replay_may_copy(rp->area.len);
	if (rp->src.fixed)
		ret = replay_copy_log(rp);
	return ret ?: replay_scan(rp, fd);
}

void vhdx_replay_end(struct vhdx_replay *rp)
{
	vhdx_buf_free(&rp->copy);
	vhdx_overlay_free(rp->ov);
}

static int replay_apply(struct vhdx_replay *rp, struct vhdx_sink *sink, void *scratch,
			struct vhdx_finding *fd)
{
	struct vhdx_log_replay done = { };
	int ret;

	ret = vhdx_log_replay(&rp->src, &rp->area, &rp->seq, sink, scratch, &done, fd);
	rp->img->nr_replayed = done.nr_entries;
	return ret;
}

static int replay_to_overlay(struct vhdx_replay *rp, struct vhdx_overlay *ov,
			     struct vhdx_finding *fd)
{
	void *scratch = kvmalloc(VHDX_LOG_REPLAY_SCRATCH, GFP_KERNEL);
	int ret;

	if (!scratch)
		return -ENOMEM;
	ret = replay_apply(rp, &ov->sink, scratch, fd);
	kvfree(scratch);
	if (ret == -E2BIG && ov->too_big)
		ret = vhdx_fault_at(fd, VHDX_FAULT_LOG_TOO_COMPLEX, rp->area.off,
				    rp->seq.nr_desc);
	return ret;
}

int vhdx_replay_to_memory(struct vhdx_replay *rp, struct vhdx_finding *fd)
{
	struct vhdx_overlay *ov = vhdx_overlay_alloc(VHDX_OVERLAY_MAX_PAGES);
	int ret;

	if (!ov)
		return -ENOMEM;
	ret = replay_to_overlay(rp, ov, fd);
	if (ret) {
		vhdx_overlay_free(ov);
		return ret;
	}
	vhdx_buf_free(&rp->copy);
	rp->src.fixed = false;
	vhdx_overlay_finish(ov);
	rp->img->overlay = ov;
	rp->img->overlay_size = max(rp->img->file.cur_size, rp->seq.end);
	return 0;
}

void vhdx_replay_take_memory(struct vhdx_replay *rp)
{
	rp->ov = rp->img->overlay;
	rp->img->overlay = NULL;
}

/* To the file */

/**
 * struct replay_file - the file, as what a replay writes to
 * @sink: what is given to it is written until the next replay_file_wait()
 * @file: the file, as long as it has to be
 * @writer: pages on their way
 * @end: what is behind that reads as zeros already, since the file was shorter
 */
struct replay_file {
	struct vhdx_sink	sink;
	struct vhdx_file	*file;
	struct vhdx_writer	*writer;
	u64			end;
};

static int replay_file_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct replay_file *rf = container_of(sink, struct replay_file, sink);

	rf->end = max(rf->end, off + VHDX_PAGE_SIZE);
	return vhdx_writer_add(rf->writer, off, buf);
}

/* Pages over it come later. */
static int zero_by_writing(struct replay_file *rf, u64 off, u64 end)
{
	int ret = 0;

	for (; off < end && !ret; off += VHDX_PAGE_SIZE)
		ret = vhdx_writer_add(rf->writer, off, NULL);
	return ret ?: vhdx_writer_wait(rf->writer);
}

static int replay_file_zero(struct vhdx_sink *sink, u64 off, u64 len)
{
	struct replay_file *rf = container_of(sink, struct replay_file, sink);
	u64 end = min(off + len, rf->end);

	if (fatal_signal_pending(current))
		return -EINTR;
	if (off >= end || !vhdx_file_zero(rf->file, off, end - off))
		return 0;
	return zero_by_writing(rf, off, end);
}

/**
 * struct replay_spill - an overlay that goes to the file when it is full
 * @sink: what the replay gets
 * @ov: the overlay
 * @rf: the file
 */
struct replay_spill {
	struct vhdx_sink	sink;
	struct vhdx_overlay	*ov;
	struct replay_file	*rf;
};

/* The overlay is empty then, and nothing under way. */
static int spill_out(struct replay_spill *sp)
{
	int ret = vhdx_overlay_play(sp->ov, &sp->rf->sink);

	if (!ret)
		ret = vhdx_writer_wait(sp->rf->writer);
	vhdx_overlay_clear(sp->ov);
	return ret;
}

/* What had no room goes to the file itself: that needs no memory any more. */
static int spill_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct replay_spill *sp = container_of(sink, struct replay_spill, sink);
	int ret = sp->ov->sink.write(&sp->ov->sink, off, buf);

	if (ret != -E2BIG && ret != -ENOMEM)
		return ret;
	ret = spill_out(sp);
	if (!ret)
		ret = replay_file_write(&sp->rf->sink, off, buf);
	return ret ?: vhdx_writer_wait(sp->rf->writer);
}

static int spill_zero(struct vhdx_sink *sink, u64 off, u64 len)
{
	struct replay_spill *sp = container_of(sink, struct replay_spill, sink);
	int ret = sp->ov->sink.zero(&sp->ov->sink, off, len);

	if (ret != -E2BIG && ret != -ENOMEM)
		return ret;
	ret = spill_out(sp);
	return ret ?: replay_file_zero(&sp->rf->sink, off, len);
}

static int replay_spilling(struct vhdx_replay *rp, struct replay_file *rf, void *scratch,
			   struct vhdx_finding *fd)
{
	struct replay_spill sp = {
		.sink = { .write = spill_write, .zero = spill_zero },
		.ov = rp->ov,
		.rf = rf,
	};
	int ret;

	ret = replay_apply(rp, &sp.sink, scratch, fd);
	return ret ?: spill_out(&sp);
}

/*
 * The size comes first: should there be no room for it the content is as it was.
 * In the middle of it, as anywhere else, the log says the same to the next.
 */
static int replay_run(struct vhdx_replay *rp, struct replay_file *rf, void *scratch,
		      struct vhdx_finding *fd)
{
	struct vhdx_image *img = rp->img;
	int ret;

	ret = vhdx_image_touch_file(img);
	if (!ret && rp->seq.end > img->file.cur_size)
		ret = vhdx_file_resize(&img->file, rp->seq.end);
	if (!ret)
		ret = scratch ? replay_spilling(rp, rf, scratch, fd) :
				vhdx_overlay_play(rp->ov, &rf->sink);
	if (!ret)
		ret = vhdx_writer_wait(rf->writer);
	if (!ret)
		ret = vhdx_file_flush(&img->file);
	if (!ret)
		ret = vhdx_image_write_headers(img, &guid_null, false);
	return ret;
}

/* An overlay takes what memory it gets: it is given no more than there is. */
static unsigned int replay_spill_pages(void)
{
	return clamp_t(long, si_mem_available() / 4, 1, VHDX_OVERLAY_SPILL_PAGES);
}

/* Everything that may be refused is, before the file changes. */
static int replay_prepare(struct vhdx_replay *rp, struct replay_file *rf, void **scratch)
{
	struct vhdx_file *file = &rp->img->file;

	*rf = (struct replay_file){
		.sink = { .write = replay_file_write, .zero = replay_file_zero },
		.file = file,
		.writer = vhdx_writer_alloc(file),
		.end = file->cur_size,
	};
	*scratch = NULL;	/* for a log that was not applied to memory */
	if (!rf->writer)
		return -ENOMEM;
	if (!rp->ov) {
		rp->ov = vhdx_overlay_alloc(replay_spill_pages());
		*scratch = kvmalloc(VHDX_LOG_REPLAY_SCRATCH, GFP_KERNEL);
		if (!rp->ov || !*scratch)
			return -ENOMEM;
	}
	return vhdx_file_fits(file, max(rf->end, rp->seq.end));
}

int vhdx_replay_to_file(struct vhdx_replay *rp, struct vhdx_finding *fd)
{
	struct replay_file rf;
	void *scratch;
	int ret;

	ret = replay_prepare(rp, &rf, &scratch);
	if (!ret)
		ret = replay_run(rp, &rf, scratch, fd);
	kvfree(scratch);
	vhdx_writer_free(rf.writer);
	return ret;
}
