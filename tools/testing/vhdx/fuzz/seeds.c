// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes what the fuzz targets begin with: for each target, inputs that make
 * a good structure. The form of an input is told at the top of its target.
 *
 * Usage: seeds DIRECTORY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/header.h"
#include "format/metadata.h"
#include "format/raw.h"
#include "format/region.h"

#include "tests/craft.h"

#define MIB(n)	((u64)(n) << 20)

static const char *dir;

static u8 out[256 * 1024];
static size_t len;

static void put(const void *p, size_t n)
{
	memcpy(out + len, p, n);
	len += n;
}

static void put_le(u64 value, unsigned int bytes)
{
	while (bytes--) {
		out[len++] = value;
		value >>= 8;
	}
}

static void save(const char *target, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, target, name);
	f = fopen(path, "wb");
	if (!f || fwrite(out, 1, len, f) != len || fclose(f)) {
		perror(path);
		exit(1);
	}
	len = 0;
}

static void seed_header(void)
{
	struct vhdx_header hdr = { .seq = 7, .version = 1, .log_off = MIB(1), .log_len = MIB(1) };
	u8 buf[VHDX_HEADER_SIZE];
	int i, dirty;

	for (dirty = 0; dirty < 2; dirty++) {
		put_le(dirty ? 3 + 8 : 3, 1);
		put_le(MIB(4), 8);
		put("vhdxfile", 8);
		for (i = 0; i < 2; i++) {
			hdr.seq++;
			vhdx_header_encode(buf, &hdr);
			put(buf, 96);
		}
		save("fuzz_header", dirty ? "dirty" : "clean");
		hdr.log_guid.b[0] = 1;
	}
}

