// SPDX-License-Identifier: GPL-2.0-only
/*
 * merge_cuts merge|set|log SEED RAW CHILD PARENT [PARENT]...
 *
 * Power is cut, the disk is full, or it is stopped, at every write and every flush of a merge
 * of CHILD into the first PARENT, of a rewrite of CHILD's parent locator, or of
 * commits that go once round the log of CHILD. The
 * images are held in memory: the disk keeps what was flushed, and of the rest
 * some sectors, in any mixture, and any of the sizes that the file had since.
 *
 * After each cut the images must be without errors, fit each other, and show
 * what RAW holds. Then the merge is begun again, cut again or not, and in the
 * end the parent alone has to show the same.
 */
#include <errno.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "check.h"
#include "file.h"
#include "guid.h"
#include "journal.h"
#include "map.h"
#include "merge.h"
#include "raw.h"
#include "relink.h"
#include "utf16.h"

#define SECTOR		512U
#define GROWTH		(32U << 20)	/* no file becomes longer by more */
#define MAX_IMAGES	4
#define NR_CHANGED	2		/* child and parent; what is below is only read */
#define NEVER		(~0U)

static u64 seed;

static u32 random_below(u32 n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % n;
}

/* A write, or, without data, a new size. */
struct pending {
	u64	off;
	u64	len;
	u8	*data;
};

/**
 * struct platter - a file on a disk with a volatile cache
 * @file: for the library
 * @path: what it was read from
 * @room: bytes that there is room for
 * @high: of them those that may be other than zero
 * @mem: as whoever runs sees it
 * @stable: as it was at the last flush
 * @stable_size: its size then
 * @base: as it was in the beginning
 * @base_size: its size then
 * @pending: what came since the last flush
 * @nr_pending: number of them
 * @max_pending: room for them
 */
struct platter {
	struct libvhdx_file	file;
	const char		*path;
	u64			room;
	u64			high;
	u8			*mem;
	u8			*stable;
	u64			stable_size;
	u8			*base;
	u64			base_size;
	struct pending		*pending;
	u32			nr_pending;
	u32			max_pending;
};

static struct platter image[MAX_IMAGES];
static unsigned int nr_images;

/* What a disk holds. */
struct content {
	u8	*data;
	u64	size;
};

/* The child's, and what the parent's was at first, when this was its identity. */
static struct content raw, parent_raw;
static guid_t parent_guid;

/* What comes as event number @cut_at and later fails. */
static u32 events, cut_at = NEVER;
static int cut_err;

static int event(void)
{
	return events++ >= cut_at && cut_err != -EINTR ? cut_err : 0;
}

static bool is_stopped(void)
{
	return events > cut_at && cut_err == -EINTR;
}

static struct platter *to_platter(struct libvhdx_file *file)
{
	return container_of(file, struct platter, file);
}

static void add_pending(struct platter *p, u64 off, u64 len, const void *data)
{
	struct pending *new;

	if (p->nr_pending == p->max_pending) {
		p->max_pending = p->max_pending ? 2 * p->max_pending : 64;
		p->pending = reallocarray(p->pending, p->max_pending, sizeof(*p->pending));
		if (!p->pending)
			err(2, NULL);
	}
	new = &p->pending[p->nr_pending++];
	*new = (struct pending){ .off = off, .len = len };
	if (!data)
		return;
	new->data = malloc(len);
	if (!new->data)
		err(2, NULL);
	memcpy(new->data, data, len);
}

static void drop_pending(struct platter *p)
{
	while (p->nr_pending)
		free(p->pending[--p->nr_pending].data);
}

static int platter_read(struct libvhdx_file *file, u64 off, void *buf, size_t len)
{
	struct platter *p = to_platter(file);

	if (off > file->size || len > file->size - off)
		return -EIO;
	memcpy(buf, p->mem + off, len);
	return 0;
}

/* A write that power fails in has arrived; one that finds no room has not. */
static int platter_write(struct libvhdx_file *file, u64 off, const void *buf, size_t len)
{
	struct platter *p = to_platter(file);
	int fails = event();

	if (off + len > p->room)
		return -EFBIG;
	if (fails && (cut_err == -ENOSPC || events > cut_at + 1))
		return fails;
	memcpy(p->mem + off, buf, len);
	file->size = max(file->size, off + len);
	p->high = max(p->high, file->size);
	add_pending(p, off, len, buf);
	return fails;
}

