// SPDX-License-Identifier: GPL-2.0-only
/*
 * The region table.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "checksum.h"
#include "header.h"
#include "raw.h"
#include "region.h"
#include "source.h"

static const guid_t guid_bat = VHDX_GUID_REGION_BAT;
static const guid_t guid_metadata = VHDX_GUID_REGION_METADATA;

/* Where a field of entry @i lies, from the start of the table. */
#define ENTRY_OFF(i)		(sizeof(struct vhdx_raw_region_table) + \
				 (u64)(i) * sizeof(struct vhdx_raw_region_entry))
#define ENTRY_FIELD(i, field) \
	(ENTRY_OFF(i) + offsetof(struct vhdx_raw_region_entry, field))
#define COUNT_OFF		offsetof(struct vhdx_raw_region_table, entry_count)

void vhdx_region_decode(const void *table, unsigned int i,
			struct vhdx_region *region)
{
	struct vhdx_raw_region_entry raw;

	memcpy(&raw, (const u8 *)table + ENTRY_OFF(i), sizeof(raw));
	region->guid = raw.guid;
	region->off = le64_to_cpu(raw.file_offset);
	region->len = le32_to_cpu(raw.length);
	region->required = le32_to_cpu(raw.required) & VHDX_REGION_REQUIRED;
}

static void region_encode(void *table, unsigned int i,
			  const struct vhdx_region *region)
{
	struct vhdx_raw_region_entry raw = {
		.guid = region->guid,
		.file_offset = cpu_to_le64(region->off),
		.length = cpu_to_le32(region->len),
		.required = cpu_to_le32(region->required ? VHDX_REGION_REQUIRED : 0),
	};

	memcpy((u8 *)table + ENTRY_OFF(i), &raw, sizeof(raw));
}

static enum vhdx_fault check_sealed(const void *table, u64 off,
				    struct vhdx_finding *fd)
{
	const struct vhdx_raw_region_table *raw = table;
	u32 checksum = le32_to_cpu(raw->checksum);

	if (le32_to_cpu(raw->signature) != VHDX_REGION_SIGNATURE)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_SIGNATURE, off,
				     le32_to_cpu(raw->signature));
	if (checksum != vhdx_checksum(table, VHDX_REGION_TABLE_SIZE))
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_CHECKSUM,
				     off + offsetof(struct vhdx_raw_region_table, checksum),
				     checksum);
	return VHDX_FAULT_NONE;
}

void vhdx_region_table_encode(void *table, const struct vhdx_region *regions,
			      unsigned int nr)
{
	struct vhdx_raw_region_table *raw = table;
	unsigned int i;

	memset(table, 0, VHDX_REGION_TABLE_SIZE);
	for (i = 0; i < nr; i++)
		region_encode(table, i, &regions[i]);
	raw->signature = cpu_to_le32(VHDX_REGION_SIGNATURE);
	raw->entry_count = cpu_to_le32(nr);
	raw->checksum = cpu_to_le32(vhdx_checksum(table, VHDX_REGION_TABLE_SIZE));
}

/* One region by itself. @off is the file offset of the table. */
static enum vhdx_fault check_place(const struct vhdx_region *region,
				   unsigned int i, u64 off, u64 size,
				   struct vhdx_finding *fd)
{
	u64 end;

	if (region->off & (VHDX_UNIT - 1))
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_ALIGNMENT,
				     off + ENTRY_FIELD(i, file_offset), region->off);
	if (region->len & (VHDX_UNIT - 1))
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_ALIGNMENT,
				     off + ENTRY_FIELD(i, length), region->len);
	if (!region->len)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_RANGE,
				     off + ENTRY_FIELD(i, length), 0);
	if (region->off < VHDX_HEADER_SECTION_SIZE ||
	    check_add_overflow(region->off, (u64)region->len, &end) || end > size)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_RANGE,
				     off + ENTRY_FIELD(i, file_offset), region->off);
	return VHDX_FAULT_NONE;
}

static bool overlaps(const struct vhdx_region *region, u64 off, u64 len)
{
	return region->off < off + len && off < region->off + region->len;
}

/*
 * Region @i against all before it, which passed check_place(), and the log.
 * That is quadratic, but in a number of at most 2047.
 */
static enum vhdx_fault check_others(const void *table,
				    const struct vhdx_region *region,
				    unsigned int i, u64 off,
				    const struct vhdx_header *hdr,
				    struct vhdx_finding *fd)
{
	struct vhdx_region other;
	bool overlap = hdr->log_len && overlaps(region, hdr->log_off, hdr->log_len);
	unsigned int k;

