// SPDX-License-Identifier: GPL-2.0-only
/*
 * File type identifier and headers.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "checksum.h"
#include "header.h"
#include "raw.h"

u64 vhdx_header_off(unsigned int slot)
{
	return slot ? VHDX_HEADER2_OFF : VHDX_HEADER1_OFF;
}

enum vhdx_fault vhdx_file_size_check(u64 size, struct vhdx_finding *fd)
{
	if (size < VHDX_HEADER_SECTION_SIZE)
		return vhdx_fault_at(fd, VHDX_FAULT_FILE_TOO_SMALL, 0, size);
	if (size > VHDX_FILE_MAX)
		return vhdx_fault_at(fd, VHDX_FAULT_FILE_TOO_LARGE, 0, size);
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_file_id_check(const void *buf, struct vhdx_finding *fd)
{
	__le64 raw;
	u64 signature;

	memcpy(&raw, buf, sizeof(raw));
	signature = le64_to_cpu(raw);
	if (signature != VHDX_FILE_ID_SIGNATURE)
		return vhdx_fault_at(fd, VHDX_FAULT_FILE_ID_SIGNATURE,
				     VHDX_FILE_ID_OFF, signature);
	return VHDX_FAULT_NONE;
}

void vhdx_file_id_encode(void *buf, const char *creator)
{
	struct vhdx_raw_file_id *raw = buf;
	unsigned int i;

	memset(raw, 0, sizeof(*raw));
	raw->signature = cpu_to_le64(VHDX_FILE_ID_SIGNATURE);
	for (i = 0; i < VHDX_CREATOR_CHARS - 1 && creator[i]; i++)
		raw->creator[i] = cpu_to_le16((u8)creator[i]);
}

enum vhdx_fault vhdx_header_decode(const void *buf, unsigned int slot,
				   struct vhdx_header *hdr,
				   struct vhdx_finding *fd)
{
	const struct vhdx_raw_header *raw = buf;
	u64 off = vhdx_header_off(slot);

	if (le32_to_cpu(raw->signature) != VHDX_HEADER_SIGNATURE)
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_SIGNATURE, off,
				     le32_to_cpu(raw->signature));
	if (le32_to_cpu(raw->checksum) != vhdx_checksum(buf, VHDX_HEADER_SIZE))
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_CHECKSUM,
				     off + offsetof(struct vhdx_raw_header, checksum),
				     le32_to_cpu(raw->checksum));
	hdr->seq = le64_to_cpu(raw->sequence_number);
	hdr->file_write_guid = raw->file_write_guid;
	hdr->data_write_guid = raw->data_write_guid;
	hdr->log_guid = raw->log_guid;
	hdr->log_version = le16_to_cpu(raw->log_version);
	hdr->version = le16_to_cpu(raw->version);
	hdr->log_len = le32_to_cpu(raw->log_length);
	hdr->log_off = le64_to_cpu(raw->log_offset);
	return VHDX_FAULT_NONE;
}

void vhdx_header_encode(void *buf, const struct vhdx_header *hdr)
{
	struct vhdx_raw_header *raw = buf;

	memset(raw, 0, sizeof(*raw));
	raw->signature = cpu_to_le32(VHDX_HEADER_SIGNATURE);
	raw->sequence_number = cpu_to_le64(hdr->seq);
	raw->file_write_guid = hdr->file_write_guid;
	raw->data_write_guid = hdr->data_write_guid;
	raw->log_guid = hdr->log_guid;
	raw->log_version = cpu_to_le16(hdr->log_version);
	raw->version = cpu_to_le16(hdr->version);
	raw->log_length = cpu_to_le32(hdr->log_len);
	raw->log_offset = cpu_to_le64(hdr->log_off);
	raw->checksum = cpu_to_le32(vhdx_checksum(buf, VHDX_HEADER_SIZE));
}

enum vhdx_fault vhdx_headers_choose(const void *buf0, const void *buf1,
				    struct vhdx_headers *hdrs,
				    struct vhdx_finding *fd)
{
	struct vhdx_header hdr[2];
	unsigned int valid = 0;

	if (!vhdx_header_decode(buf0, 0, &hdr[0], NULL))
		valid |= 1;
	if (!vhdx_header_decode(buf1, 1, &hdr[1], NULL))
		valid |= 2;
	if (!valid)
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_NONE_VALID,
				     VHDX_HEADER1_OFF, 0);
	/* Disk2vhd writes the same header twice; then both say the same. */
	if (valid == 3 && hdr[0].seq == hdr[1].seq &&
	    memcmp(buf0, buf1, VHDX_HEADER_SIZE))
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_AMBIGUOUS,
				     VHDX_HEADER1_OFF +
				     offsetof(struct vhdx_raw_header, sequence_number),
				     hdr[0].seq);
	hdrs->valid = valid;
	hdrs->slot = valid == 2 || (valid == 3 && hdr[1].seq > hdr[0].seq);
	hdrs->cur = hdr[hdrs->slot];
	return VHDX_FAULT_NONE;
}

