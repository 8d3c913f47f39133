// SPDX-License-Identifier: GPL-2.0-only
/* The workload. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "load.h"
#include "random.h"
#include "stamp.h"
#include "target.h"
#include "trace.h"

#define NR_THREADS	4
#define NR_SPARSE	1000		/* blocks with little in them */
#define NR_HOT		24		/* blocks that are written again and again */
#define NR_LARGE	2		/* blocks for large writes */
#define SPARSE_LEN	(8 * 1024U)
#define HOT_LEN		(64 * 1024U)
#define LEN_MAX		(1024 * 1024U)
#define IDLE_MAX	60		/* seconds; the driver waits for 3 */

/**
 * struct round - what happens between two attaches
 * @nr_ops: operations of each thread
 * @flushes: percentage of them that are flushes
 * @idle: at the end, until the driver empties the log; then some more
 * @wraps: more goes to the log than it holds
 * @grows: the file becomes longer
 *
 * That they do so is looked at: a run that does not is worth nothing.
 */
struct round {
	u32	nr_ops;
	u32	flushes;
	bool	idle;
	bool	wraps;
	bool	grows;
};

/* The log has 1 MiB. */
static const struct round rounds[] = {
	{ .nr_ops = 40, .flushes = 12, .grows = true },
	{ .nr_ops = 40, .flushes = 12, .idle = true },
	{ .nr_ops = 400, .flushes = 40, .wraps = true, .grows = true },
	{ .nr_ops = 40, .flushes = 12 },
	{ .nr_ops = 20, .flushes = 50 },
};

/**
 * struct loader - one thread
 * @t: the target, attached
 * @tr: where it says what it does
 * @rnd: what it does
 * @round: and how often
 * @buf: for LEN_MAX bytes
 * @fd: the virtual disk: direct I/O, or a descriptor of its own without
 */
struct loader {
	struct target	*t;
	struct trace	*tr;
	struct random	rnd;
	struct round	round;
	void		*buf;
	int		fd;
};

/* Block number @n of its kind: always the same, all over the disk. */
static u64 block_pos(const struct setup *setup, u32 kind, u32 n)
{
	struct random rnd = random_start(setup->seed, (u64)kind << 32 | n);

	/* Not the first: partitions would be looked for there. */
	return (u64)(1 + random_below(&rnd, setup->nr_blocks - 2)) * setup->block;
}

/* Where the windows of the three kinds are. */

static u64 sparse_pos(const struct setup *setup, u32 n)
{
	u64 pos = block_pos(setup, 1, n);

	return pos + (pos / setup->block % 8) * 65536;
}

/* At the beginning of a block, or over the seam of two. */
static u64 hot_pos(const struct setup *setup, u32 n)
{
	u64 pos = block_pos(setup, 2, n);

	return n % 2 ? pos : pos - HOT_LEN / 2;
}

static u64 large_pos(const struct setup *setup, u32 n)
{
	return block_pos(setup, 3, n);
}

static const struct kind {
	u32	nr;
	u32	len;
	u64	(*pos)(const struct setup *setup, u32 n);
} kinds[] = {
	{ NR_SPARSE, SPARSE_LEN, sparse_pos },
	{ NR_HOT, HOT_LEN, hot_pos },
	{ NR_LARGE, LEN_MAX, large_pos },
};

void load_windows(const struct setup *setup,
		  void (*window)(void *data, u32 number, u64 pos, u32 len), void *data)
{
	u32 i, n;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (n = 0; n < kinds[i].nr; n++)
			window(data, n, kinds[i].pos(setup, n), kinds[i].len);
}

/* Small lengths are the most common. */
static u32 choose_len(struct loader *l, u32 max)
{
	u32 limit = random_chance(&l->rnd, 60) ? 4096 : max;
	u32 sector = l->t->setup->sector;

	return sector * (1 + random_below(&l->rnd, limit / sector));
}

static u64 in_window(struct loader *l, u64 start, u32 window, u32 len)
{
	u32 sector = l->t->setup->sector;

	return start + (u64)sector * random_below(&l->rnd, (window - len) / sector + 1);
}

/* Once in a block that has nothing yet, most of the time: an allocation. */
static u64 choose_sparse(struct loader *l, u32 *len)
{
	u64 pos = sparse_pos(l->t->setup, random_below(&l->rnd, NR_SPARSE));

	*len = choose_len(l, SPARSE_LEN);
	return in_window(l, pos, SPARSE_LEN, *len);
}

static u64 choose_hot(struct loader *l, u32 *len)
{
	u64 pos = hot_pos(l->t->setup, random_below(&l->rnd, NR_HOT));

	*len = choose_len(l, HOT_LEN);
	return in_window(l, pos, HOT_LEN, *len);
}

static u64 choose_large(struct loader *l, u32 *len)
{
	u64 pos = large_pos(l->t->setup, random_below(&l->rnd, NR_LARGE));

	*len = choose_len(l, LEN_MAX);
	return in_window(l, pos, LEN_MAX, *len);
}

