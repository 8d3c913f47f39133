// SPDX-License-Identifier: GPL-2.0-only
/* After the power cut. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/vhdx.h>

#include "base.h"
#include "bat.h"
#include "bitmap.h"
#include "file.h"
#include "geometry.h"
#include "image.h"
#include "oracle.h"
#include "recover.h"
#include "stamp.h"
#include "target.h"
#include "text.h"
#include "trace.h"

#define PIECE_MAX	512U		/* sectors */
#define GRAIN		8U		/* so many are read, whatever was written */
#define GAP		32U		/* read rather than left out */
#define RECENT		1500U		/* events before the cut */
#define SAMPLE_PERCENT	10U		/* of what is older */

/* Cut the sectors that were written into pieces, with some of what is around. */
static void plan(struct recovery *rec)
{
	const struct oracle *or = rec->or;
	struct piece *p = NULL;
	u32 i;

	for (i = 0; i < or->nr_sectors; i++) {
		u64 lba = oracle_lba(or, i);

		if (!p || lba >= p->lba + PIECE_MAX || lba > p->lba + p->nr + GAP) {
			p = &rec->pieces[rec->nr_pieces++];
			*p = (struct piece){ .lba = lba / GRAIN * GRAIN, .sector = i };
		}
		p->nr = (u32)(lba - p->lba) / GRAIN * GRAIN + GRAIN;
	}
}

void recovery_init(struct recovery *rec, const struct oracle *or,
		   const struct base *base)
{
	*rec = (struct recovery){ .or = or, .base = base };
	rec->seen = calloc(or->nr_sectors + 1, sizeof(*rec->seen));
	rec->seen_read_only = calloc(or->nr_sectors + 1, sizeof(*rec->seen));
	rec->pieces = calloc(or->nr_sectors + 1, sizeof(*rec->pieces));
	rec->buf = aligned_alloc(4096, PIECE_MAX * SECTOR);
	if (!rec->seen || !rec->seen_read_only || !rec->pieces || !rec->buf)
		err(2, "no memory for a recovery");
	plan(rec);
}

static int complain(struct recovery *rec, const char *what, int ret)
{
	snprintf(rec->why, sizeof(rec->why), "%s: %s", what, strerror(-ret));
	return 1;
}

static int complain_sector(struct recovery *rec, u64 lba, u32 seen, const char *what)
{
	snprintf(rec->why, sizeof(rec->why), "sector %llu: %s (stamp %#x)", lba, what, seen);
	return 1;
}

static int check_piece(struct recovery *rec, const struct piece *p, u64 seed)
{
	const struct oracle *or = rec->or;
	u32 i, sector = p->sector;

	for (i = 0; i < p->nr; i++) {
		u64 lba = p->lba + i;
		u32 seen = base_seen(rec->base, lba,
				     stamp_read(rec->buf + (size_t)i * SECTOR, seed, lba));
		const char *wrong = seen == STAMP_ZERO ? NULL : "changed, never written";

		if (sector < or->nr_sectors && oracle_lba(or, sector) == lba) {
			wrong = oracle_check(or, sector, rec->pos, seen);
			rec->seen[sector++] = seen;
		}
		if (wrong)
			return complain_sector(rec, lba, seen, wrong);
	}
	return 0;
}

/* Was anything of it written not long before the cut? */
static bool is_recent(const struct recovery *rec, const struct piece *p)
{
	const struct oracle *or = rec->or;
	u32 i, sector;

	for (sector = p->sector; sector < or->nr_sectors; sector++) {
		if (oracle_lba(or, sector) >= p->lba + p->nr)
			break;
		for (i = or->sectors[sector]; i < or->sectors[sector + 1]; i++)
			if (or->writes[i].op < rec->pos &&
			    or->writes[i].op + RECENT >= rec->pos)
				return true;
	}
	return false;
}

static bool is_looked_at(const struct recovery *rec, const struct piece *p, u32 number)
{
	struct random rnd = random_start(rec->rnd.state, number);

	return rec->full || is_recent(rec, p) || random_chance(&rnd, SAMPLE_PERCENT);
}

