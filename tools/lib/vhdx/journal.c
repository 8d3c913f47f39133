// SPDX-License-Identifier: GPL-2.0-only
/* Writing to an image that is not attached. The rules are in journal.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "bat_scan.h"
#include "file.h"
#include "guid.h"
#include "journal.h"
#include "raw.h"

#define PAGE		VHDX_LOG_SECTOR
#define MAX_PAGES	254U		/* as in the driver: two sectors of descriptors */
#define ZEROS		(1024 * 1024U)	/* written at once */
#define LOG_FILL	(64 * 1024 * 1024U)	/* of a longer log the rest is not filled */

/**
 * struct libvhdx_journal_page - a page of the running transaction
 * @off: file offset
 * @data: content
 */
struct libvhdx_journal_page {
	u64	off;
	u8	data[PAGE];
};

static struct libvhdx_file *journal_file(const struct libvhdx_journal *j)
{
	return j->img.file;
}

/* What is on the disk now nobody knows. */
static int journal_fail(struct libvhdx_journal *j, int err)
{
	if (err && !j->failed)
		j->failed = err;
	return err;
}

static int journal_sync(struct libvhdx_journal *j)
{
	u64 size = journal_file(j)->size;
	int err = libvhdx_file_sync(journal_file(j));

	if (!err)
		j->stable_size = size;
	return journal_fail(j, err);
}

/* One after the other into the slot that is not current, each stable. */
static int headers_write(struct libvhdx_journal *j, const struct vhdx_header *next)
{
	struct vhdx_headers *hdrs = &j->img.hdrs;
	struct vhdx_header hdr = *next;
	u8 buf[VHDX_HEADER_SIZE];
	unsigned int i;
	int err;

	hdr.log_version = VHDX_LOG_VERSION;
	for (i = 0; i < 2; i++) {
		hdr.seq = hdrs->cur.seq + 1;
		vhdx_header_encode(buf, &hdr);
		err = libvhdx_file_write(journal_file(j), vhdx_header_off(!hdrs->slot), buf,
					 sizeof(buf));
		if (err)
			return journal_fail(j, err);
		err = journal_sync(j);
		if (err)
			return err;
		hdrs->slot = !hdrs->slot;
		hdrs->valid |= 1U << hdrs->slot;
		hdrs->cur = hdr;
	}
	return 0;
}

static int headers_set_log(struct libvhdx_journal *j, const guid_t *log_guid)
{
	struct vhdx_header hdr = j->img.hdrs.cur;

	hdr.log_guid = *log_guid;
	return headers_write(j, &hdr);
}

static int headers_touch(struct libvhdx_journal *j, const guid_t *data_guid)
{
	struct vhdx_header hdr = j->img.hdrs.cur;
	int err = j->touched ? 0 : libvhdx_guid_random(&hdr.file_write_guid);

	if (data_guid)
		hdr.data_write_guid = *data_guid;
	if (!err)
		err = headers_write(j, &hdr);
	if (!err)
		j->touched = true;
	return err;
}

/* Zeros over [@off, @end), as far as there is anything in the file. */
static int write_zeros(struct libvhdx_file *file, u64 off, u64 end)
{
	u8 *zeros = calloc(1, ZEROS);
	int err = zeros ? 0 : -ENOMEM;

	while (!err && off < end) {
		u64 len = min_t(u64, end - off, ZEROS);

		err = libvhdx_file_write(file, off, zeros, len);
		off += len;
	}
	free(zeros);
	return err;
}

/* A log with holes would find the disk full when it is needed. */
static int fill_log(struct libvhdx_journal *j)
{
	u64 len = min_t(u64, j->area.len, LOG_FILL);

	return write_zeros(journal_file(j), j->area.off, j->area.off + len);
}

int libvhdx_journal_touch(struct libvhdx_journal *j, const guid_t *data_guid)
{
	int err = j->failed;

	if (!err && (!j->touched || data_guid))
		err = headers_touch(j, data_guid);
	if (!err && !j->filled) {
		err = fill_log(j);
		j->filled = !err;
	}
	return err;
}

/* Write the sealed entry at the head, stable. */
static int ring_write(struct libvhdx_journal *j, u32 len)
{
	struct libvhdx_file *file = journal_file(j);
	u32 first = min(len, j->area.len - j->head);
	int err = libvhdx_file_write(file, j->area.off + j->head, j->buf, first);

	if (!err && first < len)
		err = libvhdx_file_write(file, j->area.off, j->buf + first, len - first);
	return err ? journal_fail(j, err) : journal_sync(j);
}

static int ring_append(struct libvhdx_journal *j, struct vhdx_log_build *b)
{
	struct vhdx_log_entry entry = {
		.tail		= j->head,
		.flushed_off	= min(j->stable_size, j->next) & ~(u64)(VHDX_UNIT - 1),
		.last_off	= j->next,
	};
	u32 len = vhdx_log_build_seal(b, &j->area.guid, &entry);
	int err = ring_write(j, len);

	if (err)
		return err;
	j->head = vhdx_log_ring_add(&j->area, j->head, len);
	j->next_seq++;
	return 0;
}

