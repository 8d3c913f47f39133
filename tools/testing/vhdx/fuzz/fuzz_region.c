// SPDX-License-Identifier: GPL-2.0-only
/*
 * The region table and the choice between its copies.
 *
 * Input: a byte of flags, the file's size in MiB (4), the log's place and
 * length in MiB (4 and 1), then the table from its count on. Flag 1 seals the
 * first copy; with 2 the second copy differs, with 4 it is damaged; 8 brings
 * all regions into the first MiBs of the file.
 */
#include "format/header.h"
#include "format/region.h"

#include "fuzz.h"

static u8 copies[2][VHDX_REGION_TABLE_SIZE];
static u8 table[VHDX_REGION_TABLE_SIZE];
static u8 scratch[VHDX_REGION_TABLE_SIZE];

static bool apart(u64 off1, u64 len1, u64 off2, u64 len2)
{
	return off1 + len1 <= off2 || off2 + len2 <= off1;
}

/* What the code accepted holds, looked at one by one. */
static void check_accepted(const struct vhdx_regions *out, u64 size,
			   const struct vhdx_header *hdr)
{
	unsigned int i, k, nr_bat = 0, nr_meta = 0;
	struct vhdx_region r, other;
	char text[300];

	fuzz_assert(out->nr <= VHDX_REGION_MAX_ENTRIES);
	for (i = 0; i < out->nr; i++) {
		vhdx_region_decode(table, i, &r);
		fuzz_assert(r.len && r.off >= SZ_1M && r.off <= size && r.len <= size - r.off);
		fuzz_assert(!(r.off % SZ_1M) && !(r.len % SZ_1M));
		fuzz_assert(!hdr->log_len || apart(r.off, r.len, hdr->log_off, hdr->log_len));
		fuzz_assert(vhdx_region_to_text(text, sizeof(text), &r) > 0);
		nr_bat += r.off == out->bat_off && r.len == out->bat_len;
		nr_meta += r.off == out->meta_off && r.len == out->meta_len;
		for (k = 0; k < i; k++) {
			vhdx_region_decode(table, k, &other);
			fuzz_assert(apart(r.off, r.len, other.off, other.len));
			fuzz_assert(!guid_equal(&r.guid, &other.guid));
		}
	}
	fuzz_assert(nr_bat == 1 && nr_meta == 1);
}

/* Encoding what was decoded gives a table that says the same. */
static void check_round_trip(const struct vhdx_regions *out, u64 size,
			     const struct vhdx_header *hdr)
{
	static struct vhdx_region regions[VHDX_REGION_MAX_ENTRIES];
	struct vhdx_regions again;
	unsigned int i;

	for (i = 0; i < out->nr; i++)
		vhdx_region_decode(table, i, &regions[i]);
	vhdx_region_table_encode(scratch, regions, out->nr);
	fuzz_assert(!vhdx_region_table_check(scratch, VHDX_REGION1_OFF, size, hdr, &again, NULL));
	fuzz_assert(again.bat_off == out->bat_off && again.meta_len == out->meta_len);
}

/* Only whole MiBs, and few of them, so that regions are good and still meet. */
static void draw_near(struct vhdx_raw_region_entry *raw)
{
	unsigned int i;

	for (i = 0; i < 16; i++) {
		raw[i].file_offset = cpu_to_le64(MIB(le64_to_cpu(raw[i].file_offset) >> 20 & 31));
		raw[i].length = cpu_to_le32(MIB(le32_to_cpu(raw[i].length) >> 20 & 7));
	}
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct vhdx_header hdr = { .version = 1 };
	u8 flags = fuzz_u8(&in);
	struct vhdx_regions out;
	struct vhdx_finding fd;
	struct ram ram;
	int ret;

	ram_init(&ram, MIB(fuzz_u32(&in)));
	hdr.log_off = MIB(fuzz_u32(&in));
	hdr.log_len = MIB(fuzz_u8(&in));
	memset(copies, 0, sizeof(copies));
	fuzz_take(&in, copies[0] + 8, min_t(size_t, in.left, VHDX_REGION_TABLE_SIZE - 8));
	((struct vhdx_raw_region_table *)copies[0])->signature =
		cpu_to_le32(VHDX_REGION_SIGNATURE);
	if (flags & 8)
		draw_near((void *)(copies[0] + sizeof(struct vhdx_raw_region_table)));
	memcpy(copies[1], copies[0], VHDX_REGION_TABLE_SIZE);
	copies[1][40] ^= (flags & 2) << 3;
	if (flags & 1)
		craft_seal(copies[0], VHDX_REGION_TABLE_SIZE);
	craft_seal(copies[1], VHDX_REGION_TABLE_SIZE);
	copies[1][60] ^= flags & 4;
	ram_extent_add(&ram, VHDX_REGION1_OFF, VHDX_REGION_TABLE_SIZE, copies[0]);
	ram_extent_add(&ram, VHDX_REGION2_OFF, VHDX_REGION_TABLE_SIZE, copies[1]);

	ret = vhdx_regions_read(&ram.src, &hdr, table, scratch, &out, &fd);
	fuzz_assert(!ram.strayed && ret >= 0);
	fuzz_check_finding(ret, &fd);
	if (ret)
		return 0;
	fuzz_accept();
	fuzz_assert(!memcmp(table, copies[out.copy], VHDX_REGION_TABLE_SIZE));
	check_accepted(&out, ram.src.size, &hdr);
	check_round_trip(&out, ram.src.size, &hdr);
	return 0;
}