static int check_content(struct recovery *rec, struct target *t)
{
	u32 i;

	for (i = 0; i < rec->nr_pieces; i++) {
		const struct piece *p = &rec->pieces[i];
		ssize_t n;

		if (!is_looked_at(rec, p, i))
			continue;
		n = pread(t->fd, rec->buf, (size_t)p->nr * SECTOR, (off_t)(p->lba * SECTOR));
		if (n != (ssize_t)p->nr * SECTOR)
			return complain(rec, "read of the virtual disk",
					n < 0 ? -errno : -EIO);
		if (check_piece(rec, p, t->setup->seed))
			return 1;
	}
	return 0;
}

static int check_attached(struct recovery *rec, struct target *t, u32 flags)
{
	int wrong, ret;

	if (target_attach(t, flags, rec->why, sizeof(rec->why)))
		return 1;
	wrong = check_content(rec, t);
	ret = target_detach(t);
	if (!wrong && ret)
		wrong = complain(rec, "detach", ret);
	return wrong;
}

static int check_judge(struct recovery *rec, struct target *t)
{
	char line[300];
	int status;

	if (!rec->judge)
		return 0;
	snprintf(line, sizeof(line), "%s %s", rec->judge, t->image);
	status = system(line);
	if (!status)
		return 0;
	snprintf(rec->why, sizeof(rec->why), "'%s' failed with status %#x", line, status);
	return 1;
}

/* A replay in memory and one to the file lead to the same. */
static int check_both(struct recovery *rec, struct target *t)
{
	size_t len = rec->or->nr_sectors * sizeof(*rec->seen);
	int wrong = check_attached(rec, t, VHDX_ATTACH_READ_ONLY);

	if (wrong)
		return wrong;
	memcpy(rec->seen_read_only, rec->seen, len);
	wrong = check_attached(rec, t, 0);
	if (!wrong && memcmp(rec->seen_read_only, rec->seen, len)) {
		snprintf(rec->why, sizeof(rec->why),
			 "a read-only attach showed another content than a writable one");
		wrong = 1;
	}
	return wrong;
}

static int check_mounted(struct recovery *rec, struct target *t)
{
	int wrong, ret;

	wrong = rec->read_only ? check_both(rec, t) : check_attached(rec, t, 0);
	if (wrong)
		return wrong;
	ret = target_check(t, false, rec->why, sizeof(rec->why));
	if (ret < 0)
		return complain(rec, "check", ret);
	return ret ? ret : check_judge(rec, t);
}

static int library_entry(const struct libvhdx_image *img, u64 idx,
			 struct vhdx_bat_entry *entry)
{
	struct vhdx_finding fd;
	__le64 raw;
	int ret = libvhdx_image_read_bat(img, idx, 1, &raw);

	if (ret)
		return ret;
	return vhdx_bat_entry_decode(raw, idx, &img->geo, img->src.size, entry, &fd) ?
	       -EUCLEAN : 0;
}

/* Put what was there before in the place of what is not in the image. */
static int library_show_base(const struct libvhdx_image *img, const struct base *base,
			     u64 pos, u8 *buf, u32 len)
{
	u64 idx = vhdx_bat_bitmap_index(&img->geo, vhdx_block_of(&img->geo, pos) >>
						   img->geo.chunk_shift);
	struct vhdx_bat_entry bitmap;
	bool present;
	__le64 raw;
	u32 i, bit;
	int ret = library_entry(img, idx, &bitmap);

	if (!ret && bitmap.state != VHDX_BITMAP_PRESENT)
		ret = -EUCLEAN;
	for (i = 0; i < len && !ret; i += SECTOR) {
		bit = vhdx_bitmap_bit(&img->geo, pos + i);
		ret = img->src.read(&img->src, bitmap.off + vhdx_bitmap_word_off(bit),
				    &raw, sizeof(raw));
		vhdx_bitmap_run(raw, bit, 1, &present);
		if (!ret && !present)
			base_sector(base, (pos + i) / SECTOR, buf + i);
	}
	return ret;
}