/* Rule 5. */
static int journal_start(struct libvhdx_journal *j)
{
	struct vhdx_log_build b;
	int err = libvhdx_guid_random(&j->area.guid);

	if (err)
		return err;
	j->head = 0;
	j->next_seq = 1;
	vhdx_log_build_init(&b, j->buf, j->next_seq, 0);
	err = ring_append(j, &b);
	if (!err)
		err = headers_set_log(j, &j->area.guid);
	if (!err)
		j->active = true;
	return err;
}

static int write_in_place(struct libvhdx_journal *j)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < j->nr_pages && !err; i++)
		err = libvhdx_file_write(journal_file(j), j->page[i].off, j->page[i].data, PAGE);
	return journal_fail(j, err);
}

int libvhdx_journal_commit(struct libvhdx_journal *j)
{
	struct vhdx_log_build b;
	unsigned int i;
	int err = j->failed;

	if (err || !j->nr_pages)
		return err;
	err = journal_sync(j);
	if (!err && !j->active)
		err = journal_start(j);
	if (err)
		return err;
	vhdx_log_build_init(&b, j->buf, j->next_seq, j->nr_pages);
	for (i = 0; i < j->nr_pages; i++)
		vhdx_log_build_data(&b, j->page[i].off, j->page[i].data);
	err = ring_append(j, &b);
	if (!err)
		err = write_in_place(j);
	if (!err)
		j->nr_pages = 0;
	return err;
}

/* What was allocated and given back; no log is there to miss it. */
static int trim_file(struct libvhdx_journal *j)
{
	struct libvhdx_file *file = journal_file(j);

	return j->cut && file->size > j->cut ? libvhdx_file_resize(file, j->cut) : 0;
}

int libvhdx_journal_clean(struct libvhdx_journal *j)
{
	int err = libvhdx_journal_commit(j);

	if (!err && j->touched)
		err = journal_sync(j);
	if (!err && j->active) {
		err = headers_set_log(j, &guid_null);
		j->active = err != 0;
	}
	return err ? err : trim_file(j);
}

int libvhdx_journal_reserve(struct libvhdx_journal *j, unsigned int nr_pages)
{
	if (nr_pages > j->max_pages)
		return -EOVERFLOW;
	return j->nr_pages + nr_pages > j->max_pages ? libvhdx_journal_commit(j) : 0;
}

static struct libvhdx_journal_page *page_find(struct libvhdx_journal *j, u64 off)
{
	unsigned int i;

	for (i = 0; i < j->nr_pages; i++)
		if (j->page[i].off == off)
			return &j->page[i];
	return NULL;
}

/* @len bytes within one page: they make it a page of the transaction if they differ. */
static int page_set(struct libvhdx_journal *j, u64 off, const void *buf, u32 len)
{
	struct libvhdx_journal_page *page = page_find(j, off & ~(u64)(PAGE - 1));
	u32 inner = (u32)(off & (PAGE - 1));
	int err;

	if (!page) {
		if (j->nr_pages == j->max_pages)
			return -EOVERFLOW;
		page = &j->page[j->nr_pages];
		page->off = off - inner;
		err = j->img.src.read(&j->img.src, page->off, page->data, PAGE);
		if (err)
			return err;
		if (!memcmp(page->data + inner, buf, len))
			return 0;
		j->nr_pages++;
	}
	memcpy(page->data + inner, buf, len);
	return 0;
}

int libvhdx_journal_set(struct libvhdx_journal *j, u64 off, const void *buf, u32 len)
{
	const u8 *from = buf;
	int err = j->failed;
	u32 n;

	for (; len && !err; off += n, from += n, len -= n) {
		n = min(len, PAGE - (u32)(off & (PAGE - 1)));
		err = page_set(j, off, from, n);
	}
	/* Half a change must not be committed. */
	return journal_fail(j, err);
}

int libvhdx_journal_read(struct libvhdx_journal *j, u64 off, void *buf, u32 len)
{
	const struct libvhdx_journal_page *page;
	u8 *to = buf;
	int err = 0;
	u32 n, inner;

	for (; len && !err; off += n, to += n, len -= n) {
		inner = (u32)(off & (PAGE - 1));
		n = min(len, PAGE - inner);
		page = page_find(j, off - inner);
		if (page)
			memcpy(to, page->data + inner, n);
		else
			err = j->img.src.read(&j->img.src, off, to, n);
	}
	return err;
}

static void file_grown(struct libvhdx_journal *j)
{
	j->img.raw.size = journal_file(j)->size;
	j->img.src.size = journal_file(j)->size;
}

int libvhdx_journal_allocate(struct libvhdx_journal *j, u64 len, bool fill, u64 *off)
{
	struct libvhdx_file *file = journal_file(j);
	u64 end = j->next + len;
	int err = j->failed;

	if (!err && file->size < end)
		err = libvhdx_file_resize(file, end);
	if (!err && fill) {
		err = libvhdx_file_allocate(file, j->next, len);
		if (err == -EOPNOTSUPP || err == -ENOSYS)
			err = write_zeros(file, j->next, end);
	}
	if (err)
		return err;
	file_grown(j);
	*off = j->next;
	j->next = end;
	j->cut = 0;
	return 0;
}

