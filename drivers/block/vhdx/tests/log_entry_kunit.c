// SPDX-License-Identifier: GPL-2.0-only
/*
 * One log entry: the two that Windows wrote and a synthetic one, bit for bit;
 * each rule for a single entry; building and taking apart.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/log_entry.h"
#include "format/raw.h"

#include "craft.h"

#define MIB(n)		((u64)(n) << 20)
#define LOG_OFF		MIB(1)
#define LOG_LEN		SZ_1M
#define SECTOR		VHDX_LOG_SECTOR

/* LogGuid of the image that Windows Server 2012 made. */
#define WINDOWS_GUID \
	GUID_INIT(0xc2895593, 0xee88, 0x4451, 0xa6, 0x81, 0x5f, 0x41, 0x98, 0x3a, 0xf0, 0xb6)
#define WINDOWS_SEQ	4371089312299158167ULL
/* Raw bytes 00112233445566778899aabbccddeeff. */
#define SYNTHETIC_GUID \
	GUID_INIT(0x33221100, 0x5544, 0x7766, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff)
#define SYNTHETIC_SEQ	0x0102030405060708ULL

static const struct vhdx_log_area windows_area = {
	.off = LOG_OFF, .len = LOG_LEN, .guid = WINDOWS_GUID,
};

static const struct vhdx_log_area area = {
	.off = LOG_OFF, .len = LOG_LEN, .guid = SYNTHETIC_GUID,
};

static const u8 windows_a[64] = {
	0x6c, 0x6f, 0x67, 0x65, 0x5e, 0xc1, 0x05, 0xfd, 0x00, 0x10, 0, 0, 0, 0, 0, 0,
	0x97, 0x0a, 0x19, 0x0d, 0x92, 0x3a, 0xa9, 0x3c, 0, 0, 0, 0, 0, 0, 0, 0,
	0x93, 0x55, 0x89, 0xc2, 0x88, 0xee, 0x51, 0x44,
	0xa6, 0x81, 0x5f, 0x41, 0x98, 0x3a, 0xf0, 0xb6,
	0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0,
};

static const u8 windows_b[96] = {
	0x6c, 0x6f, 0x67, 0x65, 0x1d, 0xab, 0xc6, 0xa9, 0x00, 0x20, 0, 0, 0x00, 0x10, 0, 0,
	0x98, 0x0a, 0x19, 0x0d, 0x92, 0x3a, 0xa9, 0x3c, 1, 0, 0, 0, 0, 0, 0, 0,
	0x93, 0x55, 0x89, 0xc2, 0x88, 0xee, 0x51, 0x44,
	0xa6, 0x81, 0x5f, 0x41, 0x98, 0x3a, 0xf0, 0xb6,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x06, 0, 0, 0, 0,
	0x64, 0x65, 0x73, 0x63, 0, 0, 0, 0, 0x06, 0, 0x40, 0, 0, 0, 0, 0,
	0, 0, 0x30, 0, 0, 0, 0, 0, 0x98, 0x0a, 0x19, 0x0d, 0x92, 0x3a, 0xa9, 0x3c,
};

static const u8 synthetic[128] = {
	0x6c, 0x6f, 0x67, 0x65, 0xf7, 0x50, 0x8f, 0xc7, 0x00, 0x20, 0, 0, 0, 0, 0, 0,
	8, 7, 6, 5, 4, 3, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0,
	0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
	0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 0,
	0x64, 0x65, 0x73, 0x63, 0xfc, 0xfd, 0xfe, 0xff, 0, 1, 2, 3, 4, 5, 6, 7,
	0, 0, 0x30, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1,
	0x7a, 0x65, 0x72, 0x6f, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0,
	0, 0, 0x50, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1,
};

