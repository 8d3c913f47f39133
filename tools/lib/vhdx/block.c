// SPDX-License-Identifier: GPL-2.0-only
/* Content for one block of an image. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "bitmap.h"
#include "block.h"
#include "file.h"
#include "journal.h"
#include "raw.h"

#define COPY_SIZE	(1024 * 1024U)
#define COPY_PIECE	4096U	/* pieces of zeros are left out of new space */

/**
 * struct put - one block at work
 * @j: the image
 * @content: what goes into it
 * @fd: for what is found
 * @blk: number of the block
 * @pos: disk position of the block
 * @end: position behind what of it belongs to the disk
 * @was: its BAT entry as it was
 * @place: file offset of the block
 * @fresh: that is new space, full of zeros
 * @bytes: bytes of content, by their kind
 * @buf: COPY_SIZE bytes, once payload is written
 * @slice: its bits of the sector bitmap, once they are written
 * @slice_len: bytes of them
 */
struct put {
	struct libvhdx_journal	*j;
	struct libvhdx_content	*content;
	struct vhdx_finding	*fd;
	u64			blk;
	u64			pos;
	u64			end;
	struct vhdx_bat_entry	was;
	u64			place;
	bool			fresh;
	u64			bytes[LIBVHDX_EXTENT_PARENT + 1];
	u8			*buf;
	u8			*slice;
	u32			slice_len;
};

static int walk_runs(struct put *p,
		     int (*act)(struct put *p, u64 pos, const struct libvhdx_extent *run))
{
	struct libvhdx_extent run;
	u64 pos;
	int err;

	for (pos = p->pos; pos < p->end; pos += run.len) {
		p->content->reading = true;
		err = p->content->run(p->content, pos, p->end - pos, &run, p->fd);
		if (err)
			return err;
		p->content->reading = false;
		err = act(p, pos, &run);
		if (err)
			return err;
	}
	return 0;
}

static int count_run(struct put *p, u64 pos, const struct libvhdx_extent *run)
{
	(void)pos;
	p->bytes[run->kind] += run->len;
	return 0;
}