static int platter_resize(struct libvhdx_file *file, u64 size)
{
	struct platter *p = to_platter(file);
	int fails = event();

	if (size > p->room)
		return -EFBIG;
	if (fails)
		return fails;
	if (size < file->size)
		memset(p->mem + size, 0, file->size - size);
	file->size = size;
	p->high = max(p->high, size);
	add_pending(p, size, 0, NULL);
	return 0;
}

static int platter_allocate(struct libvhdx_file *file, u64 off, u64 len)
{
	return off + len > file->size ? platter_resize(file, off + len) : event();
}

static int platter_sync(struct libvhdx_file *file)
{
	struct platter *p = to_platter(file);
	int fails = event();

	if (fails)
		return cut_err == -ENOSPC ? 0 : fails;
	while (p->nr_pending) {
		struct pending *w = &p->pending[--p->nr_pending];

		if (w->data)
			memcpy(p->stable + w->off, p->mem + w->off, w->len);
		else
			memset(p->stable + file->size, 0, p->high - file->size);
		free(w->data);
	}
	p->stable_size = file->size;
	return 0;
}

static u64 platter_next_data(struct libvhdx_file *file, u64 off, u64 end)
{
	(void)file;
	(void)end;
	return off;
}

static const struct libvhdx_file_ops platter_ops = {
	.read		= platter_read,
	.write		= platter_write,
	.resize		= platter_resize,
	.allocate	= platter_allocate,
	.sync		= platter_sync,
	.next_data	= platter_next_data,
};

/* What is in a file, and zeros for GROWTH bytes more. */
static u8 *load(const char *path, u64 *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	u8 *mem;

	if (fd < 0 || fstat(fd, &st))
		err(2, "%s", path);
	mem = calloc(1, (size_t)st.st_size + GROWTH);
	if (!mem || read(fd, mem, (size_t)st.st_size) != st.st_size)
		err(2, "%s", path);
	close(fd);
	*size = (u64)st.st_size;
	return mem;
}

/* All that is in @from is stable, and nothing else. */
static void platter_set(struct platter *p, const u8 *from, u64 size)
{
	drop_pending(p);
	if (from != p->mem)
		memcpy(p->mem, from, p->high);
	if (from != p->stable)
		memcpy(p->stable, p->mem, p->high);
	p->high = size;
	p->file.size = size;
	p->stable_size = size;
}

static void platter_load(struct platter *p, const char *path)
{
	p->path = path;
	p->file.ops = &platter_ops;
	p->base = load(path, &p->base_size);
	p->room = p->base_size + GROWTH;
	p->high = p->base_size;
	p->mem = calloc(1, p->room);
	p->stable = calloc(1, p->room);
	if (!p->mem || !p->stable)
		err(2, NULL);
	platter_set(p, p->base, p->base_size);
}

static void keep_sectors(struct platter *p, const struct pending *w, u64 size, u32 how)
{
	u64 at, n;

	for (at = 0; at < w->len && w->off + at < size; at += n) {
		n = SECTOR - (w->off + at) % SECTOR;
		n = min(n, min(w->len - at, size - (w->off + at)));
		if (how == 1 || (how == 2 && random_below(2)))
			memcpy(p->stable + w->off + at, w->data + at, n);
	}
}

/* Power is gone: of what is pending nothing, all, a part, or the first or last is kept. */
static void platter_cut(struct platter *p)
{
	u32 how = random_below(5), some = random_below(p->nr_pending + 1), i;
	u64 size = p->stable_size;

	for (i = 0; i < p->nr_pending; i++) {
		const struct pending *w = &p->pending[i];

		if (how == 1 || (how && random_below(2)))
			size = w->data ? max(size, w->off + w->len) : w->off;
	}
	memset(p->stable + size, 0, p->high - size);
	for (i = 0; i < p->nr_pending; i++)
		if (p->pending[i].data)
			keep_sectors(p, &p->pending[i], size,
				     how == 3 ? i < some : how == 4 ? i >= some : how);
	platter_set(p, p->stable, size);
}

