// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: hand-off, submission, waiting where it must be, completion.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "chain.h"
#include "extent.h"
#include "file.h"
#include "image.h"
#include "request.h"
#include "trace.h"

/* Of each pool. */
#define NR_WORKERS	8

/* Vectors of a merged request that need no memory. */
#define NR_INLINE_BVEC	16

/* Pieces of a request that a worker has under way at a time. */
#define NR_PIECES	16

/**
 * struct piece - one transfer of a request that a worker serves
 * @io: the transfer
 * @gather: what it is a part of
 * @extent: from where
 * @iter: to where; stays as it is while the transfer uses a copy
 */
struct piece {
	struct vhdx_file_io	io;
	struct gather		*gather;
	struct vhdx_extent	extent;
	struct iov_iter		iter;
};

/**
 * struct gather - transfers that run at the same time
 * @pending: those under way, and one for who starts them
 * @done: all of them have ended
 * @nr: number of @pieces that are used
 * @pieces: in order of disk positions
 */
struct gather {
	atomic_t		pending;
	struct completion	done;
	unsigned int		nr;
	struct piece		pieces[NR_PIECES];
};

/**
 * struct worker - one thread of a pool
 * @pool: back pointer [immutable]
 * @task: the thread [immutable while requests can come]
 * @gather: what it works on; used by nobody else
 */
struct worker {
	struct pool		*pool;
	struct task_struct	*task;
	struct gather		gather;
};

/**
 * struct pool - threads that may wait, and what waits for them
 * @lock: guards @blocked; taken from interrupts
 * @blocked: commands, in order of arrival
 * @wait: idle workers, woken one at a time; see cmd_block()
 * @workers: the threads
 *
 * Reads have a pool of their own. A write may have to wait for a file system
 * that is frozen, for a commit, or for space to be had, a read only for the
 * disk, or for memory. So writes may hold all of their workers for as long as
 * they like, and reads go on.
 */
struct pool {
	spinlock_t		lock;
	struct list_head	blocked;
	wait_queue_head_t	wait;
	struct worker		workers[NR_WORKERS];
};

/**
 * struct submitter - what serves one hardware queue
 * @rqs: back pointer [immutable]
 * @handoff: commands pushed by ->queue_rq on any CPU, newest first
 * @idle: the thread sleeps or is about to; see submitter_wait()
 * @task: the thread [immutable while requests can come]
 */
struct submitter {
	struct vhdx_requests	*rqs;
	struct llist_head	handoff;
	bool			idle;
	struct task_struct	*task;
} ____cacheline_aligned_in_smp;

/**
 * struct vhdx_requests - what serves the requests of one device
 * @name: for messages [immutable]
 * @chain: what the requests are for [immutable]
 * @reads: what serves reads that must wait somewhere
 * @writes: the same for writes and flushes
 * @nr_queues: number of @queues
 * @queues: submitters by hardware queue
 */
struct vhdx_requests {
	const char		*name;
	struct vhdx_chain	*chain;
	struct pool		reads;
	struct pool		writes;
	unsigned int		nr_queues;
	struct submitter	queues[];
};

/**
 * struct vhdx_cmd - our part of a request
 * @rqs: what serves it
 * @sub: its hardware queue
 * @extent: where it is, as ->queue_rq found it; UNMAPPED if a worker has to look
 * @tried: a worker has started @io, and will wait the next time
 * @io: the transfer that was started and is not waited for
 * @handoff: on submitter.handoff
 * @blocked: on pool.blocked
 * @bvec: NULL, @inline_bvec, or memory that the command owns
 * @inline_bvec: the vectors of most merged requests
 *
 * A command has one owner at any time, so nothing of it needs a lock:
 * ->queue_rq, then the submitter from the moment it takes the list, then
 * either the file system (until @io is done) or a worker (from the moment it
 * takes the command off the list), and whoever ends the request last. After
 * the hand-over the former owner does not touch it: it may be reused already.
 *
 * @extent stays right until the request ends. A block that has a place keeps it
 * while the image is open, and sectors that are present stay so. What may change
 * is that a read that was sent to a parent finds its sectors in the leaf a moment
 * later: then the write that put them there was under way at the same time, and
 * either content is right.
 */
struct vhdx_cmd {
	struct vhdx_requests		*rqs;
	struct submitter		*sub;
	struct vhdx_extent		extent;
	bool				tried;
	struct vhdx_file_io		io;
	union {
		struct llist_node	handoff;
		struct list_head	blocked;
	};
	struct bio_vec			*bvec;
	struct bio_vec			inline_bvec[NR_INLINE_BVEC];
};

