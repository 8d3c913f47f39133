// SPDX-License-Identifier: GPL-2.0-only
/* The list of events. */
#include <err.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "trace.h"

#define BLOB_MAX	(2ULL << 30)

void *reserve_memory(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		err(2, "no memory for %zu bytes", len);
	return p;
}

void trace_init(struct trace *tr)
{
	*tr = (struct trace){ .lock = PTHREAD_MUTEX_INITIALIZER };
	tr->blob = reserve_memory(BLOB_MAX);
}

void trace_free(struct trace *tr)
{
	free(tr->events);
	munmap(tr->blob, BLOB_MAX);
}

void trace_reset(struct trace *tr)
{
	tr->nr = 0;
	tr->blob_len = 0;
}

static void trace_grow(struct trace *tr, u32 max)
{
	tr->events = realloc(tr->events, max * sizeof(*tr->events));
	if (!tr->events)
		err(2, "no memory for %u events", max);
	tr->max = max;
}

u32 trace_append(struct trace *tr, struct event ev)
{
	u32 idx;

	pthread_mutex_lock(&tr->lock);
	if (tr->nr == tr->max)
		trace_grow(tr, tr->max ? 2 * tr->max : 4096);
	idx = tr->nr++;
	ev.peer = TRACE_NONE;
	if (ev.type == TRACE_DONE || ev.type == TRACE_END)
		tr->events[ev.ref].peer = idx;
	if (ev.type == TRACE_WRITE)
		tr->blob_len += ev.len;
	tr->events[idx] = ev;
	pthread_mutex_unlock(&tr->lock);
	return idx;
}

u8 *trace_room(struct trace *tr, u32 len)
{
	if (len > BLOB_MAX - tr->blob_len)
		errx(2, "more than %llu bytes were written", BLOB_MAX);
	return tr->blob + tr->blob_len;
}

void save_bytes(FILE *out, const void *buf, size_t len)
{
	if (len && fwrite(buf, len, 1, out) != 1)
		err(2, "cannot write the trace");
}

void load_bytes(FILE *in, void *buf, size_t len)
{
	if (len && fread(buf, len, 1, in) != 1)
		errx(2, "the trace ends early");
}

void trace_save(const struct trace *tr, FILE *out)
{
	save_bytes(out, &tr->nr, sizeof(tr->nr));
	save_bytes(out, &tr->blob_len, sizeof(tr->blob_len));
	save_bytes(out, tr->events, tr->nr * sizeof(*tr->events));
	save_bytes(out, tr->blob, tr->blob_len);
}

void trace_load(struct trace *tr, FILE *in)
{
	load_bytes(in, &tr->nr, sizeof(tr->nr));
	load_bytes(in, &tr->blob_len, sizeof(tr->blob_len));
	if (tr->blob_len > BLOB_MAX)
		errx(2, "this is not a trace");
	trace_grow(tr, tr->nr + 1);
	load_bytes(in, tr->events, tr->nr * sizeof(*tr->events));
	load_bytes(in, tr->blob, tr->blob_len);
}