/* A full disk has lost nothing. */
static void all_platters(bool cut)
{
	unsigned int i;

	for (i = 0; i < NR_CHANGED; i++) {
		if (cut)
			platter_cut(&image[i]);
		else
			platter_set(&image[i], image[i].mem, image[i].file.size);
	}
}

static const char *why;

static int complain(const char *what, unsigned int which)
{
	static char why_text[300];

	if (!why) {
		snprintf(why_text, sizeof(why_text), "%s: %s", image[which].path, what);
		why = why_text;
	}
	return 1;
}

static void note_report(struct libvhdx_check *chk, const struct libvhdx_message *msg)
{
	if (msg->severity == LIBVHDX_ERROR)
		chk->data = (void *)msg->name;
}

static int check_file(unsigned int i, bool clean)
{
	struct libvhdx_check chk = { .report = note_report };
	struct libvhdx_image img;
	int bad = libvhdx_check(&chk, &img, &image[i].file);

	if (bad || chk.nr_errors || !chk.whole)
		bad = complain(chk.data ? chk.data : "cannot be checked", i);
	else if (clean && (!guid_is_null(&img.slot[0].log_guid) ||
			   !guid_is_null(&img.slot[1].log_guid)))
		bad = complain("a header names a log", i);
	libvhdx_image_close(&img);
	return bad;
}

/* Which of the images from @first on answers for the run at @pos, at most @len long. */
static int find_run(struct libvhdx_map *map, unsigned int first, u64 pos, u64 len,
		    struct libvhdx_extent *run, unsigned int *which)
{
	struct vhdx_finding fd;
	unsigned int i;

	for (i = first; i < nr_images; i++) {
		*which = i;
		if (libvhdx_map_run(&map[i], pos, len, run, &fd))
			return complain("cannot be read", i);
		len = run->len;
		if (run->kind != LIBVHDX_EXTENT_PARENT)
			break;
	}
	return 0;
}

/* Read the disk of image @first. */
static int read_disk(struct libvhdx_map *map, unsigned int first, struct content *disk)
{
	struct libvhdx_extent run;
	unsigned int which = first;
	u64 pos;

	disk->size = map[first].img->geo.disk_size;
	disk->data = calloc(1, disk->size);
	if (!disk->data)
		err(2, NULL);
	for (pos = 0; pos < disk->size; pos += run.len) {
		if (find_run(map, first, pos, disk->size - pos, &run, &which))
			return 1;
		if (run.kind == LIBVHDX_EXTENT_DATA)
			memcpy(disk->data + pos, image[which].mem + run.off, run.len);
	}
	return 0;
}

static int compare(struct libvhdx_map *map, unsigned int first, const struct content *want)
{
	struct content disk;
	char where[60];
	u64 pos = 0;
	int bad = read_disk(map, first, &disk);

	if (!bad && disk.size != want->size)
		bad = complain("the size of the disk differs", first);
	if (!bad && memcmp(disk.data, want->data, disk.size)) {
		while (disk.data[pos] == want->data[pos])
			pos++;
		snprintf(where, sizeof(where), "at %#llx the disk differs",
			 (unsigned long long)pos);
		bad = complain(where, first);
	}
	free(disk.data);
	return bad;
}

/* The parent as its other children know it: it is no longer that, or unchanged. */
static int compare_parent(struct libvhdx_map *map)
{
	if (!parent_raw.data) {
		parent_guid = map[1].img->hdrs.cur.data_write_guid;
		return read_disk(map, 1, &parent_raw);
	}
	if (!guid_equal(&parent_guid, &map[1].img->hdrs.cur.data_write_guid))
		return 0;
	return compare(map, 1, &parent_raw);
}

