// SPDX-License-Identifier: GPL-2.0-only
/* A disk in memory. */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "trace.h"

#define PAGE	4096U

void disk_init(struct disk *disk, u64 size)
{
	*disk = (struct disk){ .mem = reserve_memory(size), .size = size };
	disk->used = reserve_memory(size / PAGE / 8 + 8);
	disk->saved = reserve_memory(size / PAGE / 8 + 8);
}

static bool is_zero(const u8 *p, u32 len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static void set_used(struct disk *disk, u64 page)
{
	disk->used[page / 64] |= 1ULL << (page % 64);
}

static void save_page(struct disk *disk, u32 page)
{
	u64 bit = 1ULL << (page % 64);

	if (disk->saved[page / 64] & bit)
		return;
	disk->saved[page / 64] |= bit;
	if (disk->nr_saved == disk->max_saved) {
		disk->max_saved = disk->max_saved ? 2 * disk->max_saved : 1024;
		disk->list = realloc(disk->list, disk->max_saved * sizeof(*disk->list));
		disk->old = realloc(disk->old, disk->max_saved * sizeof(*disk->old));
		if (!disk->list || !disk->old)
			err(2, "no memory for %u pages", disk->max_saved);
	}
	disk->list[disk->nr_saved] = page;
	memcpy(disk->old[disk->nr_saved], disk->mem + (u64)page * PAGE, PAGE);
	disk->nr_saved++;
}

void disk_write(struct disk *disk, u64 off, const void *buf, u32 len)
{
	const u8 *from = buf;
	u32 n;

	if (off > disk->size || len > disk->size - off)
		errx(2, "a write of %u bytes at %llu leaves the disk", len, off);
	for (; len; off += n, from += n, len -= n) {
		n = PAGE - off % PAGE;
		n = n < len ? n : len;
		if (!disk_is_used(disk, (u32)(off / PAGE)) ? is_zero(from, n) :
		    !memcmp(disk->mem + off, from, n))
			continue;
		if (disk->undo)
			save_page(disk, (u32)(off / PAGE));
		set_used(disk, off / PAGE);
		memcpy(disk->mem + off, from, n);
	}
}

void disk_begin(struct disk *disk)
{
	disk_undo(disk);
	disk->undo = true;
}

void disk_undo(struct disk *disk)
{
	while (disk->nr_saved) {
		u32 page = disk->list[--disk->nr_saved];

		memcpy(disk->mem + (u64)page * PAGE, disk->old[disk->nr_saved], PAGE);
		disk->saved[page / 64] = 0;
	}
	disk->undo = false;
}

void disk_copy(struct disk *copy, const struct disk *disk)
{
	u32 page;

	disk_init(copy, disk->size);
	for (page = 0; page < disk->size / PAGE; page++)
		if (disk_is_used(disk, page))
			disk_write(copy, (u64)page * PAGE, disk->mem + (u64)page * PAGE, PAGE);
}

void disk_save(const struct disk *disk, FILE *out)
{
	u32 page, end = (u32)(disk->size / PAGE);

	for (page = 0; page < end; page++) {
		const u8 *p = disk->mem + (u64)page * PAGE;

		if (!disk_is_used(disk, page))
			continue;
		save_bytes(out, &page, sizeof(page));
		save_bytes(out, p, PAGE);
	}
	save_bytes(out, &end, sizeof(end));
}

void disk_load(struct disk *disk, FILE *in)
{
	u32 page, end = (u32)(disk->size / PAGE);

	for (;;) {
		load_bytes(in, &page, sizeof(page));
		if (page == end)
			return;
		if (page > end)
			errx(2, "this is not a trace");
		load_bytes(in, disk->mem + (u64)page * PAGE, PAGE);
		set_used(disk, page);
	}
}
