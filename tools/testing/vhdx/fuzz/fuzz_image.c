// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole image, opened as the driver and the checker open one: identifier,
 * headers, log, replay, regions, metadata, geometry, locator, BAT.
 *
 * Input: a byte of flags and the file's size in MiB (2), then changes to a
 * good image. A change is a byte that says what and how long, a place, and
 * bytes. Flags: 1 the log is in use, 2 the disk has a parent, 4 the headers
 * are not sealed after the changes, 8 neither are the region tables.
 */
#include "format/bat.h"
#include "format/geometry.h"
#include "format/header.h"
#include "format/locator.h"
#include "format/log_entry.h"
#include "format/log_replay.h"
#include "format/log_scan.h"
#include "format/metadata.h"
#include "format/region.h"

#include "fuzz.h"

#define LOG_OFF		MIB(1)
#define META_OFF	MIB(2)
#define BAT_OFF		MIB(3)
#define META_KEPT	(VHDX_METADATA_TABLE_SIZE + 8192)
#define BAT_KEPT	(8 * SECTOR)
#define LOG_KEPT	(32 * SECTOR)
#define SEQ		100

#define LINKAGE_TEXT	"{83ed0ec5-24c8-49a6-a959-5e4bd1288480}"

static const guid_t log_guid = GUID_INIT(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);

/* What the file holds; the rest of it is a hole. */
static u8 start[VHDX_REGION2_OFF + VHDX_REGION_TABLE_SIZE];
static u8 log_area[LOG_KEPT];
static u8 metadata[META_KEPT];
static u8 bat[BAT_KEPT];

static u8 table[VHDX_REGION_TABLE_SIZE];
static u8 scratch[VHDX_LOG_SCAN_SCRATCH];
static struct vhdx_log_slot slots[VHDX_LOG_SCAN_SLOTS(SZ_1M)];

/* The areas that changes go to. */
struct region_of_file {
	u8	*buf;
	u32	len;
};

static const struct region_of_file areas[] = {
	{ start + VHDX_HEADER1_OFF, 96 },
	{ start + VHDX_HEADER2_OFF, 96 },
	{ start + VHDX_REGION1_OFF, 208 },
	{ start + VHDX_REGION2_OFF, 208 },
	{ log_area, LOG_KEPT },
	{ metadata, 512 },
	{ metadata + VHDX_METADATA_TABLE_SIZE, META_KEPT - VHDX_METADATA_TABLE_SIZE },
	{ bat, BAT_KEPT },
};

/* --- a good image --- */

static void make_header(unsigned int slot, u64 seq, bool dirty)
{
	struct vhdx_raw_header *raw = (void *)(start + vhdx_header_off(slot));

	raw->signature = cpu_to_le32(VHDX_HEADER_SIGNATURE);
	raw->sequence_number = cpu_to_le64(seq);
	raw->version = cpu_to_le16(1);
	raw->log_length = cpu_to_le32(SZ_1M);
	raw->log_offset = cpu_to_le64(LOG_OFF);
	if (dirty)
		raw->log_guid = log_guid;
}

static u32 make_text(u8 *item, u32 at, const char *text)
{
	for (; *text; text++, at += 2)
		item[at] = *text;
	return at;
}

static void make_locator(u8 *item)
{
	struct vhdx_raw_locator *raw = (void *)item;
	struct vhdx_raw_locator_entry *e = (void *)(item + sizeof(*raw));
	static const char * const pairs[2][2] = {
		{ VHDX_LOCATOR_LINKAGE, LINKAGE_TEXT },
		{ VHDX_LOCATOR_RELATIVE, ".\\parent.vhdx" },
	};
	u32 at = 20 + 2 * 12, end, i;

	raw->type = VHDX_GUID_LOCATOR_TYPE_VHDX;
	raw->key_value_count = cpu_to_le16(2);
	for (i = 0; i < 2; i++) {
		e[i].key_offset = cpu_to_le32(at);
		end = make_text(item, at, pairs[i][0]);
		e[i].key_length = cpu_to_le16(end - at);
		e[i].value_offset = cpu_to_le32(end);
		at = make_text(item, end, pairs[i][1]);
		e[i].value_length = cpu_to_le16(at - end);
	}
}