static struct request *cmd_request(struct vhdx_cmd *cmd)
{
	return blk_mq_rq_from_pdu(cmd);
}

static u64 cmd_pos(struct vhdx_cmd *cmd)
{
	return (u64)blk_rq_pos(cmd_request(cmd)) << SECTOR_SHIFT;
}

static bool cmd_is_write(struct vhdx_cmd *cmd)
{
	return req_op(cmd_request(cmd)) == REQ_OP_WRITE;
}

static struct vhdx_image *cmd_leaf(struct vhdx_cmd *cmd)
{
	return vhdx_chain_leaf(cmd->rqs->chain);
}

static const char *cmd_op_name(struct vhdx_cmd *cmd)
{
	switch (req_op(cmd_request(cmd))) {
	case REQ_OP_READ:
		return "read";
	case REQ_OP_WRITE:
		return "write";
	case REQ_OP_FLUSH:
		return "flush";
	default:
		return "request";
	}
}

/* Ending a request */

static blk_status_t cmd_status(int err)
{
	switch (err) {
	case -EDQUOT:
	case -EFBIG:
		return BLK_STS_NOSPC;
	case -EAGAIN:
	case -EINVAL:
	case -ENOMEM:
		/* What we are told means nothing, or "try again", to our callers. */
		return BLK_STS_IOERR;
	default:
		return errno_to_blk_status(err);
	}
}

static const char *cmd_cause(int err)
{
	switch (err) {
	case -ENOSPC:
	case -EDQUOT:
		return "no space left for the image file";
	case -EFBIG:
		return "the image file cannot grow any further";
	case -EINVAL:
		return "the image's file system refused the transfer";
	case -EOPNOTSUPP:
		return "not supported";
	case -ESTALE:
		return "somebody else changed the image file";
	default:
		return "I/O to the image file failed";
	}
}

/* A flush has no offset and no length. */
static void cmd_report(struct vhdx_cmd *cmd, int err)
{
	if (req_op(cmd_request(cmd)) == REQ_OP_FLUSH)
		pr_err_ratelimited("%s: flush failed: %s (error %d)\n",
				   cmd->rqs->name, cmd_cause(err), err);
	else
		pr_err_ratelimited("%s: %s of %u bytes at offset %llu failed: %s (error %d)\n",
				   cmd->rqs->name, cmd_op_name(cmd),
				   blk_rq_bytes(cmd_request(cmd)), cmd_pos(cmd),
				   cmd_cause(err), err);
}

/* Nothing of the command may be touched any more once its request has ended. */
static void cmd_forget(struct vhdx_cmd *cmd, int err)
{
	if (unlikely(err))
		cmd_report(cmd, err);
	trace_vhdx_request_complete(cmd->rqs->name, cmd_op_name(cmd), cmd_pos(cmd),
				    blk_rq_bytes(cmd_request(cmd)), err);
	if (cmd->bvec != cmd->inline_bvec)
		kfree(cmd->bvec);
	cmd->bvec = NULL;
}

/*
 * From any context. blk_mq_complete_request() would look for a better processor:
 * an interrupt there, or a wake-up of ksoftirqd, for no more than waking who
 * waits. The device below has chosen one already.
 *
 * A request ends as soon as it is done. It must not be kept, to be ended along
 * with others, by a thread that goes on to start transfers: they take memory, also
 * with NOWAIT, and that may be waited for until the page that was swapped out by
 * the request, or its bio, is free.
 */
static void cmd_end(struct vhdx_cmd *cmd, int err)
{
	cmd_forget(cmd, err);
	blk_mq_end_request(cmd_request(cmd), cmd_status(err));
}

static void cmd_zero(struct vhdx_cmd *cmd)
{
	struct bio *bio;

	__rq_for_each_bio(bio, cmd_request(cmd))
		zero_fill_bio(bio);
}

/* Memory of a request */

static unsigned int cmd_direction(struct vhdx_cmd *cmd)
{
	return cmd_is_write(cmd) ? ITER_SOURCE : ITER_DEST;
}

/*
 * The vectors of a bio can be used as they are, also when it begins in the
 * middle of one. How far into it is asked for in a way that does not depend
 * on the name of the iterator's field.
 */
static void cmd_bio_iter(struct vhdx_cmd *cmd, struct bio *bio, struct iov_iter *iter)
{
	const struct bio_vec *first = __bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter);
	unsigned int nr = 0;
	struct bvec_iter it;
	struct bio_vec bv;

	bio_for_each_bvec(bv, bio, it)
		nr++;
	iov_iter_bvec(iter, cmd_direction(cmd), first, nr, bio->bi_iter.bi_size);
	iter->iov_offset = mp_bvec_iter_offset(bio->bi_io_vec, bio->bi_iter) -
			   first->bv_offset;
}