static u8 *sectors_alloc(struct kunit *test, u32 nr)
{
	u8 *buf = kunit_kzalloc(test, nr * SECTOR, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	return buf;
}

/* The BAT sector that entry B of Windows carries. */
static u8 *windows_bat(struct kunit *test)
{
	u8 *buf = sectors_alloc(test, 1);
	__le64 *bat = (__le64 *)buf;
	u32 i;

	bat[0] = cpu_to_le64(0x400006);
	bat[1] = cpu_to_le64(0x2400006);
	bat[2] = cpu_to_le64(0x4400006);
	for (i = 3; i < 32; i++)
		bat[i] = cpu_to_le64(2);
	return buf;
}

static u8 *counting_bytes(struct kunit *test)
{
	u8 *buf = sectors_alloc(test, 1);
	u32 i;

	for (i = 0; i < SECTOR; i++)
		buf[i] = i;
	return buf;
}

static void log_entry_size_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_area(0), 4096);
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_area(1), 4096);
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_area(126), 4096);
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_area(127), 8192);
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_area(254), 8192);
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_area(255), 12288);
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_area(U32_MAX), 0x2000001000ULL);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_size(0, 0), 4096);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_size(1, 1), 8192);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_size(62, 62), 258048);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_size(126, 126), 520192);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_size(127, 127), 528384);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_size(253, 253), 1044480);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_size(127, 2), 16384);
}

/* Windows' first entry: nothing in it, and its checksum. */
static void log_entry_windows_a_test(struct kunit *test)
{
	struct vhdx_log_entry entry = { .flushed_off = MIB(4), .last_off = MIB(4) };
	u8 *want = sectors_alloc(test, 1), *buf = sectors_alloc(test, 1);
	struct vhdx_log_build b;

	memcpy(want, windows_a, sizeof(windows_a));
	memset(buf, 0xa5, SECTOR);
	vhdx_log_build_init(&b, buf, WINDOWS_SEQ, 0);
	KUNIT_EXPECT_EQ(test, vhdx_log_build_seal(&b, &windows_area.guid, &entry), 4096);
	KUNIT_EXPECT_EQ(test, memcmp(buf, want, SECTOR), 0);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_checksum(want), 0xfd05c15e);
	KUNIT_EXPECT_EQ(test, ~vhdx_log_entry_crc(~0, want, SECTOR, true), 0xfd05c15e);
}

static void log_entry_windows_b_test(struct kunit *test)
{
	struct vhdx_log_entry entry = { .tail = 0x1000, .last_off = MIB(100) };
	u8 *want = sectors_alloc(test, 2), *buf = sectors_alloc(test, 2);
	u8 *bat = windows_bat(test);
	struct vhdx_log_build b;

	memcpy(want, windows_b, sizeof(windows_b));
	memcpy(want + SECTOR, bat, SECTOR);
	memcpy(want + SECTOR, "data\x92\x3a\xa9\x3c", 8);
	memcpy(want + SECTOR + 4092, "\x98\x0a\x19\x0d", 4);
	memset(buf, 0xa5, 2 * SECTOR);
	vhdx_log_build_init(&b, buf, WINDOWS_SEQ + 1, 1);
	vhdx_log_build_data(&b, MIB(3), bat);
	KUNIT_EXPECT_EQ(test, vhdx_log_build_seal(&b, &windows_area.guid, &entry), 8192);
	KUNIT_EXPECT_EQ(test, memcmp(buf, want, 2 * SECTOR), 0);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_checksum(buf), 0xa9c6ab1d);
}

/* What Windows wrote is decoded and accepted by every check. */
static void log_entry_windows_decode_test(struct kunit *test)
{
	u8 *buf = sectors_alloc(test, 1), *out = sectors_alloc(test, 1);
	u8 *bat = windows_bat(test), *data = sectors_alloc(test, 1);
	struct vhdx_log_entry entry;
	struct vhdx_log_desc desc;

	memcpy(buf, windows_b, sizeof(windows_b));
	memcpy(data, bat, SECTOR);
	memcpy(data, "data\x92\x3a\xa9\x3c", 8);
	memcpy(data + 4092, "\x98\x0a\x19\x0d", 4);
	KUNIT_ASSERT_EQ(test, vhdx_log_entry_decode(buf, 0x1000, &windows_area, &entry, NULL), 0);
	KUNIT_EXPECT_EQ(test, entry.seq, WINDOWS_SEQ + 1);
	KUNIT_EXPECT_EQ(test, entry.tail, 0x1000);
	KUNIT_EXPECT_EQ(test, entry.flushed_off, 0);
	KUNIT_EXPECT_EQ(test, entry.last_off, MIB(100));
	KUNIT_EXPECT_EQ(test, entry.len, 8192);
	KUNIT_EXPECT_EQ(test, entry.nr_desc, 1);
	KUNIT_EXPECT_EQ(test, entry.desc_len, 4096);
	KUNIT_ASSERT_EQ(test, vhdx_log_desc_decode(buf + 64, 0x101040, entry.seq, &windows_area,
						   &desc, NULL), 0);
	KUNIT_EXPECT_EQ(test, desc.off, MIB(3));
	KUNIT_EXPECT_EQ(test, desc.len, 4096);
	KUNIT_EXPECT_FALSE(test, desc.zero);
	KUNIT_EXPECT_EQ(test, vhdx_log_data_check(data, 0x102000, entry.seq, NULL), 0);
	vhdx_log_data_decode(data, &desc, out);
	KUNIT_EXPECT_EQ(test, memcmp(out, bat, SECTOR), 0);
}

