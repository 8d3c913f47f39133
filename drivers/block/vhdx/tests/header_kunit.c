// SPDX-License-Identifier: GPL-2.0-only
/*
 * File identifier and headers: the vectors of real files, each bit of a
 * header, the choice of the current one, and where the log may lie.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/header.h"
#include "format/raw.h"

#include "craft.h"

/* The headers of an image made by Windows Server 2012, and a synthetic one. */
static const u8 windows_header1[80] = {
	0x68, 0x65, 0x61, 0x64, 0x18, 0xbb, 0xfa, 0x37, 0x0e, 0, 0, 0, 0, 0, 0, 0,
	0x6d, 0xea, 0x90, 0x8e, 0x36, 0xb6, 0x49, 0x1c,
	0xb7, 0xd4, 0x35, 0x10, 0x9e, 0x60, 0x0c, 0x0c,
	0xb2, 0xcb, 0x47, 0xd2, 0xb6, 0x15, 0x4b, 0x40,
	0x91, 0x33, 0x79, 0x07, 0x33, 0xd6, 0x94, 0xc0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 1, 0, 0, 0, 0x10, 0, 0, 0, 0x10, 0, 0, 0, 0, 0,
};

static const u8 synthetic_header[80] = {
	0x68, 0x65, 0x61, 0x64, 0xb9, 0xf1, 0xb9, 0x7d, 1, 0, 0, 0, 0, 0, 0, 0,
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
	0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
	0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
	0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 1, 0, 0, 0, 0x10, 0, 0, 0, 0x10, 0, 0, 0, 0, 0,
};

static const guid_t some_guid = GUID_INIT(0x01234567, 0x89ab, 0xcdef, 1, 2, 3, 4, 5, 6, 7, 8);

static u8 *header_alloc(struct kunit *test, const u8 *first80)
{
	u8 *buf = kunit_kzalloc(test, VHDX_HEADER_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	memcpy(buf, first80, 80);
	return buf;
}

static void header_crc_test(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	KUNIT_EXPECT_EQ(test, craft_crc("123456789", 9), 0xe3069283);
	KUNIT_EXPECT_EQ(test, craft_crc(buf, 4096), 0x98f94189);
	KUNIT_EXPECT_EQ(test, craft_crc(buf, SZ_64K), 0x72c0c4a4);
	memset(buf, 0xff, 4096);
	KUNIT_EXPECT_EQ(test, craft_crc(buf, 4096), 0x25c1fe13);
	for (i = 0; i < 4096; i++)
		buf[i] = i;
	KUNIT_EXPECT_EQ(test, craft_crc(buf, 4096), 0x9c71fe32);
}

static void header_file_size_test(struct kunit *test)
{
	struct vhdx_finding fd = { };

	KUNIT_EXPECT_EQ(test, vhdx_file_size_check(1 << 20, &fd), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_file_size_check(1ULL << 48, &fd), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, vhdx_file_size_check((1 << 20) - 1, &fd),
			VHDX_FAULT_FILE_TOO_SMALL);
	KUNIT_EXPECT_EQ(test, vhdx_file_size_check((1ULL << 48) + 1, &fd),
			VHDX_FAULT_FILE_TOO_LARGE);
	KUNIT_EXPECT_EQ(test, fd.off, 0);
	KUNIT_EXPECT_EQ(test, fd.value, (1ULL << 48) + 1);
}

static void header_file_id_check_test(struct kunit *test)
{
	struct vhdx_finding fd;
	u8 id[8];
	int i;

	memcpy(id, "vhdxfile", 8);
	KUNIT_EXPECT_EQ(test, vhdx_file_id_check(id, &fd), VHDX_FAULT_NONE);
	for (i = 0; i < 64; i++) {
		id[i / 8] ^= 1 << (i % 8);
		KUNIT_EXPECT_EQ(test, vhdx_file_id_check(id, &fd), VHDX_FAULT_FILE_ID_SIGNATURE);
		KUNIT_EXPECT_EQ(test, fd.off, 0);
		id[i / 8] ^= 1 << (i % 8);
	}
	KUNIT_EXPECT_EQ(test, vhdx_file_id_check("conectix", NULL), VHDX_FAULT_FILE_ID_SIGNATURE);
}

static void header_file_id_encode_test(struct kunit *test)
{
	u8 *id = kunit_kzalloc(test, VHDX_FILE_ID_SIZE + 1, GFP_KERNEL);
	char *creator = kunit_kzalloc(test, 301, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, id);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, creator);
	memset(id, 0xa5, VHDX_FILE_ID_SIZE + 1);
	vhdx_file_id_encode(id, "vhdx a");
	KUNIT_EXPECT_EQ(test, memcmp(id, "vhdxfilev\0h\0d\0x\0 \0a\0", 20), 0);
	KUNIT_EXPECT_TRUE(test, !memchr_inv(id + 20, 0, VHDX_FILE_ID_SIZE - 20));

	memset(creator, 'c', 300);
	vhdx_file_id_encode(id, creator);
	KUNIT_EXPECT_EQ(test, id[8 + 2 * 254], 'c');
	KUNIT_EXPECT_EQ(test, id[8 + 2 * 255], 0);
	KUNIT_EXPECT_EQ(test, id[8 + 2 * 255 + 1], 0);
	KUNIT_EXPECT_EQ(test, id[VHDX_FILE_ID_SIZE], 0xa5);
}