static int cmd_alloc_bvec(struct vhdx_cmd *cmd, unsigned int nr, gfp_t gfp)
{
	if (cmd->bvec)
		return 0;
	cmd->bvec = nr <= NR_INLINE_BVEC ? cmd->inline_bvec :
		    kmalloc_array(nr, sizeof(*cmd->bvec), gfp | __GFP_NOWARN);
	return cmd->bvec ? 0 : -ENOMEM;
}

/* An iterator over the whole request; -ENOMEM if its vectors find no room. */
static int cmd_iter(struct vhdx_cmd *cmd, struct iov_iter *iter, gfp_t gfp)
{
	struct request *rq = cmd_request(cmd);
	struct req_iterator it;
	unsigned int nr = 0;
	struct bio_vec bv;

	if (rq->bio == rq->biotail) {
		cmd_bio_iter(cmd, rq->bio, iter);
		return 0;
	}
	rq_for_each_bvec(bv, rq, it)
		nr++;
	if (cmd_alloc_bvec(cmd, nr, gfp))
		return -ENOMEM;
	nr = 0;
	rq_for_each_bvec(bv, rq, it)
		cmd->bvec[nr++] = bv;
	iov_iter_bvec(iter, cmd_direction(cmd), cmd->bvec, nr, blk_rq_bytes(rq));
	return 0;
}

/* Where a piece of the disk is; a write first announces itself to the image. */
static int cmd_map(struct vhdx_cmd *cmd, u64 pos, u32 len, bool nowait,
		   struct vhdx_extent *extent)
{
	struct vhdx_chain *chain = cmd->rqs->chain;
	int ret;

	if (!cmd_is_write(cmd)) {
		ret = vhdx_chain_map_read(chain, pos, len, nowait, extent);
	} else {
		ret = vhdx_image_begin_write(cmd_leaf(cmd), nowait);
		if (!ret)
			ret = vhdx_chain_map_write(chain, pos, len, nowait, extent);
	}
	if (!ret)
		trace_vhdx_extent(cmd->rqs->name, cmd_op_name(cmd), pos,
				  extent->kind, extent->off, extent->len);
	return ret;
}

/* Is it only a matter of moving data? */
static bool cmd_may_start(struct vhdx_cmd *cmd)
{
	struct request *rq = cmd_request(cmd);

	return req_op(rq) == REQ_OP_READ ||
	       (req_op(rq) == REQ_OP_WRITE && !(rq->cmd_flags & REQ_FUA));
}

/* The pools: what may wait */

static struct pool *cmd_pool(struct vhdx_cmd *cmd)
{
	struct vhdx_requests *rqs = cmd->rqs;

	return req_op(cmd_request(cmd)) == REQ_OP_READ ? &rqs->reads : &rqs->writes;
}

/*
 * From any context. Wakes before it unlocks: as soon as a worker can take the
 * command its request may end, and with the last request the pool may go.
 *
 * One worker is enough for many commands if it does not have to wait, so there
 * is no wake-up for each. While there are commands on the list a worker is on
 * its way to it, or all of them are at work: the first command wakes one, and
 * whoever takes one and leaves some behind wakes the next before he begins.
 */
static void cmd_block(struct vhdx_cmd *cmd)
{
	struct pool *pool = cmd_pool(cmd);
	unsigned long flags;
	bool first;

	spin_lock_irqsave(&pool->lock, flags);
	first = list_empty(&pool->blocked);
	list_add_tail(&cmd->blocked, &pool->blocked);
	if (first)
		wake_up(&pool->wait);
	spin_unlock_irqrestore(&pool->lock, flags);
}

struct sync_io {
	struct vhdx_file_io	io;
	struct completion	done;
};

static void sync_io_done(struct vhdx_file_io *io, long ret)
{
	complete(&container_of(io, struct sync_io, io)->done);
}

/* Transfer @len bytes and wait: bytes done or an errno. @iter stays as it is. */
static long sync_io(struct vhdx_cmd *cmd, const struct iov_iter *iter,
		    struct vhdx_file *file, u64 off, u32 len, unsigned int flags)
{
	struct sync_io sync = { .io.done = sync_io_done };
	struct iov_iter piece = *iter;

	iov_iter_truncate(&piece, len);
	init_completion(&sync.done);
	vhdx_file_submit(file, &sync.io, &piece, off, flags,
			 req_get_ioprio(cmd_request(cmd)));
	wait_for_completion_io(&sync.done);
	return sync.io.ret;
}