#define HEADER_FIELD(hdrs, field) \
	(vhdx_header_off((hdrs)->slot) + offsetof(struct vhdx_raw_header, field))

static enum vhdx_fault check_versions(const struct vhdx_headers *hdrs,
				      struct vhdx_finding *fd)
{
	const struct vhdx_header *hdr = &hdrs->cur;

	if (hdr->version != VHDX_VERSION)
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_VERSION,
				     HEADER_FIELD(hdrs, version), hdr->version);
	/* What an empty log would look like does not matter. */
	if (hdr->log_version != VHDX_LOG_VERSION && !guid_is_null(&hdr->log_guid))
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_VERSION,
				     HEADER_FIELD(hdrs, log_version),
				     hdr->log_version);
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault check_log_alignment(const struct vhdx_headers *hdrs,
					   struct vhdx_finding *fd)
{
	const struct vhdx_header *hdr = &hdrs->cur;

	if (hdr->log_off & (VHDX_UNIT - 1))
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_ALIGNMENT,
				     HEADER_FIELD(hdrs, log_offset), hdr->log_off);
	if (hdr->log_len & (VHDX_UNIT - 1))
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_ALIGNMENT,
				     HEADER_FIELD(hdrs, log_length), hdr->log_len);
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault check_log_range(const struct vhdx_headers *hdrs, u64 size,
				       struct vhdx_finding *fd)
{
	const struct vhdx_header *hdr = &hdrs->cur;
	u64 end;

	if (!hdr->log_len) {
		if (guid_is_null(&hdr->log_guid))
			return VHDX_FAULT_NONE;
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_MISSING,
				     HEADER_FIELD(hdrs, log_length), 0);
	}
	if (hdr->log_len > VHDX_LOG_MAX_LENGTH)
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_LENGTH,
				     HEADER_FIELD(hdrs, log_length), hdr->log_len);
	if (hdr->log_off < VHDX_HEADER_SECTION_SIZE ||
	    check_add_overflow(hdr->log_off, (u64)hdr->log_len, &end) || end > size)
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_RANGE,
				     HEADER_FIELD(hdrs, log_offset), hdr->log_off);
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_headers_check(const struct vhdx_headers *hdrs, u64 size,
				   struct vhdx_finding *fd)
{
	enum vhdx_fault fault;

	fault = check_versions(hdrs, fd);
	if (!fault)
		fault = check_log_alignment(hdrs, fd);
	if (!fault)
		fault = check_log_range(hdrs, size, fd);
	return fault;
}

/*
 * Each update takes two numbers. Who begins at 1 and updates a thousand times
 * a second has enough for ever: a file with few left was made so on purpose.
 */
enum vhdx_fault vhdx_headers_check_writable(const struct vhdx_headers *hdrs,
					    struct vhdx_finding *fd)
{
	if (hdrs->cur.seq < ~0ULL - ~0U)
		return VHDX_FAULT_NONE;
	return vhdx_fault_at(fd, VHDX_FAULT_HEADER_SEQUENCE,
			     HEADER_FIELD(hdrs, sequence_number), hdrs->cur.seq);
}