static void make_metadata(bool parent)
{
	u8 *items = metadata + VHDX_METADATA_TABLE_SIZE;
	struct vhdx_raw_file_parameters *params = (void *)items;

	craft_items_head(metadata, 5 + parent);
	craft_item(metadata, 0, &VHDX_GUID_FILE_PARAMETERS, 0x10000, 8, 4);
	craft_item(metadata, 1, &VHDX_GUID_VIRTUAL_DISK_SIZE, 0x10008, 8, 6);
	craft_item(metadata, 2, &VHDX_GUID_LOGICAL_SECTOR_SIZE, 0x10010, 4, 6);
	craft_item(metadata, 3, &VHDX_GUID_PHYSICAL_SECTOR_SIZE, 0x10014, 4, 6);
	craft_item(metadata, 4, &VHDX_GUID_VIRTUAL_DISK_ID, 0x10018, 16, 6);
	params->block_size = cpu_to_le32(SZ_1M);
	params->flags = cpu_to_le32(parent ? VHDX_PARAM_HAS_PARENT : 0);
	*(__le64 *)(items + 8) = cpu_to_le64(MIB(4100));
	*(__le32 *)(items + 16) = cpu_to_le32(512);
	*(__le32 *)(items + 20) = cpu_to_le32(4096);
	if (!parent)
		return;
	craft_item(metadata, 5, &VHDX_GUID_PARENT_LOCATOR, 0x11000, 400, 4);
	make_locator(items + 4096);
}

/* Five entries that change BAT, metadata and a region table, back to what they are. */
static void make_log(void)
{
	struct craft_desc descs[] = {
		{ BAT_OFF + SECTOR, 0, 1 }, { BAT_OFF + 2 * SECTOR, SECTOR, 0 },
		{ META_OFF + SECTOR, SECTOR, 0 }, { MIB(6), MIB(1), 0 },
	};
	struct craft_entry e = { .guid = log_guid, .desc = descs, .last_off = MIB(8) };
	u32 pos = 0, i;

	for (i = 0; i < 5; i++) {
		e.seq = SEQ + i;
		e.nr_desc = i;
		pos += craft_log_entry(log_area + pos, &e);
	}
}

static void make_image(u8 flags)
{
	unsigned int i;
	u8 *regions;

	memset(start, 0, sizeof(start));
	memset(log_area, 0, sizeof(log_area));
	memset(metadata, 0, sizeof(metadata));
	memset(bat, 0, sizeof(bat));
	memcpy(start, "vhdxfile", 8);
	make_header(0, 7, flags & 1);
	make_header(1, 8, flags & 1);
	for (i = 0; i < 2; i++) {
		regions = start + (i ? VHDX_REGION2_OFF : VHDX_REGION1_OFF);
		craft_region(regions, 0, &VHDX_GUID_REGION_BAT, BAT_OFF, SZ_1M, 1);
		craft_region(regions, 1, &VHDX_GUID_REGION_METADATA, META_OFF, SZ_1M, 1);
		craft_region_seal(regions, 2);
	}
	make_metadata(flags & 2);
	make_log();
	*(__le64 *)bat = cpu_to_le64(MIB(4) | 6);
}

/* --- changes to it --- */

static void seal_log(void)
{
	struct vhdx_raw_log_entry *raw;
	u32 pos, len;

	for (pos = 0; pos < LOG_KEPT; pos += SECTOR) {
		raw = (void *)(log_area + pos);
		len = le32_to_cpu(raw->entry_length);
		if (!memcmp(raw, "loge", 4) && len >= SECTOR && len <= sizeof(log_area) - pos)
			craft_seal(raw, len);
	}
}

static void change_image(struct fuzz_input *in, u8 flags)
{
	const struct region_of_file *a;
	u32 at, len;
	u8 what;

	while (in->left) {
		what = fuzz_u8(in);
		a = &areas[what % ARRAY_SIZE(areas)];
		at = fuzz_u16(in);
		if (a->len > 65536)
			at *= 2;
		at %= a->len;
		len = 1 + (what >> 3) % 16;
		fuzz_take(in, a->buf + at, min(len, a->len - at));
	}
	seal_log();
	if (!(flags & 4)) {
		craft_seal(start + VHDX_HEADER1_OFF, VHDX_HEADER_SIZE);
		craft_seal(start + VHDX_HEADER2_OFF, VHDX_HEADER_SIZE);
	}
	if (!(flags & 8)) {
		craft_seal(start + VHDX_REGION1_OFF, VHDX_REGION_TABLE_SIZE);
		craft_seal(start + VHDX_REGION2_OFF, VHDX_REGION_TABLE_SIZE);
	}
}

