/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backing file of one image.
 *
 * All I/O of the module to a backing file goes through here, always from a
 * task context that may sleep and that runs in a noio scope, never from
 * ->queue_rq. I/O is direct when the file can do it for the image's sectors,
 * else through the page cache. Tables that are read while the image is being opened
 * go through the page cache (headers may not): until the metadata has been read nobody
 * knows the sector size. The kernel keeps the two coherent.
 */
#ifndef VHDX_FILE_H
#define VHDX_FILE_H

#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/types.h>
#include <linux/uio.h>

/**
 * struct vhdx_file - an open backing file
 * @filp: the file, opened anew: what others do with their descriptor, an fsync
 *	that takes the news of an error above all, does not reach it [immutable]
 * @owner: what we were given; kept, for the locks that go with it [immutable]
 * @cur_size: size in bytes that we last saw or set [READ_ONCE; written by
 *	vhdx_file_resize() and at open]
 * @direct: payload and metadata use direct I/O [immutable, once that is decided;
 *	until then what is read may be read either way]
 * @dsync: the file system is one of a local disk, and honours IOCB_DSYNC on
 *	every path; others do not when they bypass the page cache [immutable]
 * @mem_align: alignment in bytes that direct I/O needs of memory [immutable]
 * @written: something was written since the file's time of change was set
 *	[READ_ONCE, WRITE_ONCE]
 * @nr_flushes: flushes issued, for statistics
 * @nr_fua: FUA writes issued, for statistics
 * @nr_fua_flushes: those of @nr_flushes that made a FUA write of metadata what
 *	it should be, where the file does not honour IOCB_DSYNC
 */
struct vhdx_file {
	struct file	*filp;
	struct file	*owner;
	u64		cur_size;
	bool		direct;
	bool		dsync;
	u32		mem_align;
	bool		written;
	atomic64_t	nr_flushes;
	atomic64_t	nr_fua;
	atomic64_t	nr_fua_flushes;
};

/* Metadata moves in units of a log sector, whatever the machine's pages are. */
#define VHDX_PAGE_SIZE	4096u
#define VHDX_PAGE_SHIFT	12

/* Whether direct I/O is wanted: by the file's abilities, always, never. */
enum vhdx_file_dio { VHDX_DIO_AUTO, VHDX_DIO_ON, VHDX_DIO_OFF };

/*
 * Open what @filp has open, a regular file or block device that can be read,
 * and written if @write, and take a reference to @filp. EINVAL/EBADF/EISDIR if
 * it is something else. For writing, what the page cache holds is written and
 * forgotten: after an fsync that failed it may hold what the disk does not.
 */
int vhdx_file_open(struct vhdx_file *file, struct file *filp, bool write);

/*
 * Write what the page cache holds of the file, and forget it; what others have
 * mapped or make dirty meanwhile stays. Who writes directly needs none of it,
 * and pays for it: while there is a page, file systems end a direct write in a
 * work item, which may have to invalidate it.
 */
int vhdx_file_forget_cache(struct vhdx_file *file);

/*
 * Drop a reference that is perhaps the last. A kernel thread would leave that to
 * another one, for later: who was told that the image is detached would find its
 * file open and locked, and the file system busy. Here it is done on return. May
 * sleep for long.
 */
void vhdx_file_put(struct file *filp);

/*
 * Drop the references. May sleep for long: the last user closes the file. In a
 * kernel thread that is done on return, else when the task returns to user space.
 */
void vhdx_file_close(struct vhdx_file *file);

/*
 * Decide between direct and buffered I/O once the image's logical sector size
 * is known, by what the file system says and by trying. EINVAL if @dio is
 * VHDX_DIO_ON and the file cannot. VHDX_DIO_AUTO does not try on btrfs.
 */
int vhdx_file_set_dio(struct vhdx_file *file, enum vhdx_file_dio dio,
		      u32 sector_size);

/*
 * Must the memory of a write stay as it is until the write is done? Only
 * direct I/O hands the caller's own pages down. Never sleeps.
 */
bool vhdx_file_needs_stable_pages(const struct vhdx_file *file);

/**
 * struct vhdx_buf - memory for metadata I/O
 * @addr: page-aligned, virtually contiguous; NULL of vhdx_buf_alloc_pages()
 * @bvec: the same pages, for the file
 * @nr_pages: their number
 */
struct vhdx_buf {
	void		*addr;
	struct bio_vec	*bvec;
	unsigned int	nr_pages;
};

/* Allocate at least @len zeroed bytes; may sleep. -ENOMEM on failure. */
int vhdx_buf_alloc(struct vhdx_buf *buf, size_t len);

/*
 * The same of pages that lie anywhere, and are not zeroed: cheaper to have, and
 * read and written by vhdx_buf_at() in pieces of up to 4 KiB.
 */
int vhdx_buf_alloc_pages(struct vhdx_buf *buf, size_t len);

/* What either has allocated; also where it failed, or all is zero. */
void vhdx_buf_free(struct vhdx_buf *buf);

