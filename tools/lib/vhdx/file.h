/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where libvhdx reads from and writes to: a small table of operations, so
 * that a test can put a file that fails in the place of a real one.
 *
 * All functions return 0 or a negative errno. Nothing here is shared between
 * threads; whoever opened the descriptor closes it.
 */
#ifndef LIBVHDX_FILE_H
#define LIBVHDX_FILE_H

#include <linux/types.h>

struct libvhdx_file;

/**
 * struct libvhdx_file_ops - what a file can do
 * @read: fill the buffer; -EIO when the range is not wholly inside the file
 * @write: store the buffer; grows the file
 * @resize: set the size; a gain reads as zeros and takes no space
 * @allocate: reserve space, so that later writes cannot fail for want of it;
 *	grows the file; -EOPNOTSUPP when the file system cannot
 * @sync: make everything stable
 * @next_data: first byte from @off on that may be other than zero, at most
 *	@end; @off itself where nobody knows
 */
struct libvhdx_file_ops {
	int (*read)(struct libvhdx_file *file, u64 off, void *buf, size_t len);
	int (*write)(struct libvhdx_file *file, u64 off, const void *buf, size_t len);
	int (*resize)(struct libvhdx_file *file, u64 size);
	int (*allocate)(struct libvhdx_file *file, u64 off, u64 len);
	int (*sync)(struct libvhdx_file *file);
	u64 (*next_data)(struct libvhdx_file *file, u64 off, u64 end);
};

/**
 * struct libvhdx_file - embedded in what implements it
 * @ops: the operations
 * @size: size in bytes, kept up to date by write, resize and allocate
 */
struct libvhdx_file {
	const struct libvhdx_file_ops	*ops;
	u64				size;
};

/* A regular file or block device behind a descriptor of the caller. */
struct libvhdx_fd_file {
	struct libvhdx_file	file;
	int			fd;
};

int libvhdx_fd_file_init(struct libvhdx_fd_file *f, int fd);

/**
 * struct libvhdx_faulty_file - passes everything on, until one call fails
 * @file: to be handed to the library
 * @under: who does the work
 * @calls: calls seen so far, next_data not counted
 * @fail_at: number of the first call that fails, from 0
 * @err: with this negative errno; so does every later call
 */
struct libvhdx_faulty_file {
	struct libvhdx_file	file;
	struct libvhdx_file	*under;
	unsigned int		calls;
	unsigned int		fail_at;
	int			err;
};

void libvhdx_faulty_file_init(struct libvhdx_faulty_file *f,
			      struct libvhdx_file *under, unsigned int fail_at,
			      int err);

static inline int libvhdx_file_read(struct libvhdx_file *file, u64 off,
				    void *buf, size_t len)
{
	return file->ops->read(file, off, buf, len);
}

static inline int libvhdx_file_write(struct libvhdx_file *file, u64 off,
				     const void *buf, size_t len)
{
	return file->ops->write(file, off, buf, len);
}

static inline int libvhdx_file_resize(struct libvhdx_file *file, u64 size)
{
	return file->ops->resize(file, size);
}

static inline int libvhdx_file_allocate(struct libvhdx_file *file, u64 off, u64 len)
{
	return file->ops->allocate(file, off, len);
}

static inline int libvhdx_file_sync(struct libvhdx_file *file)
{
	return file->ops->sync(file);
}

static inline u64 libvhdx_file_next_data(struct libvhdx_file *file, u64 off, u64 end)
{
	return file->ops->next_data(file, off, end);
}

#endif
