// SPDX-License-Identifier: GPL-2.0-only
/*
 * One log entry.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "checksum.h"
#include "log_entry.h"
#include "raw.h"

#define LOG_SECTOR_MASK	(VHDX_LOG_SECTOR - 1)

/* No target may end beyond this: rounded up to 1 MiB it is still a loff_t. */
#define TARGET_MAX	((1ULL << 63) - 1 - VHDX_UNIT)

u64 vhdx_log_desc_area(u32 nr_desc)
{
	u64 len = sizeof(struct vhdx_raw_log_entry) + (u64)nr_desc * VHDX_LOG_DESC_SIZE;

	return (len + LOG_SECTOR_MASK) & ~(u64)LOG_SECTOR_MASK;
}

u64 vhdx_log_entry_size(u32 nr_desc, u32 nr_data)
{
	return vhdx_log_desc_area(nr_desc) + (u64)nr_data * VHDX_LOG_SECTOR;
}

static enum vhdx_fault check_lengths(const struct vhdx_raw_log_entry *raw, u64 off,
				     const struct vhdx_log_area *area,
				     struct vhdx_finding *fd)
{
	u32 len = le32_to_cpu(raw->entry_length);
	u32 tail = le32_to_cpu(raw->tail);
	u32 nr = le32_to_cpu(raw->descriptor_count);

	if (!len || (len & LOG_SECTOR_MASK) || len > area->len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_LENGTH,
				     off + offsetof(struct vhdx_raw_log_entry, entry_length),
				     len);
	if ((tail & LOG_SECTOR_MASK) || tail >= area->len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_TAIL,
				     off + offsetof(struct vhdx_raw_log_entry, tail), tail);
	if (!raw->sequence_number)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_SEQUENCE,
				     off + offsetof(struct vhdx_raw_log_entry,
						    sequence_number), 0);
	if (vhdx_log_desc_area(nr) > len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_COUNT,
				     off + offsetof(struct vhdx_raw_log_entry,
						    descriptor_count), nr);
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_log_entry_decode(const void *sector, u32 pos,
				      const struct vhdx_log_area *area,
				      struct vhdx_log_entry *entry,
				      struct vhdx_finding *fd)
{
	const struct vhdx_raw_log_entry *raw = sector;
	u64 off = area->off + pos;
	enum vhdx_fault fault;

	if ((pos & LOG_SECTOR_MASK) || pos >= area->len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_ALIGNMENT, off, pos);
	if (le32_to_cpu(raw->signature) != VHDX_LOG_ENTRY_SIGNATURE)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_SIGNATURE, off,
				     le32_to_cpu(raw->signature));
	if (!guid_equal(&raw->log_guid, &area->guid))
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_GUID,
				     off + offsetof(struct vhdx_raw_log_entry, log_guid), 0);
	fault = check_lengths(raw, off, area, fd);
	if (fault)
		return fault;
	*entry = (struct vhdx_log_entry){
		.seq = le64_to_cpu(raw->sequence_number),
		.flushed_off = le64_to_cpu(raw->flushed_file_offset),
		.last_off = le64_to_cpu(raw->last_file_offset),
		.len = le32_to_cpu(raw->entry_length),
		.tail = le32_to_cpu(raw->tail),
		.nr_desc = le32_to_cpu(raw->descriptor_count),
	};
	entry->desc_len = vhdx_log_desc_area(entry->nr_desc);
	return VHDX_FAULT_NONE;
}

u32 vhdx_log_entry_checksum(const void *sector)
{
	const struct vhdx_raw_log_entry *raw = sector;

	return le32_to_cpu(raw->checksum);
}

u32 vhdx_log_entry_crc(u32 crc, const void *buf, u32 len, bool first)
{
	return first ? vhdx_checksum_first(crc, buf, len) : crc32c(crc, buf, len);
}

