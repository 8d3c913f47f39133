// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text of objects.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "bat.h"
#include "fault.h"
#include "geometry.h"
#include "header.h"
#include "log_entry.h"
#include "log_scan.h"
#include "metadata.h"
#include "region.h"
#include "text.h"

#define GUID_TEXT	40

/* %pUl is the kernel's alone: written out, both worlds say the same. */
static const char *guid_text(char *buf, const guid_t *guid)
{
	const u8 *b = (const u8 *)guid;

	snprintf(buf, GUID_TEXT,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9],
		 b[10], b[11], b[12], b[13], b[14], b[15]);
	return buf;
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

int vhdx_finding_to_text(char *buf, size_t size, const struct vhdx_finding *fd)
{
	char guid[GUID_TEXT];

	if (!guid_is_null(&fd->guid))
		return snprintf(buf, size, "%s at 0x%llx: %s (found %s)",
				vhdx_fault_name(fd->fault), fd->off,
				vhdx_fault_text(fd->fault), guid_text(guid, &fd->guid));
	if (fd->value)
		return snprintf(buf, size, "%s at 0x%llx: %s (found 0x%llx)",
				vhdx_fault_name(fd->fault), fd->off,
				vhdx_fault_text(fd->fault), fd->value);
	return snprintf(buf, size, "%s at 0x%llx: %s", vhdx_fault_name(fd->fault),
			fd->off, vhdx_fault_text(fd->fault));
}

int vhdx_header_to_text(char *buf, size_t size, const struct vhdx_header *hdr)
{
	char file[GUID_TEXT], data[GUID_TEXT], log[GUID_TEXT];

	return snprintf(buf, size,
			"sequence_number %llu\nfile_write_guid %s\ndata_write_guid %s\nlog_guid %s\nlog_version %u\nversion %u\nlog_length %u\nlog_offset 0x%llx\n",
			hdr->seq, guid_text(file, &hdr->file_write_guid),
			guid_text(data, &hdr->data_write_guid),
			guid_text(log, &hdr->log_guid), hdr->log_version,
			hdr->version, hdr->log_len, hdr->log_off);
}

int vhdx_region_to_text(char *buf, size_t size, const struct vhdx_region *region)
{
	char guid[GUID_TEXT];

	return snprintf(buf, size, "guid %s\noffset 0x%llx\nlength %u\nrequired %s\n",
			guid_text(guid, &region->guid), region->off, region->len,
			yes_no(region->required));
}

int vhdx_metadata_to_text(char *buf, size_t size, const struct vhdx_metadata *md)
{
	char id[GUID_TEXT];

	return snprintf(buf, size,
			"type %s\nvirtual_disk_size %llu\nvirtual_disk_id %s\nblock_size %u\nlogical_sector_size %u\nphysical_sector_size %u\nleave_blocks_allocated %s\nhas_parent %s\n",
			vhdx_disk_type_name(md->type), md->disk_size,
			guid_text(id, &md->disk_id), md->block_size,
			md->logical_size, md->physical_size,
			yes_no(md->leave_allocated), yes_no(md->has_parent));
}

int vhdx_geometry_to_text(char *buf, size_t size, const struct vhdx_geometry *geo)
{
	return snprintf(buf, size,
			"payload_blocks %llu\nchunks %llu\nchunk_ratio %llu\nbat_entries %llu\nbat_offset 0x%llx\n",
			geo->nr_blocks, geo->nr_chunks, 1ULL << geo->chunk_shift,
			geo->nr_entries, geo->bat_off);
}

int vhdx_log_entry_to_text(char *buf, size_t size, const struct vhdx_log_entry *e)
{
	return snprintf(buf, size,
			"sequence_number %llu\nentry_length %u\ntail 0x%x\ndescriptor_count %u\nflushed_file_offset 0x%llx\nlast_file_offset 0x%llx\n",
			e->seq, e->len, e->tail, e->nr_desc, e->flushed_off,
			e->last_off);
}

int vhdx_log_desc_to_text(char *buf, size_t size, const struct vhdx_log_desc *desc)
{
	return snprintf(buf, size, "kind %s\nfile_offset 0x%llx\nlength %llu\n",
			desc->zero ? "zero" : "data", desc->off, desc->len);
}

int vhdx_log_sequence_to_text(char *buf, size_t size,
			      const struct vhdx_log_sequence *seq)
{
	return snprintf(buf, size,
			"tail 0x%x\nhead 0x%x\nnext 0x%x\nentries %u\ndescriptors %llu\ntail_sequence_number %llu\nhead_sequence_number %llu\nflushed_file_offset 0x%llx\nlast_file_offset 0x%llx\n",
			seq->tail, seq->head, seq->next, seq->nr, seq->nr_desc,
			seq->tail_seq, seq->head_seq, seq->flushed_off, seq->last_off);
}

int vhdx_bat_entry_to_text(char *buf, size_t size, const struct vhdx_bat_entry *e,
			   bool bitmap)
{
	const char *state = vhdx_block_state_name(e->state);

	if (bitmap && e->state == VHDX_BITMAP_PRESENT)
		state = "present";
	return e->off ? snprintf(buf, size, "%s 0x%llx", state, e->off) :
			snprintf(buf, size, "%s", state);
}