static void library_read_base(const struct base *base, u64 pos, u8 *buf, u32 len)
{
	u32 i;

	for (i = 0; i < len; i += SECTOR)
		base_sector(base, (pos + i) / SECTOR, buf + i);
}

/* The virtual disk, as libvhdx sees it: @len bytes at @pos, in one block. */
static int library_read_block(const struct libvhdx_image *img, const struct base *base,
			      u64 pos, u8 *buf, u32 len)
{
	u64 idx = vhdx_bat_index(&img->geo, vhdx_block_of(&img->geo, pos));
	struct vhdx_bat_entry entry;
	int ret = library_entry(img, idx, &entry);

	if (ret)
		return ret;
	memset(buf, 0, len);
	if (entry.state == VHDX_BLOCK_NOT_PRESENT)
		library_read_base(base, pos, buf, len);
	if (!vhdx_block_is_present(entry.state))
		return 0;
	ret = img->src.read(&img->src, entry.off + pos % vhdx_block_size(&img->geo),
			    buf, len);
	if (!ret && entry.state == VHDX_BLOCK_PARTIALLY_PRESENT)
		ret = library_show_base(img, base, pos, buf, len);
	return ret;
}

static int library_read(const struct libvhdx_image *img, const struct base *base,
			const struct piece *p, u8 *buf)
{
	u32 n, len = p->nr * SECTOR, block = vhdx_block_size(&img->geo);
	u64 pos = p->lba * SECTOR;
	int ret = 0;

	for (; len && !ret; pos += n, buf += n, len -= n) {
		n = block - pos % block;
		n = n < len ? n : len;
		ret = library_read_block(img, base, pos, buf, n);
	}
	return ret;
}

static int check_library_content(struct recovery *rec, const struct libvhdx_image *img,
				 u64 seed)
{
	u32 i;

	for (i = 0; i < rec->nr_pieces; i++) {
		int ret;

		if (!is_looked_at(rec, &rec->pieces[i], i))
			continue;
		ret = library_read(img, rec->base, &rec->pieces[i], rec->buf);
		if (ret)
			return complain(rec, "read of the image", ret);
		if (check_piece(rec, &rec->pieces[i], seed))
			return 1;
	}
	return 0;
}

static int check_library_open(struct recovery *rec, int fd, u64 seed)
{
	struct vhdx_finding finding = { };
	struct libvhdx_fd_file file;
	struct libvhdx_image img;
	int ret;

	ret = libvhdx_fd_file_init(&file, fd);
	if (!ret)
		ret = libvhdx_image_open(&img, &file.file, &finding);
	if (ret < 0)
		return complain(rec, "opening the image", ret);
	if (ret) {
		vhdx_finding_to_text(rec->why, sizeof(rec->why), &finding);
		return 1;
	}
	ret = check_library_content(rec, &img, seed);
	libvhdx_image_close(&img);
	return ret;
}

/* Without a driver: what would it find? */
static int check_library(struct recovery *rec, struct target *t)
{
	int wrong, ret, fd = open(t->image, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain(rec, "open of the image", -errno);
	wrong = check_library_open(rec, fd, t->setup->seed);
	close(fd);
	if (wrong)
		return wrong;
	ret = target_check(t, true, rec->why, sizeof(rec->why));
	return ret < 0 ? complain(rec, "check", ret) : ret;
}

int recovery_run(struct recovery *rec, struct target *t)
{
	int wrong, ret = target_mount(t);

	if (ret)
		return complain(rec, "mount", ret);
	wrong = rec->library ? check_library(rec, t) : check_mounted(rec, t);
	ret = target_unmount(t);
	if (ret)	/* nothing can be said about the cuts that follow */
		errx(2, "%s: cannot be unmounted: %s; %s", t->dir, strerror(-ret),
		     wrong ? rec->why : "nothing else was wrong");
	return wrong;
}
