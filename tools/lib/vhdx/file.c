// SPDX-License-Identifier: GPL-2.0-only
/* A file behind a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "file.h"

static struct libvhdx_fd_file *to_fd_file(struct libvhdx_file *file)
{
	return container_of(file, struct libvhdx_fd_file, file);
}

static int fd_read(struct libvhdx_file *file, u64 off, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(to_fd_file(file)->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		p += n;
		off += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

static int fd_write(struct libvhdx_file *file, u64 off, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(to_fd_file(file)->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		off += (u64)n;
		len -= (size_t)n;
	}
	if (off > file->size)
		file->size = off;
	return 0;
}

static int fd_resize(struct libvhdx_file *file, u64 size)
{
	if (ftruncate(to_fd_file(file)->fd, (off_t)size))
		return -errno;
	file->size = size;
	return 0;
}

static int fd_allocate(struct libvhdx_file *file, u64 off, u64 len)
{
	int ret;

	do {
		ret = fallocate(to_fd_file(file)->fd, 0, (off_t)off, (off_t)len);
	} while (ret && errno == EINTR);
	if (ret)
		return -errno;
	if (off + len > file->size)
		file->size = off + len;
	return 0;
}

static int fd_sync(struct libvhdx_file *file)
{
	return fsync(to_fd_file(file)->fd) ? -errno : 0;
}

static u64 fd_next_data(struct libvhdx_file *file, u64 off, u64 end)
{
	off_t data = lseek(to_fd_file(file)->fd, (off_t)off, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : off;
	return (u64)data < end ? (u64)data : end;
}

static const struct libvhdx_file_ops fd_file_ops = {
	.read		= fd_read,
	.write		= fd_write,
	.resize		= fd_resize,
	.allocate	= fd_allocate,
	.sync		= fd_sync,
	.next_data	= fd_next_data,
};

int libvhdx_fd_file_init(struct libvhdx_fd_file *f, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return -errno;
	f->file.ops = &fd_file_ops;
	f->file.size = (u64)size;
	f->fd = fd;
	return 0;
}
