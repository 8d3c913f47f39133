/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The platter: the bytes of a disk in memory, with a way back.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <stdbool.h>
#include <stdio.h>

#include <linux/types.h>

/**
 * struct disk - a disk in memory
 * @mem: its bytes
 * @size: their number, a multiple of 4096
 * @undo: pages are saved before they change
 * @used: bit for each page that was ever written
 * @saved: bit for each page that is saved
 * @list: numbers of the saved pages
 * @old: their former content
 * @nr_saved: number of them
 * @max_saved: for how many there is room
 */
struct disk {
	u8	*mem;
	u64	size;
	bool	undo;
	u64	*used;
	u64	*saved;
	u32	*list;
	u8	(*old)[4096];
	u32	nr_saved;
	u32	max_saved;
};

void disk_init(struct disk *disk, u64 size);

/* Zeros where nothing was written take no memory, not even a page fault. */
void disk_write(struct disk *disk, u64 off, const void *buf, u32 len);

/* From now on what changes can be undone; what was to be undone before, is. */
void disk_begin(struct disk *disk);

/* Back to how it was at disk_begin(); what changes next stays. */
void disk_undo(struct disk *disk);

/* @copy becomes the same. */
void disk_copy(struct disk *copy, const struct disk *disk);

static inline bool disk_is_used(const struct disk *disk, u32 page)
{
	return disk->used[page / 64] & 1ULL << (page % 64);
}

/* To and from a file, without the pages that are zero. */
void disk_save(const struct disk *disk, FILE *out);
void disk_load(struct disk *disk, FILE *in);

#endif