/* The whole chain, or without the child. */
static int read_chain(unsigned int first)
{
	static struct libvhdx_map map[MAX_IMAGES];
	static struct libvhdx_image img[MAX_IMAGES];
	struct vhdx_finding fd;
	unsigned int i, nr;
	int bad = 0;

	for (nr = first; nr < nr_images && !bad; nr++) {
		if (libvhdx_image_open(&img[nr], &image[nr].file, &fd))
			bad = complain("cannot be opened", nr);
		else if (nr > first && !vhdx_locator_matches(&img[nr - 1].locator,
							     &img[nr].hdrs.cur.data_write_guid))
			bad = complain("is no longer the parent", nr);
		else
			libvhdx_map_init(&map[nr], &img[nr]);
	}
	if (!bad)
		bad = compare(map, first, &raw);
	if (!bad && !first)
		bad = compare_parent(map);
	for (i = first; i < nr; i++)
		libvhdx_image_close(&img[i]);
	return bad;
}

/*
 * Each commit stores its number in every page of one of two parts of the BAT's
 * region that no entry is in, by turns. All of a commit must be there together,
 * no commit without the one before, and none that was promised is lost.
 */
#define LOG_PAGES	40U
#define LOG_COMMITS	9U
#define LOG_BEGIN	(512U << 10)	/* in the region */

static u64 committed;