static void header_off_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vhdx_header_off(0), 0x10000);
	KUNIT_EXPECT_EQ(test, vhdx_header_off(1), 0x20000);
}

static void header_decode_test(struct kunit *test)
{
	u8 *buf = header_alloc(test, windows_header1);
	struct vhdx_header hdr;

	KUNIT_EXPECT_EQ(test, vhdx_header_decode(buf, 0, &hdr, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, hdr.seq, 14);
	KUNIT_EXPECT_EQ(test, memcmp(&hdr.file_write_guid, windows_header1 + 16, 16), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&hdr.data_write_guid, windows_header1 + 32, 16), 0);
	KUNIT_EXPECT_TRUE(test, guid_is_null(&hdr.log_guid));
	KUNIT_EXPECT_EQ(test, hdr.log_version, 0);
	KUNIT_EXPECT_EQ(test, hdr.version, 1);
	KUNIT_EXPECT_EQ(test, hdr.log_len, 0x100000);
	KUNIT_EXPECT_EQ(test, hdr.log_off, 0x100000);
}

/* What the encoder makes of a decoded header is the header. */
static void header_encode_test(struct kunit *test)
{
	const u8 *vectors[] = { windows_header1, synthetic_header };
	u8 *out = header_alloc(test, synthetic_header);
	struct vhdx_header hdr;
	u8 *in;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		in = header_alloc(test, vectors[i]);
		memset(out, 0xa5, VHDX_HEADER_SIZE);
		KUNIT_ASSERT_EQ(test, vhdx_header_decode(in, 0, &hdr, NULL), VHDX_FAULT_NONE);
		vhdx_header_encode(out, &hdr);
		KUNIT_EXPECT_EQ(test, memcmp(in, out, VHDX_HEADER_SIZE), 0);
	}
}

