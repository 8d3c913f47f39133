// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing file I/O: synchronous for metadata, asynchronous for payload.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/vmalloc.h>

#include "file.h"

static struct inode *file_host(const struct vhdx_file *file)
{
	return file->filp->f_mapping->host;
}

static bool file_is_regular(const struct vhdx_file *file)
{
	return S_ISREG(file_inode(file->filp)->i_mode);
}

/* Network file systems know the size only after asking. */
static int file_update_size(struct vhdx_file *file)
{
	struct kstat stat;
	int ret;

	if (!file_is_regular(file)) {
		file->cur_size = i_size_read(file_host(file));
		return 0;
	}
	ret = vfs_getattr(&file->filp->f_path, &stat, STATX_SIZE,
			  AT_STATX_SYNC_AS_STAT);
	if (!ret)
		file->cur_size = stat.size;
	return ret;
}

int vhdx_file_open(struct vhdx_file *file, struct file *filp, bool write)
{
	umode_t mode = file_inode(filp)->i_mode;
	int ret;

	if (S_ISDIR(mode))
		return -EISDIR;
	if (!S_ISREG(mode) && !S_ISBLK(mode))
		return -EINVAL;
	if (!(filp->f_mode & FMODE_READ) || !filp->f_op->read_iter)
		return -EBADF;
	if (write && (!(filp->f_mode & FMODE_WRITE) || !filp->f_op->write_iter ||
		      (filp->f_flags & O_APPEND)))
		return -EBADF;

	*file = (struct vhdx_file){ .filp = get_file(filp) };
	atomic64_set(&file->nr_flushes, 0);
	atomic64_set(&file->nr_fua, 0);
	ret = file_update_size(file);
	if (ret)
		vhdx_file_close(file);
	return ret;
}

void vhdx_file_close(struct vhdx_file *file)
{
	fput(file->filp);
	file->filp = NULL;
}

/* Alignment in bytes that direct I/O needs of offsets; 0 if there is none. */
static u32 file_dio_align(struct vhdx_file *file)
{
	struct super_block *sb = file_host(file)->i_sb;
	struct kstat stat;

	file->mem_align = SECTOR_SIZE;
	if (!(file->filp->f_mode & FMODE_CAN_ODIRECT))
		return 0;
	if (!vfs_getattr(&file->filp->f_path, &stat, STATX_DIOALIGN,
			 AT_STATX_DONT_SYNC) &&
	    (stat.result_mask & STATX_DIOALIGN)) {
		if (!stat.dio_mem_align)
			return 0;
		file->mem_align = stat.dio_mem_align;
		return stat.dio_offset_align;
	}
	if (!file_is_regular(file))
		return bdev_logical_block_size(I_BDEV(file_host(file)));
	return sb->s_bdev ? bdev_logical_block_size(sb->s_bdev) : SECTOR_SIZE;
}

int vhdx_file_set_dio(struct vhdx_file *file, enum vhdx_file_dio dio,
		      u32 sector_size)
{
	u32 align = dio == VHDX_DIO_OFF ? 0 : file_dio_align(file);

	file->direct = align && align <= sector_size;
	if (dio == VHDX_DIO_ON && !file->direct)
		return -EINVAL;
	return 0;
}

/* vmalloc memory: what the file needs are its pages, one vector for each. */
int vhdx_buf_alloc(struct vhdx_buf *buf, size_t len)
{
	unsigned int i;

	buf->nr_pages = DIV_ROUND_UP(len, PAGE_SIZE);
	buf->bvec = kvcalloc(buf->nr_pages, sizeof(*buf->bvec), GFP_KERNEL);
	if (!buf->bvec)
		return -ENOMEM;
	buf->addr = vzalloc((size_t)buf->nr_pages << PAGE_SHIFT);
	if (!buf->addr) {
		kvfree(buf->bvec);
		buf->bvec = NULL;
		return -ENOMEM;
	}
	for (i = 0; i < buf->nr_pages; i++)
		buf->bvec[i] = (struct bio_vec){
			.bv_page = vmalloc_to_page(buf->addr + i * PAGE_SIZE),
			.bv_len = PAGE_SIZE,
		};
	return 0;
}