static void log_entry_synthetic_test(struct kunit *test)
{
	struct vhdx_log_entry entry = { .flushed_off = MIB(4), .last_off = MIB(6) };
	u8 *want = sectors_alloc(test, 2), *buf = sectors_alloc(test, 2);
	u8 *content = counting_bytes(test);
	struct vhdx_log_build b;

	memcpy(want, synthetic, sizeof(synthetic));
	memcpy(want + SECTOR, content, SECTOR);
	memcpy(want + SECTOR, "data\x04\x03\x02\x01", 8);
	memcpy(want + SECTOR + 4092, "\x08\x07\x06\x05", 4);
	vhdx_log_build_init(&b, buf, SYNTHETIC_SEQ, 2);
	vhdx_log_build_data(&b, MIB(3), content);
	vhdx_log_build_zero(&b, MIB(5), MIB(1));
	KUNIT_EXPECT_EQ(test, vhdx_log_build_seal(&b, &area.guid, &entry), 8192);
	KUNIT_EXPECT_EQ(test, memcmp(buf, want, 2 * SECTOR), 0);

	vhdx_log_build_init(&b, buf, 1, 0);
	entry.last_off = MIB(4);
	KUNIT_EXPECT_EQ(test, vhdx_log_build_seal(&b, &area.guid, &entry), 4096);
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_checksum(buf), 0xc62fa8c2);
}

/* What a commit may write in place is what it put into the entry. */
static void log_entry_build_page_test(struct kunit *test)
{
	const u32 nr = 130;	/* two sectors of descriptors */
	u8 *buf = kunit_kzalloc(test, vhdx_log_entry_size(nr, nr), GFP_KERNEL);
	u8 *content = sectors_alloc(test, 1), *out = sectors_alloc(test, 1);
	struct vhdx_log_entry entry = { .last_off = MIB(4) };
	struct vhdx_log_build b;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	vhdx_log_build_init(&b, buf, SYNTHETIC_SEQ, nr);
	for (i = 0; i < nr; i++) {
		memset(content, i + 1, SECTOR);
		vhdx_log_build_data(&b, MIB(3) + i * SECTOR, content);
	}
	vhdx_log_build_seal(&b, &area.guid, &entry);
	for (i = 0; i < nr; i++) {
		memset(content, i + 1, SECTOR);
		vhdx_log_build_page(&b, i, out);
		KUNIT_EXPECT_EQ(test, memcmp(out, content, SECTOR), 0);
	}
}

/* The checksum in pieces of any size is the checksum of the whole. */
static void log_entry_crc_test(struct kunit *test)
{
	u8 *buf = sectors_alloc(test, 2);
	u32 want, crc, cut;

	memcpy(buf, synthetic, sizeof(synthetic));
	memcpy(buf + SECTOR, counting_bytes(test), SECTOR);
	memcpy(buf + SECTOR, "data\x04\x03\x02\x01", 8);
	memcpy(buf + SECTOR + 4092, "\x08\x07\x06\x05", 4);
	want = 0xc78f50f7;
	KUNIT_EXPECT_EQ(test, ~vhdx_log_entry_crc(~0, buf, 2 * SECTOR, true), want);
	for (cut = 64; cut < 2 * SECTOR; cut += 512) {
		crc = vhdx_log_entry_crc(~0, buf, cut, true);
		KUNIT_EXPECT_EQ(test, ~vhdx_log_entry_crc(crc, buf + cut, 2 * SECTOR - cut, false),
				want);
	}
	buf[4] ^= 0xff;		/* the field itself does not count */
	KUNIT_EXPECT_EQ(test, ~vhdx_log_entry_crc(~0, buf, 2 * SECTOR, true), want);
}

