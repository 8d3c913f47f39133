// SPDX-License-Identifier: GPL-2.0-only
/* The twin of file.c for tests: from a chosen call on everything fails. */
#include <linux/kernel.h>

#include "file.h"

static struct libvhdx_faulty_file *to_faulty(struct libvhdx_file *file)
{
	return container_of(file, struct libvhdx_faulty_file, file);
}

static int faulty_call(struct libvhdx_faulty_file *f)
{
	return f->calls++ >= f->fail_at ? f->err : 0;
}

/* The size that @f shows is the one that the file below has. */
static int faulty_done(struct libvhdx_faulty_file *f, int err)
{
	f->file.size = f->under->size;
	return err;
}

static int faulty_read(struct libvhdx_file *file, u64 off, void *buf, size_t len)
{
	struct libvhdx_faulty_file *f = to_faulty(file);
	int err = faulty_call(f);

	return err ? err : libvhdx_file_read(f->under, off, buf, len);
}

static int faulty_write(struct libvhdx_file *file, u64 off, const void *buf, size_t len)
{
	struct libvhdx_faulty_file *f = to_faulty(file);
	int err = faulty_call(f);

	return err ? err : faulty_done(f, libvhdx_file_write(f->under, off, buf, len));
}

static int faulty_resize(struct libvhdx_file *file, u64 size)
{
	struct libvhdx_faulty_file *f = to_faulty(file);
	int err = faulty_call(f);

	return err ? err : faulty_done(f, libvhdx_file_resize(f->under, size));
}

static int faulty_allocate(struct libvhdx_file *file, u64 off, u64 len)
{
	struct libvhdx_faulty_file *f = to_faulty(file);
	int err = faulty_call(f);

	return err ? err : faulty_done(f, libvhdx_file_allocate(f->under, off, len));
}

static int faulty_sync(struct libvhdx_file *file)
{
	struct libvhdx_faulty_file *f = to_faulty(file);
	int err = faulty_call(f);

	return err ? err : libvhdx_file_sync(f->under);
}

static u64 faulty_next_data(struct libvhdx_file *file, u64 off, u64 end)
{
	return libvhdx_file_next_data(to_faulty(file)->under, off, end);
}

static const struct libvhdx_file_ops faulty_file_ops = {
	.read		= faulty_read,
	.write		= faulty_write,
	.resize		= faulty_resize,
	.allocate	= faulty_allocate,
	.sync		= faulty_sync,
	.next_data	= faulty_next_data,
};

void libvhdx_faulty_file_init(struct libvhdx_faulty_file *f,
			      struct libvhdx_file *under, unsigned int fail_at,
			      int err)
{
	f->file.ops = &faulty_file_ops;
	f->file.size = under->size;
	f->under = under;
	f->calls = 0;
	f->fail_at = fail_at;
	f->err = err;
}
