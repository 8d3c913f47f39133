/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One log entry, [MS-VHDX] 2.3.1: decode and check it, build and seal it.
 *
 * An entry is a descriptor area of whole 4 KiB sectors (header of 64 bytes
 * and descriptors) followed by one data sector for each data descriptor. Each
 * sector carries the entry's sequence number, so that a torn entry shows.
 * Which entries count is the matter of log_scan.h.
 */
#ifndef VHDX_FORMAT_LOG_ENTRY_H
#define VHDX_FORMAT_LOG_ENTRY_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "fault.h"

/**
 * struct vhdx_log_area - the ring, and the GUID that makes entries count
 * @off: file offset of the ring
 * @len: its length in bytes
 * @guid: LogGuid of the current header
 */
struct vhdx_log_area {
	u64	off;
	u32	len;
	guid_t	guid;
};

/* The log offset @len bytes behind @pos; @len is at most the ring's length. */
static inline u32 vhdx_log_ring_add(const struct vhdx_log_area *area, u32 pos, u32 len)
{
	u64 next = (u64)pos + len;

	return next >= area->len ? next - area->len : next;
}

/* Header of one entry, checked. Offsets of the log wrap at the ring's end. */
struct vhdx_log_entry {
	u64	seq;
	u64	flushed_off;	/* FlushedFileOffset: size known to be stable */
	u64	last_off;	/* LastFileOffset: size that holds everything */
	u32	len;		/* EntryLength in bytes */
	u32	tail;		/* log offset of the oldest entry needed */
	u32	nr_desc;
	u32	desc_len;	/* bytes of the descriptor area */
	u64	target_end;	/* end of the last target, by vhdx_log_entry_verify() */
};

struct vhdx_log_desc {
	u64	off;		/* file offset of the target */
	u64	len;		/* bytes; 4096 for a data descriptor */
	bool	zero;		/* zero descriptor: no data sector belongs to it */
	u8	leading[8];	/* data: bytes 0..7 of the target sector */
	u8	trailing[4];	/* data: bytes 4092..4095 */
};

/* Bytes of the descriptor area for @nr_desc descriptors. */
u64 vhdx_log_desc_area(u32 nr_desc);

/* Bytes of an entry with @nr_desc descriptors, @nr_data of them with data. */
u64 vhdx_log_entry_size(u32 nr_desc, u32 nr_data);

/*
 * Check the first sector of the entry at log offset @pos: alignment,
 * signature, GUID, length, tail, sequence number, count (rules E1 to E7). The
 * checksum needs the whole entry and is checked by whoever has it.
 */
enum vhdx_fault vhdx_log_entry_decode(const void *sector, u32 pos,
				      const struct vhdx_log_area *area,
				      struct vhdx_log_entry *entry,
				      struct vhdx_finding *fd);

/* Stored checksum of the entry whose first sector is @sector. */
u32 vhdx_log_entry_checksum(const void *sector);

/*
 * CRC-32C over an entry, piece by piece: begin with @crc ~0 and the first
 * sector (@first set: its checksum field counts as zero), end with ~crc.
 */
u32 vhdx_log_entry_crc(u32 crc, const void *buf, u32 len, bool first);

/*
 * Check and decode the 32 bytes at @raw, a descriptor of the entry with
 * number @seq, found at file offset @off (rules E8 to E10, E14 to E16).
 */
enum vhdx_fault vhdx_log_desc_decode(const void *raw, u64 off, u64 seq,
				     const struct vhdx_log_area *area,
				     struct vhdx_log_desc *desc,
				     struct vhdx_finding *fd);

/* Check a 4 KiB data sector found at file offset @off (rule E12). */
enum vhdx_fault vhdx_log_data_check(const void *sector, u64 off, u64 seq,
				    struct vhdx_finding *fd);

/* Put the target's 4 KiB together in @out; @sector passed the check above. */
void vhdx_log_data_decode(const void *sector, const struct vhdx_log_desc *desc,
			  void *out);

/**
 * struct vhdx_log_build - an entry under construction in a flat buffer
 * @buf: the caller's memory, vhdx_log_entry_size() bytes
 * @seq: sequence number of the entry
 * @nr_desc: descriptors promised to vhdx_log_build_init()
 * @nr_used: descriptors added so far
 * @nr_data: data sectors added so far
 */
struct vhdx_log_build {
	u8	*buf;
	u64	seq;
	u32	nr_desc;
	u32	nr_used;
	u32	nr_data;
};

/* Begin an entry with exactly @nr_desc descriptors; clears the descriptor area. */
void vhdx_log_build_init(struct vhdx_log_build *b, void *buf, u64 seq, u32 nr_desc);

/* Add 4 KiB at @data for file offset @off; copies it now. */
void vhdx_log_build_data(struct vhdx_log_build *b, u64 off, const void *data);

/* Add a zero descriptor. */
void vhdx_log_build_zero(struct vhdx_log_build *b, u64 off, u64 len);

/*
 * The twin of vhdx_log_build_data(): put the 4 KiB of the @i-th descriptor
 * together again in @out. The entry has data descriptors only.
 */
void vhdx_log_build_page(const struct vhdx_log_build *b, u32 i, void *out);

/*
 * Fill in the header and the checksum, all promised descriptors being there.
 * entry->tail, flushed_off and last_off are taken; the rest is computed.
 * Returns the entry's length.
 */
u32 vhdx_log_build_seal(struct vhdx_log_build *b, const guid_t *guid,
			const struct vhdx_log_entry *entry);

#endif
