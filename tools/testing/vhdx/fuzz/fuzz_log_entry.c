// SPDX-License-Identifier: GPL-2.0-only
/*
 * One log entry: what somebody else wrote is decoded, and what the builder
 * makes of the input is decoded to the same.
 *
 * Input: a byte of flags, the entry's header behind the checksum (56), then
 * descriptors (32 each). Flag 1 makes GUID and length right, 2 the numbers and
 * signatures of the descriptors, and 4 brings what they cover to both ends of
 * the log.
 */
#include "format/log_entry.h"

#include "fuzz.h"

#define MAX_DESC	200

static const struct vhdx_log_area area = {
	.off = MIB(1), .len = SZ_1M, .guid = GUID_INIT(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
};

static u8 buf[3 * SECTOR];
static u8 built[(3 + MAX_DESC) * SECTOR];

static void check_desc(const struct vhdx_log_desc *d)
{
	fuzz_assert(!(d->off % SECTOR) && !(d->len % SECTOR));
	fuzz_assert(d->off >= 0x30000 && d->off + d->len >= d->off);
	fuzz_assert(d->off + d->len <= (1ULL << 63) - 1);
	fuzz_assert(d->zero || d->len == SECTOR);
	if (d->len)
		fuzz_assert(d->off + d->len <= area.off || d->off >= area.off + area.len);
}

/* Decodes the entry in @buf; returns how many good descriptors it has. */
static u32 decode(struct vhdx_log_desc *descs)
{
	struct vhdx_log_entry entry;
	struct vhdx_finding fd;
	enum vhdx_fault fault;
	char text[1000];
	u32 i, nr = 0;

	fault = vhdx_log_entry_decode(buf, 0x3000, &area, &entry, &fd);
	fuzz_check_finding(fault, &fd);
	if (fault)
		return 0;
	fuzz_assert(entry.len && !(entry.len % SECTOR) && entry.len <= area.len);
	fuzz_assert(!(entry.tail % SECTOR) && entry.tail < area.len && entry.seq);
	fuzz_assert(entry.desc_len == vhdx_log_desc_area(entry.nr_desc));
	fuzz_assert(entry.desc_len <= entry.len);
	fuzz_assert(vhdx_log_entry_to_text(text, sizeof(text), &entry) > 0);
	for (i = 0; i < entry.nr_desc && i < MAX_DESC; i++) {
		fault = vhdx_log_desc_decode(buf + 64 + 32 * i, 0x104000 + 64 + 32 * i, entry.seq,
					     &area, &descs[nr], &fd);
		fuzz_check_finding(fault, &fd);
		if (fault)
			continue;
		fuzz_accept();
		check_desc(&descs[nr]);
		fuzz_assert(vhdx_log_desc_to_text(text, sizeof(text), &descs[nr]) > 0);
		nr++;
	}
	return nr;
}

/* An entry of these descriptors, and of numbers from the input. */
static u32 build(const struct vhdx_log_desc *descs, u32 nr, u64 seq,
		 const struct vhdx_log_entry *entry)
{
	struct vhdx_log_build b;
	u8 content[SECTOR];
	u32 i;

	vhdx_log_build_init(&b, built, seq, nr);
	for (i = 0; i < nr; i++) {
		craft_fill(content, i);
		if (descs[i].zero)
			vhdx_log_build_zero(&b, descs[i].off, descs[i].len);
		else
			vhdx_log_build_data(&b, descs[i].off, content);
	}
	return vhdx_log_build_seal(&b, &area.guid, entry);
}

static void check_built(const struct vhdx_log_desc *descs, u32 nr, u64 seq, u32 len)
{
	u8 content[SECTOR], out[SECTOR];
	struct vhdx_log_entry entry;
	struct vhdx_log_desc d;
	u32 i, at;

	fuzz_assert(!vhdx_log_entry_decode(built, 0, &area, &entry, NULL));
	fuzz_assert(entry.len == len && entry.nr_desc == nr && entry.seq == seq);
	fuzz_assert(~vhdx_log_entry_crc(~0U, built, len, true) == vhdx_log_entry_checksum(built));
	at = entry.desc_len;
	for (i = 0; i < nr; i++) {
		fuzz_assert(!vhdx_log_desc_decode(built + 64 + 32 * i, 0, seq, &area, &d, NULL));
		fuzz_assert(d.off == descs[i].off && d.len == descs[i].len);
		fuzz_assert(d.zero == descs[i].zero);
		if (d.zero)
			continue;
		fuzz_assert(!vhdx_log_data_check(built + at, 0, seq, NULL));
		vhdx_log_data_decode(built + at, &d, out);
		craft_fill(content, i);
		fuzz_assert(!memcmp(out, content, SECTOR));
		at += SECTOR;
	}
	fuzz_assert(at == len);
}

/* One of the eight sectors about the beginning of the log, or about its end. */
static u64 near(u64 off)
{
	u64 end = off & SZ_1M ? area.off + area.len : area.off;

	return end + off % (8 * SECTOR) / SECTOR * SECTOR - 4 * SECTOR;
}

static void put_right(u8 flags)
{
	struct vhdx_raw_log_entry *raw = (void *)buf;
	struct vhdx_raw_log_desc *desc = (void *)(buf + 64);
	u32 i;

	if (flags & 1) {
		raw->log_guid = area.guid;
		raw->entry_length = cpu_to_le32(SZ_1M);
	}
	for (i = 0; flags & 2 && i < MAX_DESC; i++) {
		desc[i].signature = cpu_to_le32(i % 3 ? VHDX_LOG_DESC_SIGNATURE :
						VHDX_LOG_ZERO_SIGNATURE);
		desc[i].sequence_number = raw->sequence_number;
	}
	for (i = 0; flags & 4 && i < MAX_DESC; i++)
		desc[i].file_offset = cpu_to_le64(near(le64_to_cpu(desc[i].file_offset)));
}

int fuzz_one(const uint8_t *data, size_t size)
{
	static struct vhdx_log_desc descs[MAX_DESC];
	struct fuzz_input in = { data, size };
	struct vhdx_log_entry entry = {};
	u8 flags = fuzz_u8(&in);
	u64 seq;
	u32 nr;

	memset(buf, 0, sizeof(buf));
	memcpy(buf, "loge", 4);
	fuzz_take(&in, buf + 8, min_t(size_t, in.left, 56 + 32 * MAX_DESC));
	put_right(flags);
	nr = decode(descs);
	seq = le64_to_cpu(((struct vhdx_raw_log_entry *)buf)->sequence_number) ?: 1;
	entry.tail = (flags >> 3) * SECTOR;
	check_built(descs, nr, seq, build(descs, nr, seq, &entry));
	vhdx_log_data_check(buf, 0, seq, NULL);
	return 0;
}