/* Every field has its own place: give each a value that no other has. */
static void header_round_trip_test(struct kunit *test)
{
	u8 *buf = header_alloc(test, synthetic_header);
	struct vhdx_raw_header *raw = (void *)buf;
	struct vhdx_header hdr;

	raw->sequence_number = cpu_to_le64(0xfedcba9876543210ULL);
	raw->log_guid = some_guid;
	raw->log_version = cpu_to_le16(0x1122);
	raw->version = cpu_to_le16(0x3344);
	raw->log_length = cpu_to_le32(0x55667788);
	raw->log_offset = cpu_to_le64(0x99aabbccddeeff00ULL);
	craft_seal(buf, VHDX_HEADER_SIZE);
	KUNIT_ASSERT_EQ(test, vhdx_header_decode(buf, 1, &hdr, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, hdr.seq, 0xfedcba9876543210ULL);
	KUNIT_EXPECT_TRUE(test, guid_equal(&hdr.log_guid, &some_guid));
	KUNIT_EXPECT_EQ(test, hdr.log_version, 0x1122);
	KUNIT_EXPECT_EQ(test, hdr.version, 0x3344);
	KUNIT_EXPECT_EQ(test, hdr.log_len, 0x55667788);
	KUNIT_EXPECT_EQ(test, hdr.log_off, 0x99aabbccddeeff00ULL);
	raw = (void *)header_alloc(test, synthetic_header);
	vhdx_header_encode(raw, &hdr);
	KUNIT_EXPECT_EQ(test, memcmp(raw, buf, VHDX_HEADER_SIZE), 0);
}

/* No single bit of the 4096 bytes can change unseen. */
static void header_bit_flip_test(struct kunit *test)
{
	u8 *buf = header_alloc(test, windows_header1);
	enum vhdx_fault fault, want;
	struct vhdx_header hdr;
	struct vhdx_finding fd;
	u32 i, missed = 0;

	for (i = 0; i < VHDX_HEADER_SIZE * 8; i++) {
		want = i < 32 ? VHDX_FAULT_HEADER_SIGNATURE : VHDX_FAULT_HEADER_CHECKSUM;
		buf[i / 8] ^= 1 << (i % 8);
		fault = vhdx_header_decode(buf, 1, &hdr, &fd);
		missed += fault != want || fd.fault != want ||
			  fd.off != (i < 32 ? 0x20000 : 0x20004);
		buf[i / 8] ^= 1 << (i % 8);
	}
	KUNIT_EXPECT_EQ(test, missed, 0);
	KUNIT_EXPECT_EQ(test, vhdx_header_decode(buf, 1, &hdr, &fd), VHDX_FAULT_NONE);
}

/* Reserved bytes are read past, but they count for the checksum. */
static void header_reserved_test(struct kunit *test)
{
	u8 *buf = header_alloc(test, windows_header1);
	struct vhdx_header hdr;

	buf[80] = 1;
	buf[4095] = 0xff;
	KUNIT_EXPECT_EQ(test, vhdx_header_decode(buf, 0, &hdr, NULL), VHDX_FAULT_HEADER_CHECKSUM);
	craft_seal(buf, VHDX_HEADER_SIZE);
	KUNIT_EXPECT_EQ(test, vhdx_header_decode(buf, 0, &hdr, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, hdr.seq, 14);
}

/* HEAD and SUM are headers damaged in signature and checksum. */
enum damage { GOOD, HEAD, SUM, RESERVED };

struct choose_case {
	const char	*name;
	u64		seq[2];
	enum damage	damage[2];
	enum vhdx_fault	fault;
	u64		off;
	unsigned int	slot;
	unsigned int	valid;
};

static const struct choose_case choose_cases[] = {
	{ "second newer", { 14, 15 }, { GOOD, GOOD }, 0, 0, 1, 3 },
	{ "first newer", { 16, 15 }, { GOOD, GOOD }, 0, 0, 0, 3 },
	{ "far apart", { 1, U64_MAX }, { GOOD, GOOD }, 0, 0, 1, 3 },
	{ "above 2^63", { 1ULL << 63, 1 }, { GOOD, GOOD }, 0, 0, 0, 3 },
	{ "sequence zero", { 0, 1 }, { GOOD, GOOD }, 0, 0, 1, 3 },
	{ "newer one torn", { 14, 15 }, { GOOD, SUM }, 0, 0, 0, 1 },
	{ "older one torn", { 14, 15 }, { SUM, GOOD }, 0, 0, 1, 2 },
	{ "newer without signature", { 16, 15 }, { HEAD, GOOD }, 0, 0, 1, 2 },
	{ "second without signature", { 14, 15 }, { GOOD, HEAD }, 0, 0, 0, 1 },
	{ "identical", { 7, 7 }, { GOOD, GOOD }, 0, 0, 0, 3 },
	{ "identical, sequence zero", { 0, 0 }, { GOOD, GOOD }, 0, 0, 0, 3 },
	{ "equal and one torn", { 7, 7 }, { SUM, GOOD }, 0, 0, 1, 2 },
	{ "equal, reserved bytes differ", { 7, 7 }, { GOOD, RESERVED },
	  VHDX_FAULT_HEADER_AMBIGUOUS, 0x10008, 0, 0 },
	{ "neither signature", { 1, 2 }, { HEAD, HEAD }, VHDX_FAULT_HEADER_NONE_VALID, 0x10000 },
	{ "neither checksum", { 1, 2 }, { SUM, SUM }, VHDX_FAULT_HEADER_NONE_VALID, 0x10000 },
	{ "one of each", { 1, 2 }, { HEAD, SUM }, VHDX_FAULT_HEADER_NONE_VALID, 0x10000 },
};

static void choose_desc(const struct choose_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(choose, choose_cases, choose_desc);

static void header_spoil(u8 *buf, u64 seq, enum damage damage)
{
	struct vhdx_raw_header *raw = (void *)buf;

	raw->sequence_number = cpu_to_le64(seq);
	if (damage == RESERVED)
		raw->reserved[100] = 1;
	craft_seal(buf, VHDX_HEADER_SIZE);
	if (damage == HEAD)
		raw->signature ^= cpu_to_le32(1);
	if (damage == SUM)
		raw->reserved[200] ^= 0x80;
}

static void header_choose_test(struct kunit *test)
{
	const struct choose_case *c = test->param_value;
	struct vhdx_headers hdrs;
	struct vhdx_finding fd;
	u8 *buf[2];
	int i;

	for (i = 0; i < 2; i++) {
		buf[i] = header_alloc(test, windows_header1);
		header_spoil(buf[i], c->seq[i], c->damage[i]);
	}
	KUNIT_ASSERT_EQ(test, vhdx_headers_choose(buf[0], buf[1], &hdrs, &fd), c->fault);
	if (c->fault) {
		KUNIT_EXPECT_EQ(test, fd.fault, c->fault);
		KUNIT_EXPECT_EQ(test, fd.off, c->off);
		return;
	}
	KUNIT_EXPECT_EQ(test, hdrs.slot, c->slot);
	KUNIT_EXPECT_EQ(test, hdrs.valid, c->valid);
	KUNIT_EXPECT_EQ(test, hdrs.cur.seq, c->seq[c->slot]);
}

/* Only the current header's fields count. */
static void header_choose_content_test(struct kunit *test)
{
	u8 *buf0 = header_alloc(test, windows_header1);
	u8 *buf1 = header_alloc(test, windows_header1);
	struct vhdx_headers hdrs;

	((struct vhdx_raw_header *)buf1)->log_guid = some_guid;
	header_spoil(buf1, 15, GOOD);
	KUNIT_EXPECT_EQ(test, vhdx_headers_choose(buf0, buf1, &hdrs, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_TRUE(test, guid_equal(&hdrs.cur.log_guid, &some_guid));
	header_spoil(buf1, 13, GOOD);
	KUNIT_EXPECT_EQ(test, vhdx_headers_choose(buf0, buf1, &hdrs, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_TRUE(test, guid_is_null(&hdrs.cur.log_guid));
}

/* The real pair: the second header differs in number and checksum only. */
static void header_choose_windows_test(struct kunit *test)
{
	u8 *buf0 = header_alloc(test, windows_header1);
	u8 *buf1 = header_alloc(test, windows_header1);
	static const u8 start[12] = { 0x68, 0x65, 0x61, 0x64, 0x6f, 0x27, 0x02, 0xb5, 0x0f };
	struct vhdx_headers hdrs;

	memcpy(buf1, start, sizeof(start));
	KUNIT_EXPECT_EQ(test, vhdx_headers_choose(buf0, buf1, &hdrs, NULL), VHDX_FAULT_NONE);
	KUNIT_EXPECT_EQ(test, hdrs.slot, 1);
	KUNIT_EXPECT_EQ(test, hdrs.valid, 3);
	KUNIT_EXPECT_EQ(test, hdrs.cur.seq, 15);
	KUNIT_EXPECT_EQ(test, vhdx_headers_check(&hdrs, SZ_4M, NULL), VHDX_FAULT_NONE);
}

/* @off is relative to the header; the file is 4 MiB unless @size says so. */
struct check_case {
	const char	*name;
	u64		log_off;
	u32		log_len;
	u16		version;
	u16		log_version;
	bool		dirty;
	u64		size;
	enum vhdx_fault	fault;
	u32		off;
	u64		value;
};

#define DIRTY true
#define CLEAN false

static const struct check_case check_cases[] = {
	{ "clean", SZ_1M, SZ_1M, 1, 0, CLEAN },
	{ "dirty", SZ_1M, SZ_1M, 1, 0, DIRTY },
	{ "log ends with the file", 3 * SZ_1M, SZ_1M, 1, 0, DIRTY },
	{ "log fills the file", SZ_1M, 3 * SZ_1M, 1, 0, DIRTY },
	{ "log version without log", SZ_1M, SZ_1M, 1, 7, CLEAN },
	{ "no log", 0, 0, 1, 0, CLEAN },
	{ "no log but a place", SZ_1M, 0, 1, 0, CLEAN },
	{ "largest log", SZ_1M, SZ_1G, 1, 0, DIRTY, 1ULL << 31 },
	{ "version 0", SZ_1M, SZ_1M, 0, 0, CLEAN, 0, VHDX_FAULT_HEADER_VERSION, 66, 0 },
	{ "version 2", SZ_1M, SZ_1M, 2, 0, CLEAN, 0, VHDX_FAULT_HEADER_VERSION, 66, 2 },
	{ "version 257", SZ_1M, SZ_1M, 257, 0, DIRTY, 0, VHDX_FAULT_HEADER_VERSION, 66, 257 },
	{ "log version", SZ_1M, SZ_1M, 1, 1, DIRTY, 0, VHDX_FAULT_HEADER_LOG_VERSION, 64, 1 },
	{ "offset alignment", SZ_1M + 4096, SZ_1M, 1, 0, DIRTY, 0,
	  VHDX_FAULT_HEADER_LOG_ALIGNMENT, 72, SZ_1M + 4096 },
	{ "length alignment", SZ_1M, SZ_1M + SZ_512K, 1, 0, DIRTY, 0,
	  VHDX_FAULT_HEADER_LOG_ALIGNMENT, 68, SZ_1M + SZ_512K },
	{ "length alignment, clean", SZ_1M, 4096, 1, 0, CLEAN, 0,
	  VHDX_FAULT_HEADER_LOG_ALIGNMENT, 68, 4096 },
	{ "in the header section", 0, SZ_1M, 1, 0, DIRTY, 0,
	  VHDX_FAULT_HEADER_LOG_RANGE, 72, 0 },
	{ "one unit too far", 3 * SZ_1M, SZ_2M, 1, 0, DIRTY, 0,
	  VHDX_FAULT_HEADER_LOG_RANGE, 72, 3 * SZ_1M },
	{ "behind the file", 5 * SZ_1M, SZ_1M, 1, 0, CLEAN, 0,
	  VHDX_FAULT_HEADER_LOG_RANGE, 72, 5 * SZ_1M },
	{ "file ends within", SZ_1M, SZ_1M, 1, 0, DIRTY, SZ_2M - 512,
	  VHDX_FAULT_HEADER_LOG_RANGE, 72, SZ_1M },
	{ "sum overflows", 0xfffffffffff00000ULL, SZ_1M, 1, 0, DIRTY, 0,
	  VHDX_FAULT_HEADER_LOG_RANGE, 72, 0xfffffffffff00000ULL },
	{ "longer than we take", SZ_1M, SZ_1G + SZ_1M, 1, 0, DIRTY, 1ULL << 32,
	  VHDX_FAULT_HEADER_LOG_LENGTH, 68, SZ_1G + SZ_1M },
	{ "log GUID without log", SZ_1M, 0, 1, 0, DIRTY, 0,
	  VHDX_FAULT_HEADER_LOG_MISSING, 68, 0 },
};

static void check_desc(const struct check_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(check, check_cases, check_desc);

static void header_check_test(struct kunit *test)
{
	const struct check_case *c = test->param_value;
	struct vhdx_headers hdrs = {
		.cur.log_off = c->log_off,
		.cur.log_len = c->log_len,
		.cur.version = c->version,
		.cur.log_version = c->log_version,
		.valid = 3,
	};
	u64 size = c->size ?: SZ_4M;
	struct vhdx_finding fd;

	if (c->dirty)
		hdrs.cur.log_guid = some_guid;
	for (hdrs.slot = 0; hdrs.slot < 2; hdrs.slot++) {
		KUNIT_EXPECT_EQ(test, vhdx_headers_check(&hdrs, size, &fd), c->fault);
		KUNIT_EXPECT_EQ(test, vhdx_headers_check(&hdrs, size, NULL), c->fault);
		if (!c->fault)
			continue;
		KUNIT_EXPECT_EQ(test, fd.fault, c->fault);
		KUNIT_EXPECT_EQ(test, fd.off, vhdx_header_off(hdrs.slot) + c->off);
		KUNIT_EXPECT_EQ(test, fd.value, c->value);
	}
}

/* Enough numbers for a session, or none are taken. */
static void header_writable_test(struct kunit *test)
{
	struct vhdx_headers hdrs = { .slot = 1 };
	struct vhdx_finding fd = { };

	hdrs.cur.seq = ~0ULL - ~0U - 1;
	KUNIT_EXPECT_EQ(test, vhdx_headers_check_writable(&hdrs, &fd), VHDX_FAULT_NONE);
	hdrs.cur.seq++;
	KUNIT_EXPECT_EQ(test, vhdx_headers_check_writable(&hdrs, &fd),
			VHDX_FAULT_HEADER_SEQUENCE);
	KUNIT_EXPECT_EQ(test, fd.off, 0x20008);
	KUNIT_EXPECT_EQ(test, fd.value, hdrs.cur.seq);
}

static struct kunit_case header_cases[] = {
	KUNIT_CASE(header_crc_test),
	KUNIT_CASE(header_file_size_test),
	KUNIT_CASE(header_file_id_check_test),
	KUNIT_CASE(header_file_id_encode_test),
	KUNIT_CASE(header_off_test),
	KUNIT_CASE(header_decode_test),
	KUNIT_CASE(header_encode_test),
	KUNIT_CASE(header_round_trip_test),
	KUNIT_CASE(header_bit_flip_test),
	KUNIT_CASE(header_reserved_test),
	KUNIT_CASE_PARAM(header_choose_test, choose_gen_params),
	KUNIT_CASE(header_choose_content_test),
	KUNIT_CASE(header_writable_test),
	KUNIT_CASE(header_choose_windows_test),
	KUNIT_CASE_PARAM(header_check_test, check_gen_params),
	{}
};

static struct kunit_suite header_suite = {
	.name = "vhdx_header",
	.test_cases = header_cases,
};

kunit_test_suite(header_suite);
