/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened, in the order in which it happened: one list for what reached
 * the disk below the file system and for what was asked of the virtual disk.
 *
 * A write to the disk is two events, its arrival and its answer, and so is a
 * flush; an operation on the virtual disk is two events, its begin and its
 * end. So a position in the list says everything about a power cut there:
 * which writes a disk had seen, which of them it had called stable, and what
 * had been promised to the user.
 */
#ifndef CRASH_TRACE_H
#define CRASH_TRACE_H

#include <pthread.h>
#include <stdio.h>

#include <linux/types.h>

#define SECTOR		512U
#define TRACE_NONE	UINT32_MAX

enum trace_type {
	TRACE_WRITE,	/* the disk is asked to write */
	TRACE_FLUSH,	/* the disk is asked to make stable what it answered */
	TRACE_DONE,	/* the disk is about to answer request @ref */
	TRACE_BEGIN,	/* the user is about to ask for an operation */
	TRACE_END,	/* operation @ref has ended well */
};

enum trace_op {
	TRACE_OP_WRITE,	/* of a stamp, see stamp.h */
	TRACE_OP_FLUSH,	/* fdatasync, or a detach, which promises the same */
};

/**
 * struct event - one line of the trace
 * @type: enum trace_type
 * @op: of a BEGIN: enum trace_op
 * @fua: of a WRITE or BEGIN: the answer promises that the data is stable
 * @ref: of a DONE or END: index of what ended
 * @peer: of the others: index of the event that ends it, or TRACE_NONE
 * @len: bytes
 * @off: byte offset on the disk, or on the virtual disk
 * @data: of a WRITE: place in the trace's blob
 */
struct event {
	u8	type;
	u8	op;
	u8	fua;
	u8	pad[5];
	u32	ref;
	u32	peer;
	u32	len;
	u32	pad2;
	u64	off;
	u64	data;
};

/**
 * struct trace - a list of events
 * @lock: guards what follows while somebody records
 * @events: the list
 * @nr: its length
 * @max: for how many there is room
 * @blob: what was written; only the disk's thread adds to it
 * @blob_len: bytes in it
 */
struct trace {
	pthread_mutex_t	lock;
	struct event	*events;
	u32		nr;
	u32		max;
	u8		*blob;
	u64		blob_len;
};

void trace_init(struct trace *tr);
void trace_free(struct trace *tr);

/* Forget everything, keep the memory. */
void trace_reset(struct trace *tr);

/* Append, and link with what it ends; returns the index. Any thread. */
u32 trace_append(struct trace *tr, struct event ev);

/* Where the next write's data goes: at least @len bytes. The disk's thread. */
u8 *trace_room(struct trace *tr, u32 len);

static inline const u8 *trace_data(const struct trace *tr, const struct event *ev)
{
	return tr->blob + ev->data;
}

/* To and from a file; errors end the program. */
void trace_save(const struct trace *tr, FILE *out);
void trace_load(struct trace *tr, FILE *in);

/* fwrite() and fread() of all or nothing; errors end the program. */
void save_bytes(FILE *out, const void *buf, size_t len);
void load_bytes(FILE *in, void *buf, size_t len);

/* Address space for @len bytes that costs memory only where it is used. */
void *reserve_memory(size_t len);

#endif