static u64 choose_place(struct loader *l, u32 *len)
{
	u32 n = random_below(&l->rnd, 100);

	if (n < 60)
		return choose_sparse(l, len);
	return n < 96 ? choose_hot(l, len) : choose_large(l, len);
}

static void end_op(struct loader *l, u32 op)
{
	trace_append(l->tr, (struct event){ .type = TRACE_END, .ref = op });
}

static void stamp_buffer(struct loader *l, u32 op, u64 off, u32 len)
{
	u32 i;

	for (i = 0; i < len; i += SECTOR)
		stamp_sector((char *)l->buf + i, l->t->setup->seed, op,
			     (off + i) / SECTOR);
}

static void write_op(struct loader *l)
{
	struct event ev = { .type = TRACE_BEGIN, .op = TRACE_OP_WRITE };
	struct iovec vec = { .iov_base = l->buf };
	ssize_t n;
	u32 op;

	ev.off = choose_place(l, &ev.len);
	ev.fua = random_chance(&l->rnd, 15);
	op = trace_append(l->tr, ev);
	stamp_buffer(l, op, ev.off, ev.len);
	vec.iov_len = ev.len;
	n = pwritev2(l->fd, &vec, 1, (off_t)ev.off, ev.fua ? RWF_DSYNC : 0);
	if (n != (ssize_t)ev.len)
		err(2, "a write of %u bytes at %llu wrote %zd", ev.len, ev.off, n);
	end_op(l, op);
}

static void flush_op(struct loader *l)
{
	u32 op = trace_append(l->tr, (struct event){
		.type = TRACE_BEGIN, .op = TRACE_OP_FLUSH });

	if (fdatasync(l->fd))
		err(2, "fdatasync of the virtual disk");
	end_op(l, op);
}

static void *load_thread(void *arg)
{
	struct loader *l = arg;
	u32 i;

	for (i = 0; i < l->round.nr_ops; i++) {
		if (random_chance(&l->rnd, l->round.flushes))
			flush_op(l);
		else
			write_op(l);
	}
	return NULL;
}

static void run_threads(struct target *t, struct trace *tr, const struct round *round,
			u32 number)
{
	struct loader loaders[NR_THREADS];
	pthread_t threads[NR_THREADS];
	u32 i;

	for (i = 0; i < NR_THREADS; i++) {
		loaders[i] = (struct loader){
			.t = t, .tr = tr, .fd = t->fd,
			.rnd = random_start(t->setup->seed, 1000 + number * NR_THREADS + i),
			.round = *round,
			.buf = aligned_alloc(4096, LEN_MAX),
		};
		if (!loaders[i].buf ||
		    pthread_create(&threads[i], NULL, load_thread, &loaders[i]))
			errx(2, "no thread for the workload");
	}
	for (i = 0; i < NR_THREADS; i++) {
		pthread_join(threads[i], NULL);
		free(loaders[i].buf);
	}
}

/* A detach promises what a flush does. */
static void detach_op(struct target *t, struct trace *tr)
{
	u32 op = trace_append(tr, (struct event){
		.type = TRACE_BEGIN, .op = TRACE_OP_FLUSH });
	int ret = target_detach(t);

	if (ret)
		errx(2, "detach: %s", strerror(-ret));
	trace_append(tr, (struct event){ .type = TRACE_END, .ref = op });
}

/* Until the driver empties the log by itself. */
static void wait_idle(const struct target *t)
{
	u32 i;

	for (i = 0; i < 10 * IDLE_MAX; i++) {
		if (!target_attr(t, "log_used"))
			return;
		usleep(100000);
	}
	errx(2, "the log was not emptied in %u seconds", IDLE_MAX);
}

/*
 * Did the round do what it is for? Who neither detaches nor idles writes pages
 * in place only when the log is full.
 */
static void check_round(const struct target *t, u32 number, u64 size)
{
	const struct round *round = &rounds[number];
	u64 grown = target_attr(t, "file_size") - size;
	u64 checkpoints = target_attr(t, "checkpoints");

	printf("round %u: %llu commits, %llu checkpoints, %llu starts of a log, %llu MiB more\n",
	       number, target_attr(t, "commits"), checkpoints, target_attr(t, "log_starts"),
	       grown >> 20);
	if (round->wraps && !checkpoints)
		errx(2, "round %u: the log was never full", number);
	if (round->grows && !grown)
		errx(2, "round %u: the file did not grow", number);
	if (round->idle && target_attr(t, "log_starts") < 2)
		errx(2, "round %u: no second log was begun", number);
}

static void run_round(struct target *t, struct trace *tr, u32 number)
{
	const struct round *round = &rounds[number];
	u64 size = target_attr(t, "file_size");

	run_threads(t, tr, round, 2 * number);
	if (round->idle) {
		wait_idle(t);
		run_threads(t, tr, round, 2 * number + 1);
	}
	check_round(t, number, size);
}

void load_run(struct target *t, struct trace *tr)
{
	char why[256];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rounds); i++) {
		if (target_attach(t, 0, why, sizeof(why)))
			errx(2, "round %u: %s", i, why);
		run_round(t, tr, i);
		detach_op(t, tr);
	}
}