/* @off is the file offset of the descriptor; its target field lies at 16. */
static enum vhdx_fault check_target(const struct vhdx_log_desc *desc, u64 off,
				    const struct vhdx_log_area *area,
				    struct vhdx_finding *fd)
{
	u64 field = off + offsetof(struct vhdx_raw_log_desc, file_offset);
	u64 end;

	if (desc->off & LOG_SECTOR_MASK)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DESC_ALIGNMENT, field, desc->off);
	if (desc->len & LOG_SECTOR_MASK)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DESC_ALIGNMENT,
				     off + offsetof(struct vhdx_raw_log_zero, zero_length),
				     desc->len);
	if (desc->off < VHDX_LOG_MIN_TARGET ||
	    check_add_overflow(desc->off, desc->len, &end) || end > TARGET_MAX)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DESC_TARGET, field, desc->off);
	if (desc->len && desc->off < area->off + area->len && area->off < end)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DESC_TARGET, field, desc->off);
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_log_desc_decode(const void *raw, u64 off, u64 seq,
				     const struct vhdx_log_area *area,
				     struct vhdx_log_desc *desc,
				     struct vhdx_finding *fd)
{
	const struct vhdx_raw_log_zero *zero = raw;
	const struct vhdx_raw_log_desc *data = raw;
	u32 signature = le32_to_cpu(zero->signature);

	if (signature != VHDX_LOG_ZERO_SIGNATURE && signature != VHDX_LOG_DESC_SIGNATURE)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DESC_SIGNATURE, off, signature);
	if (le64_to_cpu(zero->sequence_number) != seq)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DESC_SEQUENCE,
				     off + offsetof(struct vhdx_raw_log_zero,
						    sequence_number),
				     le64_to_cpu(zero->sequence_number));
	memset(desc, 0, sizeof(*desc));
	desc->zero = signature == VHDX_LOG_ZERO_SIGNATURE;
	desc->off = le64_to_cpu(zero->file_offset);
	if (desc->zero) {
		desc->len = le64_to_cpu(zero->zero_length);
	} else {
		desc->len = VHDX_LOG_SECTOR;
		memcpy(desc->leading, data->leading_bytes, sizeof(desc->leading));
		memcpy(desc->trailing, data->trailing_bytes, sizeof(desc->trailing));
	}
	return check_target(desc, off, area, fd);
}

enum vhdx_fault vhdx_log_data_check(const void *sector, u64 off, u64 seq,
				    struct vhdx_finding *fd)
{
	const struct vhdx_raw_log_data *raw = sector;

	if (le32_to_cpu(raw->signature) != VHDX_LOG_DATA_SIGNATURE)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DATA_SIGNATURE, off,
				     le32_to_cpu(raw->signature));
	if (le32_to_cpu(raw->sequence_high) != (u32)(seq >> 32))
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DATA_SEQUENCE,
				     off + offsetof(struct vhdx_raw_log_data, sequence_high),
				     le32_to_cpu(raw->sequence_high));
	if (le32_to_cpu(raw->sequence_low) != (u32)seq)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_DATA_SEQUENCE,
				     off + offsetof(struct vhdx_raw_log_data, sequence_low),
				     le32_to_cpu(raw->sequence_low));
	return VHDX_FAULT_NONE;
}

void vhdx_log_data_decode(const void *sector, const struct vhdx_log_desc *desc,
			  void *out)
{
	const struct vhdx_raw_log_data *raw = sector;
	u8 *p = out;

	memcpy(p, desc->leading, sizeof(desc->leading));
	memcpy(p + sizeof(desc->leading), raw->data, sizeof(raw->data));
	memcpy(p + VHDX_LOG_SECTOR - sizeof(desc->trailing), desc->trailing,
	       sizeof(desc->trailing));
}

