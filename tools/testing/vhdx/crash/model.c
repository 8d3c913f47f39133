// SPDX-License-Identifier: GPL-2.0-only
/* Platter and oracle against traces that are made by hand. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>

#include "disk.h"
#include "model.h"
#include "oracle.h"
#include "platter.h"
#include "random.h"
#include "stamp.h"
#include "trace.h"

#define DISK_SIZE	(1U << 20)
#define NR_SCATTERS	2000

static unsigned int nr_cases, nr_failed;

static void expect(bool ok, const char *name)
{
	printf("%sok %u %s\n", ok ? "" : "not ", ++nr_cases, name);
	nr_failed += !ok;
}

/* Traces: each function appends one event and returns its index. */

static u32 put(struct trace *tr, u64 lba, u32 nr, char fill, bool fua)
{
	memset(trace_room(tr, nr * SECTOR), fill, nr * SECTOR);
	return trace_append(tr, (struct event){
		.type = TRACE_WRITE, .off = lba * SECTOR, .len = nr * SECTOR,
		.fua = fua, .data = tr->blob_len });
}

static u32 flush(struct trace *tr)
{
	return trace_append(tr, (struct event){ .type = TRACE_FLUSH });
}

static u32 done(struct trace *tr, u32 ref)
{
	return trace_append(tr, (struct event){ .type = TRACE_DONE, .ref = ref });
}

static u32 begin(struct trace *tr, u8 op, u64 lba, bool fua)
{
	return trace_append(tr, (struct event){
		.type = TRACE_BEGIN, .op = op, .off = lba * SECTOR, .len = SECTOR,
		.fua = fua });
}

static u32 end(struct trace *tr, u32 ref)
{
	return trace_append(tr, (struct event){ .type = TRACE_END, .ref = ref });
}

/* All the letters that sector @lba may hold at the end of the trace, sorted. */
static const char *possible(const struct trace *tr, u64 lba)
{
	/* The first 16 KiB of the disk are the image's. */
	static const u8 image[DISK_SIZE / 4096 / 8] = { 0x0f };
	static char letters[128], found[128];
	struct random rnd = random_start(1, lba);
	struct walker w;
	struct disk disk;
	u32 i, nr = 0;

	disk_init(&disk, DISK_SIZE);
	memset(letters, 0, sizeof(letters));
	walker_init(&w, tr, &disk, image);
	walker_advance(&w, tr->nr);
	for (i = 0; i < NR_SCATTERS; i++) {
		disk_begin(&disk);
		walker_scatter(&w, &rnd);
		letters[disk.mem[lba * SECTOR] & 127] = 1;
	}
	walker_free(&w);
	for (i = 0; i < sizeof(letters); i++)
		if (letters[i])
			found[nr++] = i ? (char)i : '-';
	found[nr] = '\0';
	return found;
}

static void expect_possible(const struct trace *tr, u64 lba, const char *want,
			    const char *name)
{
	const char *got = possible(tr, lba);

	expect(!strcmp(got, want), name);
	if (strcmp(got, want))
		printf("# wanted %s, got %s\n", want, got);
}

static void test_flush(void)
{
	struct trace tr;
	u32 a, b, f;

	trace_init(&tr);
	a = put(&tr, 8, 2, 'a', false);
	expect_possible(&tr, 8, "-a", "a write is pending when it arrives");
	done(&tr, a);
	expect_possible(&tr, 9, "-a", "a write is pending when it was answered");
	b = put(&tr, 20, 1, 'b', false);
	f = flush(&tr);
	expect_possible(&tr, 8, "-a", "a flush does nothing before its answer");
	done(&tr, b);
	done(&tr, f);
	expect_possible(&tr, 8, "a", "a flush covers what was answered");
	expect_possible(&tr, 20, "-b", "a flush does not cover what was answered later");
	trace_free(&tr);
}

static void test_fua(void)
{
	struct trace tr;
	u32 a, b;

	trace_init(&tr);
	a = put(&tr, 8, 1, 'a', false);
	done(&tr, a);
	b = put(&tr, 8, 1, 'b', true);
	expect_possible(&tr, 8, "-ab", "a FUA write is pending before its answer");
	done(&tr, b);
	expect_possible(&tr, 8, "b", "an older write does not undo a FUA write");
	put(&tr, 8, 1, 'c', false);
	expect_possible(&tr, 8, "bc", "a newer write may");
	trace_free(&tr);
}