void libvhdx_journal_unallocate(struct libvhdx_journal *j, u64 off)
{
	j->cut = off;
}

int libvhdx_journal_reload(struct libvhdx_journal *j, struct vhdx_finding *fd)
{
	free(j->img.metadata_table);
	free(j->img.locator_buf);
	j->img.metadata_table = NULL;
	j->img.locator_buf = NULL;
	return libvhdx_image_load_metadata(&j->img, fd);
}

/* The first of what is wrong. */
static void keep_first(void *data, const struct vhdx_finding *found)
{
	struct vhdx_finding *fd = data;

	if (!fd->fault)
		*fd = *found;
}

/* All that can be known of a file without writing to it. */
static int open_whole(struct libvhdx_journal *j, struct libvhdx_file *file,
		      struct vhdx_finding *fd)
{
	int err = libvhdx_image_open(&j->img, file, fd);

	if (err)
		return err;
	fd->fault = VHDX_FAULT_NONE;
	err = libvhdx_bat_scan(&j->img, &j->scan, keep_first, fd);
	libvhdx_bat_scan_release(&j->scan);
	if (!err)
		err = (int)fd->fault;
	if (!err)
		err = (int)vhdx_headers_check_writable(&j->img.hdrs, fd);
	if (!err && !j->img.hdrs.cur.log_len)
		err = -EROFS;
	if (err)
		libvhdx_image_close(&j->img);
	return err;
}

struct file_sink {
	struct vhdx_sink	sink;
	struct libvhdx_file	*file;
};

static int sink_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct file_sink *fs = container_of(sink, struct file_sink, sink);

	return libvhdx_file_write(fs->file, off, buf, PAGE);
}

/* What lies behind the end of the file is zero, and will be. */
static int sink_zero(struct vhdx_sink *sink, u64 off, u64 len)
{
	struct file_sink *fs = container_of(sink, struct file_sink, sink);
	u64 end = min(off + len, fs->file->size);
	int err = 0;

	while (!err && off < end) {
		u64 step;

		off = libvhdx_file_next_data(fs->file, off, end) & ~(u64)(PAGE - 1);
		step = min_t(u64, end - off, ZEROS);
		err = write_zeros(fs->file, off, off + step);
		off += step;
	}
	return err;
}

/* [MS-VHDX] 2.3.3. Content is absolute: after a crash it is done again. */
static int replay_to_file(struct libvhdx_journal *j, struct vhdx_finding *fd)
{
	struct libvhdx_image *img = &j->img;
	struct file_sink fs = {
		.sink = { .write = sink_write, .zero = sink_zero },
		.file = img->file,
	};
	struct vhdx_log_replay done;
	void *scratch = malloc(VHDX_LOG_REPLAY_SCRATCH);
	int err = scratch ? headers_touch(j, NULL) : -ENOMEM;

	if (!err)
		err = vhdx_log_replay(&img->raw, &img->log, &img->seq, &fs.sink, scratch, &done,
				      fd);
	free(scratch);
	if (!err && img->seq.last_off > img->file->size)
		err = libvhdx_file_resize(img->file, img->seq.last_off);
	if (!err)
		err = journal_sync(j);
	return err ? err : headers_set_log(j, &guid_null);
}

static int open_replayed(struct libvhdx_journal *j, struct libvhdx_file *file,
			 struct vhdx_finding *fd)
{
	int err = open_whole(j, file, fd);

	if (err || !j->img.dirty)
		return err;
	err = replay_to_file(j, fd);
	libvhdx_image_close(&j->img);
	return err ? err : open_whole(j, file, fd);
}

static u64 round_up_unit(u64 n)
{
	return (n + VHDX_UNIT - 1) & ~(u64)(VHDX_UNIT - 1);
}

/* Rule 6: of a last block the file may have only a part. */
static void begin(struct libvhdx_journal *j)
{
	const struct vhdx_header *hdr = &j->img.hdrs.cur;

	j->area.off = hdr->log_off;
	j->area.len = hdr->log_len;
	j->max_pages = min(hdr->log_len / PAGE / 4 - 2, MAX_PAGES);
	j->next = round_up_unit(max(journal_file(j)->size, j->scan.used_end));
}

int libvhdx_journal_open(struct libvhdx_journal *j, struct libvhdx_file *file,
			 struct vhdx_finding *fd)
{
	int err;

	memset(j, 0, sizeof(*j));
	err = open_replayed(j, file, fd);
	if (err)
		return err;
	begin(j);
	j->page = calloc(j->max_pages, sizeof(*j->page));
	j->buf = malloc(vhdx_log_entry_size(j->max_pages, j->max_pages));
	if (j->page && j->buf)
		return 0;
	libvhdx_journal_close(j);
	return -ENOMEM;
}

void libvhdx_journal_close(struct libvhdx_journal *j)
{
	free(j->page);
	free(j->buf);
	libvhdx_image_close(&j->img);
	memset(j, 0, sizeof(*j));
}
