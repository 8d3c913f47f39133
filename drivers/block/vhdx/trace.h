/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All tracepoints of the module: decisions and transitions, not function
 * entries. They take numbers and strings only, so that any floor can use them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhdx

#if !defined(VHDX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VHDX_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

#define VHDX_TRACE_NAME_LEN	32
#define VHDX_TRACE_WORD_LEN	16

/* Requests */

TRACE_EVENT(vhdx_request_issue,

	TP_PROTO(const char *name, const char *op, u64 pos, u32 len, bool fua),
	TP_ARGS(name, op, pos, len, fua),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__array(char, op, VHDX_TRACE_WORD_LEN)
		__field(u64, pos)
		__field(u32, len)
		__field(bool, fua)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		strscpy(__entry->op, op, VHDX_TRACE_WORD_LEN);
		__entry->pos = pos;
		__entry->len = len;
		__entry->fua = fua;
	),
	TP_printk("%s %s pos=%llu len=%u%s", __entry->name, __entry->op,
		  __entry->pos, __entry->len, __entry->fua ? " fua" : "")
);

TRACE_EVENT(vhdx_request_complete,

	TP_PROTO(const char *name, const char *op, u64 pos, u32 len, int error),
	TP_ARGS(name, op, pos, len, error),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__array(char, op, VHDX_TRACE_WORD_LEN)
		__field(u64, pos)
		__field(u32, len)
		__field(int, error)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		strscpy(__entry->op, op, VHDX_TRACE_WORD_LEN);
		__entry->pos = pos;
		__entry->len = len;
		__entry->error = error;
	),
	TP_printk("%s %s pos=%llu len=%u error=%d", __entry->name, __entry->op,
		  __entry->pos, __entry->len, __entry->error)
);

/* What answers a piece of a request; @kind is enum vhdx_extent_kind. */
TRACE_EVENT(vhdx_extent,

	TP_PROTO(const char *name, const char *op, u64 pos, int kind, u64 off,
		 u32 len),
	TP_ARGS(name, op, pos, kind, off, len),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__array(char, op, VHDX_TRACE_WORD_LEN)
		__field(u64, pos)
		__field(int, kind)
		__field(u64, off)
		__field(u32, len)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		strscpy(__entry->op, op, VHDX_TRACE_WORD_LEN);
		__entry->pos = pos;
		__entry->kind = kind;
		__entry->off = kind ? 0 : off;
		__entry->len = len;
	),
	TP_printk("%s %s pos=%llu len=%u %s off=%llu", __entry->name, __entry->op,
		  __entry->pos, __entry->len,
		  __print_symbolic(__entry->kind, { 0, "data" }, { 1, "zero" },
				   { 2, "unmapped" }),
		  __entry->off)
);

/* Devices */

TRACE_EVENT(vhdx_device_attach,

	TP_PROTO(const char *name, u64 size, bool write),
	TP_ARGS(name, size, write),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__field(u64, size)
		__field(bool, write)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		__entry->size = size;
		__entry->write = write;
	),
	TP_printk("%s size=%llu %s", __entry->name, __entry->size,
		  __entry->write ? "read-write" : "read-only")
);

TRACE_EVENT(vhdx_device_detach,

	TP_PROTO(const char *name, int error),
	TP_ARGS(name, error),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__field(int, error)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		__entry->error = error;
	),
	TP_printk("%s error=%d", __entry->name, __entry->error)
);

TRACE_EVENT(vhdx_device_mode,

	TP_PROTO(const char *name, const char *mode),
	TP_ARGS(name, mode),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__array(char, mode, VHDX_TRACE_WORD_LEN)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		strscpy(__entry->mode, mode, VHDX_TRACE_WORD_LEN);
	),
	TP_printk("%s mode=%s", __entry->name, __entry->mode)
);

/* Metadata */

TRACE_EVENT(vhdx_log_commit,

	TP_PROTO(const char *name, u64 seq, unsigned int nr_pages, u32 bytes),
	TP_ARGS(name, seq, nr_pages, bytes),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__field(u64, seq)
		__field(unsigned int, nr_pages)
		__field(u32, bytes)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		__entry->seq = seq;
		__entry->nr_pages = nr_pages;
		__entry->bytes = bytes;
	),
	TP_printk("%s seq=%llu pages=%u bytes=%u", __entry->name, __entry->seq,
		  __entry->nr_pages, __entry->bytes)
);

TRACE_EVENT(vhdx_log_checkpoint,

	TP_PROTO(const char *name, unsigned int nr_pages),
	TP_ARGS(name, nr_pages),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__field(unsigned int, nr_pages)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		__entry->nr_pages = nr_pages;
	),
	TP_printk("%s pages=%u", __entry->name, __entry->nr_pages)
);

TRACE_EVENT(vhdx_log_start,

	TP_PROTO(const char *name, u64 seq),
	TP_ARGS(name, seq),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__field(u64, seq)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		__entry->seq = seq;
	),
	TP_printk("%s seq=%llu", __entry->name, __entry->seq)
);

TRACE_EVENT(vhdx_log_stop,

	TP_PROTO(const char *name),
	TP_ARGS(name),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
	),
	TP_printk("%s", __entry->name)
);

DECLARE_EVENT_CLASS(vhdx_block,

	TP_PROTO(const char *name, u64 blk, u64 off),
	TP_ARGS(name, blk, off),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__field(u64, blk)
		__field(u64, off)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		__entry->blk = blk;
		__entry->off = off;
	),
	TP_printk("%s blk=%llu off=%llu", __entry->name, __entry->blk,
		  __entry->off)
);

/* A block got a place. */
DEFINE_EVENT(vhdx_block, vhdx_block_allocate,
	TP_PROTO(const char *name, u64 blk, u64 off),
	TP_ARGS(name, blk, off)
);

/* The last sector of a partially present block has become present. */
DEFINE_EVENT(vhdx_block, vhdx_block_complete,
	TP_PROTO(const char *name, u64 blk, u64 off),
	TP_ARGS(name, blk, off)
);

TRACE_EVENT(vhdx_header_write,

	TP_PROTO(const char *name, unsigned int slot, u64 seq),
	TP_ARGS(name, slot, seq),
	TP_STRUCT__entry(
		__array(char, name, VHDX_TRACE_NAME_LEN)
		__field(unsigned int, slot)
		__field(u64, seq)
	),
	TP_fast_assign(
		strscpy(__entry->name, name, VHDX_TRACE_NAME_LEN);
		__entry->slot = slot;
		__entry->seq = seq;
	),
	TP_printk("%s slot=%u seq=%llu", __entry->name, __entry->slot,
		  __entry->seq)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

#include <trace/define_trace.h>
