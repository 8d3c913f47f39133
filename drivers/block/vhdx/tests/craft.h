/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Structures of a VHDX file made by hand, for the tests: written from the
 * specification and not with the encoders under test, so that both can be
 * compared. Checksums are sealed here too, which is how a test or a fuzzer
 * gets a damaged structure past its checksum.
 */
#ifndef VHDX_TESTS_CRAFT_H
#define VHDX_TESTS_CRAFT_H

#include <linux/crc32c.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "format/raw.h"

/* CRC-32C as the format wants it: inverted before and after. */
static inline u32 craft_crc(const void *buf, u32 len)
{
	return ~crc32c(~0, buf, len);
}

/* Header, region table and log entry all keep their checksum at byte 4. */
static inline void craft_seal(void *buf, u32 len)
{
	__le32 *checksum = buf + 4;

	*checksum = 0;
	*checksum = cpu_to_le32(craft_crc(buf, len));
}

/* Recognisable content of 4 KiB: no two seeds below 2^32 give the same. */
static inline void craft_fill(void *buf, u32 seed)
{
	__le32 *word = buf;
	u32 i;

	for (i = 0; i < VHDX_LOG_SECTOR / 4; i++)
		word[i] = cpu_to_le32(seed * 2654435761U + i * 40503U);
}

/* What one descriptor of a crafted entry says; data comes from craft_fill(). */
struct craft_desc {
	u64	off;
	u64	len;	/* 0: a data descriptor */
	u32	seed;
};

struct craft_entry {
	u64			seq;
	u64			flushed_off;
	u64			last_off;
	guid_t			guid;
	u32			tail;
	u32			nr_desc;
	const struct craft_desc	*desc;
};

static inline u32 craft_desc_area(u32 nr_desc)
{
	return ALIGN(64 + nr_desc * VHDX_LOG_DESC_SIZE, VHDX_LOG_SECTOR);
}

static inline void craft_zero(u8 *at, u64 seq, const struct craft_desc *desc)
{
	struct vhdx_raw_log_zero *raw = (void *)at;

	raw->signature = cpu_to_le32(VHDX_LOG_ZERO_SIGNATURE);
	raw->zero_length = cpu_to_le64(desc->len);
	raw->file_offset = cpu_to_le64(desc->off);
	raw->sequence_number = cpu_to_le64(seq);
}

/* Turns the 4 KiB of content at @sector into a data sector. */
static inline void craft_data(u8 *at, u8 *sector, u64 seq, u64 off)
{
	struct vhdx_raw_log_desc *raw = (void *)at;
	struct vhdx_raw_log_data *data = (void *)sector;

	raw->signature = cpu_to_le32(VHDX_LOG_DESC_SIGNATURE);
	memcpy(raw->leading_bytes, sector, 8);
	memcpy(raw->trailing_bytes, sector + 4092, 4);
	raw->file_offset = cpu_to_le64(off);
	raw->sequence_number = cpu_to_le64(seq);
	data->signature = cpu_to_le32(VHDX_LOG_DATA_SIGNATURE);
	data->sequence_high = cpu_to_le32(seq >> 32);
	data->sequence_low = cpu_to_le32((u32)seq);
}

static inline u32 craft_log_header(u8 *buf, const struct craft_entry *e, u32 len)
{
	struct vhdx_raw_log_entry *raw = (void *)buf;

	raw->signature = cpu_to_le32(VHDX_LOG_ENTRY_SIGNATURE);
	raw->entry_length = cpu_to_le32(len);
	raw->tail = cpu_to_le32(e->tail);
	raw->sequence_number = cpu_to_le64(e->seq);
	raw->descriptor_count = cpu_to_le32(e->nr_desc);
	raw->log_guid = e->guid;
	raw->flushed_file_offset = cpu_to_le64(e->flushed_off);
	raw->last_file_offset = cpu_to_le64(e->last_off);
	craft_seal(buf, len);
	return len;
}

/* Bytes of the entry that craft_log_entry() will make of @e. */
static inline u32 craft_log_size(const struct craft_entry *e)
{
	u32 len = craft_desc_area(e->nr_desc), i;

	for (i = 0; i < e->nr_desc; i++)
		len += e->desc[i].len ? 0 : VHDX_LOG_SECTOR;
	return len;
}

/* A whole sealed entry at @buf; returns its length. */
static inline u32 craft_log_entry(u8 *buf, const struct craft_entry *e)
{
	u32 end = craft_desc_area(e->nr_desc), i;
	u8 *at = buf + 64;

	memset(buf, 0, end);
	for (i = 0; i < e->nr_desc; i++, at += VHDX_LOG_DESC_SIZE) {
		if (e->desc[i].len) {
			craft_zero(at, e->seq, &e->desc[i]);
			continue;
		}
		craft_fill(buf + end, e->desc[i].seed);
		craft_data(at, buf + end, e->seq, e->desc[i].off);
		end += VHDX_LOG_SECTOR;
	}
	return craft_log_header(buf, e, end);
}

/* Copies @len bytes to byte @pos of the ring at @ring, round its end. */
static inline void craft_ring_put(u8 *ring, u32 ring_len, u32 pos,
				  const u8 *buf, u32 len)
{
	u32 first = min(len, ring_len - pos);

	memcpy(ring + pos, buf, first);
	memcpy(ring, buf + first, len - first);
}

static inline void craft_region(void *table, unsigned int i, const guid_t *guid,
				u64 off, u32 len, u32 required)
{
	struct vhdx_raw_region_entry *raw = table + 16;

	raw[i].guid = *guid;
	raw[i].file_offset = cpu_to_le64(off);
	raw[i].length = cpu_to_le32(len);
	raw[i].required = cpu_to_le32(required);
}

static inline void craft_region_seal(void *table, unsigned int nr)
{
	struct vhdx_raw_region_table *raw = table;

	raw->signature = cpu_to_le32(VHDX_REGION_SIGNATURE);
	raw->entry_count = cpu_to_le32(nr);
	craft_seal(table, VHDX_REGION_TABLE_SIZE);
}

static inline void craft_item(void *table, unsigned int i, const guid_t *guid,
			      u32 off, u32 len, u32 flags)
{
	struct vhdx_raw_metadata_entry *raw = table + 32;

	raw[i].item_id = *guid;
	raw[i].offset = cpu_to_le32(off);
	raw[i].length = cpu_to_le32(len);
	raw[i].flags = cpu_to_le32(flags);
}

static inline void craft_items_head(void *table, unsigned int nr)
{
	struct vhdx_raw_metadata_table *raw = table;

	raw->signature = cpu_to_le64(VHDX_METADATA_SIGNATURE);
	raw->entry_count = cpu_to_le16(nr);
}

/* A generator of our own, so that a test does the same in both worlds. */
static inline u32 craft_random(u64 *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/* A number below @bound, which is small. */
static inline u32 craft_below(u64 *state, u32 bound)
{
	return craft_random(state) % bound;
}

#endif
