/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Find the active sequence, [MS-VHDX] 2.3.2 with the corrections that a
 * robust reader needs.
 *
 * The ring is read once from end to end and every entry that is valid by
 * itself is noted in a table; sequences are then looked for in the table
 * only. Two structurally valid entries never share a sector, so the work is
 * bounded by the length of the log whatever it holds.
 */
#ifndef VHDX_FORMAT_LOG_SCAN_H
#define VHDX_FORMAT_LOG_SCAN_H

#include <linux/types.h>

struct vhdx_finding;
struct vhdx_log_area;
struct vhdx_log_entry;
struct vhdx_source;

/**
 * struct vhdx_log_slot - one valid entry; at most one for each sector of the log
 * @seq: SequenceNumber
 * @flushed_off: FlushedFileOffset
 * @last_off: LastFileOffset
 * @target_end: file offset behind the last target
 * @pos: log offset in bytes
 * @len: EntryLength
 * @tail: Tail
 * @nr_desc: DescriptorCount
 * @next: slot of the entry that follows it, ~0 if none does
 * @follows: it follows another one
 */
struct vhdx_log_slot {
	u64	seq;
	u64	flushed_off;
	u64	last_off;
	u64	target_end;
	u32	pos;
	u32	len;
	u32	tail;
	u32	nr_desc;
	u32	next;
	bool	follows;
};

/**
 * struct vhdx_log_sequence - what a replay has to apply
 * @tail: log offset of the first entry to apply
 * @head: log offset of the last entry
 * @next: log offset behind the last entry
 * @nr: number of entries from tail to head
 * @nr_desc: their descriptors
 * @tail_seq: sequence number of the first entry to apply
 * @head_seq: sequence number of the last entry
 * @flushed_off: the head's FlushedFileOffset
 * @last_off: the head's LastFileOffset, rounded up to 1 MiB
 * @newer_seq: greatest number of a valid entry above @head_seq, 0 if there is
 *	none: it is in no complete sequence, so something of the log was lost
 * @end: a file that is shorter has this size once it was replayed: LastFileOffset,
 *	and the end of targets behind it, a multiple of 1 MiB, at most VHDX_FILE_MAX
 */
struct vhdx_log_sequence {
	u32	tail;
	u32	head;
	u32	next;
	u32	nr;
	u64	nr_desc;
	u64	tail_seq;
	u64	head_seq;
	u64	flushed_off;
	u64	last_off;
	u64	newer_seq;
	u64	end;
};

/* How many slots and how much scratch a scan needs, in bytes. */
#define VHDX_LOG_SCAN_SLOTS(log_len)	((log_len) >> 12)
#define VHDX_LOG_SCAN_SCRATCH		(128 * 1024)

/* Read @len bytes, at most the ring's length, from log offset @pos on, wrapping. */
int vhdx_log_read(const struct vhdx_source *src, const struct vhdx_log_area *area,
		  u32 pos, void *buf, u32 len);

/*
 * Read the entry at log offset @pos and check all of it, the checksum last.
 * The checksum is left out if @again: it was right before, and the source is fixed.
 * @scratch is half of VHDX_LOG_SCAN_SCRATCH bytes. Returns 0 and fills @entry,
 * or a negative errno of the source, or a positive fault.
 */
int vhdx_log_entry_verify(const struct vhdx_source *src,
			  const struct vhdx_log_area *area, u32 pos, bool again,
			  void *scratch, struct vhdx_log_entry *entry,
			  struct vhdx_finding *fd);

/*
 * Find the active sequence of @area in @src. @slots has room for
 * VHDX_LOG_SCAN_SLOTS(area->len) entries; @scratch is VHDX_LOG_SCAN_SCRATCH
 * bytes. Fills @seq and, if @nr_valid is not NULL, the number of entries that
 * are valid by themselves. Compares FlushedFileOffset with src->size.
 *
 * Targets lie in the file or below the LastFileOffset of some entry that is to be
 * applied: LastFileOffset is where "all allocated file structures fit", and what
 * is logged is such a structure. It may have become smaller since, when the file
 * was about to be cut.
 *
 * Returns 0, a negative errno of the source, or a positive fault:
 * LOG_NO_SEQUENCE, LOG_TRUNCATED, LOG_LAST_OFFSET, LOG_TARGET_BEYOND. May sleep in
 * the source.
 */
int vhdx_log_scan(const struct vhdx_source *src, const struct vhdx_log_area *area,
		  struct vhdx_log_slot *slots, void *scratch,
		  struct vhdx_log_sequence *seq, u32 *nr_valid,
		  struct vhdx_finding *fd);

#endif