void vhdx_buf_free(struct vhdx_buf *buf)
{
	vfree(buf->addr);
	kvfree(buf->bvec);
	*buf = (struct vhdx_buf){ };
}

static int file_iocb_flags(const struct vhdx_file *file, unsigned int flags)
{
	int ki_flags = file->direct ? IOCB_DIRECT : 0;

	if (flags & VHDX_IO_WRITE)
		ki_flags |= IOCB_WRITE;
	if (flags & VHDX_IO_FUA)
		ki_flags |= IOCB_DSYNC;
	if (flags & VHDX_IO_NOWAIT)
		ki_flags |= IOCB_NOWAIT;
	return ki_flags;
}

static ssize_t file_call(struct vhdx_file *file, struct kiocb *iocb,
			 struct iov_iter *iter)
{
	const struct file_operations *fop = file->filp->f_op;

	if (iocb->ki_flags & IOCB_WRITE)
		return fop->write_iter(iocb, iter);
	return fop->read_iter(iocb, iter);
}

/* Move all of @iter, however many calls that takes; end of file is -EIO. */
static int file_sync_all(struct vhdx_file *file, struct iov_iter *iter, u64 off,
			 int ki_flags)
{
	struct kiocb iocb;
	ssize_t ret;

	while (iov_iter_count(iter)) {
		init_sync_kiocb(&iocb, file->filp);
		iocb.ki_pos = off;
		iocb.ki_flags = ki_flags;
		ret = file_call(file, &iocb, iter);
		if (ret < 0)
			return ret;
		if (!ret)
			return -EIO;
		off += ret;
	}
	return 0;
}

static int file_sync_io(struct vhdx_file *file, struct iov_iter *iter, u64 off,
			int ki_flags)
{
	bool write = ki_flags & IOCB_WRITE;
	int ret;

	if (write)
		file_start_write(file->filp);
	if (ki_flags & IOCB_DSYNC)
		atomic64_inc(&file->nr_fua);
	ret = file_sync_all(file, iter, off, ki_flags);
	if (write)
		file_end_write(file->filp);
	return ret;
}

static int file_bvec_io(struct vhdx_file *file, struct bio_vec *bvec,
			unsigned int nr, u64 off, u32 len, unsigned int flags)
{
	struct iov_iter iter;

	iov_iter_bvec(&iter, flags & VHDX_IO_WRITE ? ITER_SOURCE : ITER_DEST,
		      bvec, nr, len);
	return file_sync_io(file, &iter, off, file_iocb_flags(file, flags));
}

int vhdx_file_read(struct vhdx_file *file, u64 off, struct vhdx_buf *buf, u32 len)
{
	return file_bvec_io(file, buf->bvec, DIV_ROUND_UP(len, PAGE_SIZE), off,
			    len, 0);
}

int vhdx_file_write(struct vhdx_file *file, u64 off, struct vhdx_buf *buf,
		    u32 skip, u32 len, bool fua)
{
	struct iov_iter iter;
	unsigned int flags = VHDX_IO_WRITE | (fua ? VHDX_IO_FUA : 0);

	iov_iter_bvec(&iter, ITER_SOURCE, buf->bvec,
		      DIV_ROUND_UP(skip + len, PAGE_SIZE), skip + len);
	iov_iter_advance(&iter, skip);
	return file_sync_io(file, &iter, off, file_iocb_flags(file, flags));
}

int vhdx_file_read_page(struct vhdx_file *file, u64 off, struct page *page)
{
	struct bio_vec bvec = { .bv_page = page, .bv_len = VHDX_PAGE_SIZE };

	return file_bvec_io(file, &bvec, 1, off, VHDX_PAGE_SIZE, 0);
}

int vhdx_file_write_page(struct vhdx_file *file, u64 off, struct page *page,
			 bool fua)
{
	struct bio_vec bvec = { .bv_page = page, .bv_len = VHDX_PAGE_SIZE };

	return file_bvec_io(file, &bvec, 1, off, VHDX_PAGE_SIZE,
			    VHDX_IO_WRITE | (fua ? VHDX_IO_FUA : 0));
}

int vhdx_file_pread(struct vhdx_file *file, u64 off, void *buf, u32 len)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	return file_sync_io(file, &iter, off, 0);
}

