// SPDX-License-Identifier: GPL-2.0-only
/* Replayed content in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "overlay.h"

#define PAGE	4096U

/**
 * struct libvhdx_overlay_piece - one write
 * @off: file offset
 * @end: file offset behind it
 * @data: a page of content, NULL for zeros
 * @order: place in the log; the greater wins
 */
struct libvhdx_overlay_piece {
	u64	off;
	u64	end;
	u8	*data;
	size_t	order;
};

static int add(struct libvhdx_overlay *ov, u64 off, u64 len, u8 *data)
{
	struct libvhdx_overlay_piece *p = ov->written;

	ov->bytes += sizeof(*p) + (data ? PAGE : 0);
	if (ov->bytes > LIBVHDX_OVERLAY_MAX)
		return -EFBIG;
	if (ov->nr_written == ov->max_written) {
		size_t max = ov->max_written ? ov->max_written * 2 : 64;

		p = reallocarray(p, max, sizeof(*p));
		if (!p)
			return -ENOMEM;
		ov->written = p;
		ov->max_written = max;
	}
	p[ov->nr_written] = (struct libvhdx_overlay_piece){
		.off	= off,
		.end	= off + len,
		.data	= data,
		.order	= ov->nr_written,
	};
	ov->nr_written++;
	return 0;
}

static int sink_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct libvhdx_overlay *ov = container_of(sink, struct libvhdx_overlay, sink);
	u8 *data = malloc(PAGE);
	int err;

	if (!data)
		return -ENOMEM;
	memcpy(data, buf, PAGE);
	err = add(ov, off, PAGE, data);
	if (err)
		free(data);
	return err;
}

static int sink_zero(struct vhdx_sink *sink, u64 off, u64 len)
{
	struct libvhdx_overlay *ov = container_of(sink, struct libvhdx_overlay, sink);

	return len ? add(ov, off, len, NULL) : 0;
}

void libvhdx_overlay_init(struct libvhdx_overlay *ov)
{
	memset(ov, 0, sizeof(*ov));
	ov->sink.write = sink_write;
	ov->sink.zero = sink_zero;
}

void libvhdx_overlay_release(struct libvhdx_overlay *ov)
{
	size_t i;

	for (i = 0; i < ov->nr_written; i++)
		free(ov->written[i].data);
	free(ov->written);
	free(ov->pieces);
}

static int by_offset(const void *a, const void *b)
{
	const struct libvhdx_overlay_piece *x = a;
	const struct libvhdx_overlay_piece *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* A heap of pieces whose top is the latest. */
struct heap {
	const struct libvhdx_overlay_piece	**p;
	size_t					nr;
};

static void heap_swap(struct heap *h, size_t a, size_t b)
{
	const struct libvhdx_overlay_piece *p = h->p[a];

	h->p[a] = h->p[b];
	h->p[b] = p;
}

static void heap_push(struct heap *h, const struct libvhdx_overlay_piece *p)
{
	size_t i = h->nr++;

	h->p[i] = p;
	for (; i && h->p[(i - 1) / 2]->order < p->order; i = (i - 1) / 2)
		heap_swap(h, i, (i - 1) / 2);
}

static void heap_pop(struct heap *h)
{
	size_t i = 0, child;

	h->p[0] = h->p[--h->nr];
	for (; (child = 2 * i + 1) < h->nr; i = child) {
		if (child + 1 < h->nr && h->p[child + 1]->order > h->p[child]->order)
			child++;
		if (h->p[i]->order >= h->p[child]->order)
			break;
		heap_swap(h, i, child);
	}
}

/* Append what @p shows from @off to @end, or let the last piece grow. */
static void emit(struct libvhdx_overlay *ov, const struct libvhdx_overlay_piece *p,
		 u64 off, u64 end)
{
	struct libvhdx_overlay_piece *out = &ov->pieces[ov->nr_pieces];

	if (ov->nr_pieces && out[-1].order == p->order && out[-1].end == off) {
		out[-1].end = end;
		return;
	}
	*out = *p;
	out->off = off;
	out->end = end;
	ov->nr_pieces++;
}

/*
 * Walk over the file: between two borders of pieces the latest of those that
 * cover the place is what a reader sees. Data pieces are single pages on page
 * borders, so one is either seen whole or not at all.
 */
static void sweep(struct libvhdx_overlay *ov, struct heap *h)
{
	const struct libvhdx_overlay_piece *next = ov->written;
	const struct libvhdx_overlay_piece *last = next + ov->nr_written;
	u64 pos = 0, end;

	while (next < last || h->nr) {
		if (!h->nr)
			pos = next->off;
		while (next < last && next->off <= pos)
			heap_push(h, next++);
		while (h->nr && h->p[0]->end <= pos)
			heap_pop(h);
		if (!h->nr)
			continue;
		end = h->p[0]->end;
		if (next < last && next->off < end)
			end = next->off;
		emit(ov, h->p[0], pos, end);
		pos = end;
	}
}

int libvhdx_overlay_seal(struct libvhdx_overlay *ov)
{
	struct heap h = { .nr = 0 };

	if (!ov->nr_written)
		return 0;
	/* Each piece begins one and may, by ending, begin another. */
	ov->pieces = calloc(2 * ov->nr_written, sizeof(*ov->pieces));
	h.p = calloc(ov->nr_written, sizeof(*h.p));
	if (!ov->pieces || !h.p) {
		free(h.p);
		return -ENOMEM;
	}
	qsort(ov->written, ov->nr_written, sizeof(*ov->written), by_offset);
	sweep(ov, &h);
	free(h.p);
	return 0;
}

/* Index of the first piece that ends behind @off. */
static size_t find(const struct libvhdx_overlay *ov, u64 off)
{
	size_t low = 0, high = ov->nr_pieces;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ov->pieces[mid].end <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void libvhdx_overlay_apply(const struct libvhdx_overlay *ov, u64 off, void *buf,
			   u64 len)
{
	u64 end = off + len;
	size_t i;

	for (i = find(ov, off); i < ov->nr_pieces && ov->pieces[i].off < end; i++) {
		const struct libvhdx_overlay_piece *p = &ov->pieces[i];
		u64 from = p->off > off ? p->off : off;
		u64 to = p->end < end ? p->end : end;
		u8 *dst = (u8 *)buf + (from - off);

		if (p->data)
			memcpy(dst, p->data + (from - p->off), to - from);
		else
			memset(dst, 0, to - from);
	}
}

u64 libvhdx_overlay_next(const struct libvhdx_overlay *ov, u64 off, u64 end)
{
	size_t i = find(ov, off);

	if (i == ov->nr_pieces || ov->pieces[i].off >= end)
		return end;
	return ov->pieces[i].off > off ? ov->pieces[i].off : off;
}