/* The twin: where the bytes of a 4 KiB update go. */
static void data_encode(struct vhdx_raw_log_data *raw, struct vhdx_raw_log_desc *desc,
			u64 seq, const u8 *data)
{
	memcpy(desc->leading_bytes, data, sizeof(desc->leading_bytes));
	memcpy(desc->trailing_bytes,
	       data + VHDX_LOG_SECTOR - sizeof(desc->trailing_bytes),
	       sizeof(desc->trailing_bytes));
	raw->signature = cpu_to_le32(VHDX_LOG_DATA_SIGNATURE);
	raw->sequence_high = cpu_to_le32(seq >> 32);
	memcpy(raw->data, data + sizeof(desc->leading_bytes), sizeof(raw->data));
	raw->sequence_low = cpu_to_le32((u32)seq);
}

void vhdx_log_build_init(struct vhdx_log_build *b, void *buf, u64 seq, u32 nr_desc)
{
	*b = (struct vhdx_log_build){ .buf = buf, .seq = seq, .nr_desc = nr_desc };
	memset(buf, 0, vhdx_log_desc_area(nr_desc));
}

static void *build_next_desc(struct vhdx_log_build *b)
{
	return b->buf + sizeof(struct vhdx_raw_log_entry) +
	       b->nr_used++ * VHDX_LOG_DESC_SIZE;
}

void vhdx_log_build_data(struct vhdx_log_build *b, u64 off, const void *data)
{
	struct vhdx_raw_log_desc *desc = build_next_desc(b);
	u8 *sector = b->buf + vhdx_log_entry_size(b->nr_desc, b->nr_data++);

	desc->signature = cpu_to_le32(VHDX_LOG_DESC_SIGNATURE);
	desc->file_offset = cpu_to_le64(off);
	desc->sequence_number = cpu_to_le64(b->seq);
	data_encode((struct vhdx_raw_log_data *)sector, desc, b->seq, data);
}

void vhdx_log_build_page(const struct vhdx_log_build *b, u32 i, void *out)
{
	const u8 *raw = b->buf + sizeof(struct vhdx_raw_log_entry) +
			i * VHDX_LOG_DESC_SIZE;
	const struct vhdx_raw_log_desc *from = (const struct vhdx_raw_log_desc *)raw;
	struct vhdx_log_desc desc;

	memcpy(desc.leading, from->leading_bytes, sizeof(desc.leading));
	memcpy(desc.trailing, from->trailing_bytes, sizeof(desc.trailing));
	vhdx_log_data_decode(b->buf + vhdx_log_entry_size(b->nr_desc, i), &desc, out);
}

void vhdx_log_build_zero(struct vhdx_log_build *b, u64 off, u64 len)
{
	struct vhdx_raw_log_zero *zero = build_next_desc(b);

	zero->signature = cpu_to_le32(VHDX_LOG_ZERO_SIGNATURE);
	zero->zero_length = cpu_to_le64(len);
	zero->file_offset = cpu_to_le64(off);
	zero->sequence_number = cpu_to_le64(b->seq);
}

u32 vhdx_log_build_seal(struct vhdx_log_build *b, const guid_t *guid,
			const struct vhdx_log_entry *entry)
{
	struct vhdx_raw_log_entry *raw = (struct vhdx_raw_log_entry *)b->buf;
	u32 len = vhdx_log_entry_size(b->nr_desc, b->nr_data);

	raw->signature = cpu_to_le32(VHDX_LOG_ENTRY_SIGNATURE);
	raw->entry_length = cpu_to_le32(len);
	raw->tail = cpu_to_le32(entry->tail);
	raw->sequence_number = cpu_to_le64(b->seq);
	raw->descriptor_count = cpu_to_le32(b->nr_desc);
	raw->log_guid = *guid;
	raw->flushed_file_offset = cpu_to_le64(entry->flushed_off);
	raw->last_file_offset = cpu_to_le64(entry->last_off);
	raw->checksum = cpu_to_le32(vhdx_checksum(b->buf, len));
	return len;
}
