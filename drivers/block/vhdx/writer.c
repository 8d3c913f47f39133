// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages on their way to a file.
 */
#include <linux/completion.h>
#include <linux/ioprio.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "file.h"
#include "writer.h"

#define WRITER_PIECE	SZ_256K
#define WRITER_DEPTH	8

/**
 * struct writer_piece - one transfer
 * @io: what the file sees
 * @done: the file is done with it
 * @buf: its WRITER_PIECE bytes
 * @off: where they go
 * @len: bytes so far
 * @written: bytes of them that the file has
 * @sent: it is under way, and nobody has waited for it
 */
struct writer_piece {
	struct vhdx_file_io	io;
	struct completion	done;
	struct vhdx_buf		buf;
	u64			off;
	u32			len;
	u32			written;
	bool			sent;
};

/**
 * struct vhdx_writer - pieces, used in turns
 * @file: where they go
 * @cur: the piece that is being filled; it is not sent
 * @err: the first error
 * @piece: the pieces
 */
struct vhdx_writer {
	struct vhdx_file	*file;
	unsigned int		cur;
	int			err;
	struct writer_piece	piece[WRITER_DEPTH];
};

static void piece_done(struct vhdx_file_io *io, long ret)
{
	complete(&container_of(io, struct writer_piece, io)->done);
}

struct vhdx_writer *vhdx_writer_alloc(struct vhdx_file *file)
{
	struct vhdx_writer *w = kzalloc(sizeof(*w), GFP_KERNEL);
	unsigned int i;

	if (!w)
		return NULL;
	w->file = file;
	for (i = 0; i < WRITER_DEPTH; i++) {
		w->piece[i].io.done = piece_done;
		init_completion(&w->piece[i].done);
		if (vhdx_buf_alloc_pages(&w->piece[i].buf, WRITER_PIECE)) {
			vhdx_writer_free(w);
			return NULL;
		}
	}
	return w;
}

/* Send what of it is not written. */
static void piece_send(struct vhdx_file *file, struct writer_piece *p)
{
	struct iov_iter iter;

	iov_iter_bvec(&iter, ITER_SOURCE, p->buf.bvec, DIV_ROUND_UP(p->len, PAGE_SIZE),
		      p->len);
	iov_iter_advance(&iter, p->written);
	reinit_completion(&p->done);
	p->sent = true;
	vhdx_file_submit(file, &p->io, &iter, p->off + p->written, VHDX_IO_WRITE,
			 get_current_ioprio());
}

/* What came back short goes on where it ended, or says why it can not. */
static int piece_wait(struct vhdx_file *file, struct writer_piece *p)
{
	while (p->sent) {
		wait_for_completion_io(&p->done);
		p->sent = false;
		if (p->io.ret <= 0)
			return p->io.ret ?: -EIO;
		p->written += p->io.ret;
		if (p->written < p->len)
			piece_send(file, p);
	}
	p->len = 0;
	p->written = 0;
	return 0;
}

/* The next piece is one that is not under way. */
static void writer_send(struct vhdx_writer *w)
{
	int ret;

	if (w->err || !w->piece[w->cur].len)
		return;
	piece_send(w->file, &w->piece[w->cur]);
	w->cur = (w->cur + 1) % WRITER_DEPTH;
	ret = piece_wait(w->file, &w->piece[w->cur]);
	if (!w->err)
		w->err = ret;
}

static bool piece_takes(const struct writer_piece *p, u64 off)
{
	return !p->len || (p->len < WRITER_PIECE && p->off + p->len == off);
}

int vhdx_writer_add(struct vhdx_writer *w, u64 off, const void *page)
{
	struct writer_piece *p;

	if (!w->err && fatal_signal_pending(current))
		w->err = -EINTR;
	if (!piece_takes(&w->piece[w->cur], off))
		writer_send(w);
	if (w->err)
		return w->err;
	p = &w->piece[w->cur];
	if (!p->len)
		p->off = off;
	if (page)
		memcpy(vhdx_buf_at(&p->buf, p->len), page, VHDX_PAGE_SIZE);
	else
		memset(vhdx_buf_at(&p->buf, p->len), 0, VHDX_PAGE_SIZE);
	p->len += VHDX_PAGE_SIZE;
	return 0;
}

int vhdx_writer_wait(struct vhdx_writer *w)
{
	unsigned int i;
	int ret;

	writer_send(w);
	for (i = 0; i < WRITER_DEPTH; i++) {
		ret = piece_wait(w->file, &w->piece[i]);
		if (!w->err)
			w->err = ret;
	}
	return w->err;
}

void vhdx_writer_free(struct vhdx_writer *w)
{
	unsigned int i;

	if (!w)
		return;
	for (i = 0; i < WRITER_DEPTH; i++) {
		piece_wait(w->file, &w->piece[i]);
		vhdx_buf_free(&w->piece[i].buf);
	}
	kfree(w);
}