/* Are two sectors, both pending, ever seen one without the other? */
static bool is_torn(u64 lba)
{
	static const u8 image[DISK_SIZE / 4096 / 8] = { 0x0f };
	struct random rnd = random_start(2, lba);
	struct walker w;
	struct trace tr;
	struct disk disk;
	bool torn = false;
	u32 i;

	trace_init(&tr);
	disk_init(&disk, DISK_SIZE);
	put(&tr, lba, 2, 'a', false);
	walker_init(&w, &tr, &disk, image);
	walker_advance(&w, tr.nr);
	for (i = 0; i < NR_SCATTERS; i++) {
		disk_begin(&disk);
		walker_scatter(&w, &rnd);
		torn |= disk.mem[lba * SECTOR] != disk.mem[(lba + 1) * SECTOR];
	}
	walker_free(&w);
	trace_free(&tr);
	return torn;
}

static void test_tearing(void)
{
	expect(is_torn(12), "a write to the image is torn at 512 bytes");
	expect(!is_torn(34), "one of the file system is not");
	expect(is_torn(39), "unless at a multiple of 4096");
}

static void test_disk(void)
{
	struct disk disk;
	u8 page[4096];

	disk_init(&disk, DISK_SIZE);
	memset(page, 1, sizeof(page));
	disk_write(&disk, 100, page, sizeof(page));
	disk_begin(&disk);
	memset(page, 2, sizeof(page));
	disk_write(&disk, 4000, page, sizeof(page));
	disk_write(&disk, 4001, page, 1);
	expect(disk.mem[4000] == 2 && disk.mem[8095] == 2, "what is written is there");
	disk_undo(&disk);
	expect(disk.mem[4000] == 1 && disk.mem[4195] == 1 && disk.mem[4196] == 0,
	       "and is gone when it is undone");
}

struct stamps {
	struct trace	tr;
	u32		old, new, after;
};

/* Old data, a flush, new data: with FUA or not; then the cut. */
static void make_stamps(struct stamps *s, bool flushed, bool fua)
{
	trace_init(&s->tr);
	s->old = begin(&s->tr, TRACE_OP_WRITE, 8, false);
	end(&s->tr, s->old);
	if (flushed)
		end(&s->tr, begin(&s->tr, TRACE_OP_FLUSH, 0, false));
	s->new = begin(&s->tr, TRACE_OP_WRITE, 8, fua);
	s->after = end(&s->tr, s->new) + 1;
	begin(&s->tr, TRACE_OP_FLUSH, 0, false);
}

/* May the three be read: zeros, old data, new data? As "yny". */
static void expect_readable(const struct stamps *s, u32 pos, const char *want,
			    const char *name)
{
	const u32 seen[] = { STAMP_ZERO, s->old, s->new };
	struct oracle or;
	char got[4] = "";
	u32 i;

	oracle_init(&or, &s->tr);
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		got[i] = oracle_check(&or, 0, pos, seen[i]) ? 'n' : 'y';
	expect(!strcmp(got, want) && oracle_check(&or, 0, pos, STAMP_FOREIGN) &&
	       oracle_check(&or, 0, pos, s->after), name);
	if (strcmp(got, want))
		printf("# wanted %s, got %s\n", want, got);
}

static void test_oracle(void)
{
	struct stamps s;

	make_stamps(&s, false, false);
	expect_readable(&s, s.new, "yyn", "what has not begun cannot be read");
	expect_readable(&s, s.after, "yyy", "without a flush anything may be read");
	end(&s.tr, s.after);
	expect_readable(&s, s.tr.nr, "nny", "after a flush only what it covers");
	make_stamps(&s, true, false);
	expect_readable(&s, s.new, "nyn", "flushed data does not become zeros");
	expect_readable(&s, s.after, "nyy", "nor is it lost by a later write");
	make_stamps(&s, true, true);
	expect_readable(&s, s.after - 1, "nyy", "FUA promises nothing before it ends");
	expect_readable(&s, s.after, "nny", "and everything afterwards");
}

static void test_stamp(void)
{
	u8 sector[SECTOR] = { };

	expect(stamp_read(sector, 7, 5) == STAMP_ZERO, "zeros are no stamp");
	stamp_sector(sector, 7, 3, 5);
	expect(stamp_read(sector, 7, 5) == 3, "a stamp says who made it");
	expect(stamp_read(sector, 7, 6) == STAMP_FOREIGN &&
	       stamp_read(sector, 8, 5) == STAMP_FOREIGN,
	       "a stamp of another place or run is foreign");
	sector[SECTOR - 1] ^= 1;
	expect(stamp_read(sector, 7, 5) == STAMP_FOREIGN, "so is a damaged one");
}

unsigned int model_run(void)
{
	puts("KTAP version 1");
	test_disk();
	test_flush();
	test_fua();
	test_tearing();
	test_stamp();
	test_oracle();
	printf("1..%u\n", nr_cases);
	return nr_failed;
}
