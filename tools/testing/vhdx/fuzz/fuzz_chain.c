// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains of two or three images, opened and read through the library of the
 * tools: each by itself, then whether they belong together, then what answers
 * a read, asked for at once and sector by sector.
 *
 * Input: a byte of flags (1: three images; 2: headers and region tables are not
 * sealed after the changes), two positions (4 each), then changes to good
 * images. A change is a byte that says which image and what of it, a place (2),
 * a length, and bytes.
 */
#include "format/bat.h"
#include "format/geometry.h"
#include "format/locator.h"
#include "format/metadata.h"

#include "bat_scan.h"
#include "create.h"
#include "file.h"
#include "image.h"
#include "map.h"
#include "utf16.h"

#include "fuzz.h"

#define NR_IMAGES	3
#define FILE_SIZE	MIB(16)
#define META_OFF	MIB(2)
#define BAT_OFF		MIB(3)
#define BITMAP_OFF	MIB(4)
#define NR_PAGES	(FILE_SIZE / SECTOR)

/**
 * struct mem - a file in memory
 * @file: for the library
 * @data: what it holds
 * @good: what it held at first
 * @hole: pages that held nothing but zeros
 * @changed: pages that may differ, to be made good again
 */
struct mem {
	struct libvhdx_file	file;
	u8			*data;
	u8			*good;
	bool			hole[NR_PAGES];
	bool			changed[NR_PAGES];
};

static struct mem mems[NR_IMAGES];

static int mem_read(struct libvhdx_file *file, u64 off, void *buf, size_t len)
{
	struct mem *mem = container_of(file, struct mem, file);

	fuzz_assert(off <= file->size && len <= file->size - off);
	memcpy(buf, mem->data + off, len);
	return 0;
}

static int mem_write(struct libvhdx_file *file, u64 off, const void *buf, size_t len)
{
	struct mem *mem = container_of(file, struct mem, file);

	fuzz_assert(off <= file->size && len <= file->size - off);
	memcpy(mem->data + off, buf, len);
	return 0;
}

static int mem_resize(struct libvhdx_file *file, u64 size)
{
	fuzz_assert(size <= FILE_SIZE);
	file->size = size;
	return 0;
}

static int mem_allocate(struct libvhdx_file *file, u64 off, u64 len)
{
	fuzz_assert(off + len <= file->size);
	return 0;
}

static int mem_sync(struct libvhdx_file *file)
{
	(void)file;
	return 0;
}

static u64 mem_next_data(struct libvhdx_file *file, u64 off, u64 end)
{
	struct mem *mem = container_of(file, struct mem, file);

	while (off < end && mem->hole[off / SECTOR] && !mem->changed[off / SECTOR])
		off = (off / SECTOR + 1) * SECTOR;
	return min(off, end);
}

static const struct libvhdx_file_ops mem_ops = {
	.read = mem_read, .write = mem_write, .resize = mem_resize,
	.allocate = mem_allocate, .sync = mem_sync, .next_data = mem_next_data,
};

/* --- good images --- */

/* Of image @n: one digit all over, so that its text is easy. */
static void make_guid(guid_t *guid, unsigned int n)
{
	memset(guid, 0x11 * (n + 1), sizeof(*guid));
}

static u32 make_locator(void *buf, unsigned int parent)
{
	static u8 keys[2][64], values[2][128];
	static const char *const names[] = { VHDX_LOCATOR_LINKAGE, VHDX_LOCATOR_RELATIVE };
	char text[] = "{00000000-0000-0000-0000-000000000000}", *p;
	struct vhdx_locator_pair pairs[2];
	unsigned int i;

	for (p = text; *p; p++)
		if (*p == '0')
			*p += parent + 1;
	for (i = 0; i < 2; i++)
		pairs[i] = (struct vhdx_locator_pair){
			.key = keys[i], .value = values[i],
			.key_len = libvhdx_utf8_to_utf16(keys[i], sizeof(keys[i]), names[i]),
			.value_len = libvhdx_utf8_to_utf16(values[i], sizeof(values[i]),
							   i ? ".\\parent.vhdx" : text),
		};
	return vhdx_locator_encode(buf, 4096, pairs, 2);
}

static void make_entry(u8 *data, u64 idx, u64 entry)
{
	((__le64 *)(data + BAT_OFF))[idx] = cpu_to_le64(entry);
}

/* All states that a block may have, and bits in runs of all kinds. */
static void make_blocks(struct mem *mem, bool child, u32 block)
{
	static const u8 states[] = { 7, 6, 2, 0, 3, 7, 1, 0, 6, 0 };
	u64 off = BITMAP_OFF + MIB(1);
	unsigned int i;

	for (i = 0; i < sizeof(states); i++) {
		u8 state = !child && states[i] == 7 ? 6 : states[i];

		make_entry(mem->data, i, state >= 6 ? off | state : state);
		off += state >= 6 ? block : 0;
	}
	if (!child)
		return;
	/* Behind the payload blocks of the first chunk, which has 4 GiB. */
	make_entry(mem->data, MIB(4096) / block, BITMAP_OFF | 6);
	for (i = 0; i < 2048; i++)
		mem->data[BITMAP_OFF + i] = i % 64 < 24 ? 0xff : i % 64 < 48 ? 0 : 0x5a;
}