/* --- opening it --- */

/* A write outside of what we keep is lost; the headers and the log are sacred. */
static int image_write(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct ram *ram = container_of(sink, struct ram, sink);

	fuzz_assert(!(off % SECTOR) && off >= VHDX_REGION1_OFF);
	if (ram_write(sink, off, buf))
		ram->strayed = 0;
	return 0;
}

struct image {
	struct ram		ram;
	struct vhdx_headers	hdrs;
	struct vhdx_regions	regions;
	struct vhdx_metadata	md;
	struct vhdx_geometry	geo;
	struct vhdx_finding	fd;
};

static int open_headers(struct image *img)
{
	u8 *buf = fuzz_alloc(2 * VHDX_HEADER_SIZE);
	int ret;

	ret = img->ram.src.read(&img->ram.src, VHDX_HEADER1_OFF, buf, VHDX_HEADER_SIZE);
	if (!ret)
		ret = img->ram.src.read(&img->ram.src, VHDX_HEADER2_OFF, buf + VHDX_HEADER_SIZE,
					VHDX_HEADER_SIZE);
	if (!ret)
		ret = vhdx_headers_choose(buf, buf + VHDX_HEADER_SIZE, &img->hdrs, &img->fd);
	if (!ret)
		ret = vhdx_headers_check(&img->hdrs, img->ram.src.size, &img->fd);
	free(buf);
	return ret;
}

/* Does a second replay leave what the first one made? */
static void check_again(struct image *img, const struct vhdx_log_area *area,
			const struct vhdx_log_sequence *seq)
{
	static u8 once[VHDX_REGION_TABLE_SIZE * 2 + sizeof(metadata) + sizeof(bat)];
	u8 *const regions = start + VHDX_REGION1_OFF;
	u8 *const copy_metadata = once + VHDX_REGION_TABLE_SIZE * 2;
	u8 *const copy_bat = copy_metadata + sizeof(metadata);
	struct vhdx_log_replay done;

	memcpy(once, regions, VHDX_REGION_TABLE_SIZE * 2);
	memcpy(copy_metadata, metadata, sizeof(metadata));
	memcpy(copy_bat, bat, sizeof(bat));
	fuzz_assert(!vhdx_log_replay(&img->ram.src, area, seq, &img->ram.sink, scratch, &done,
				     NULL));
	fuzz_assert(done.nr_entries == seq->nr);
	fuzz_assert(!memcmp(once, regions, VHDX_REGION_TABLE_SIZE * 2));
	fuzz_assert(!memcmp(copy_metadata, metadata, sizeof(metadata)));
	fuzz_assert(!memcmp(copy_bat, bat, sizeof(bat)));
}

static int open_log(struct image *img)
{
	const struct vhdx_header *hdr = &img->hdrs.cur;
	struct vhdx_log_area area = {
		.off = hdr->log_off, .len = hdr->log_len, .guid = hdr->log_guid,
	};
	struct vhdx_log_slot *table_of_slots = slots;
	struct vhdx_log_sequence seq;
	struct vhdx_log_replay done;
	int ret;

	if (guid_is_null(&hdr->log_guid))
		return 0;
	/* A long log is mostly a hole, and slow to read. */
	if (hdr->log_len > MIB(4))
		return 0;
	if (hdr->log_len > SZ_1M)
		table_of_slots = fuzz_alloc(VHDX_LOG_SCAN_SLOTS(hdr->log_len) * sizeof(slots[0]));
	ret = vhdx_log_scan(&img->ram.src, &area, table_of_slots, scratch, &seq, NULL, &img->fd);
	if (table_of_slots != slots)
		free(table_of_slots);
	if (ret)
		return ret;
	fuzz_assert(seq.flushed_off <= img->ram.src.size);
	fuzz_assert(!vhdx_log_replay(&img->ram.src, &area, &seq, &img->ram.sink, scratch, &done,
				     NULL));
	check_again(img, &area, &seq);
	/* Now the file grows to what the log says, within what a test can hold. */
	if (seq.end > img->ram.src.size && seq.end < MIB(1 << 16))
		img->ram.src.size = seq.end;
	return 0;
}

