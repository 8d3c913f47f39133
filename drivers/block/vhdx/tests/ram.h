/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VHDX file in memory for the tests: a few extents that hold bytes, zeros
 * everywhere else, and a fault at the n-th read or write if one is wanted.
 *
 * A read beyond the size, and a write to where no extent is, are mistakes of
 * the code under test; they are refused and counted in @strayed.
 */
#ifndef VHDX_TESTS_RAM_H
#define VHDX_TESTS_RAM_H

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "format/source.h"

#define RAM_MAX_EXTENTS	6

struct ram_extent {
	u64	off;
	u64	len;
	u8	*buf;
};

/**
 * struct ram - the file
 * @src: read through this
 * @sink: write through this
 * @ext: what holds bytes; extents do not overlap
 * @nr_ext: number of them
 * @nr_reads: reads so far
 * @nr_writes: writes and zeros so far
 * @nr_bytes: bytes read so far
 * @fail_read: the read (1 is the first) that fails with @error; 0 for none
 * @fail_write: the same for writes; nothing of the write is stored
 * @error: negative errno of the fault
 * @strayed: reads and writes that should not have been tried
 */
struct ram {
	struct vhdx_source	src;
	struct vhdx_sink	sink;
	struct ram_extent	ext[RAM_MAX_EXTENTS];
	unsigned int		nr_ext;
	u64			nr_reads;
	u64			nr_writes;
	u64			nr_bytes;
	u64			fail_read;
	u64			fail_write;
	int			error;
	unsigned int		strayed;
};

static inline bool ram_overlap(const struct ram_extent *ext, u64 off, u64 len,
			       u64 *start, u64 *end)
{
	*start = max(off, ext->off);
	*end = min(off + len, ext->off + ext->len);
	return *start < *end;
}

static inline int ram_read(const struct vhdx_source *src, u64 off, void *buf, u32 len)
{
	struct ram *ram = container_of((struct vhdx_source *)src, struct ram, src);
	u64 start, end;
	unsigned int i;

	if (off > src->size || len > src->size - off) {
		ram->strayed++;
		return -EIO;
	}
	if (++ram->nr_reads == ram->fail_read)
		return ram->error;
	ram->nr_bytes += len;
	memset(buf, 0, len);
	for (i = 0; i < ram->nr_ext; i++)
		if (ram_overlap(&ram->ext[i], off, len, &start, &end))
			memcpy(buf + (start - off),
			       ram->ext[i].buf + (start - ram->ext[i].off), end - start);
	return 0;
}

static inline int ram_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct ram *ram = container_of(sink, struct ram, sink);
	u64 start, end;
	unsigned int i;

	if (++ram->nr_writes == ram->fail_write)
		return ram->error;
	for (i = 0; i < ram->nr_ext; i++) {
		if (!ram_overlap(&ram->ext[i], off, 4096, &start, &end))
			continue;
		memcpy(ram->ext[i].buf + (start - ram->ext[i].off),
		       buf + (start - off), end - start);
		return 0;
	}
	ram->strayed++;
	return -EIO;
}

/* What lies outside of every extent is zero already. */
static inline int ram_zero(struct vhdx_sink *sink, u64 off, u64 len)
{
	struct ram *ram = container_of(sink, struct ram, sink);
	u64 start, end;
	unsigned int i;

	if (++ram->nr_writes == ram->fail_write)
		return ram->error;
	for (i = 0; i < ram->nr_ext; i++)
		if (ram_overlap(&ram->ext[i], off, len, &start, &end))
			memset(ram->ext[i].buf + (start - ram->ext[i].off), 0, end - start);
	return 0;
}

static inline void ram_init(struct ram *ram, u64 size)
{
	memset(ram, 0, sizeof(*ram));
	ram->src.read = ram_read;
	ram->src.size = size;
	ram->sink.write = ram_write;
	ram->sink.zero = ram_zero;
	ram->error = -EIO;
}

static inline void ram_extent_add(struct ram *ram, u64 off, u64 len, u8 *buf)
{
	ram->ext[ram->nr_ext++] = (struct ram_extent){ .off = off, .len = len, .buf = buf };
}

#endif