static void make_headers(struct mem *mem, unsigned int n)
{
	unsigned int slot;

	for (slot = 0; slot < 2; slot++) {
		struct vhdx_raw_header *raw = (void *)(mem->data + vhdx_header_off(slot));

		make_guid(&raw->data_write_guid, n);
		craft_seal(raw, VHDX_HEADER_SIZE);
	}
}

static void make_image(unsigned int n, bool child)
{
	static const u64 sizes[NR_IMAGES] = { MIB(10), MIB(17) + 512 * 3, MIB(12) };
	struct libvhdx_params params = {
		.type = child ? VHDX_DISK_DIFFERENCING : VHDX_DISK_DYNAMIC,
		.disk_size = sizes[n], .block_size = n == 1 ? SZ_2M : SZ_1M,
		.creator = "fuzz_chain",
	};
	struct mem *mem = &mems[n];
	u8 locator[4096] = { 0 };
	struct vhdx_finding fd;
	unsigned int i;

	params.locator = child ? locator : NULL;
	params.locator_len = child ? make_locator(locator, n + 1) : 0;
	mem->file = (struct libvhdx_file){ .ops = &mem_ops };
	mem->data = fuzz_alloc(FILE_SIZE);
	mem->good = fuzz_alloc(FILE_SIZE);
	fuzz_assert(!libvhdx_params_check(&params, &fd));
	fuzz_assert(!libvhdx_create(&mem->file, &params, &fd));
	fuzz_assert(mem->file.size == BITMAP_OFF);
	make_headers(mem, n);
	make_blocks(mem, child, params.block_size);
	mem->file.size = FILE_SIZE;
	/* Payload, but for some holes. */
	for (i = (BITMAP_OFF + MIB(1)) / SECTOR; i < NR_PAGES; i++)
		mem->data[i * SECTOR + 1] = i % 11 > 2;
	memcpy(mem->good, mem->data, FILE_SIZE);
	for (i = 0; i < NR_PAGES; i++)
		mem->hole[i] = !memchr_inv(mem->data + i * SECTOR, 0, SECTOR);
}

/* --- changes to them --- */

struct area {
	u32	off;
	u32	len;
};

static const struct area areas[] = {
	{ VHDX_HEADER1_OFF, 96 },
	{ VHDX_HEADER2_OFF, 96 },
	{ VHDX_REGION1_OFF, 208 },
	{ META_OFF, 512 },
	{ META_OFF + VHDX_METADATA_TABLE_SIZE, 8192 },
	{ BAT_OFF, 96 },
	{ BAT_OFF + 8 * 2048 - 64, 128 },
	{ BAT_OFF + 8 * 4096 - 64, 128 },
	{ BITMAP_OFF, 2048 },
};

static void make_good(struct mem *mem)
{
	unsigned int i;

	for (i = 0; i < NR_PAGES; i++) {
		if (mem->changed[i])
			memcpy(mem->data + i * SECTOR, mem->good + i * SECTOR, SECTOR);
		mem->changed[i] = false;
	}
	mem->file.size = FILE_SIZE;
}

static void changed(struct mem *mem, u32 off, u32 len)
{
	u32 i;

	for (i = off / SECTOR; i <= (off + len - 1) / SECTOR; i++)
		mem->changed[i] = true;
}

static void change(struct fuzz_input *in)
{
	u8 what = fuzz_u8(in);
	struct mem *mem = &mems[what / 16 % NR_IMAGES];
	const struct area *a = &areas[what % 16 % ARRAY_SIZE(areas)];
	u32 at = fuzz_u16(in) % a->len;
	u32 len = min(1 + fuzz_u8(in) % 64u, a->len - at);

	changed(mem, a->off + at, len);
	fuzz_take(in, mem->data + a->off + at, len);
}

/* The checksum of what was changed; one that is right costs too much to do again. */
static void seal(struct mem *mem, u32 off, u32 len)
{
	if (mem->changed[off / SECTOR])
		craft_seal(mem->data + off, len);
}

static void seal_all(struct mem *mem)
{
	seal(mem, VHDX_HEADER1_OFF, VHDX_HEADER_SIZE);
	seal(mem, VHDX_HEADER2_OFF, VHDX_HEADER_SIZE);
	seal(mem, VHDX_REGION1_OFF, VHDX_REGION_TABLE_SIZE);
}

/* --- what answers a read --- */

/**
 * struct answer - what a piece of the disk is
 * @image: the image that has it, or the number of images: zeros
 * @off: in its file
 * @len: how far that is so
 */
struct answer {
	unsigned int	image;
	u64		off;
	u64		len;
};

