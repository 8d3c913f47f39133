// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which entries of the ring count.
 *
 * The work is bounded by the length of the ring, whatever it holds. A walk
 * over a candidate goes sector by sector and stops at the first one that does
 * not carry the signature and sequence number it must; the first sector of
 * another candidate begins with 'loge', which no sector inside of an entry
 * may. So no walk goes beyond the next candidate, and what was found valid is
 * never walked again.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "fault.h"
#include "log_entry.h"
#include "log_scan.h"
#include "raw.h"
#include "source.h"

#define WINDOW		(VHDX_LOG_SCAN_SCRATCH / 2)
#define NO_SLOT		(~0U)

int vhdx_log_read(const struct vhdx_source *src, const struct vhdx_log_area *area,
		  u32 pos, void *buf, u32 len)
{
	u32 first = area->len - pos;
	int ret;

	if (len <= first)
		return src->read(src, area->off + pos, buf, len);
	ret = src->read(src, area->off + pos, buf, first);
	return ret ? ret : src->read(src, area->off, (u8 *)buf + first, len - first);
}

/**
 * struct walk - over the sectors of one entry
 * @area: the ring
 * @entry: the entry's header
 * @pos: its log offset
 * @at: bytes of it seen so far
 * @nr_desc: descriptors seen so far
 * @nr_data: those of them with data
 * @again: the checksum is known to be right
 * @crc: of what was seen
 */
struct walk {
	const struct vhdx_log_area	*area;
	struct vhdx_log_entry		entry;
	u32				pos;
	u32				at;
	u32				nr_desc;
	u32				nr_data;
	bool				again;
	u32				crc;
};

static u64 walk_off(const struct walk *w, u32 in_sector)
{
	return w->area->off + vhdx_log_ring_add(w->area, w->pos, w->at) + in_sector;
}

static enum vhdx_fault walk_descs(struct walk *w, const u8 *sector,
				  struct vhdx_finding *fd)
{
	u32 i = w->at ? 0 : sizeof(struct vhdx_raw_log_entry);
	struct vhdx_log_desc desc;
	enum vhdx_fault fault;

	for (; i < VHDX_LOG_SECTOR && w->nr_desc < w->entry.nr_desc;
	     i += VHDX_LOG_DESC_SIZE) {
		fault = vhdx_log_desc_decode(sector + i, walk_off(w, i), w->entry.seq,
					     w->area, &desc, fd);
		if (fault)
			return fault;
		w->nr_desc++;
		w->nr_data += !desc.zero;
		if (desc.len && desc.off + desc.len > w->entry.target_end)
			w->entry.target_end = desc.off + desc.len;
	}
	return VHDX_FAULT_NONE;
}

/* Behind the last descriptor: one data sector for each that has data, no more. */
static enum vhdx_fault walk_check_length(const struct walk *w, struct vhdx_finding *fd)
{
	if (vhdx_log_entry_size(w->entry.nr_desc, w->nr_data) == w->entry.len)
		return VHDX_FAULT_NONE;
	return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_LENGTH,
			     w->area->off + w->pos +
			     offsetof(struct vhdx_raw_log_entry, entry_length),
			     w->entry.len);
}

static enum vhdx_fault walk_sector(struct walk *w, const u8 *sector,
				   struct vhdx_finding *fd)
{
	enum vhdx_fault fault;

	if (w->at >= w->entry.desc_len) {
		fault = vhdx_log_data_check(sector, walk_off(w, 0), w->entry.seq, fd);
	} else {
		fault = walk_descs(w, sector, fd);
		if (!fault && w->at + VHDX_LOG_SECTOR == w->entry.desc_len)
			fault = walk_check_length(w, fd);
	}
	if (fault)
		return fault;
	if (!w->again)
		w->crc = vhdx_log_entry_crc(w->crc, sector, VHDX_LOG_SECTOR, !w->at);
	w->at += VHDX_LOG_SECTOR;
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault walk_window(struct walk *w, const u8 *buf, u32 len,
				   struct vhdx_finding *fd)
{
	enum vhdx_fault fault = VHDX_FAULT_NONE;
	u32 i;

	for (i = 0; i < len && !fault; i += VHDX_LOG_SECTOR)
		fault = walk_sector(w, buf + i, fd);
	return fault;
}

/*
 * The window starts with one sector and doubles: most candidates that are
 * none show it at once, and a ring full of such must not be read for each.
 */
int vhdx_log_entry_verify(const struct vhdx_source *src,
			  const struct vhdx_log_area *area, u32 pos, bool again,
			  void *scratch, struct vhdx_log_entry *entry,
			  struct vhdx_finding *fd)
{
	struct walk w = { .area = area, .pos = pos, .again = again, .crc = ~0U };
	u32 len, want = VHDX_LOG_SECTOR, stored;
	int ret;