/*
 * A transfer ended after @done of extent->len bytes. Legal at the end of the
 * file when the log says that the file is longer; anywhere else we ask again
 * for the rest, as long as that begins at a sector of the disk and something was
 * done: a part of a sector can be neither present nor not.
 */
static long cmd_short(struct vhdx_cmd *cmd, struct iov_iter *iter,
		      const struct vhdx_extent *extent, u32 done)
{
	u64 size = i_size_read(extent->file->filp->f_mapping->host);
	u32 rest = extent->len - done;

	if (cmd_is_write(cmd) || extent->off + done < size) {
		done = round_down(done, queue_logical_block_size(cmd_request(cmd)->q));
		iov_iter_advance(iter, done);
		return done ? (long)done : -EIO;
	}
	if (!extent->zero_beyond_eof) {
		pr_err_ratelimited("%s: the image file ends at %llu, inside of a block at %llu: it has been truncated\n",
				   cmd->rqs->name, size, extent->off);
		return -EIO;
	}
	iov_iter_advance(iter, done);
	return iov_iter_zero(rest, iter) == rest ? (long)extent->len : -EIO;
}

/* Transfer one piece; bytes that @iter was advanced by, or an errno. */
static long cmd_transfer(struct vhdx_cmd *cmd, struct iov_iter *iter,
			 const struct vhdx_extent *extent, unsigned int flags)
{
	long ret = sync_io(cmd, iter, extent->file, extent->off, extent->len, flags);

	if (ret < 0)
		return ret;
	if (unlikely(ret < extent->len))
		return cmd_short(cmd, iter, extent, ret);
	iov_iter_advance(iter, extent->len);
	return extent->len;
}

/*
 * A read through a chain has pieces in several files. All that fit into a
 * gather are started before any is waited for; those that follow each other in
 * one file, as the blocks of a parent with smaller ones may, are one piece.
 */

static void gather_drop(struct gather *gather)
{
	if (atomic_dec_and_test(&gather->pending))
		complete(&gather->done);
}

static void piece_done(struct vhdx_file_io *io, long ret)
{
	gather_drop(container_of(io, struct piece, io)->gather);
}

static bool piece_takes(const struct piece *piece, const struct vhdx_extent *extent)
{
	return piece->extent.file == extent->file &&
	       piece->extent.off + piece->extent.len == extent->off;
}

/* @iter begins where the piece does; false if there is no room for another. */
static bool gather_add(struct gather *gather, const struct vhdx_extent *extent,
		       const struct iov_iter *iter, bool follows)
{
	struct piece *piece = &gather->pieces[gather->nr];

	if (follows && gather->nr && piece_takes(piece - 1, extent)) {
		piece[-1].extent.len += extent->len;
		return true;
	}
	if (gather->nr == NR_PIECES)
		return false;
	piece->gather = gather;
	piece->extent = *extent;
	piece->iter = *iter;
	gather->nr++;
	return true;
}

/*
 * Look up what is left of the request, as far as the gather has room, and fill
 * in what is zeros. Bytes that @iter was advanced by, or an errno.
 */
static long gather_fill(struct gather *gather, struct vhdx_cmd *cmd,
			struct iov_iter *iter, u64 pos)
{
	bool follows = false;
	struct vhdx_extent extent;
	long done;
	int ret;

	gather->nr = 0;
	for (done = 0; iov_iter_count(iter); done += extent.len) {
		ret = cmd_map(cmd, pos + done, iov_iter_count(iter), false, &extent);
		if (ret)
			return ret;
		if (extent.kind == VHDX_EXTENT_DATA) {
			if (!gather_add(gather, &extent, iter, follows))
				break;
			iov_iter_advance(iter, extent.len);
		} else if (iov_iter_zero(extent.len, iter) != extent.len) {
			return -EIO;
		}
		follows = extent.kind == VHDX_EXTENT_DATA;
	}
	return done;
}

/* Start all pieces and wait for all. */
static void gather_run(struct gather *gather, struct vhdx_cmd *cmd)
{
	u16 ioprio = req_get_ioprio(cmd_request(cmd));
	struct blk_plug plug;
	unsigned int i;

	atomic_set(&gather->pending, gather->nr + 1);
	init_completion(&gather->done);
	blk_start_plug(&plug);
	for (i = 0; i < gather->nr; i++) {
		struct piece *piece = &gather->pieces[i];
		struct iov_iter iter = piece->iter;

		iov_iter_truncate(&iter, piece->extent.len);
		piece->io.done = piece_done;
		vhdx_file_submit(piece->extent.file, &piece->io, &iter,
				 piece->extent.off, 0, ioprio);
	}
	blk_finish_plug(&plug);
	gather_drop(gather);
	wait_for_completion_io(&gather->done);
}