/* The memory of byte @at: good to the end of the 4 KiB it is in. */
static inline void *vhdx_buf_at(const struct vhdx_buf *buf, size_t at)
{
	return page_address(buf->bvec[at / PAGE_SIZE].bv_page) + at % PAGE_SIZE;
}

/*
 * Read or write @len bytes between @off of the file and the start of @buf,
 * and wait. Offsets and lengths are multiples of 4096 (of 512 for reads of
 * odd file ends). 0 or a negative errno; a short transfer is -EIO. @fua: the
 * bytes are stable when the call returns. No write makes the file longer,
 * here or below: -ESTALE if it would, because somebody else has cut the file.
 */
int vhdx_file_read(struct vhdx_file *file, u64 off, struct vhdx_buf *buf, u32 len);

/* Writes from byte @skip of @buf on, a multiple of 4096. */
int vhdx_file_write(struct vhdx_file *file, u64 off, struct vhdx_buf *buf,
		    u32 skip, u32 len, bool fua);

/* The same for one page. */
int vhdx_file_read_page(struct vhdx_file *file, u64 off, struct page *page);
int vhdx_file_write_page(struct vhdx_file *file, u64 off, struct page *page,
			 bool fua);

/*
 * Any bytes through the page cache, to any kernel memory; for the time of
 * opening. 0 or a negative errno; a short transfer is -EIO.
 */
int vhdx_file_pread(struct vhdx_file *file, u64 off, void *buf, u32 len);

/**
 * struct vhdx_file_io - one asynchronous transfer, embedded by the caller
 * @iocb: what the file system sees
 * @done: called exactly once with the byte count or a negative errno, from
 *	any context that may complete block I/O, interrupts included
 * @ref: submitter and completion both hold one; the last calls @done
 * @ret: the result, also while @done runs and after it
 */
struct vhdx_file_io {
	struct kiocb	iocb;
	void		(*done)(struct vhdx_file_io *io, long ret);
	atomic_t	ref;
	long		ret;
};

#define VHDX_IO_WRITE	(1U << 0)	/* from memory to the file */
#define VHDX_IO_FUA	(1U << 1)	/* stable before @done */
#define VHDX_IO_NOWAIT	(1U << 2)	/* @done gets -EAGAIN instead of a wait */

/*
 * Start the transfer of all of @iter at file offset @off; io->done is set.
 * Direct I/O may complete later, buffered I/O is complete on return. @done is
 * called in every case, also before this returns; a write beyond the end of the
 * file gets -ESTALE. The iterator's vectors must live until then. Context: task,
 * may sleep unless VHDX_IO_NOWAIT.
 */
void vhdx_file_submit(struct vhdx_file *file, struct vhdx_file_io *io,
		      struct iov_iter *iter, u64 off, unsigned int flags,
		      u16 ioprio);

/*
 * Make everything written so far stable, the size included. Waits. An error
 * is final: what was lost cannot be known. The file's time of change follows
 * flushes, not writes: see file_set_time().
 */
int vhdx_file_flush(struct vhdx_file *file);

/* Space on the disk that the file takes, in bytes. May sleep. 0 or a negative errno. */
int vhdx_file_space(struct vhdx_file *file, u64 *bytes);

/*
 * Set the file's size, as ftruncate() does; a gain reads as zeros. Not stable
 * before the next flush. The caller serialises.
 */
int vhdx_file_resize(struct vhdx_file *file, u64 size);

/*
 * Could the file have @size bytes, and the task write the last of them? -EFBIG or,
 * for a block device, -ENOSPC if not, as vhdx_file_resize() and writing would find
 * in the middle of it. Sends no signal, never sleeps.
 */
int vhdx_file_fits(const struct vhdx_file *file, u64 size);

/*
 * Make the @len bytes at @off, all in the file, read as zeros, without needing
 * space for them. Not stable before the next flush. A negative errno where the
 * file system cannot; then it is to be done by writing. May sleep.
 */
int vhdx_file_zero(struct vhdx_file *file, u64 off, u64 len);

/*
 * Does VHDX_IO_FUA make the write itself stable, at the cost of no more than
 * that? Else it is the caller's to write and to flush. Never sleeps.
 */
bool vhdx_file_writes_through(const struct vhdx_file *file);

/* Would a write wait, as far as one can see? Racy. Never sleeps. */
bool vhdx_file_is_frozen(const struct vhdx_file *file);

/* Has it no name any more, so that nothing stays when it is closed? Never sleeps. */
bool vhdx_file_is_deleted(const struct vhdx_file *file);

/* Has somebody else changed the file's size? Never sleeps. */
bool vhdx_file_size_changed(const struct vhdx_file *file);

/*
 * Next byte at or after @off that may be data, or the end of @len bytes, as
 * SEEK_DATA says it; @off itself where the file system cannot tell.
 */
u64 vhdx_file_next_data(struct vhdx_file *file, u64 off, u64 len);

/* Is any byte of the range a hole (or unwritten)? false where unknown. */
bool vhdx_file_has_hole(struct vhdx_file *file, u64 off, u64 len);

#endif