static int log_commit(struct libvhdx_journal *j, u64 number)
{
	static u64 page[VHDX_LOG_SECTOR / sizeof(u64)];
	u64 off = j->img.geo.bat_off + LOG_BEGIN + (number & 1) * LOG_PAGES * sizeof(page);
	unsigned int i;
	int ret = libvhdx_journal_reserve(j, LOG_PAGES);

	for (i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = number;
	for (i = 0; i < LOG_PAGES && !ret; i++)
		ret = libvhdx_journal_set(j, off + i * sizeof(page), page, sizeof(page));
	return ret ? ret : libvhdx_journal_commit(j);
}

static int log_number(const struct libvhdx_image *img, u64 *number)
{
	static u64 part[2][LOG_PAGES * VHDX_LOG_SECTOR / sizeof(u64)];
	unsigned int i;

	if (img->src.read(&img->src, img->geo.bat_off + LOG_BEGIN, part, sizeof(part)))
		return complain("the pages cannot be read", 0);
	for (i = 0; i < ARRAY_SIZE(part[0]); i++)
		if (part[0][i] != part[0][0] || part[1][i] != part[1][0])
			return complain("a part of a commit is there", 0);
	*number = max(part[0][0], part[1][0]);
	if (*number && min(part[0][0], part[1][0]) != *number - 1)
		return complain("a commit is there without the one before", 0);
	return *number < committed ? complain("a commit is lost", 0) : 0;
}

static int verify_log(void)
{
	struct libvhdx_image img;
	struct vhdx_finding fd;
	u64 number;
	int bad;

	if (libvhdx_image_open(&img, &image[0].file, &fd))
		return complain("cannot be opened", 0);
	bad = log_number(&img, &number);
	libvhdx_image_close(&img);
	return bad;
}

static int verify(bool done, bool merged)
{
	if (check_file(0, done) || check_file(1, done && merged) || read_chain(0) ||
	    verify_log())
		return 1;
	return done && merged ? read_chain(1) : 0;
}

static int do_merge(void)
{
	struct libvhdx_merge m = {
		.child_path	= image[0].path,
		.parent_path	= image[1].path,
		.stop		= is_stopped,
	};
	struct libvhdx_journal child, parent;
	struct vhdx_finding fd;
	int ret = libvhdx_journal_open(&child, &image[0].file, &fd);

	if (ret)
		return ret;
	ret = libvhdx_journal_open(&parent, &image[1].file, &fd);
	if (!ret) {
		m.child = &child;
		m.parent = &parent;
		ret = libvhdx_merge(&m, &fd);
		libvhdx_journal_close(&parent);
	}
	libvhdx_journal_close(&child);
	return ret;
}

/* A path of the parent that is another text each time, and the same file. */
static char *new_path;

static int do_set(void)
{
	struct libvhdx_relink want = { .child = image[0].path, .parent = new_path };
	struct libvhdx_journal child;
	struct vhdx_finding fd;
	int ret = libvhdx_journal_open(&child, &image[0].file, &fd);

	if (ret)
		return ret;
	ret = libvhdx_relink(&child, &want, &fd);
	libvhdx_journal_close(&child);
	return ret;
}

static int do_log(void)
{
	struct libvhdx_journal j;
	struct vhdx_finding fd;
	int ret = libvhdx_journal_open(&j, &image[0].file, &fd);
	u64 number, i;

	if (ret)
		return ret;
	ret = log_number(&j.img, &number) ? -EUCLEAN : libvhdx_journal_touch(&j, NULL);
	for (i = 1; i <= LOG_COMMITS && !ret; i++) {
		ret = log_commit(&j, number + i);
		if (!ret)
			committed = number + i;
	}
	if (!ret)
		ret = libvhdx_journal_clean(&j);
	libvhdx_journal_close(&j);
	return ret;
}

static int (*act)(void);

/* Run until event @at, and let that happen. 1: it was not reached. */
static int run_until(u32 at, int error)
{
	int ret;

	events = 0;
	cut_at = at;
	cut_err = error;
	ret = act();
	cut_at = NEVER;
	if (events <= at) {
		if (ret)
			complain("failed without a cause", 0);
		return 1;
	}
	if (!ret && error == -EIO)
		complain("an error was lost", 0);
	/* Whoever is stopped leaves empty logs. */
	if (error == -EINTR && (ret != (ret ? -EINTR : 0) || check_file(0, true) ||
				check_file(1, true)))
		complain("was not stopped", 0);
	all_platters(error == -EIO);
	return 0;
}

static void finish(void)
{
	int ret = act();

	if (ret)
		complain(ret < 0 ? strerror(-ret) : vhdx_fault_name((enum vhdx_fault)ret), 0);
	else
		verify(true, act == do_merge);
}

static int cut_once(u32 at, u32 variant, int error)
{
	unsigned int i;
	int over;

	for (i = 0; i < NR_CHANGED; i++)
		platter_set(&image[i], image[i].base, image[i].base_size);
	committed = 0;
	over = run_until(at, error);
	if (!why)
		verify(over, act == do_merge);
	if (!why && !over && random_below(2))
		if (!run_until(random_below(at + 8), error) && !why)
			verify(false, false);
	if (!why)
		finish();
	if (why)
		printf("# event %u, variant %u, %s: %s\n", at, variant, strerror(-error), why);
	return over;
}

/*
 * So often at each place, with other choices. A rewrite of the locator is short,
 * and of all that may be kept only some is a mixture of two of its pages.
 */
static u32 nr_variants(void)
{
	const char *text = getenv("VHDX_CUT_VARIANTS");
	u32 nr = text ? (u32)strtoul(text, NULL, 0) : 0;

	return (nr ? nr : 1) * (act == do_set ? 8 : 1);
}

static int cut_everywhere(int error, u32 variants, u32 *nr)
{
	u32 at, variant;
	int over = 0;

	for (at = 0; !over && !why; at++)
		for (variant = 0; variant < variants && !why; variant++) {
			over |= cut_once(at, variant, error);
			++*nr;
		}
	return !!why;
}

int main(int argc, char **argv)
{
	u32 cuts = 0, full = 0, stops = 0;
	int i;

	if (argc < 6 || argc - 4 > MAX_IMAGES)
		errx(2, "usage: merge_cuts merge|set SEED RAW CHILD PARENT [PARENT]...");
	act = !strcmp(argv[1], "set") ? do_set : !strcmp(argv[1], "log") ? do_log : do_merge;
	seed = strtoull(argv[2], NULL, 0);
	raw.data = load(argv[3], &raw.size);
	for (i = 4; i < argc; i++)
		platter_load(&image[nr_images++], argv[i]);
	new_path = act == do_set ? argv[argc - 1] : NULL;
	/* What the parent holds before anything happens. */
	verify(false, false);
	if (!why && !cut_everywhere(-EIO, nr_variants(), &cuts) && act != do_log)
		cut_everywhere(-ENOSPC, 1, &full);
	if (!why && act == do_merge)
		cut_everywhere(-EINTR, 1, &stops);
	if (!cuts)
		printf("# %s\n", why);
	printf("# %u cuts, %u times a full disk, %u stops\n", cuts, full, stops);
	return why || cuts < 20;
}
