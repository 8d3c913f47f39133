/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where format/ reads from and writes to.
 *
 * The format code owns no file. Whoever calls it hands it a source, and for
 * a log replay a sink; both are embedded in a structure of the caller, who
 * gets back to it with container_of().
 */
#ifndef VHDX_FORMAT_SOURCE_H
#define VHDX_FORMAT_SOURCE_H

#include <linux/types.h>

/**
 * struct vhdx_source - bytes of a VHDX file
 * @read: fill @buf with the @len bytes at file offset @off. Returns 0 or a
 *	negative errno; a range that is not wholly inside the file is -EIO.
 *	May sleep. Never called with @off + @len above @size.
 * @size: size of the file in bytes
 * @fixed: what was read once is the same when it is read again, whoever writes to
 *	the file: a copy of it is read. What was checked needs no second check then
 */
struct vhdx_source {
	int (*read)(const struct vhdx_source *src, u64 off, void *buf, u32 len);
	u64 size;
	bool fixed;
};

/**
 * struct vhdx_sink - what a log replay writes to
 * @write: store one 4 KiB log sector's worth of bytes at file offset @off
 * @zero: make @len bytes at @off read as zeros; @len may be huge
 *
 * Both are called in log order, may sleep, and return 0 or a negative errno.
 * Offsets and lengths are multiples of 4096 and never touch the headers or
 * the log itself.
 */
struct vhdx_sink {
	int (*write)(struct vhdx_sink *sink, u64 off, const void *buf);
	int (*zero)(struct vhdx_sink *sink, u64 off, u64 len);
};

#endif