/* True if the image says something; *@a is what, and for how long. */
static bool ask_image(struct libvhdx_map *map, u64 pos, struct answer *a)
{
	const struct vhdx_geometry *geo = &map->img->geo;
	struct libvhdx_extent run;
	struct vhdx_finding fd;

	a->len = min(a->len, geo->disk_size - pos);
	fuzz_assert(!libvhdx_map_run(map, pos, a->len, &run, &fd));
	fuzz_assert(run.len && run.len <= a->len);
	a->len = run.len;
	a->off = run.kind == LIBVHDX_EXTENT_DATA ? run.off : 0;
	fuzz_assert(!a->off || (a->off >= MIB(1) && a->off + a->len <= map->img->src.size));
	return run.kind != LIBVHDX_EXTENT_PARENT;
}

static struct answer ask(struct libvhdx_map *maps, unsigned int nr, u64 pos, u64 len)
{
	struct answer a = { .image = nr, .len = len };
	unsigned int i;

	for (i = 0; i < nr && pos < maps[i].img->geo.disk_size; i++) {
		if (!ask_image(&maps[i], pos, &a))
			continue;
		a.image = a.off ? i : nr;
		break;
	}
	return a;
}

/* A sector of a run is what the run says, or is in a hole, which is zeros. */
static void check_sector(const struct answer *all, const struct answer *one, u64 at,
			 const struct libvhdx_map *maps, unsigned int nr)
{
	struct mem *mem;

	if (one->image == all->image) {
		fuzz_assert(one->image == nr || one->off == all->off + at);
		return;
	}
	fuzz_assert(one->image == nr);
	mem = container_of(maps[all->image].img->file, struct mem, file);
	fuzz_assert(!memchr_inv(mem->data + all->off + at, 0, one->len));
}

/* The answer for a run is that for each of its sectors. */
static void check_reads(struct libvhdx_map *maps, unsigned int nr, u64 pos)
{
	u64 at, size = maps[0].img->geo.disk_size;
	u32 sector = maps[0].img->md.logical_size;
	struct answer all, one;

	pos = pos * sector % size;
	all = ask(maps, nr, pos, size - pos);
	fuzz_assert(!(all.len % sector));
	for (at = 0; at < all.len; at += sector * (at < 64 * 512 ? 1 : 97)) {
		one = ask(maps, nr, pos + at, sector);
		fuzz_assert(one.len == sector);
		check_sector(&all, &one, at, maps, nr);
	}
}

/* --- the chain --- */

static bool fits(const struct libvhdx_image *img, const struct libvhdx_image *parent)
{
	if (!parent || !img->md.has_parent)
		return !parent && !img->md.has_parent;
	return vhdx_locator_matches(&img->locator, &parent->hdrs.cur.data_write_guid) &&
	       img->md.logical_size == parent->md.logical_size;
}

static void count_fault(void *data, const struct vhdx_finding *fd)
{
	unsigned int *nr = data;

	fuzz_check_finding(fd->fault, fd);
	(*nr)++;
}

/* Are all entries in order? */
static bool check_bat(const struct libvhdx_image *img)
{
	struct vhdx_bat_scan scan;
	unsigned int nr = 0;
	u64 first;

	fuzz_assert(!libvhdx_bat_scan(img, &scan, count_fault, &nr));
	fuzz_assert(nr <= 2 * img->geo.nr_entries);
	fuzz_assert(libvhdx_bat_scan_unused(img, &scan, &first) <= FILE_SIZE >> 20);
	libvhdx_bat_scan_release(&scan);
	return !nr;
}

static void check_chain(const struct libvhdx_image *imgs, unsigned int nr, const u64 *pos)
{
	static struct libvhdx_map maps[NR_IMAGES];
	bool good = true;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		good &= check_bat(&imgs[i]);
		good &= fits(&imgs[i], i + 1 < nr ? &imgs[i + 1] : NULL);
		libvhdx_map_init(&maps[i], &imgs[i]);
	}
	if (!good)
		return;
	fuzz_accept();
	check_reads(maps, nr, pos[0]);
	check_reads(maps, nr, pos[1]);
}

static void open_chain(struct mem *files, unsigned int nr, const u64 *pos)
{
	static struct libvhdx_image imgs[NR_IMAGES];
	struct vhdx_finding fd;
	unsigned int opened = 0;
	int ret = 0;

	while (opened < nr && !ret) {
		ret = libvhdx_image_open(&imgs[opened], &files[opened].file, &fd);
		fuzz_assert(ret >= 0);
		fuzz_check_finding(ret, &fd);
		opened += !ret;
	}
	if (!ret)
		check_chain(imgs, nr, pos);
	while (opened)
		libvhdx_image_close(&imgs[--opened]);
}

static void make_images(void)
{
	unsigned int i;

	for (i = 0; i < NR_IMAGES; i++) {
		if (mems[i].data)
			make_good(&mems[i]);
		else
			make_image(i, i < NR_IMAGES - 1);
	}
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u8 flags = fuzz_u8(&in);
	u64 pos[2] = { fuzz_u32(&in), fuzz_u32(&in) };
	unsigned int i, first = flags & 1 ? 0 : 1;

	make_images();
	while (in.left)
		change(&in);
	for (i = 0; i < NR_IMAGES && !(flags & 2); i++)
		seal_all(&mems[i]);
	open_chain(&mems[first], NR_IMAGES - first, pos);
	return 0;
}
