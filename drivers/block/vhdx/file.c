// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing file I/O: synchronous for metadata, asynchronous for payload.
 */
#include <linux/backing-dev.h>
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
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

int vhdx_file_forget_cache(struct vhdx_file *file)
{
	struct address_space *mapping = file->filp->f_mapping;
	int ret;

	/* Where there is no disk behind the page cache it is all there is. */
	if (!file_is_regular(file) || !mapping_can_writeback(mapping))
		return 0;
	ret = filemap_write_and_wait(mapping);
	if (!ret)
		ret = invalidate_inode_pages2(mapping);
	return ret == -EBUSY ? 0 : ret;	/* others are reading it */
}

int vhdx_file_open(struct vhdx_file *file, struct file *filp, bool write)
{
	umode_t mode = file_inode(filp)->i_mode;
	struct file *own;
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

	own = dentry_open(&filp->f_path, (write ? O_RDWR : O_RDONLY) | O_LARGEFILE,
			  filp->f_cred);
	if (IS_ERR(own))
		return PTR_ERR(own);
	*file = (struct vhdx_file){ .filp = own, .owner = get_file(filp) };
	if (write)
		own->f_mode |= FMODE_NOCMTIME;	/* file_set_time() */
	file->dsync = !file_is_regular(file) || file_host(file)->i_sb->s_bdev;
	atomic64_set(&file->nr_flushes, 0);
	atomic64_set(&file->nr_fua, 0);
	atomic64_set(&file->nr_fua_flushes, 0);
	ret = write ? vhdx_file_forget_cache(file) : 0;
	if (!ret)
		ret = file_update_size(file);
	if (ret)
		vhdx_file_close(file);
	return ret;
}

void vhdx_file_put(struct file *filp)
{
	if (current->flags & PF_KTHREAD)
		__fput_sync(filp);
	else
		fput(filp);
}

void vhdx_file_close(struct vhdx_file *file)
{
	vhdx_file_put(file->filp);
	vhdx_file_put(file->owner);
	file->filp = NULL;
}

/* What a disk needs of a transfer that a file system hands it as it is. */
static u32 file_bdev_align(struct vhdx_file *file, struct block_device *bdev)
{
	file->mem_align = max_t(u32, SECTOR_SIZE, bdev_dma_alignment(bdev) + 1);
	return bdev_logical_block_size(bdev);
}

/*
 * Alignment in bytes that direct I/O needs of offsets; 0 if there is none. A
 * file system that does not say needs of memory what it needs of offsets.
 */
static u32 file_dio_align(struct vhdx_file *file)
{
	struct super_block *sb = file_host(file)->i_sb;
	struct kstat stat;
	u32 align = SECTOR_SIZE;

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
		return file_bdev_align(file, I_BDEV(file_host(file)));
	if (sb->s_bdev)
		align = file_bdev_align(file, sb->s_bdev);
	file->mem_align = max(file->mem_align, align);
	return align;
}

/* vmalloc memory: what the file needs are its pages, one vector for each. */
int vhdx_buf_alloc(struct vhdx_buf *buf, size_t len)
{
	unsigned int nr = DIV_ROUND_UP(len, PAGE_SIZE), i;

	*buf = (struct vhdx_buf){ .bvec = kvcalloc(nr, sizeof(*buf->bvec), GFP_KERNEL) };
	if (!buf->bvec)
		return -ENOMEM;
	buf->addr = vzalloc((size_t)nr << PAGE_SHIFT);
	if (!buf->addr) {
		vhdx_buf_free(buf);
		return -ENOMEM;
	}
	buf->nr_pages = nr;
	for (i = 0; i < nr; i++)
		buf->bvec[i] = (struct bio_vec){
			.bv_page = vmalloc_to_page(buf->addr + i * PAGE_SIZE),
			.bv_len = PAGE_SIZE,
		};
	return 0;
}

int vhdx_buf_alloc_pages(struct vhdx_buf *buf, size_t len)
{
	unsigned int nr = DIV_ROUND_UP(len, PAGE_SIZE);
	struct page *page;

	*buf = (struct vhdx_buf){ .bvec = kvcalloc(nr, sizeof(*buf->bvec), GFP_KERNEL) };
	if (!buf->bvec)
		return -ENOMEM;
	for (; buf->nr_pages < nr; buf->nr_pages++) {
		page = alloc_page(GFP_KERNEL);
		if (!page) {
			vhdx_buf_free(buf);
			return -ENOMEM;
		}
		buf->bvec[buf->nr_pages] = (struct bio_vec){
			.bv_page = page,
			.bv_len = PAGE_SIZE,
		};
	}
	return 0;
}