	ret = vhdx_log_read(src, area, pos, scratch, VHDX_LOG_SECTOR);
	if (!ret)
		ret = vhdx_log_entry_decode(scratch, pos, area, &w.entry, fd);
	if (ret)
		return ret;
	stored = vhdx_log_entry_checksum(scratch);
	for (; w.at < w.entry.len; want = want < WINDOW ? want * 2 : WINDOW) {
		len = w.entry.len - w.at < want ? w.entry.len - w.at : want;
		ret = vhdx_log_read(src, area, vhdx_log_ring_add(area, pos, w.at), scratch, len);
		if (!ret)
			ret = walk_window(&w, scratch, len, fd);
		if (ret)
			return ret;
	}
	if (!again && ~w.crc != stored)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_ENTRY_CHECKSUM,
				     area->off + pos +
				     offsetof(struct vhdx_raw_log_entry, checksum),
				     stored);
	*entry = w.entry;
	return 0;
}

/* Cheap look at a sector: can an entry of this log begin here at all? */
static bool is_candidate(const void *sector, u32 pos, const struct vhdx_log_area *area)
{
	struct vhdx_log_entry entry;

	return !vhdx_log_entry_decode(sector, pos, area, &entry, NULL);
}

/*
 * Try the candidate at @pos. Returns 0 with *@len the bytes to go on by, or an
 * errno: a fault of one entry is none of the file.
 */
static int scan_candidate(const struct vhdx_source *src,
			  const struct vhdx_log_area *area, u32 pos, void *scratch,
			  struct vhdx_log_slot *slots, u32 *nr, u32 *len)
{
	struct vhdx_log_entry entry;
	int ret;

	*len = VHDX_LOG_SECTOR;
	ret = vhdx_log_entry_verify(src, area, pos, false, scratch, &entry, NULL);
	if (ret)
		return ret < 0 ? ret : 0;
	slots[(*nr)++] = (struct vhdx_log_slot){
		.seq = entry.seq,
		.flushed_off = entry.flushed_off,
		.last_off = entry.last_off,
		.target_end = entry.target_end,
		.pos = pos,
		.len = entry.len,
		.tail = entry.tail,
		.nr_desc = entry.nr_desc,
		.next = NO_SLOT,
	};
	*len = entry.len;
	return 0;
}

/* Fill @slots, in the order of the ring, with all entries valid by themselves. */
static int scan_ring(const struct vhdx_source *src, const struct vhdx_log_area *area,
		     u8 *scratch, struct vhdx_log_slot *slots, u32 *nr)
{
	u8 *window = scratch + WINDOW;
	u32 start = 0, have = 0, step;
	u64 pos;
	int ret;

	*nr = 0;
	for (pos = 0; pos < area->len; pos += step) {
		if (pos >= (u64)start + have) {
			start = pos;
			have = area->len - start < WINDOW ? area->len - start : WINDOW;
			ret = src->read(src, area->off + start, window, have);
			if (ret)
				return ret;
		}
		step = VHDX_LOG_SECTOR;
		if (!is_candidate(window + (pos - start), pos, area))
			continue;
		ret = scan_candidate(src, area, pos, scratch, slots, nr, &step);
		if (ret)
			return ret;
	}
	return 0;
}

/* The slot of the entry at @pos, or NO_SLOT; they are sorted. */
static u32 slot_find(const struct vhdx_log_slot *slots, u32 nr, u32 pos)
{
	u32 lo = 0, hi = nr, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (slots[mid].pos == pos)
			return mid;
		if (slots[mid].pos < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NO_SLOT;
}

/* Link each entry to the one that follows it with the next number. */
static void link_slots(const struct vhdx_log_area *area, struct vhdx_log_slot *slots,
		       u32 nr)
{
	u32 i, next;

	for (i = 0; i < nr; i++) {
		next = slot_find(slots, nr, vhdx_log_ring_add(area, slots[i].pos, slots[i].len));
		if (next == NO_SLOT || slots[next].seq != slots[i].seq + 1)
			continue;
		slots[i].next = next;
		slots[next].follows = true;
	}
}

/**
 * struct run - a longest sequence: nothing comes before its first entry
 * @first: its slot
 * @last: slot of the head
 * @tail: slot of the entry that the head's Tail names, or NO_SLOT
 */
struct run {
	u32	first;
	u32	last;
	u32	tail;
};

/* Numbers only rise along a run, so it ends. */
static void run_follow(const struct vhdx_log_slot *slots, u32 first, struct run *run)
{
	u32 i;

	run->first = first;
	run->tail = NO_SLOT;
	for (i = first; i != NO_SLOT; i = slots[i].next)
		run->last = i;
	for (i = first; i != NO_SLOT; i = slots[i].next)
		if (slots[i].pos == slots[run->last].tail)
			run->tail = i;
}

/*
 * The best complete run. Every other sequence of the specification's search is
 * the rest of a run and has the same head; what its beginning adds can only
 * make it complete. False if there is none.
 */
static bool find_best(const struct vhdx_log_slot *slots, u32 nr, struct run *best)
{
	bool found = false;
	struct run run;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (slots[i].follows)
			continue;
		run_follow(slots, i, &run);
		if (run.tail == NO_SLOT ||
		    (found && slots[run.last].seq <= slots[best->last].seq))
			continue;
		*best = run;
		found = true;
	}
	return found;
}