	for (k = 0; k < i; k++) {
		vhdx_region_decode(table, k, &other);
		if (guid_equal(&other.guid, &region->guid))
			return vhdx_fault_at(fd, VHDX_FAULT_REGION_DUPLICATE,
					     off + ENTRY_FIELD(i, guid), 0);
		overlap |= overlaps(region, other.off, other.len);
	}
	if (overlap)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_OVERLAP,
				     off + ENTRY_FIELD(i, file_offset), region->off);
	return VHDX_FAULT_NONE;
}

/* Note the two known ones; whether they are marked as required is not asked. */
static enum vhdx_fault region_take(const struct vhdx_region *region,
				   unsigned int i, u64 off,
				   struct vhdx_regions *out,
				   struct vhdx_finding *fd)
{
	if (guid_equal(&region->guid, &guid_bat)) {
		out->bat_off = region->off;
		out->bat_len = region->len;
	} else if (guid_equal(&region->guid, &guid_metadata)) {
		out->meta_off = region->off;
		out->meta_len = region->len;
	} else if (region->required) {
		vhdx_fault_at(fd, VHDX_FAULT_REGION_UNKNOWN,
			      off + ENTRY_FIELD(i, guid), 0);
		if (fd)
			fd->guid = region->guid;
		return VHDX_FAULT_REGION_UNKNOWN;
	}
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault check_entries(const void *table, u64 off, u64 size,
				     const struct vhdx_header *hdr,
				     struct vhdx_regions *out,
				     struct vhdx_finding *fd)
{
	struct vhdx_region region;
	enum vhdx_fault fault;
	unsigned int i;

	for (i = 0; i < out->nr; i++) {
		vhdx_region_decode(table, i, &region);
		fault = check_place(&region, i, off, size, fd);
		if (!fault)
			fault = check_others(table, &region, i, off, hdr, fd);
		if (!fault)
			fault = region_take(&region, i, off, out, fd);
		if (fault)
			return fault;
	}
	if (!out->bat_len)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_BAT_MISSING,
				     off + COUNT_OFF, out->nr);
	if (!out->meta_len)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_METADATA_MISSING,
				     off + COUNT_OFF, out->nr);
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_region_table_check(const void *table, u64 off, u64 size,
					const struct vhdx_header *hdr,
					struct vhdx_regions *out,
					struct vhdx_finding *fd)
{
	const struct vhdx_raw_region_table *raw = table;
	u32 nr = le32_to_cpu(raw->entry_count);
	enum vhdx_fault fault;

	fault = check_sealed(table, off, fd);
	if (fault)
		return fault;
	if (nr > VHDX_REGION_MAX_ENTRIES)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_COUNT, off + COUNT_OFF, nr);
	out->bat_off = 0;
	out->bat_len = 0;
	out->meta_off = 0;
	out->meta_len = 0;
	out->nr = nr;
	return check_entries(table, off, size, hdr, out, fd);
}

int vhdx_regions_read(const struct vhdx_source *src,
		      const struct vhdx_header *hdr, void *table, void *scratch,
		      struct vhdx_regions *out, struct vhdx_finding *fd)
{
	int ret;

	if (src->size < VHDX_HEADER_SECTION_SIZE)
		return vhdx_fault_at(fd, VHDX_FAULT_FILE_TOO_SMALL, 0, src->size);
	ret = src->read(src, VHDX_REGION1_OFF, table, VHDX_REGION_TABLE_SIZE);
	if (!ret)
		ret = src->read(src, VHDX_REGION2_OFF, scratch, VHDX_REGION_TABLE_SIZE);
	if (ret)
		return ret;
	out->copy = 0;
	out->differ = memcmp(table, scratch, VHDX_REGION_TABLE_SIZE) != 0;
	if (check_sealed(table, VHDX_REGION1_OFF, NULL)) {
		if (check_sealed(scratch, VHDX_REGION2_OFF, NULL))
			return vhdx_fault_at(fd, VHDX_FAULT_REGION_NONE_VALID,
					     VHDX_REGION1_OFF, 0);
		memcpy(table, scratch, VHDX_REGION_TABLE_SIZE);
		out->copy = 1;
	}
	return vhdx_region_table_check(table,
				       out->copy ? VHDX_REGION2_OFF : VHDX_REGION1_OFF,
				       src->size, hdr, out, fd);
}