/* What a piece did not bring is fetched step by step. */
static int piece_finish(struct piece *piece, struct vhdx_cmd *cmd)
{
	struct vhdx_extent *extent = &piece->extent;
	long ret = piece->io.ret;

	if (likely(ret == extent->len))
		return 0;
	if (ret >= 0)
		ret = cmd_short(cmd, &piece->iter, extent, ret);
	while (ret > 0 && ret < extent->len) {
		extent->off += ret;
		extent->len -= ret;
		ret = cmd_transfer(cmd, &piece->iter, extent, 0);
	}
	return ret < 0 ? ret : 0;
}

/* Bytes that @iter was advanced by, or an errno. */
static long cmd_read_pieces(struct vhdx_cmd *cmd, struct iov_iter *iter, u64 pos,
			    struct gather *gather)
{
	long done = gather_fill(gather, cmd, iter, pos);
	unsigned int i;
	int ret;

	if (done < 0 || !gather->nr)
		return done;
	gather_run(gather, cmd);
	for (i = 0; i < gather->nr; i++) {
		ret = piece_finish(&gather->pieces[i], cmd);
		if (ret)
			return ret;
	}
	return done;
}

/*
 * Writing through may have meant an fsync, which speaks of other writes too and
 * does so once: the image must know, or the next FLUSH would succeed. Whether
 * it was the data or the sync cannot be told; only what is refused before
 * anything is written is harmless.
 */
static void cmd_fua_failed(struct vhdx_cmd *cmd, int err)
{
	if (err != -ENOSPC && err != -EDQUOT && err != -EFBIG && err != -EINVAL)
		vhdx_image_fail(cmd_leaf(cmd), VHDX_MODE_READ_ONLY, err,
				"a write could not be made stable");
}

/*
 * With FUA the bytes are stable on return. That takes a commit if the block's
 * mapping is not in the log yet, and the commit flushes the file, data
 * included; else it is enough to write the data through.
 *
 * Asking before the write is right: a mapping that is clean stays so, because
 * a present block does not move, and a sector that is present stays so. One
 * that is dirty may be committed meanwhile by somebody else, and then the flush
 * is merely not needed. Sectors that the write itself makes present are marked
 * when their data has been written, and before the commit.
 */
static long cmd_write_data(struct vhdx_cmd *cmd, struct iov_iter *iter, u64 pos,
			   const struct vhdx_extent *extent)
{
	bool fua = cmd_request(cmd)->cmd_flags & REQ_FUA;
	bool commit = fua && (extent->unmarked ||
			      vhdx_image_is_dirty(cmd_leaf(cmd), pos, extent->len));
	unsigned int flags = VHDX_IO_WRITE;
	long ret;
	int err;

	/* Without writing through, a FUA write is a write and a flush. */
	if (fua && !vhdx_file_writes_through(extent->file))
		commit = true;
	if (fua && !commit)
		flags |= VHDX_IO_FUA;
	ret = cmd_transfer(cmd, iter, extent, flags);
	if (ret < 0 && (flags & VHDX_IO_FUA))
		cmd_fua_failed(cmd, ret);
	if (ret < 0)
		return ret;
	err = extent->unmarked ? vhdx_chain_mark(cmd->rqs->chain, pos, ret) : 0;
	if (!err && commit)
		err = vhdx_image_flush(cmd_leaf(cmd));
	return err ?: ret;
}

/* 0 when the block was allocated and the piece is to be looked up again. */
static long cmd_write_piece(struct vhdx_cmd *cmd, struct iov_iter *iter, u64 pos)
{
	struct vhdx_extent extent;
	int ret;

	ret = cmd_map(cmd, pos, iov_iter_count(iter), false, &extent);
	if (ret)
		return ret;
	if (extent.kind != VHDX_EXTENT_DATA)
		return vhdx_chain_allocate(cmd->rqs->chain, pos);
	return cmd_write_data(cmd, iter, pos, &extent);
}

static int cmd_rw_all(struct vhdx_cmd *cmd, struct iov_iter *iter, u64 pos,
		      struct gather *gather)
{
	long ret;

	while (iov_iter_count(iter)) {
		ret = cmd_is_write(cmd) ? cmd_write_piece(cmd, iter, pos) :
					  cmd_read_pieces(cmd, iter, pos, gather);
		if (ret < 0)
			return ret;
		pos += ret;
	}
	return 0;
}