/* 130 descriptors, zero and data mixed, taken apart again. */
static void log_entry_large_test(struct kunit *test)
{
	struct vhdx_log_entry in = { .tail = 0x7000, .flushed_off = 1, .last_off = 2 }, entry;
	u32 nr = 130, len = vhdx_log_entry_size(nr, 65), i, at = 8192;
	u8 *buf = kunit_kzalloc(test, len, GFP_KERNEL);
	u8 *content = sectors_alloc(test, 1), *out = sectors_alloc(test, 1);
	struct vhdx_log_build b;
	struct vhdx_log_desc d;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	vhdx_log_build_init(&b, buf, SYNTHETIC_SEQ, nr);
	for (i = 0; i < nr; i++) {
		craft_fill(content, i);
		if (i % 2)
			vhdx_log_build_zero(&b, MIB(4) + i * SECTOR, (u64)i << 20);
		else
			vhdx_log_build_data(&b, MIB(4) + i * SECTOR, content);
	}
	KUNIT_ASSERT_EQ(test, vhdx_log_build_seal(&b, &area.guid, &in), len);
	KUNIT_ASSERT_EQ(test, vhdx_log_entry_decode(buf, 0, &area, &entry, NULL), 0);
	KUNIT_EXPECT_EQ(test, entry.desc_len, 8192);
	KUNIT_EXPECT_EQ(test, entry.nr_desc, nr);
	KUNIT_EXPECT_EQ(test, entry.tail, 0x7000);
	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_EQ(test, vhdx_log_desc_decode(buf + 64 + 32 * i, 0, SYNTHETIC_SEQ,
							   &area, &d, NULL), 0);
		KUNIT_EXPECT_EQ(test, d.off, MIB(4) + i * SECTOR);
		KUNIT_EXPECT_EQ(test, d.zero, i % 2 == 1);
		KUNIT_EXPECT_EQ(test, d.len, d.zero ? (u64)i << 20 : SECTOR);
		if (d.zero)
			continue;
		KUNIT_ASSERT_EQ(test, vhdx_log_data_check(buf + at, 0, SYNTHETIC_SEQ, NULL), 0);
		vhdx_log_data_decode(buf + at, &d, out);
		craft_fill(content, i);
		KUNIT_EXPECT_EQ(test, memcmp(out, content, SECTOR), 0);
		at += SECTOR;
	}
	KUNIT_EXPECT_EQ(test, at, len);
}

/* The builder and our own crafted entry agree. */
static void log_entry_craft_test(struct kunit *test)
{
	static const struct craft_desc descs[] = {
		{ MIB(2), 0, 5 }, { MIB(8), MIB(3), 0 }, { 0x30000, 0, 6 }, { 0x40000, 4096, 0 },
	};
	struct craft_entry e = {
		.seq = 0xffffffff, .flushed_off = 7, .last_off = 8, .guid = SYNTHETIC_GUID,
		.tail = 0xff000, .nr_desc = 4, .desc = descs,
	};
	struct vhdx_log_entry entry = { .tail = 0xff000, .flushed_off = 7, .last_off = 8 };
	u8 *want = sectors_alloc(test, 3), *buf = sectors_alloc(test, 3);
	u8 *content = sectors_alloc(test, 1);
	struct vhdx_log_build b;
	u32 i;

	KUNIT_ASSERT_EQ(test, craft_log_entry(want, &e), 3 * SECTOR);
	vhdx_log_build_init(&b, buf, e.seq, 4);
	for (i = 0; i < 4; i++) {
		craft_fill(content, descs[i].seed);
		if (descs[i].len)
			vhdx_log_build_zero(&b, descs[i].off, descs[i].len);
		else
			vhdx_log_build_data(&b, descs[i].off, content);
	}
	KUNIT_EXPECT_EQ(test, vhdx_log_build_seal(&b, &e.guid, &entry), 3 * SECTOR);
	KUNIT_EXPECT_EQ(test, memcmp(buf, want, 3 * SECTOR), 0);
}