static void seed_region(void)
{
	static u8 table[VHDX_REGION_TABLE_SIZE];
	guid_t other = GUID_INIT(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
	static const char * const names[] = { "two", "three", "duplicate" };
	int i, nr;

	craft_region(table, 0, &VHDX_GUID_REGION_BAT, MIB(3), SZ_1M, 1);
	craft_region(table, 1, &VHDX_GUID_REGION_METADATA, MIB(2), SZ_1M, 1);
	craft_region(table, 2, &other, MIB(4), SZ_1M, 0);
	for (i = 0; i < 3; i++) {
		nr = i ? 3 : 2;
		if (i == 2)
			craft_region(table, 2, &VHDX_GUID_REGION_BAT, MIB(4), SZ_1M, 1);
		craft_region_seal(table, nr);
		put_le(i ? 9 : 1, 1);
		put_le(16, 4);
		put_le(1, 4);
		put_le(1, 1);
		put(table + 8, 8 + 32 * nr);
		save("fuzz_region", names[i]);
	}
}

static void seed_metadata(void)
{
	struct vhdx_metadata md = {
		.disk_size = MIB(4100), .block_size = SZ_2M, .logical_size = 512,
		.physical_size = 4096,
	};
	static u8 buf[128 * 1024];
	int i;

	for (i = 0; i < 2; i++) {
		md.has_parent = i;
		vhdx_metadata_encode(buf, sizeof(buf), &md, i ? "locator" : NULL, 7);
		put_le(0, 1);
		put_le(16, 1);
		put_le(8, 2);
		put(buf + VHDX_METADATA_TABLE_SIZE, 128);
		put(buf + 8, 24 + 32 * 6);
		save("fuzz_metadata", i ? "child" : "dynamic");
	}
	for (i = 0; i < 2; i++) {
		put_le(1 + 2 * i, 1);
		put_le(0, 1);
		put_le(8, 2);
		/* Flip LeaveBlocksAllocated of the one without a parent. */
		put_le(0, 6);
		put_le(i ? 0 : 1ULL << 32, 8);
		save("fuzz_metadata", i ? "child-good" : "fixed-good");
	}
}

static void seed_bat(void)
{
	int diff, i;

	for (diff = 0; diff < 2; diff++) {
		put_le(8, 1);
		put_le(diff, 1);
		put_le(40, 2);
		put_le(8000, 2);
		put_le(0, 2);
		for (i = 0; i < 16; i++) {
			put_le(diff && i == 3 ? 7 : i % 4 ? 6 : 2, 1);
			put_le(5 + 256 * i, 2);
		}
		put_le(diff ? 6 : 0, 1);
		put_le(4, 2);
		save("fuzz_bat", diff ? "child" : "dynamic");
	}
}

static u16 put_text(const char *text)
{
	u16 n = 2 * strlen(text);

	for (; *text; text++)
		put_le((u8)*text, 2);
	return n;
}

/* Three pairs, the last of which has the key @third. */
static void seed_pairs(const char *third, const char *name)
{
	const char * const texts[] = {
		"parent_linkage", "{83ed0ec5-24c8-49a6-a959-5e4bd1288480}",
		"relative_path", ".\\parent.vhdx",
		third, "{83ED0EC5-24C8-49A6-A959-5E4BD1288481}",
	};
	u32 at, i;

	for (i = 0, at = 20 + 36, put_le(3ULL << 16, 4); i < 6; i += 2) {
		put_le(at, 4);
		put_le(at + 2 * strlen(texts[i]), 4);
		put_le(2 * strlen(texts[i]), 2);
		put_le(2 * strlen(texts[i + 1]), 2);
		at += 2 * (strlen(texts[i]) + strlen(texts[i + 1]));
	}
	for (i = 0; i < 6; i++)
		put_text(texts[i]);
	save("fuzz_locator", name);
}

static void seed_locator(void)
{
	seed_pairs("parent_linkage2", "three");
	seed_pairs("parent_linkage", "duplicate");
}

/* A locator of one path under key @key, with @dirs further directories. */
static void seed_path(int key, const char *path, int dirs, const char *name)
{
	put_le(dirs, 1);
	put_le(key, 1);
	put_le(strlen(path), 1);
	put_text(path);
	save("fuzz_resolve", name);
}

static void seed_resolve(void)
{
	seed_path(0, ".\\CHILD.vhdx", 0, "beside");
	seed_path(0, "..\\base\\x.VHDX", 0, "relative");
	seed_path(1, "\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\vm\\y.vhdx", 1, "volume");
	seed_path(2, "\\\\?\\D:\\vm\\y.vhdx", 2, "drive");
	seed_path(2, "\\\\?\\UNC\\server\\share\\vm\\x.vhdx", 3, "unc");
	seed_path(2, "\\\\?\\img\\Base\\x.vhdx", 3, "ours");
	seed_path(2, "\\\\server\\share\\x.vhdx", 1, "server");
	seed_path(0, "./sub//./a/../a", 0, "dots");
	seed_path(1, "\\", 0, "root");
}

static void seed_log_entry(void)
{
	static const struct craft_desc descs[] = {
		{ MIB(3), MIB(1), 0 }, { MIB(5), 0, 1 }, { 0x30000, 0, 2 },
	};
	struct craft_entry e = { .seq = 0x100000001ULL, .nr_desc = 3, .desc = descs };
	static u8 entry[4 * VHDX_LOG_SECTOR];

	craft_log_entry(entry, &e);
	put_le(3, 1);
	put(entry + 8, 56 + 3 * 32);
	save("fuzz_log_entry", "three");
	put_le(7, 1);
	put(entry + 8, 56 + 3 * 32);
	save("fuzz_log_entry", "near");
	put_le(1, 1);
	put(entry + 8, 16);
	save("fuzz_log_entry", "none");
}

/* Entries of one sector from @pos on, the tail at the first. */
static void seed_log_scan(void)
{
	int i;

	for (i = 0; i < 6; i++) {
		put_le(0, 1);
		put_le((20 + i * 2) % 24, 1);	/* place */
		put_le(5 + i, 1);		/* number */
		put_le(0, 1);
		put_le(20, 1);			/* tail */
		put_le(1, 1);			/* one descriptor */
		put_le(i, 1);
	}
	save("fuzz_log_scan", "wraps");
	for (i = 0; i < 3; i++) {
		put_le(0, 1);
		put_le(i, 1);
		put_le(9 + i, 1);
		put_le(1, 1);
		put_le(0, 1);
		put_le(0, 1);
	}
	put_le(170, 1);
	put_le(1, 1);
	put_le(16, 2);
	put_le(11, 1);
	put_le(210, 1);
	put_le(1, 1);
	save("fuzz_log_scan", "forged");
}

/*
 * A dirty image whose last log entry, in the ring's eighth sector, says
 * something else about the size of the file.
 */
static void seed_image_size(size_t field, u64 value, const char *name)
{
	put_le(1, 1);
	put_le(1024, 2);
	put_le(4 + 8 * 7, 1);
	put_le((7 * VHDX_LOG_SECTOR + field) / 2, 2);
	put_le(value, 8);
	save("fuzz_image", name);
}

/* A good image, with something harmless in the BAT. */
static void seed_image(void)
{
	static const char * const names[] = { "clean", "dirty", "child", "dirty-child" };
	int flags;

	for (flags = 0; flags < 4; flags++) {
		put_le(flags, 1);
		put_le(1024, 2);
		put_le(7 + 8 * 7, 1);
		put_le(8, 2);
		put_le(MIB(7) | 6, 8);
		save("fuzz_image", names[flags]);
	}
	seed_image_size(offsetof(struct vhdx_raw_log_entry, flushed_file_offset), MIB(4096),
			"truncated");
	seed_image_size(offsetof(struct vhdx_raw_log_entry, last_file_offset), MIB(4096) + 512,
			"grown");
	seed_image_size(offsetof(struct vhdx_raw_log_entry, last_file_offset), 1ULL << 63,
			"far");
}

/* Reads of chains of two and three images, one of them with a block less. */
static void seed_chain(void)
{
	static const char * const names[] = { "two", "three", "two-changed", "three-changed" };
	int i;

	for (i = 0; i < 4; i++) {
		put_le(i & 1, 1);
		put_le(i * 700, 4);
		put_le(2 * 2048 + 5 + i, 4);
		if (i > 1) {
			put_le(5 + 16, 1);	/* the BAT of the middle */
			put_le(8, 2);
			put_le(7, 1);
			put_le(2, 8);
		}
		save("fuzz_chain", names[i]);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIRECTORY\n");
		return 2;
	}
	dir = argv[1];
	mkdir(dir, 0777);
	seed_header();
	seed_region();
	seed_metadata();
	seed_bat();
	seed_locator();
	seed_resolve();
	seed_log_entry();
	seed_log_scan();
	seed_image();
	seed_chain();
	return 0;
}