/* Without memory for all the vectors, one bio after the other: needs none. */
static int cmd_rw_by_bio(struct vhdx_cmd *cmd, struct gather *gather)
{
	u64 pos = cmd_pos(cmd);
	struct iov_iter iter;
	struct bio *bio;
	int ret;

	__rq_for_each_bio(bio, cmd_request(cmd)) {
		cmd_bio_iter(cmd, bio, &iter);
		ret = cmd_rw_all(cmd, &iter, pos, gather);
		if (ret)
			return ret;
		pos += bio->bi_iter.bi_size;
	}
	return 0;
}

static int cmd_rw(struct vhdx_cmd *cmd, struct gather *gather)
{
	struct iov_iter iter;

	/* Never wait for memory here: there is a way without. */
	if (cmd_iter(cmd, &iter, GFP_NOIO | __GFP_NORETRY))
		return cmd_rw_by_bio(cmd, gather);
	return cmd_rw_all(cmd, &iter, cmd_pos(cmd), gather);
}

static void cmd_io_done(struct vhdx_file_io *io, long ret)
{
	struct vhdx_cmd *cmd = container_of(io, struct vhdx_cmd, io);

	if (likely(ret == blk_rq_bytes(cmd_request(cmd))))
		cmd_end(cmd, 0);
	else if (ret >= 0 || ret == -EAGAIN || ret == -EOPNOTSUPP)
		/* Refused or cut short: doing it all again does no harm. */
		cmd_block(cmd);
	else
		cmd_end(cmd, ret);
}

/* Start the transfer of a piece, which is not waited for; false without memory. */
static bool cmd_start_io(struct vhdx_cmd *cmd, const struct vhdx_extent *extent,
			 unsigned int flags, gfp_t gfp)
{
	struct iov_iter iter;

	if (cmd_iter(cmd, &iter, gfp))
		return false;
	cmd->io.done = cmd_io_done;
	vhdx_file_submit(extent->file, &cmd->io, &iter, extent->off,
			 flags | (cmd_is_write(cmd) ? VHDX_IO_WRITE : 0),
			 req_get_ioprio(cmd_request(cmd)));
	return true;
}

static int cmd_place(struct vhdx_cmd *cmd, struct vhdx_extent *extent)
{
	u32 len = blk_rq_bytes(cmd_request(cmd));
	u64 pos = cmd_pos(cmd);
	int ret;

	ret = cmd_map(cmd, pos, len, false, extent);
	if (ret || extent->kind != VHDX_EXTENT_UNMAPPED)
		return ret;
	ret = vhdx_chain_allocate(cmd->rqs->chain, pos);
	return ret ?: cmd_map(cmd, pos, len, false, extent);
}

/*
 * Once the command has a place its transfer is started and left alone, so that
 * the worker is free for the next one. Not if it came back from that already,
 * and not if there is something to do behind the data: false.
 */
static bool cmd_leave(struct vhdx_cmd *cmd)
{
	struct vhdx_extent extent;
	int ret;

	if (cmd->tried || !cmd_may_start(cmd))
		return false;
	cmd->tried = true;
	ret = cmd_place(cmd, &extent);
	if (ret) {
		cmd_end(cmd, ret);
		return true;
	}
	return extent.kind == VHDX_EXTENT_DATA && extent.file->direct && !extent.unmarked &&
	       extent.len == blk_rq_bytes(cmd_request(cmd)) &&
	       cmd_start_io(cmd, &extent, 0, GFP_NOIO | __GFP_NORETRY);
}

static int cmd_run(struct vhdx_cmd *cmd, struct gather *gather)
{
	switch (req_op(cmd_request(cmd))) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		return cmd_rw(cmd, gather);
	case REQ_OP_FLUSH:
		return vhdx_image_flush(cmd_leaf(cmd));
	default:
		return -EOPNOTSUPP;
	}
}

static struct vhdx_cmd *pool_take(struct pool *pool)
{
	struct vhdx_cmd *cmd;

	spin_lock_irq(&pool->lock);
	cmd = list_first_entry_or_null(&pool->blocked, struct vhdx_cmd, blocked);
	if (cmd)
		list_del(&cmd->blocked);
	if (!list_empty(&pool->blocked))
		wake_up(&pool->wait);
	spin_unlock_irq(&pool->lock);
	return cmd;
}

static void become_io_thread(void)
{
	current->flags |= PF_LOCAL_THROTTLE | PF_MEMALLOC_NOIO;
}

/*
 * Not freezable: a worker is given nothing any more while the machine is being
 * frozen, see cmd_hand_off(), and what it has it must be able to finish.
 */