/* A header field of @size bytes at @at becomes @value. */
struct head_case {
	const char	*name;
	u32		pos;
	u32		at;
	u32		size;
	u64		value;
	enum vhdx_fault	fault;
};

static const struct head_case head_cases[] = {
	{ "as made", 0, 0, 0, 0 },
	{ "last sector", LOG_LEN - SECTOR, 0, 0, 0 },
	{ "reserved field", 0, 28, 4, 0xffffffff },
	{ "tail in the last sector", 0, 12, 4, LOG_LEN - SECTOR },
	{ "longest", 0, 8, 4, LOG_LEN },
	{ "highest sequence", 0, 16, 8, U64_MAX },
	{ "no descriptors", 0, 24, 4, 0 },
	{ "as many as fit", 0, 24, 4, 126 + 128 },
	{ "wild offsets", 0, 56, 8, U64_MAX },
	{ "position in a sector", 512, 0, 0, 0, VHDX_FAULT_LOG_ENTRY_ALIGNMENT },
	{ "position off by one", 1, 0, 0, 0, VHDX_FAULT_LOG_ENTRY_ALIGNMENT },
	{ "position behind the log", LOG_LEN, 0, 0, 0, VHDX_FAULT_LOG_ENTRY_ALIGNMENT },
	{ "signature", 0, 0, 4, VHDX_LOG_DESC_SIGNATURE, VHDX_FAULT_LOG_ENTRY_SIGNATURE },
	{ "zeros", 0, 0, 4, 0, VHDX_FAULT_LOG_ENTRY_SIGNATURE },
	{ "GUID, first byte", 0, 32, 1, 1, VHDX_FAULT_LOG_ENTRY_GUID },
	{ "GUID, last byte", 0, 47, 1, 1, VHDX_FAULT_LOG_ENTRY_GUID },
	{ "length 0", 0, 8, 4, 0, VHDX_FAULT_LOG_ENTRY_LENGTH },
	{ "length below a sector", 0, 8, 4, 2048, VHDX_FAULT_LOG_ENTRY_LENGTH },
	{ "length alignment", 0, 8, 4, 12288 + 512, VHDX_FAULT_LOG_ENTRY_LENGTH },
	{ "longer than the log", 0, 8, 4, LOG_LEN + SECTOR, VHDX_FAULT_LOG_ENTRY_LENGTH },
	{ "longest of all", 0, 8, 4, 0xfffff000, VHDX_FAULT_LOG_ENTRY_LENGTH },
	{ "tail alignment", 0, 12, 4, 2048, VHDX_FAULT_LOG_ENTRY_TAIL },
	{ "tail behind the log", 0, 12, 4, LOG_LEN, VHDX_FAULT_LOG_ENTRY_TAIL },
	{ "tail far away", 0, 12, 4, 0xfffff000, VHDX_FAULT_LOG_ENTRY_TAIL },
	{ "sequence 0", 0, 16, 8, 0, VHDX_FAULT_LOG_ENTRY_SEQUENCE },
	{ "one descriptor too many", 0, 24, 4, 126 + 2 * 128 + 1, VHDX_FAULT_LOG_ENTRY_COUNT },
	{ "2^27 descriptors", 0, 24, 4, 1 << 27, VHDX_FAULT_LOG_ENTRY_COUNT },
	{ "2^32 - 1 descriptors", 0, 24, 4, 0xffffffff, VHDX_FAULT_LOG_ENTRY_COUNT },
};