void vhdx_buf_free(struct vhdx_buf *buf)
{
	unsigned int i;

	if (buf->addr)
		vfree(buf->addr);
	else
		for (i = 0; i < buf->nr_pages; i++)
			__free_page(buf->bvec[i].bv_page);
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

/*
 * Move all of @iter, however many calls that takes; end of file is -EIO. How
 * far it came only the return value tells: some network file systems leave
 * the iterator where it was.
 */
static int file_sync_all(struct vhdx_file *file, struct iov_iter *iter, u64 off,
			 int ki_flags)
{
	struct iov_iter rest;
	struct kiocb iocb;
	ssize_t ret;

	while (iov_iter_count(iter)) {
		init_sync_kiocb(&iocb, file->filp);
		iocb.ki_pos = off;
		iocb.ki_flags = ki_flags;
		rest = *iter;
		ret = file_call(file, &iocb, &rest);
		if (ret < 0)
			return ret;
		if (!ret)
			return -EIO;
		off += ret;
		iov_iter_advance(iter, ret);
	}
	return 0;
}

/*
 * A write sets the file's time of change, which costs a file system with a
 * journal a transaction: the write waits for the journal, whose commit may wait
 * for memory, and the memory for a page that this very write is to swap out. A
 * write to blocks that the file has already needs nothing else of a journal. So
 * our writes do not set it (FMODE_NOCMTIME), a flush does, which waits for the
 * journal in any case. If the file system is frozen the next one does.
 */
static void file_note_write(struct vhdx_file *file)
{
	if (!READ_ONCE(file->written))
		WRITE_ONCE(file->written, true);
}

static void file_set_time(struct vhdx_file *file)
{
	struct super_block *sb = file_inode(file->filp)->i_sb;

	if (!READ_ONCE(file->written) || !file_is_regular(file) ||
	    !sb_start_write_trylock(sb))
		return;
	WRITE_ONCE(file->written, false);
	/* A time that could not be set says nothing about the data. */
	if (file_update_time(file->owner))
		WRITE_ONCE(file->written, true);
	sb_end_write(sb);
}

/*
 * The file is as long as it must be before anything is written to it: a write
 * beyond its end means that somebody else has cut it. To go on would make it
 * long again, and what was lost in between would read as zeros.
 */
static bool file_was_cut(const struct vhdx_file *file, u64 off, u64 len)
{
	return file_is_regular(file) && off + len > i_size_read(file_host(file));
}

static int file_sync_io(struct vhdx_file *file, struct iov_iter *iter, u64 off,
			int ki_flags)
{
	bool write = ki_flags & IOCB_WRITE;
	bool flush = (ki_flags & IOCB_DSYNC) && !file->dsync;
	int ret;

	if (write && file_was_cut(file, off, iov_iter_count(iter)))
		return -ESTALE;
	if (write) {
		file_note_write(file);
		file_start_write(file->filp);
	}
	if (ki_flags & IOCB_DSYNC)
		atomic64_inc(&file->nr_fua);
	ret = file_sync_all(file, iter, off, ki_flags);
	if (write)
		file_end_write(file->filp);
	if (ret || !flush)
		return ret;
	atomic64_inc(&file->nr_fua_flushes);
	return vhdx_file_flush(file);
}

static int file_bvec_io(struct vhdx_file *file, struct bio_vec *bvec,
			unsigned int nr, u64 off, u32 len, unsigned int flags)
{
	struct iov_iter iter;

	iov_iter_bvec(&iter, flags & VHDX_IO_WRITE ? ITER_SOURCE : ITER_DEST,
		      bvec, nr, len);
	return file_sync_io(file, &iter, off, file_iocb_flags(file, flags));
}

/*
 * One sector, read directly: 0, -EINVAL where that is refused, or an error of
 * the file. Stacked and network file systems find out only now.
 */
static int file_try_direct(struct vhdx_file *file, u32 sector_size)
{
	struct bio_vec bvec = {
		.bv_page = alloc_page(GFP_KERNEL),
		.bv_len = sector_size,
	};
	int ret = -ENOMEM;

	if (bvec.bv_page) {
		ret = file_bvec_io(file, &bvec, 1, sector_size, sector_size, 0);
		__free_page(bvec.bv_page);
	}
	return ret == -EOPNOTSUPP ? -EINVAL : ret;
}

/*
 * btrfs checksums data. A page that changes during a direct write ends up with
 * the wrong sum, and can not be read again. BLK_FEAT_STABLE_WRITES keeps page
 * caches above us from doing that, but not a program that uses the device with
 * O_DIRECT, such as a virtual machine, whose guest knows nothing of it. Newer
 * kernels copy the data, or write through the page cache after all, and wait
 * for that; older ones (6.1 among them) do neither, and none says which kind
 * it is. So the page cache is the better choice here unless somebody decides
 * otherwise, and then page caches above us are told at least.
 */
static bool file_is_on_btrfs(const struct vhdx_file *file)
{
	/* An overlay may be in between. */
	const struct inode *inode = d_real_inode(file->filp->f_path.dentry);

	return file_is_regular(file) && inode->i_sb->s_magic == BTRFS_SUPER_MAGIC;
}

bool vhdx_file_needs_stable_pages(const struct vhdx_file *file)
{
	if (!file->direct)
		return false;
	if (!file_is_regular(file))
		return bdev_stable_writes(I_BDEV(file_host(file)));
	return file_is_on_btrfs(file) ||
	       mapping_stable_writes(d_real_inode(file->filp->f_path.dentry)->i_mapping);
}

static bool file_wants_dio(const struct vhdx_file *file, enum vhdx_file_dio dio)
{
	return dio == VHDX_DIO_ON || (dio == VHDX_DIO_AUTO && !file_is_on_btrfs(file));
}

int vhdx_file_set_dio(struct vhdx_file *file, enum vhdx_file_dio dio,
		      u32 sector_size)
{
	u32 align = file_wants_dio(file, dio) ? file_dio_align(file) : 0;
	int ret = -EINVAL;

	file->direct = align && align <= sector_size;
	if (file->direct)
		ret = file_try_direct(file, sector_size);
	if (ret == -EINVAL)
		file->direct = false;
	return ret == -EINVAL && dio != VHDX_DIO_ON ? 0 : ret;
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

bool vhdx_file_writes_through(const struct vhdx_file *file)
{
	return file->direct && file->dsync;
}

/* Losing the race against who freezes it costs a wait, not correctness. */
bool vhdx_file_is_frozen(const struct vhdx_file *file)
{
	return file_is_regular(file) &&
	       READ_ONCE(file_inode(file->filp)->i_sb->s_writers.frozen) != SB_UNFROZEN;
}

/*
 * Would the call wait although it was asked not to? A file system that does
 * not know NOWAIT, or one that is frozen against writes.
 */
static bool file_would_wait(struct vhdx_file *file, unsigned int flags)
{
	if (!(flags & VHDX_IO_NOWAIT))
		return false;
	if (!(file->filp->f_mode & FMODE_NOWAIT) || !file->direct)
		return true;
	return (flags & VHDX_IO_WRITE) && vhdx_file_is_frozen(file);
}

/* Nothing was begun. Who waits for the transfer looks at its result. */
static void file_io_refuse(struct vhdx_file_io *io, int err)
{
	io->ret = err;
	io->done(io, err);
}

void vhdx_file_submit(struct vhdx_file *file, struct vhdx_file_io *io,
		      struct iov_iter *iter, u64 off, unsigned int flags,
		      u16 ioprio)
{
	ssize_t ret;

	if (file_would_wait(file, flags)) {
		file_io_refuse(io, -EAGAIN);
		return;
	}
	if ((flags & VHDX_IO_WRITE) && file_was_cut(file, off, iov_iter_count(iter))) {
		file_io_refuse(io, -ESTALE);
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
	if (flags & VHDX_IO_WRITE)
		file_note_write(file);
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
	file_set_time(file);
	return vfs_fsync(file->filp, 1);
}

int vhdx_file_fits(const struct vhdx_file *file, u64 size)
{
	u64 limit;

	if (!file_is_regular(file))
		return size <= file->cur_size ? 0 : -ENOSPC;
	limit = min_t(u64, rlimit(RLIMIT_FSIZE), file_host(file)->i_sb->s_maxbytes);
	return size > limit ? -EFBIG : 0;
}

/* The opener's rights count, not those of the thread that happens to run. */
int vhdx_file_space(struct vhdx_file *file, u64 *bytes)
{
	struct kstat stat;
	int ret;

	ret = vfs_getattr(&file->filp->f_path, &stat, STATX_BLOCKS, 0);
	if (!ret)
		*bytes = stat.blocks << SECTOR_SHIFT;
	return ret;
}

int vhdx_file_resize(struct vhdx_file *file, u64 size)
{
	const struct cred *old;
	int ret;

	if (!file_is_regular(file))
		return vhdx_file_fits(file, size);
	old = override_creds(file->filp->f_cred);
	ret = vfs_truncate(&file->filp->f_path, size);
	revert_creds(old);
	if (!ret)
		WRITE_ONCE(file->cur_size, size);
	return ret;
}

/*
 * A hole, first of all. What a log zeroes may be as long as the file, and of a
 * sparse one that would fill the disk. The price is that a later write to it may
 * find no space, as to any other hole.
 */
int vhdx_file_zero(struct vhdx_file *file, u64 off, u64 len)
{
	int ret = vfs_fallocate(file->filp, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				off, len);

	if (ret)
		ret = vfs_fallocate(file->filp, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
				    off, len);
	return ret;
}

bool vhdx_file_is_deleted(const struct vhdx_file *file)
{
	return file_is_regular(file) && !file_inode(file->filp)->i_nlink;
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