static int worker_main(void *data)
{
	struct worker *worker = data;
	struct pool *pool = worker->pool;
	struct vhdx_cmd *cmd;

	become_io_thread();
	while (!kthread_should_stop()) {
		wait_event_idle_exclusive(pool->wait,
					  !list_empty(&pool->blocked) ||
					  kthread_should_stop());
		while ((cmd = pool_take(pool))) {
			if (!cmd_leave(cmd))
				cmd_end(cmd, cmd_run(cmd, &worker->gather));
			cond_resched();
		}
	}
	return 0;
}

/* Submitters: what never waits for I/O */

/*
 * Start the transfer of a present piece without waiting; false if that cannot be.
 *
 * Not every file system knows NOWAIT. One that does not may keep the thread
 * for a while; its own direct I/O is asynchronous all the same.
 */
static bool cmd_start(struct vhdx_cmd *cmd)
{
	struct vhdx_file *file = cmd->extent.file;
	unsigned int flags = 0;

	/* ->queue_rq did not know, and the machine was being frozen. */
	if (cmd->extent.kind != VHDX_EXTENT_DATA)
		return false;
	if (cmd_is_write(cmd) && vhdx_file_is_frozen(file))
		return false;
	if (file->filp->f_mode & FMODE_NOWAIT)
		flags = VHDX_IO_NOWAIT;
	return cmd_start_io(cmd, &cmd->extent, flags, GFP_NOWAIT);
}

static void submitter_drain(struct submitter *sub)
{
	struct llist_node *list = llist_reverse_order(llist_del_all(&sub->handoff));
	struct vhdx_cmd *cmd, *next;
	struct blk_plug plug;

	blk_start_plug(&plug);
	llist_for_each_entry_safe(cmd, next, list, handoff)
		if (!cmd_start(cmd))
			cmd_block(cmd);
	blk_finish_plug(&plug);
	cond_resched();
}

/*
 * No wake-up is lost. The thread stores @idle, then (set_current_state() is a
 * full barrier) looks at the list. ->queue_rq pushes (a full barrier, too),
 * then looks at @idle. So either it sees @idle and wakes the thread, whose
 * state is set already, or the thread sees the command and does not sleep.
 *
 * A push while the thread works sees @idle false and costs nothing more. A
 * push that is not the last of its batch wakes nobody: ->commit_rqs or the
 * last one will, and @idle is looked at then.
 */
static void submitter_wait(struct submitter *sub)
{
	WRITE_ONCE(sub->idle, true);
	set_current_state(TASK_IDLE | TASK_FREEZABLE);
	if (llist_empty(&sub->handoff) && !kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(sub->idle, false);
	try_to_freeze();
}

static void submitter_kick(struct submitter *sub)
{
	if (READ_ONCE(sub->idle) && !llist_empty(&sub->handoff))
		wake_up_process(sub->task);
}

static int submitter_main(void *data)
{
	struct submitter *sub = data;

	become_io_thread();
	set_freezable();
	while (!kthread_should_stop()) {
		submitter_wait(sub);
		submitter_drain(sub);
	}
	return 0;
}

/* What the block layer calls */

/*
 * Where is the command? The look-up takes no lock and does not sleep; we are
 * inside of an RCU section. A request lies in one block of the leaf, thanks to
 * chunk_sectors. One that is not a single piece all the same is left to a
 * worker, and so is a write that has something to do behind its data, and
 * whatever fails.
 */
static void cmd_look_up(struct vhdx_cmd *cmd)
{
	u32 len = blk_rq_bytes(cmd_request(cmd));

	if (!cmd_may_start(cmd) || cmd_map(cmd, cmd_pos(cmd), len, true, &cmd->extent) ||
	    cmd->extent.len != len || cmd->extent.unmarked ||
	    (cmd->extent.kind == VHDX_EXTENT_DATA && !cmd->extent.file->direct))
		cmd->extent.kind = VHDX_EXTENT_UNMAPPED;
}

/* A read of blocks that are known not to be allocated needs no thread. */
static bool cmd_answer_zeros(struct vhdx_cmd *cmd)
{
	if (cmd->extent.kind != VHDX_EXTENT_ZERO)
		return false;
	cmd_zero(cmd);
	cmd_end(cmd, 0);
	return true;
}

/*
 * What has to wait goes straight to the workers. They are not freezable, so
 * when the machine is being frozen it waits with its submitter, who is.
 */
static void cmd_hand_off(struct vhdx_cmd *cmd)
{
	struct submitter *sub = cmd->sub;

	if (cmd->extent.kind == VHDX_EXTENT_DATA || freezing(sub->task))
		llist_add(&cmd->handoff, &sub->handoff);
	else
		cmd_block(cmd);
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd)
{
	struct submitter *sub = hctx->driver_data;
	struct vhdx_cmd *cmd = blk_mq_rq_to_pdu(bd->rq);

	blk_mq_start_request(bd->rq);
	/* The threads may wait on behalf of whoever may not. */
	bd->rq->cmd_flags &= ~REQ_NOWAIT;
	cmd->rqs = sub->rqs;
	cmd->sub = sub;
	cmd->tried = false;
	cmd->bvec = NULL;
	trace_vhdx_request_issue(sub->rqs->name, cmd_op_name(cmd), cmd_pos(cmd),
				 blk_rq_bytes(bd->rq), bd->rq->cmd_flags & REQ_FUA);
	cmd_look_up(cmd);
	if (!cmd_answer_zeros(cmd))
		cmd_hand_off(cmd);
	/* Also when the last of the batch is done already: others wait. */
	if (bd->last)
		submitter_kick(sub);
	return BLK_STS_OK;
}

static void commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	submitter_kick(hctx->driver_data);
}

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *driver_data, unsigned int idx)
{
	struct vhdx_requests *rqs = driver_data;

	if (WARN_ON_ONCE(idx >= rqs->nr_queues))
		return -EINVAL;
	hctx->driver_data = &rqs->queues[idx];
	return 0;
}