static void head_desc(const struct head_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(head, head_cases, head_desc);

static void log_entry_head_test(struct kunit *test)
{
	const struct head_case *c = test->param_value;
	u8 *buf = sectors_alloc(test, 1);
	struct vhdx_log_entry entry;
	struct vhdx_finding fd;
	u32 i;

	memcpy(buf, synthetic, sizeof(synthetic));
	buf[9] = 0x30;	/* three sectors, so that there is room for counts */
	for (i = 0; i < c->size; i++)
		buf[c->at + i] = c->value >> (8 * i);
	KUNIT_ASSERT_EQ(test, vhdx_log_entry_decode(buf, c->pos, &area, &entry, &fd), c->fault);
	if (!c->fault)
		return;
	KUNIT_EXPECT_EQ(test, fd.fault, c->fault);
	if (c->fault == VHDX_FAULT_LOG_ENTRY_GUID)
		KUNIT_EXPECT_EQ(test, fd.off, LOG_OFF + 32);
	else
		KUNIT_EXPECT_EQ(test, fd.off, LOG_OFF + c->pos + c->at);
}

/* The finding of an entry further on in the log says where it is. */
static void log_entry_head_off_test(struct kunit *test)
{
	u8 *buf = sectors_alloc(test, 1);
	struct vhdx_log_entry entry;
	struct vhdx_finding fd;

	memcpy(buf, synthetic, sizeof(synthetic));
	buf[12] = 1;
	KUNIT_EXPECT_EQ(test, vhdx_log_entry_decode(buf, 0x5000, &area, &entry, &fd),
			VHDX_FAULT_LOG_ENTRY_TAIL);
	KUNIT_EXPECT_EQ(test, fd.off, LOG_OFF + 0x5000 + 12);
	KUNIT_EXPECT_EQ(test, fd.value, 1);
}

/* One descriptor; @field is the byte of it that is wrong. */
struct desc_case {
	const char	*name;
	bool		zero;
	u64		off;
	u64		len;
	enum vhdx_fault	fault;
	u32		field;
};

#define TARGET	VHDX_FAULT_LOG_DESC_TARGET
#define ALIGN_FAULT VHDX_FAULT_LOG_DESC_ALIGNMENT

static const struct desc_case desc_cases[] = {
	{ "data", false, MIB(3), 0 },
	{ "data on the first region table", false, 0x30000, 0 },
	{ "data before the log", false, MIB(1) - SECTOR, 0 },
	{ "data behind the log", false, MIB(2), 0 },
	{ "data far behind any file's end", false, MIB(1 << 20), 0 },
	{ "zero", true, MIB(3), MIB(7) },
	{ "zero up to the log", true, 0x30000, MIB(1) - 0x30000 },
	{ "zero of length 0", true, MIB(3), 0 },
	{ "zero of 1 TiB", true, MIB(3), MIB(1 << 20) },
	{ "data alignment", false, MIB(3) + 512, 0, ALIGN_FAULT, 16 },
	{ "zero alignment", true, MIB(3) + 2048, 4096, ALIGN_FAULT, 16 },
	{ "zero length alignment", true, MIB(3), 4096 + 512, ALIGN_FAULT, 8 },
	{ "data on the identifier", false, 0, 0, TARGET, 16 },
	{ "data on a header", false, 0x10000, 0, TARGET, 16 },
	{ "data behind the headers", false, 0x2f000, 0, TARGET, 16 },
	{ "zero on a header", true, 0x20000, MIB(3), TARGET, 16 },
	{ "data on the log's first sector", false, MIB(1), 0, TARGET, 16 },
	{ "data on the log's last sector", false, MIB(2) - SECTOR, 0, TARGET, 16 },
	{ "zero runs into the log", true, 0x30000, MIB(1), TARGET, 16 },
	{ "zero begins in the log", true, MIB(2) - SECTOR, SECTOR * 2, TARGET, 16 },
	{ "zero covers the log", true, MIB(1) - SECTOR, MIB(5), TARGET, 16 },
	{ "zero within the log", true, MIB(1) + SECTOR, SECTOR, TARGET, 16 },
	{ "data beyond any file", false, 0x7ffffffffffff000ULL, 0, TARGET, 16 },
	{ "data at the very end", false, 0xfffffffffffff000ULL, 0, TARGET, 16 },
	{ "data at 2^63", false, 1ULL << 63, 0, TARGET, 16 },
	{ "zero beyond any file", true, MIB(3), 0x7ffffffffffff000ULL, TARGET, 16 },
	{ "zero's sum overflows", true, 0xfffffffffffff000ULL, 0x400000, TARGET, 16 },
	{ "zero of the greatest length", true, MIB(3), 0xfffffffffffff000ULL, TARGET, 16 },
};

static void desc_desc(const struct desc_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(desc, desc_cases, desc_desc);

static void log_entry_desc_test(struct kunit *test)
{
	const struct desc_case *c = test->param_value;
	struct craft_desc in = { .off = c->off, .len = c->len };
	u8 *sector = sectors_alloc(test, 1);
	struct vhdx_log_desc desc;
	struct vhdx_finding fd;
	__le64 raw[4] = {};

	craft_fill(sector, 1);
	if (c->zero)
		craft_zero((u8 *)raw, 77, &in);
	else
		craft_data((u8 *)raw, sector, 77, c->off);
	KUNIT_ASSERT_EQ(test, vhdx_log_desc_decode(raw, 0x100040, 77, &area, &desc, &fd), c->fault);
	if (c->fault) {
		KUNIT_EXPECT_EQ(test, fd.fault, c->fault);
		KUNIT_EXPECT_EQ(test, fd.off, 0x100040 + c->field);
		return;
	}
	KUNIT_EXPECT_EQ(test, desc.off, c->off);
	KUNIT_EXPECT_EQ(test, desc.zero, c->zero);
	KUNIT_EXPECT_EQ(test, desc.len, c->zero ? c->len : SECTOR);
}

static void log_entry_desc_head_test(struct kunit *test)
{
	struct craft_desc in = { .off = MIB(3), .len = MIB(1) };
	struct vhdx_log_desc desc;
	struct vhdx_finding fd;
	__le64 raw[4] = {};

	craft_zero((u8 *)raw, SYNTHETIC_SEQ, &in);
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_decode(raw, 64, SYNTHETIC_SEQ + 1, &area, &desc, &fd),
			VHDX_FAULT_LOG_DESC_SEQUENCE);
	KUNIT_EXPECT_EQ(test, fd.off, 64 + 24);
	/* Upper and lower half of the number both count. */
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_decode(raw, 64, (u32)SYNTHETIC_SEQ, &area, &desc, &fd),
			VHDX_FAULT_LOG_DESC_SEQUENCE);
	((u8 *)raw)[0] ^= 0x20;
	KUNIT_EXPECT_EQ(test, vhdx_log_desc_decode(raw, 64, SYNTHETIC_SEQ, &area, &desc, &fd),
			VHDX_FAULT_LOG_DESC_SIGNATURE);
	KUNIT_EXPECT_EQ(test, fd.off, 64);
}

