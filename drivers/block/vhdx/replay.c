// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log replay when an image is opened.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "format/log_entry.h"
#include "format/log_replay.h"
#include "format/log_scan.h"
#include "format/source.h"
#include "image.h"
#include "image_types.h"
#include "overlay.h"
#include "replay.h"

#define REPLAY_ZEROS	SZ_64K

/* The log itself is read from the file as it is, never through an overlay. */
struct replay_source {
	struct vhdx_source	src;
	struct vhdx_file	*file;
};

/**
 * struct replay_sink - the file, as what a replay writes to
 * @sink: what the replay gets
 * @file: the file, as long as it has to be
 * @end: what is behind that reads as zeros already, since the file was shorter
 * @zeros: REPLAY_ZEROS bytes
 */
struct replay_sink {
	struct vhdx_sink	sink;
	struct vhdx_file	*file;
	u64			end;
	void			*zeros;
};

static int replay_read(const struct vhdx_source *src, u64 off, void *buf, u32 len)
{
	const struct replay_source *rs = container_of(src, struct replay_source, src);

	if (fatal_signal_pending(current))
		return -EINTR;
	return vhdx_file_pread(rs->file, off, buf, len);
}

static struct replay_source replay_source(struct vhdx_image *img)
{
	return (struct replay_source){
		.src = { .read = replay_read, .size = img->file.cur_size },
		.file = &img->file,
	};
}

static struct vhdx_log_area replay_area(const struct vhdx_image *img)
{
	return (struct vhdx_log_area){
		.off = img->hdrs.cur.log_off,
		.len = img->hdrs.cur.log_len,
		.guid = img->hdrs.cur.log_guid,
	};
}

int vhdx_replay_scan(struct vhdx_image *img, struct vhdx_log_sequence *seq,
		     struct vhdx_finding *fd)
{
	struct replay_source rs = replay_source(img);
	struct vhdx_log_area area = replay_area(img);
	struct vhdx_log_slot *slots;
	void *scratch;
	int ret = -ENOMEM;

	slots = kvcalloc(VHDX_LOG_SCAN_SLOTS(area.len), sizeof(*slots), GFP_KERNEL);
	scratch = kvmalloc(VHDX_LOG_SCAN_SCRATCH, GFP_KERNEL);
	if (slots && scratch)
		ret = vhdx_log_scan(&rs.src, &area, slots, scratch, seq, NULL, fd);
	kvfree(scratch);
	kvfree(slots);
	return ret;
}

static int replay_apply(struct vhdx_image *img, const struct vhdx_log_sequence *seq,
			struct vhdx_sink *sink, void *scratch, struct vhdx_finding *fd)
{
	struct replay_source rs = replay_source(img);
	struct vhdx_log_area area = replay_area(img);
	struct vhdx_log_replay done = { };
	int ret;

	ret = vhdx_log_replay(&rs.src, &area, seq, sink, scratch, &done, fd);
	img->nr_replayed = done.nr_entries;
	return ret;
}

static int replay_to_overlay(struct vhdx_image *img, const struct vhdx_log_sequence *seq,
			     struct vhdx_overlay *ov, struct vhdx_finding *fd)
{
	void *scratch = kvmalloc(VHDX_LOG_REPLAY_SCRATCH, GFP_KERNEL);
	int ret;

	if (!scratch)
		return -ENOMEM;
	ret = replay_apply(img, seq, &ov->sink, scratch, fd);
	kvfree(scratch);
	if (ret == -E2BIG && ov->too_big)
		ret = vhdx_fault_at(fd, VHDX_FAULT_LOG_TOO_COMPLEX,
				    img->hdrs.cur.log_off, seq->nr_desc);
	return ret;
}

int vhdx_replay_to_memory(struct vhdx_image *img,
			  const struct vhdx_log_sequence *seq,
			  struct vhdx_finding *fd)
{
	struct vhdx_overlay *ov = vhdx_overlay_alloc();
	int ret;

	if (!ov)
		return -ENOMEM;
	ret = replay_to_overlay(img, seq, ov, fd);
	if (ret) {
		vhdx_overlay_free(ov);
		return ret;
	}
	vhdx_overlay_finish(ov);
	img->overlay = ov;
	img->overlay_size = max(img->file.cur_size, seq->end);
	return 0;
}

static int file_sink_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct replay_sink *rs = container_of(sink, struct replay_sink, sink);

	rs->end = max(rs->end, off + VHDX_PAGE_SIZE);
	return vhdx_file_pwrite(rs->file, off, buf, VHDX_PAGE_SIZE);
}

static int zero_by_writing(struct replay_sink *rs, u64 off, u64 end)
{
	u32 len;
	int ret = 0;

	for (; off < end && !ret; off += len) {
		if (fatal_signal_pending(current))
			return -EINTR;
		len = min_t(u64, end - off, REPLAY_ZEROS);
		ret = vhdx_file_pwrite(rs->file, off, rs->zeros, len);
	}
	return ret;
}

static int file_sink_zero(struct vhdx_sink *sink, u64 off, u64 len)
{
	struct replay_sink *rs = container_of(sink, struct replay_sink, sink);
	u64 end = min(off + len, rs->end);

	if (off >= end || !vhdx_file_zero(rs->file, off, end - off))
		return 0;
	return zero_by_writing(rs, off, end);
}

/* Everything that may be refused is, before the file changes. */
static int replay_prepare(struct vhdx_image *img, const struct vhdx_log_sequence *seq,
			  struct replay_sink *rs, void **scratch)
{
	*rs = (struct replay_sink){
		.sink = { .write = file_sink_write, .zero = file_sink_zero },
		.file = &img->file,
		.end = img->file.cur_size,
	};
	rs->zeros = kvzalloc(REPLAY_ZEROS, GFP_KERNEL);
	*scratch = kvmalloc(VHDX_LOG_REPLAY_SCRATCH, GFP_KERNEL);
	if (!rs->zeros || !*scratch)
		return -ENOMEM;
	return vhdx_file_fits(&img->file, max(rs->end, seq->end));
}

/*
 * The size comes first: should there be no room for it the content is as it was.
 * In the middle of it, as anywhere else, the log says the same to the next.
 */
static int replay_run(struct vhdx_image *img, const struct vhdx_log_sequence *seq,
		      struct replay_sink *rs, void *scratch, struct vhdx_finding *fd)
{
	int ret;

	ret = vhdx_image_touch_file(img);
	if (!ret && seq->end > img->file.cur_size)
		ret = vhdx_file_resize(&img->file, seq->end);
	if (!ret)
		ret = replay_apply(img, seq, &rs->sink, scratch, fd);
	if (!ret)
		ret = vhdx_file_flush(&img->file);
	if (!ret)
		ret = vhdx_image_write_headers(img, &guid_null, false);
	return ret;
}

int vhdx_replay_to_file(struct vhdx_image *img,
			const struct vhdx_log_sequence *seq,
			struct vhdx_finding *fd)
{
	struct replay_sink rs;
	void *scratch;
	int ret;

	ret = replay_prepare(img, seq, &rs, &scratch);
	if (!ret)
		ret = replay_run(img, seq, &rs, scratch, fd);
	kvfree(scratch);
	kvfree(rs.zeros);
	return ret;
}
