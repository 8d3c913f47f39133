// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAT entries and the scan of a table, against a map that is kept MiB by MiB.
 *
 * Input: block shift, flags, disk size in blocks (2), size of the file in MiB
 * (2) and bytes beyond that (2); then entries of 3 bytes: state and some bits
 * to go wrong with (1), place in MiB (2). Flags: 1 differencing, 2 4096-byte
 * sectors, 4 the last block is partial.
 */
#include "format/bat.h"
#include "format/geometry.h"
#include "format/header.h"
#include "format/metadata.h"
#include "format/region.h"

#include "fuzz.h"

#define MAX_ENTRIES	4096

static __le64 raw[MAX_ENTRIES];
static u8 used[65536 + 1024];	/* a byte for each MiB */
static u8 table[VHDX_REGION_TABLE_SIZE];

static const struct vhdx_header hdr = { .log_off = SZ_1M, .log_len = SZ_1M };

static void geometry_take(struct fuzz_input *in, struct vhdx_geometry *geo)
{
	struct vhdx_regions regions = { .bat_off = MIB(3), .bat_len = 0xfff00000 };
	struct vhdx_metadata md = { .block_size = SZ_1M << (fuzz_u8(in) % 9) };
	u8 flags = fuzz_u8(in);

	md.logical_size = flags & 2 ? 4096 : 512;
	md.has_parent = flags & 1;
	md.disk_size = (u64)(1 + fuzz_u16(in)) * md.block_size;
	if (flags & 4)
		md.disk_size -= md.block_size - md.logical_size;
	fuzz_assert(!vhdx_geometry_init(geo, &md, &regions, NULL));
}

/* What an accepted entry may be; says how many bytes it owns. */
static u32 check_entry(const struct vhdx_geometry *geo, u64 idx, u64 bits, u64 size,
		       const struct vhdx_bat_entry *e)
{
	bool bitmap;
	char text[100];
	u32 part;
	u64 nr;

	bitmap = vhdx_bat_index_is_bitmap(geo, idx, &nr);
	part = bitmap ? SZ_1M : vhdx_block_len(geo, nr);
	fuzz_assert(e->state == (bits & 7) && !(bits & VHDX_BAT_RESERVED_MASK));
	fuzz_assert(e->state != 4 && e->state != 5);
	fuzz_assert(e->state != 7 || (geo->differencing && !bitmap));
	fuzz_assert(!bitmap || e->state == 0 || (e->state == 6 && geo->differencing));
	fuzz_assert(e->off || (e->state != 6 && e->state != 7));
	fuzz_assert(!e->off || (e->off == (bits & VHDX_BAT_OFFSET_MASK) && e->off >= SZ_1M));
	fuzz_assert(!e->off || (e->off <= size && part <= size - e->off));
	fuzz_assert(le64_to_cpu(vhdx_bat_entry_encode(e)) == (e->off | e->state));
	fuzz_assert(vhdx_bat_entry_to_text(text, sizeof(text), e, bitmap) > 0);
	if (!e->off)
		return 0;
	return bitmap ? SZ_1M : vhdx_block_size(geo);
}

/* Entries in order against our own map: does something lie on another? */
static bool model_overlaps(u64 off, u32 len)
{
	u64 unit, end = (off + len) >> 20;
	bool hit = false;

	for (unit = off >> 20; unit < end; unit++) {
		hit |= used[unit];
		used[unit] = 1;
	}
	return hit;
}

/* The table entry by entry; the scan must find the same faults in the same order. */
static void compare(const struct vhdx_geometry *geo, struct vhdx_bat_scan *scan, u64 size,
		    u64 nr)
{
	struct vhdx_finding want, fd;
	struct vhdx_bat_entry e;
	enum vhdx_fault fault;
	u64 idx, used_end = MIB(4);
	u32 len;

	for (idx = 0; idx < nr; idx++) {
		len = 0;
		fault = vhdx_bat_entry_decode(raw[idx], idx, geo, size, &e, &want);
		if (!fault) {
			len = check_entry(geo, idx, le64_to_cpu(raw[idx]), size, &e);
			if (len && model_overlaps(e.off, len))
				fault = VHDX_FAULT_BAT_OVERLAP;
		}
		if (len) {
			fuzz_accept();
			used_end = max(used_end, e.off + len);
		}
		fuzz_assert(scan->next == idx);
		if (vhdx_bat_scan_entries(scan, raw + idx, 1, &fd) != fault) {
			fuzz_assert(fd.fault == VHDX_FAULT_BAT_BITMAP_MISSING && !len && !fault);
			continue;
		}
		if (fault)
			fuzz_assert(fd.fault == fault && fd.off == vhdx_bat_entry_off(geo, idx));
	}
	vhdx_bat_scan_end(scan, &fd);
	fuzz_assert(scan->used_end == used_end);
}

/* Zeros that are skipped count as zeros that are looked at. */
static void compare_zeros(const struct vhdx_geometry *geo, u64 size, u8 *map, u64 nr)
{
	struct vhdx_bat_scan a, b;
	u64 i, run;

	vhdx_bat_scan_init(&a, geo, size, map, &hdr, table, 2);
	vhdx_bat_scan_init(&b, geo, size, map, &hdr, table, 2);
	for (i = 0; i < nr; i += run) {
		for (run = 0; i + run < nr && !raw[i + run];)
			run++;
		if (!run) {
			/* Their maps are one: only an overlap may tell them apart. */
			vhdx_bat_scan_entries(&a, raw + i, 1, NULL);
			vhdx_bat_scan_entries(&b, raw + i, 1, NULL);
			run = 1;
			continue;
		}
		while (a.next < i + run)
			vhdx_bat_scan_zeros(&a, i + run - a.next, NULL);
		while (b.next < i + run)
			vhdx_bat_scan_entries(&b, raw + b.next, i + run - b.next, NULL);
	}
	fuzz_assert(a.next == b.next && !memcmp(a.nr_states, b.nr_states, sizeof(a.nr_states)));
	fuzz_assert(a.nr_bitmaps == b.nr_bitmaps && a.partial_idx == b.partial_idx);
}

static u64 entries_take(struct fuzz_input *in, const struct vhdx_geometry *geo)
{
	u64 nr = min_t(u64, geo->nr_entries, MAX_ENTRIES), i;
	u8 low;

	memset(raw, 0, nr * sizeof(raw[0]));
	for (i = 0; i < nr && in->left; i++) {
		low = fuzz_u8(in);
		/* Most of them without reserved bits. */
		raw[i] = cpu_to_le64((low & 7) | (low > 240 ? (u64)low << 3 : 0) |
				     MIB(fuzz_u16(in)));
	}
	return nr;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct vhdx_geometry geo;
	struct vhdx_bat_scan scan;
	u64 file_size, nr;
	u8 *map;

	geometry_take(&in, &geo);
	file_size = MIB(4 + fuzz_u16(&in)) + fuzz_u16(&in);
	nr = entries_take(&in, &geo);
	craft_region(table, 0, &VHDX_GUID_REGION_BAT, MIB(3), SZ_1M, 1);
	craft_region(table, 1, &VHDX_GUID_REGION_METADATA, MIB(2), SZ_1M, 1);
	memset(used, 0, sizeof(used));
	memset(used, 1, 4);
	map = fuzz_alloc(vhdx_bat_scan_bytes(file_size));
	vhdx_bat_scan_init(&scan, &geo, file_size, map, &hdr, table, 2);
	compare(&geo, &scan, file_size, nr);
	memset(map, 0, vhdx_bat_scan_bytes(file_size));
	compare_zeros(&geo, file_size, map, nr);
	free(map);
	return 0;
}