int vhdx_file_pwrite(struct vhdx_file *file, u64 off, const void *buf, u32 len)
{
	struct kvec vec = { .iov_base = (void *)buf, .iov_len = len };
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, len);
	return file_sync_io(file, &iter, off, IOCB_WRITE);
}

/*
 * The file system may complete the kiocb before the call that submitted it
 * returns, and goes on using it until it returns: whoever is last ends it.
 */
static void file_io_put(struct vhdx_file_io *io)
{
	struct kiocb *iocb = &io->iocb;

	if (!atomic_dec_and_test(&io->ref))
		return;
	if ((iocb->ki_flags & IOCB_WRITE) && S_ISREG(file_inode(iocb->ki_filp)->i_mode))
		kiocb_end_write(iocb);
	io->done(io, io->ret);
}

static void file_io_complete(struct kiocb *iocb, long ret)
{
	struct vhdx_file_io *io = container_of(iocb, struct vhdx_file_io, iocb);

	io->ret = ret;
	file_io_put(io);
}

/*
 * Would the call wait although it was asked not to? A file system that does
 * not know NOWAIT, or one that is frozen against writes. Racy: losing the
 * race costs a wait, not correctness.
 */
static bool file_would_wait(struct vhdx_file *file, unsigned int flags)
{
	if (!(flags & VHDX_IO_NOWAIT))
		return false;
	if (!(file->filp->f_mode & FMODE_NOWAIT) || !file->direct)
		return true;
	return (flags & VHDX_IO_WRITE) && file_is_regular(file) &&
	       file_inode(file->filp)->i_sb->s_writers.frozen != SB_UNFROZEN;
}

void vhdx_file_submit(struct vhdx_file *file, struct vhdx_file_io *io,
		      struct iov_iter *iter, u64 off, unsigned int flags,
		      u16 ioprio)
{
	ssize_t ret;

	if (file_would_wait(file, flags)) {
		io->done(io, -EAGAIN);
		return;
	}
	io->iocb = (struct kiocb){
		.ki_filp = file->filp,
		.ki_pos = off,
		.ki_flags = file_iocb_flags(file, flags),
		.ki_ioprio = ioprio,
		.ki_complete = file->direct ? file_io_complete : NULL,
	};
	atomic_set(&io->ref, 2);
	if (flags & VHDX_IO_FUA)
		atomic64_inc(&file->nr_fua);
	if ((flags & VHDX_IO_WRITE) && file_is_regular(file))
		kiocb_start_write(&io->iocb);
	ret = file_call(file, &io->iocb, iter);
	if (ret != -EIOCBQUEUED)
		file_io_complete(&io->iocb, ret);
	file_io_put(io);
}

int vhdx_file_flush(struct vhdx_file *file)
{
	atomic64_inc(&file->nr_flushes);
	return vfs_fsync(file->filp, 1);
}

/* The opener's rights count, not those of the thread that happens to run. */
int vhdx_file_resize(struct vhdx_file *file, u64 size)
{
	const struct cred *old;
	int ret;

	if (!file_is_regular(file))
		return size <= file->cur_size ? 0 : -ENOSPC;
	old = override_creds(file->filp->f_cred);
	ret = vfs_truncate(&file->filp->f_path, size);
	revert_creds(old);
	if (!ret)
		WRITE_ONCE(file->cur_size, size);
	return ret;
}

bool vhdx_file_size_changed(const struct vhdx_file *file)
{
	return file_is_regular(file) &&
	       i_size_read(file_host(file)) != file->cur_size;
}

u64 vhdx_file_next_data(struct vhdx_file *file, u64 off, u64 len)
{
	loff_t next;

	if (!file_is_regular(file))
		return off;
	next = vfs_llseek(file->filp, off, SEEK_DATA);
	if (next == -ENXIO)
		return off + len;
	if (next < (loff_t)off)
		return off;
	return min_t(u64, next, off + len);
}

bool vhdx_file_has_hole(struct vhdx_file *file, u64 off, u64 len)
{
	loff_t hole;

	if (!file_is_regular(file))
		return false;
	hole = vfs_llseek(file->filp, off, SEEK_HOLE);
	return hole >= 0 && hole < (loff_t)(off + len);
}
