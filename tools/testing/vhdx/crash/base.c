// SPDX-License-Identifier: GPL-2.0-only
/* What was there before the run. */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "bat.h"
#include "base.h"
#include "create.h"
#include "file.h"
#include "image.h"
#include "load.h"
#include "stamp.h"
#include "target.h"
#include "trace.h"

#define GRAIN		4096U
#define BLOCK		(1024 * 1024U)	/* of the parent; the child's may be larger */

static u64 disk_size(const struct setup *setup)
{
	return (u64)setup->nr_blocks * setup->block;
}

static bool is_filled(const struct base *base, u64 pos)
{
	u64 n = pos / GRAIN;

	return base->filled[n / 8] >> n % 8 & 1;
}

static void fill_window(void *data, u32 number, u64 pos, u32 len)
{
	struct base *base = data;
	u64 n;

	/* Some are left out: there zeros show through. */
	if (number % 4 == 3)
		return;
	for (n = pos / GRAIN; n < (pos + len) / GRAIN; n++)
		base->filled[n / 8] |= (u8)(1 << n % 8);
}

void base_init(struct base *base, const struct setup *setup)
{
	*base = (struct base){ .setup = setup };
	if (!setup->child)
		return;
	base->filled = calloc(1, disk_size(setup) / GRAIN / 8 + 1);
	if (!base->filled)
		err(2, "no memory for what was there before");
	load_windows(setup, fill_window, base);
}

void base_sector(const struct base *base, u64 lba, void *buf)
{
	if (base->filled && is_filled(base, lba * SECTOR))
		stamp_sector(buf, base->setup->seed, STAMP_BASE, lba);
	else
		memset(buf, 0, SECTOR);
}

u32 base_seen(const struct base *base, u64 lba, u32 seen)
{
	bool filled = base->filled && is_filled(base, lba * SECTOR);

	if (seen == STAMP_BASE)
		return filled ? STAMP_ZERO : STAMP_FOREIGN;
	return seen == STAMP_ZERO && filled ? STAMP_FOREIGN : seen;
}

/* A new image without blocks. */
static void make_empty(const struct setup *setup, struct libvhdx_file *file)
{
	struct libvhdx_params params = {
		.type = VHDX_DISK_DYNAMIC,
		.disk_size = disk_size(setup),
		.block_size = BLOCK,
		.logical_size = setup->sector,
		.creator = "vhdx-crash",
	};
	struct vhdx_finding fd = { };

	if (libvhdx_params_check(&params, &fd) || libvhdx_create(file, &params, &fd))
		errx(2, "the parent cannot be made: fault %u", fd.fault);
}

/* Block @blk gets a place at the end of the file, in the BAT, too. */
static u64 add_block(const struct libvhdx_image *img, struct libvhdx_file *file, u64 blk)
{
	struct vhdx_bat_entry entry = { .off = file->size, .state = VHDX_BLOCK_FULLY_PRESENT };
	__le64 raw = vhdx_bat_entry_encode(&entry);
	u64 off = vhdx_bat_entry_off(&img->geo, vhdx_bat_index(&img->geo, blk));

	if (libvhdx_file_resize(file, entry.off + BLOCK) ||
	    libvhdx_file_write(file, off, &raw, sizeof(raw)))
		errx(2, "the parent cannot be filled");
	return entry.off;
}

static void write_grain(const struct base *base, struct libvhdx_file *file, u64 pos, u64 off)
{
	u8 buf[GRAIN];
	u32 i;

	for (i = 0; i < GRAIN; i += SECTOR)
		base_sector(base, (pos + i) / SECTOR, buf + i);
	if (libvhdx_file_write(file, off, buf, GRAIN))
		errx(2, "the parent cannot be filled");
}

static void fill(const struct base *base, const struct libvhdx_image *img,
		 struct libvhdx_file *file)
{
	u64 pos, blk = 0, place = 0;

	for (pos = 0; pos < disk_size(base->setup); pos += GRAIN) {
		if (!is_filled(base, pos))
			continue;
		if (!place || pos / BLOCK != blk) {
			blk = pos / BLOCK;
			place = add_block(img, file, blk);
		}
		write_grain(base, file, pos, place + pos % BLOCK);
	}
}

void base_make(const struct base *base, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct vhdx_finding finding = { };
	struct libvhdx_fd_file file;
	struct libvhdx_image img;

	if (fd < 0 || libvhdx_fd_file_init(&file, fd))
		err(2, "%s", path);
	make_empty(base->setup, &file.file);
	if (libvhdx_image_open(&img, &file.file, &finding))
		errx(2, "%s: fault %u", path, finding.fault);
	fill(base, &img, &file.file);
	libvhdx_image_close(&img);
	if (libvhdx_file_sync(&file.file))
		err(2, "%s", path);
	close(fd);
}