static bool is_zero(const u8 *p, u32 len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

/* What there is in @buf goes to @off; new space has its zeros already. */
static int write_pieces(struct put *p, u64 off, const u8 *buf, u32 len)
{
	struct libvhdx_file *file = p->j->img.file;
	u32 at, end, n;
	int err = 0;

	if (!p->fresh)
		return libvhdx_file_write(file, off, buf, len);
	for (at = 0; at < len && !err; at = end) {
		for (end = at; end < len; end += n) {
			n = min(len - end, COPY_PIECE);
			if (is_zero(buf + end, n))
				break;
		}
		if (end > at)
			err = libvhdx_file_write(file, off + at, buf + at, end - at);
		else
			end += min(len - end, COPY_PIECE);
	}
	return err;
}

static int copy(struct put *p, u64 to, u64 from, u64 len)
{
	int err = 0;
	u32 n;

	for (; len && !err; to += n, from += n, len -= n) {
		n = min_t(u64, len, COPY_SIZE);
		if (p->content->stop && p->content->stop())
			return -EINTR;
		p->content->reading = true;
		err = libvhdx_file_read(p->content->file, from, p->buf, n);
		if (err)
			break;
		p->content->reading = false;
		err = write_pieces(p, to, p->buf, n);
	}
	return err;
}

static int zero(struct put *p, u64 off, u64 len)
{
	int err = 0;
	u32 n;

	memset(p->buf, 0, COPY_SIZE);
	for (; len && !err; off += n, len -= n) {
		n = min_t(u64, len, COPY_SIZE);
		if (p->content->stop && p->content->stop())
			return -EINTR;
		err = libvhdx_file_write(p->j->img.file, off, p->buf, n);
	}
	return err;
}

static int write_run(struct put *p, u64 pos, const struct libvhdx_extent *run)
{
	u64 to = p->place + (pos - p->pos);

	if (run->kind == LIBVHDX_EXTENT_DATA)
		return copy(p, to, run->off, run->len);
	if (run->kind == LIBVHDX_EXTENT_ZERO && !p->fresh)
		return zero(p, to, run->len);
	return 0;
}

static int write_payload(struct put *p)
{
	p->buf = malloc(COPY_SIZE);
	return p->buf ? walk_runs(p, write_run) : -ENOMEM;
}

/* The sectors of the run, data and zeros, are here from now on. */
static int mark_run(struct put *p, u64 pos, const struct libvhdx_extent *run)
{
	unsigned int shift = p->j->img.geo.sector_shift;
	u64 bit = (pos - p->pos) >> shift, nr = run->len >> shift;
	__le64 *words = (__le64 *)p->slice;
	u32 some;

	if (run->kind == LIBVHDX_EXTENT_PARENT)
		return 0;
	for (; nr; bit += some, nr -= some) {
		some = vhdx_bitmap_in_word((u32)bit, (u32)nr);
		words[bit / VHDX_BITMAP_WORD_BITS] |= vhdx_bitmap_mask((u32)bit, (u32)nr);
	}
	return 0;
}

int libvhdx_block_set_entry(struct libvhdx_journal *j, u64 idx,
			    const struct vhdx_bat_entry *entry)
{
	__le64 raw = vhdx_bat_entry_encode(entry);

	return libvhdx_journal_set(j, vhdx_bat_entry_off(&j->img.geo, idx), &raw, sizeof(raw));
}

static int get_entry(struct put *p, u64 idx, struct vhdx_bat_entry *entry)
{
	const struct vhdx_geometry *geo = &p->j->img.geo;
	__le64 raw;
	int err = libvhdx_journal_read(p->j, vhdx_bat_entry_off(geo, idx), &raw, sizeof(raw));

	if (err)
		return err;
	return (int)vhdx_bat_entry_decode(raw, idx, geo, p->j->img.src.size, entry, p->fd);
}

static int set_state(struct put *p, u8 state, u64 off)
{
	const struct vhdx_bat_entry entry = { .off = off, .state = state };

	return libvhdx_block_set_entry(p->j, vhdx_bat_index(&p->j->img.geo, p->blk), &entry);
}

/* A disk that keeps its blocks: none of them may cease to be present. */
static bool is_fixed(const struct put *p)
{
	return p->j->img.md.type == VHDX_DISK_FIXED;
}

/* All of the block shall be zeros, for which nothing needs to be in the file. */
static int put_zeros(struct put *p)
{
	int err;

	if (is_fixed(p)) {
		p->place = p->was.off;
		return vhdx_block_is_present(p->was.state) ? write_payload(p) : 0;
	}
	if (p->was.state == VHDX_BLOCK_ZERO)
		return 0;
	err = libvhdx_journal_reserve(p->j, 1);
	return err ? err : set_state(p, VHDX_BLOCK_ZERO, 0);
}

/* File offset of the sector bitmap block of the chunk, which may be new. */
static int get_bitmap(struct put *p, u64 *off)
{
	const struct vhdx_geometry *geo = &p->j->img.geo;
	u64 idx = vhdx_bat_bitmap_index(geo, p->blk >> geo->chunk_shift);
	struct vhdx_bat_entry entry;
	int err = get_entry(p, idx, &entry);

	*off = entry.off;
	if (err || entry.state == VHDX_BITMAP_PRESENT)
		return err;
	err = libvhdx_journal_allocate(p->j, VHDX_SB_BLOCK_SIZE, false, off);
	if (err)
		return err;
	entry = (struct vhdx_bat_entry){ .off = *off, .state = VHDX_BITMAP_PRESENT };
	return libvhdx_block_set_entry(p->j, idx, &entry);
}

/*
 * The block is partially present. Of one that was not, all bits are written: its
 * slice may hold what was once.
 */
static int set_bits(struct put *p)
{
	u32 bit = vhdx_bitmap_bit(&p->j->img.geo, p->pos);
	bool was_partial = p->was.state == VHDX_BLOCK_PARTIALLY_PRESENT;
	u64 off;
	int err = get_bitmap(p, &off);

	if (err)
		return err;
	off += vhdx_bitmap_word_off(bit);
	p->slice = calloc(1, p->slice_len);
	if (!p->slice)
		return -ENOMEM;
	if (was_partial)
		err = libvhdx_journal_read(p->j, off, p->slice, p->slice_len);
	if (!err)
		err = walk_runs(p, mark_run);
	if (!err)
		err = libvhdx_journal_set(p->j, off, p->slice, p->slice_len);
	if (!err && !was_partial)
		err = set_state(p, VHDX_BLOCK_PARTIALLY_PRESENT, p->place);
	return err;
}

/* Does the parent show through where nothing is put? */
static bool shows_parent(const struct put *p)
{
	if (!p->j->img.geo.differencing || !p->bytes[LIBVHDX_EXTENT_PARENT])
		return false;
	return p->was.state == VHDX_BLOCK_NOT_PRESENT ||
	       p->was.state == VHDX_BLOCK_PARTIALLY_PRESENT;
}

static int set_metadata(struct put *p)
{
	/* The slice, the block's entry, and that of the bitmap. */
	unsigned int nr = (p->slice_len >> VHDX_LOG_SECTOR_SHIFT) + 3;
	int err = libvhdx_journal_reserve(p->j, nr);

	if (err)
		return err;
	if (shows_parent(p))
		return set_bits(p);
	if (p->was.state == VHDX_BLOCK_FULLY_PRESENT)
		return 0;
	return set_state(p, VHDX_BLOCK_FULLY_PRESENT, p->place);
}

static int put_some(struct put *p)
{
	int err = 0;

	if (vhdx_block_is_present(p->was.state))
		p->place = p->was.off;
	else
		err = libvhdx_journal_allocate(p->j, vhdx_block_size(&p->j->img.geo),
					       is_fixed(p), &p->place);
	if (err)
		return err;
	p->fresh = !vhdx_block_is_present(p->was.state);
	err = write_payload(p);
	if (err && p->fresh)
		libvhdx_journal_unallocate(p->j, p->place);
	return err ? err : set_metadata(p);
}

/* Zeros where zeros are, and nothing else? */
static bool is_so_already(const struct put *p)
{
	if (p->bytes[LIBVHDX_EXTENT_DATA] || vhdx_block_is_present(p->was.state))
		return false;
	return !p->j->img.geo.differencing || p->was.state != VHDX_BLOCK_NOT_PRESENT;
}

static int put_counted(struct put *p)
{
	if (!p->bytes[LIBVHDX_EXTENT_DATA] && !p->bytes[LIBVHDX_EXTENT_ZERO])
		return 0;
	if (!p->bytes[LIBVHDX_EXTENT_DATA] && !p->bytes[LIBVHDX_EXTENT_PARENT])
		return put_zeros(p);
	return is_so_already(p) ? 0 : put_some(p);
}

int libvhdx_block_put(struct libvhdx_journal *j, u64 blk, struct libvhdx_content *content,
		      struct vhdx_finding *fd)
{
	const struct vhdx_geometry *geo = &j->img.geo;
	struct put p = {
		.j		= j,
		.content	= content,
		.fd		= fd,
		.blk		= blk,
		.pos		= blk << geo->block_shift,
		.end		= (blk << geo->block_shift) + vhdx_block_len(geo, blk),
		.slice_len	= vhdx_block_size(geo) >> geo->sector_shift >> 3,
	};
	int err = get_entry(&p, vhdx_bat_index(geo, blk), &p.was);

	if (err)
		return err;
	err = walk_runs(&p, count_run);
	if (!err)
		err = put_counted(&p);
	free(p.slice);
	free(p.buf);
	return err;
}
