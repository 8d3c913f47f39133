/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image that is written to while it is not attached: metadata goes through
 * the write-ahead log, as in the driver, but one step after the other.
 *
 * A *transaction* is a set of metadata pages that were changed in memory. A
 * *commit* makes it durable: all of it or, after a crash, nothing.
 *
 * What must be true at every moment at which power may fail:
 *
 *  1. Nothing changes before both headers have a new FileWriteGuid, and no
 *     payload before they have the new DataWriteGuid: libvhdx_journal_touch().
 *  2. A commit flushes the file first. So payload that was written before,
 *     and the file's size, are stable before the entry that speaks of them;
 *     and so is what the commit before wrote in place.
 *  3. Then the entry is written and flushed, and only then its pages go in
 *     place. So an entry's Tail is the entry itself: all before it is in place
 *     and stable.
 *  4. An entry is at most a quarter of the ring, so it never comes near the
 *     newest stable entry, which is all that a replay needs until it is stable
 *     itself.
 *  5. The log begins with an empty entry under a new LogGuid, stable, and then
 *     the headers name the LogGuid. It ends behind a flush, with both headers
 *     cleared. Both slots of the header describe a usable file in between.
 *  6. Blocks come from space behind all that the file held, which reads as
 *     zeros.
 *
 * After an error that leaves open what is on the disk nothing is written any
 * more; the LogGuid stays, and whoever opens the image next replays.
 *
 * All functions return 0, a negative errno, or a positive fault where there is
 * a finding to fill.
 */
#ifndef LIBVHDX_JOURNAL_H
#define LIBVHDX_JOURNAL_H

#include <linux/types.h>

#include "bat.h"
#include "image.h"

struct libvhdx_journal_page;

/**
 * struct libvhdx_journal - the image, and its log
 * @img: the image; its log is clean, its headers and size are kept up to date
 * @scan: what the BAT held when the image was opened
 * @page: pages of the running transaction
 * @nr_pages: their number
 * @max_pages: pages that fit one entry
 * @buf: where an entry is built
 * @area: the ring
 * @next_seq: sequence number of the next entry
 * @head: log offset of the next entry
 * @next: file offset of the next block: LastFileOffset
 * @stable_size: size of the file that is known to be stable
 * @active: the headers name the LogGuid
 * @cut: where the file may end once the log is empty, or 0
 * @touched: the headers have a new FileWriteGuid
 * @filled: the ring has its blocks
 * @failed: the error after which nothing is written any more, or 0
 */
struct libvhdx_journal {
	struct libvhdx_image		img;
	struct vhdx_bat_scan		scan;
	struct libvhdx_journal_page	*page;
	unsigned int			nr_pages;
	unsigned int			max_pages;
	u8				*buf;
	struct vhdx_log_area		area;
	u64				next_seq;
	u32				head;
	u64				next;
	u64				stable_size;
	bool				active;
	u64				cut;
	bool				touched;
	bool				filled;
	int				failed;
};

/*
 * Open the image in @file, which nobody else uses, and look at all of it. A
 * dirty log is replayed to the file; a file that is found to be bad was not
 * changed. -EROFS: it has no log. On failure there is nothing to close.
 */
int libvhdx_journal_open(struct libvhdx_journal *j, struct libvhdx_file *file,
			 struct vhdx_finding *fd);

/* Frees everything; does no I/O. libvhdx_journal_clean() came before. */
void libvhdx_journal_close(struct libvhdx_journal *j);

/*
 * Both headers get a new FileWriteGuid, once, and the log gets its blocks. With
 * @data_guid they get that DataWriteGuid, too, and payload may be written. Comes
 * before all else that writes.
 */
int libvhdx_journal_touch(struct libvhdx_journal *j, const guid_t *data_guid);

/*
 * The running transaction must have room for @nr_pages more, all of which appear
 * together; commits it if it has not. -EOVERFLOW: no entry of this log has.
 */
int libvhdx_journal_reserve(struct libvhdx_journal *j, unsigned int nr_pages);

/*
 * Store @len bytes of metadata at file offset @off, in the running transaction.
 * Each page that it touches and that changes by it was reserved.
 */
int libvhdx_journal_set(struct libvhdx_journal *j, u64 off, const void *buf, u32 len);

/* Read metadata as it is in the running transaction. */
int libvhdx_journal_read(struct libvhdx_journal *j, u64 off, void *buf, u32 len);

/*
 * Take @len bytes, a multiple of 1 MiB, behind the end of all that is used:
 * *@off. They read as zeros. With @fill the file system must have room for them.
 */
int libvhdx_journal_allocate(struct libvhdx_journal *j, u64 len, bool fill, u64 *off);

/*
 * Give back what was allocated last, at @off, and is not used: if nothing else
 * is allocated the file will end there.
 */
void libvhdx_journal_unallocate(struct libvhdx_journal *j, u64 off);

/* Make the running transaction durable, and all payload written before. */
int libvhdx_journal_commit(struct libvhdx_journal *j);

/* The same, and empty the log; the file is cut to what it needs. */
int libvhdx_journal_clean(struct libvhdx_journal *j);

/* After a commit that changed it: read the metadata region anew. */
int libvhdx_journal_reload(struct libvhdx_journal *j, struct vhdx_finding *fd);

#endif