static const struct blk_mq_ops request_ops = {
	.queue_rq	= queue_rq,
	.commit_rqs	= commit_rqs,
	.init_hctx	= init_hctx,
};

void vhdx_requests_setup(struct vhdx_requests *rqs, struct blk_mq_tag_set *set)
{
	set->ops = &request_ops;
	set->cmd_size = sizeof(struct vhdx_cmd);
	set->driver_data = rqs;
}

/* Threads */

static void pool_stop(struct pool *pool)
{
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++)
		if (pool->workers[i].task)
			kthread_stop(pool->workers[i].task);
}

static void requests_stop_threads(struct vhdx_requests *rqs)
{
	unsigned int i;

	for (i = 0; i < rqs->nr_queues; i++)
		if (rqs->queues[i].task)
			kthread_stop(rqs->queues[i].task);
	pool_stop(&rqs->reads);
	pool_stop(&rqs->writes);
}

/* @task is NULL or a thread that was started, never an error. */
static int requests_run(struct task_struct **task, int (*main)(void *), void *data,
			const char *name, char kind, unsigned int i)
{
	struct task_struct *new = kthread_run(main, data, "%s-%c%u", name, kind, i);

	if (IS_ERR(new))
		return PTR_ERR(new);
	*task = new;
	return 0;
}

static int pool_start(struct pool *pool, const char *name, char kind)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < NR_WORKERS; i++)
		ret = requests_run(&pool->workers[i].task, worker_main,
				   &pool->workers[i], name, kind, i);
	return ret;
}

static int requests_start_threads(struct vhdx_requests *rqs)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < rqs->nr_queues; i++)
		ret = requests_run(&rqs->queues[i].task, submitter_main,
				   &rqs->queues[i], rqs->name, 'q', i);
	if (!ret)
		ret = pool_start(&rqs->reads, rqs->name, 'r');
	if (!ret)
		ret = pool_start(&rqs->writes, rqs->name, 'w');
	return ret;
}

static void pool_init(struct pool *pool)
{
	unsigned int i;

	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->blocked);
	init_waitqueue_head(&pool->wait);
	for (i = 0; i < NR_WORKERS; i++)
		pool->workers[i].pool = pool;
}

struct vhdx_requests *vhdx_requests_start(const char *name, struct vhdx_chain *chain,
					  unsigned int nr_queues)
{
	struct vhdx_requests *rqs;
	unsigned int i;
	int ret;

	rqs = kvzalloc(struct_size(rqs, queues, nr_queues), GFP_KERNEL);
	if (!rqs)
		return ERR_PTR(-ENOMEM);
	rqs->name = name;
	rqs->chain = chain;
	pool_init(&rqs->reads);
	pool_init(&rqs->writes);
	rqs->nr_queues = nr_queues;
	for (i = 0; i < nr_queues; i++) {
		rqs->queues[i].rqs = rqs;
		init_llist_head(&rqs->queues[i].handoff);
	}
	ret = requests_start_threads(rqs);
	if (ret) {
		vhdx_requests_stop(rqs);
		return ERR_PTR(ret);
	}
	return rqs;
}

/*
 * All requests have ended, but a ->queue_rq that handed one of them over may
 * not have returned yet. It runs inside of an RCU section.
 */
void vhdx_requests_stop(struct vhdx_requests *rqs)
{
	synchronize_rcu();
	requests_stop_threads(rqs);
	kvfree(rqs);
}