/*
 * What is newer than the head of the best complete run is none of it and of no
 * other complete one. A torn entry is not valid and not seen: this is more.
 */
static u64 newer_than(const struct vhdx_log_slot *slots, u32 nr, u64 seq)
{
	u64 newest = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		if (slots[i].seq > seq && slots[i].seq > newest)
			newest = slots[i].seq;
	return newest;
}

static void sequence_fill(const struct vhdx_log_area *area,
			  const struct vhdx_log_slot *slots, const struct run *run,
			  struct vhdx_log_sequence *seq)
{
	const struct vhdx_log_slot *head = &slots[run->last];
	u32 i;

	*seq = (struct vhdx_log_sequence){
		.tail = slots[run->tail].pos,
		.head = head->pos,
		.next = vhdx_log_ring_add(area, head->pos, head->len),
		.tail_seq = slots[run->tail].seq,
		.head_seq = head->seq,
		.flushed_off = head->flushed_off,
		.last_off = head->last_off,
	};
	for (i = run->tail; i != NO_SLOT; i = slots[i].next) {
		seq->nr++;
		seq->nr_desc += slots[i].nr_desc;
	}
}

static u64 round_up_unit(u64 off)
{
	return (off + VHDX_UNIT - 1) & ~(u64)(VHDX_UNIT - 1);
}

/* Targets against file and LastFileOffsets; what they make of the file's end. */
static enum vhdx_fault sequence_check_targets(const struct vhdx_log_area *area, u64 size,
					      const struct vhdx_log_slot *slots,
					      const struct run *run,
					      struct vhdx_log_sequence *seq,
					      struct vhdx_finding *fd)
{
	u64 limit = size;
	u32 i;

	for (i = run->tail; i != NO_SLOT; i = slots[i].next)
		if (slots[i].last_off <= VHDX_FILE_MAX && slots[i].last_off > limit)
			limit = round_up_unit(slots[i].last_off);
	seq->end = seq->last_off;
	for (i = run->tail; i != NO_SLOT; i = slots[i].next) {
		if (slots[i].target_end > limit)
			return vhdx_fault_at(fd, VHDX_FAULT_LOG_TARGET_BEYOND,
					     area->off + slots[i].pos, slots[i].target_end);
		if (slots[i].target_end > size && slots[i].target_end > seq->end)
			seq->end = round_up_unit(slots[i].target_end);
	}
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault sequence_check(const struct vhdx_log_area *area, u64 size,
				      struct vhdx_log_sequence *seq,
				      struct vhdx_finding *fd)
{
	u64 off = area->off + seq->head;

	if (seq->flushed_off > size)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_TRUNCATED,
				     off + offsetof(struct vhdx_raw_log_entry,
						    flushed_file_offset),
				     seq->flushed_off);
	if (seq->last_off > VHDX_FILE_MAX)
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_LAST_OFFSET,
				     off + offsetof(struct vhdx_raw_log_entry,
						    last_file_offset),
				     seq->last_off);
	seq->last_off = round_up_unit(seq->last_off);
	return VHDX_FAULT_NONE;
}

int vhdx_log_scan(const struct vhdx_source *src, const struct vhdx_log_area *area,
		  struct vhdx_log_slot *slots, void *scratch,
		  struct vhdx_log_sequence *seq, u32 *nr_valid,
		  struct vhdx_finding *fd)
{
	struct run best = { };
	u32 nr;
	int ret;

	if (area->off > src->size || area->len > src->size - area->off)
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_RANGE, area->off,
				     area->len);
	ret = scan_ring(src, area, scratch, slots, &nr);
	if (ret)
		return ret;
	if (nr_valid)
		*nr_valid = nr;
	link_slots(area, slots, nr);
	if (!find_best(slots, nr, &best))
		return vhdx_fault_at(fd, VHDX_FAULT_LOG_NO_SEQUENCE, area->off, nr);
	sequence_fill(area, slots, &best, seq);
	seq->newer_seq = newer_than(slots, nr, seq->head_seq);
	ret = sequence_check(area, src->size, seq, fd);
	if (ret)
		return ret;
	return sequence_check_targets(area, src->size, slots, &best, seq, fd);
}
