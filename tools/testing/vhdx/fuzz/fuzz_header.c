// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both headers: the choice and the check of the log's place.
 *
 * Input: a byte of flags, the file's size (8), the identifier (8), and the
 * first 96 bytes of each header. Flags 1 and 2 seal the first and the second
 * header; 4 makes the second a copy of the first; with 8 the file ends near
 * the end of the log.
 */
#include "format/header.h"

#include "fuzz.h"

static u8 headers[2][VHDX_HEADER_SIZE];

static void seal(u8 *buf)
{
	((struct vhdx_raw_header *)buf)->signature = cpu_to_le32(VHDX_HEADER_SIGNATURE);
	craft_seal(buf, VHDX_HEADER_SIZE);
}

/* Encoding what was decoded gives the header, but for reserved bytes. */
static void check_round_trip(const u8 *buf, const struct vhdx_header *hdr)
{
	u8 again[VHDX_HEADER_SIZE];
	struct vhdx_header hdr2;

	vhdx_header_encode(again, hdr);
	fuzz_assert(!vhdx_header_decode(again, 0, &hdr2, NULL));
	fuzz_assert(hdr2.seq == hdr->seq && hdr2.log_off == hdr->log_off);
	fuzz_assert(!memcmp(again + 8, buf + 8, 72));
}

static void check_log(const struct vhdx_header *hdr, u64 size)
{
	fuzz_assert(hdr->version == 1);
	fuzz_assert(!(hdr->log_off % SZ_1M) && !(hdr->log_len % SZ_1M));
	fuzz_assert(hdr->log_len || guid_is_null(&hdr->log_guid));
	if (!hdr->log_len)
		return;
	fuzz_assert(hdr->log_off >= SZ_1M && hdr->log_len <= SZ_1G);
	fuzz_assert(hdr->log_off <= size && hdr->log_len <= size - hdr->log_off);
}

static void check_choice(const struct vhdx_headers *hdrs, u64 size)
{
	struct vhdx_finding fd;
	struct vhdx_header hdr;
	enum vhdx_fault fault;
	char text[1000];

	fuzz_assert(hdrs->slot < 2 && hdrs->valid < 4);
	fuzz_assert(hdrs->valid & (1 << hdrs->slot));
	fuzz_assert(!vhdx_header_decode(headers[hdrs->slot], hdrs->slot, &hdr, NULL));
	fuzz_assert(hdr.seq == hdrs->cur.seq);
	check_round_trip(headers[hdrs->slot], &hdr);
	if (!vhdx_header_decode(headers[!hdrs->slot], !hdrs->slot, &hdr, NULL))
		fuzz_assert(hdr.seq <= hdrs->cur.seq);
	fuzz_assert(vhdx_header_to_text(text, sizeof(text), &hdrs->cur) > 0);
	fault = vhdx_headers_check(hdrs, size, &fd);
	fuzz_check_finding(fault, &fd);
	if (fault)
		return;
	fuzz_accept();
	check_log(&hdrs->cur, size);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u8 flags = fuzz_u8(&in), id[8];
	u64 file_size = fuzz_u64(&in);
	struct vhdx_headers hdrs;
	struct vhdx_finding fd;
	enum vhdx_fault fault;
	int i;

	fuzz_take(&in, id, sizeof(id));
	fault = vhdx_file_id_check(id, &fd);
	fuzz_check_finding(fault, &fd);
	fuzz_assert(!fault == !memcmp(id, "vhdxfile", 8));
	for (i = 0; i < 2; i++) {
		memset(headers[i], 0, VHDX_HEADER_SIZE);
		fuzz_take(&in, headers[i], 96);
		if (flags & (1 << i))
			seal(headers[i]);
	}
	if (flags & 4)
		memcpy(headers[1], headers[0], VHDX_HEADER_SIZE);
	fault = vhdx_headers_choose(headers[0], headers[1], &hdrs, &fd);
	fuzz_check_finding(fault, &fd);
	if (fault)
		return 0;
	if (flags & 8)
		file_size = hdrs.cur.log_off + hdrs.cur.log_len + (s8)file_size;
	check_choice(&hdrs, file_size);
	return 0;
}