/* Each bit of a data sector's numbers. */
static void log_entry_data_test(struct kunit *test)
{
	u8 *sector = sectors_alloc(test, 1);
	struct vhdx_finding fd;
	u8 raw[32];
	u32 i, at;

	craft_fill(sector, 9);
	craft_data(raw, sector, SYNTHETIC_SEQ, MIB(3));
	KUNIT_EXPECT_EQ(test, vhdx_log_data_check(sector, 0x7000, SYNTHETIC_SEQ, NULL), 0);
	for (i = 0; i < 96; i++) {
		at = i < 64 ? i / 8 : 4092 + (i - 64) / 8;
		sector[at] ^= 1 << (i % 8);
		KUNIT_EXPECT_EQ(test, vhdx_log_data_check(sector, 0x7000, SYNTHETIC_SEQ, &fd),
				i < 32 ? VHDX_FAULT_LOG_DATA_SIGNATURE :
				VHDX_FAULT_LOG_DATA_SEQUENCE);
		KUNIT_EXPECT_EQ(test, fd.off, 0x7000 + (i < 32 ? 0 : i < 64 ? 4 : 4092));
		sector[at] ^= 1 << (i % 8);
	}
}

static struct kunit_case log_entry_cases[] = {
	KUNIT_CASE(log_entry_size_test),
	KUNIT_CASE(log_entry_windows_a_test),
	KUNIT_CASE(log_entry_windows_b_test),
	KUNIT_CASE(log_entry_windows_decode_test),
	KUNIT_CASE(log_entry_synthetic_test),
	KUNIT_CASE(log_entry_build_page_test),
	KUNIT_CASE(log_entry_crc_test),
	KUNIT_CASE(log_entry_large_test),
	KUNIT_CASE(log_entry_craft_test),
	KUNIT_CASE_PARAM(log_entry_head_test, head_gen_params),
	KUNIT_CASE(log_entry_head_off_test),
	KUNIT_CASE_PARAM(log_entry_desc_test, desc_gen_params),
	KUNIT_CASE(log_entry_desc_head_test),
	KUNIT_CASE(log_entry_data_test),
	{}
};

static struct kunit_suite log_entry_suite = {
	.name = "vhdx_log_entry",
	.test_cases = log_entry_cases,
};

kunit_test_suite(log_entry_suite);