static int open_locator(struct image *img)
{
	u32 len = img->md.items.len[VHDX_ITEM_PARENT_LOCATOR];
	u8 *item;
	struct vhdx_locator loc;
	int ret;

	if (!img->md.has_parent)
		return 0;
	fuzz_assert(len && len <= VHDX_METADATA_MAX_ITEM);
	item = fuzz_alloc(len);
	ret = img->ram.src.read(&img->ram.src, img->md.items.off[VHDX_ITEM_PARENT_LOCATOR],
				item, len);
	if (!ret)
		ret = vhdx_locator_decode(item, len, img->md.items.off[VHDX_ITEM_PARENT_LOCATOR],
					  &loc, &img->fd);
	free(item);
	return ret;
}

/* Go on behind each fault, as a checker does. */
static void scan_bat(struct image *img)
{
	const struct vhdx_geometry *geo = &img->geo;
	u64 size = img->ram.src.size, at, nr, i, total = 0;
	u8 *map = fuzz_alloc(vhdx_bat_scan_bytes(size));
	__le64 page[512];
	struct vhdx_bat_scan scan;

	vhdx_bat_scan_init(&scan, geo, size, map, &img->hdrs.cur, table, img->regions.nr);
	while (scan.next < geo->nr_entries && scan.next < BAT_KEPT / 8) {
		at = scan.next;
		nr = min_t(u64, 512, geo->nr_entries - at);
		fuzz_assert(!img->ram.src.read(&img->ram.src, vhdx_bat_entry_off(geo, at), page,
					       nr * 8));
		fuzz_check_finding(vhdx_bat_scan_entries(&scan, page, nr, &img->fd), &img->fd);
		fuzz_assert(scan.next > at && scan.next <= at + nr);
	}
	fuzz_check_finding(vhdx_bat_scan_zeros(&scan, ~0ULL, &img->fd), &img->fd);
	fuzz_check_finding(vhdx_bat_scan_end(&scan, &img->fd), &img->fd);
	fuzz_assert(scan.used_end >= MIB(1) && scan.used_end <= scan.size + SZ_256M);
	for (i = 0; i < 8; i++)
		total += scan.nr_states[i];
	fuzz_assert(total + scan.nr_bitmaps <= geo->nr_entries);
	fuzz_assert(!scan.nr_states[4] && !scan.nr_states[5]);
	free(map);
}

static int open_image(struct image *img)
{
	int ret;

	ret = open_headers(img);
	if (!ret)
		ret = open_log(img);
	if (!ret)
		ret = vhdx_regions_read(&img->ram.src, &img->hdrs.cur, table, scratch,
					&img->regions, &img->fd);
	if (!ret)
		ret = vhdx_metadata_read(&img->ram.src, img->regions.meta_off,
					 img->regions.meta_len, scratch, &img->md, &img->fd);
	if (!ret)
		ret = vhdx_geometry_init(&img->geo, &img->md, &img->regions, &img->fd);
	if (!ret)
		ret = open_locator(img);
	return ret;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u8 flags = fuzz_u8(&in);
	static struct image img;
	int ret;

	memset(&img, 0, sizeof(img));
	ram_init(&img.ram, MIB(1) + MIB(fuzz_u16(&in)) / 4);
	img.ram.sink.write = image_write;
	make_image(flags);
	change_image(&in, flags);
	ram_extent_add(&img.ram, 0, sizeof(start), start);
	ram_extent_add(&img.ram, LOG_OFF, sizeof(log_area), log_area);
	ram_extent_add(&img.ram, META_OFF, sizeof(metadata), metadata);
	ram_extent_add(&img.ram, BAT_OFF, sizeof(bat), bat);
	ret = open_image(&img);
	fuzz_assert(!img.ram.strayed && ret >= 0);
	fuzz_check_finding(ret, &img.fd);
	if (!ret) {
		fuzz_accept();
		scan_bat(&img);
	}
	fuzz_assert(!img.ram.strayed);
	return 0;
}
