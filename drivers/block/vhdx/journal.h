/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The write-ahead log: how metadata changes become durable.
 *
 * Words. A *transaction* is a set of metadata pages that were changed in
 * memory. A *commit* writes one transaction as one log entry; an entry is
 * replayed whole or not at all, so what was changed between
 * vhdx_journal_begin() and vhdx_journal_end() appears together or not at all.
 * A *checkpoint* writes the logged pages in place. The *tail* is the oldest
 * entry whose pages are not known to be stable in place.
 *
 * What must be true at every moment at which power may fail:
 *
 *  1. A page changes in place only to content that a stable entry holds. The
 *     checkpoint writes vhdx_page.logged, which is copied from the entry after
 *     the entry is stable; vhdx_page.data, which is newer, never reaches the
 *     file except through an entry.
 *  2. An entry is written with FUA, after a flush of the file. So all payload
 *     that was complete when the transaction was closed is stable before the
 *     entry that makes it visible, and so is the size of the file:
 *     FlushedFileOffset never exceeds the size before that flush.
 *  3. An entry's Tail passes another entry only after the checkpoint that
 *     covers it was flushed: ring_append() names itself as the oldest entry
 *     only while no page waits for a checkpoint, and pages stop waiting in
 *     journal_checkpoint() behind vhdx_file_flush() and nowhere else.
 *  4. Space of the ring is free up to tail_disk, the Tail stored in the newest
 *     *stable* entry, not up to tail_mem. Until a newer entry is stable a
 *     crash goes back to the old head and needs everything from its Tail on.
 *     One sector is always kept back, so that an empty entry (Tail = itself)
 *     can make a moved tail stable when the ring is full.
 *  5. A log begins with an empty entry under a new LogGuid, stable, and then
 *     the headers name the LogGuid. It ends with both headers cleared, after
 *     a checkpoint. In between both header slots describe a usable file.
 *
 * Flush. vhdx_journal_flush() counts a ticket: a commit that began after the
 * ticket was drawn covers the caller, so any number of callers that wait for
 * the commit mutex are served by the next commit of one of them.
 *
 * Locks. The commit mutex is held by whoever commits, checkpoints, starts or
 * stops the log, over all I/O of these. The update rwsem is held for reading
 * between begin and end, and for writing while a transaction is closed, so a
 * snapshot never contains half of an update. That is a copy of pages: whoever
 * holds it waits for no I/O and no memory, so neither does an update that finds
 * room in the transaction. The spinlock guards the lists of pages and the words
 * in them.
 *
 * Failure. If the log, a header or a checkpoint can not be written the image
 * goes read-only before the error is returned; LogGuid stays set, and the
 * next open replays. Only lack of space (ENOSPC, EDQUOT) for an in-place write
 * of a checkpoint, or for the blocks of a log that is about to be used, leaves
 * the mode alone: nothing is lost and it can be tried again. A flush that fails
 * is final whatever it says.
 */
#ifndef VHDX_JOURNAL_H
#define VHDX_JOURNAL_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "file.h"
#include "format/log_entry.h"

struct vhdx_image;
struct vhdx_page;

/**
 * struct vhdx_journal - the log of one image that is open for writing
 * @img: the image [immutable]
 * @commit: serialises commit, checkpoint, start and stop
 * @update: see above
 * @lock: guards @running, @nr_running, @nr_reserved, page flags and words
 * @running: pages of the running transaction
 * @nr_running: their number [@lock; racy reads by @commit holders, who look
 *	again under @update, and for statistics]
 * @nr_reserved: pages that updates between begin and end may still add
 * @max_pages: pages that fit one entry [immutable]
 * @checkpoint: pages that are logged but not written in place [@commit]
 * @nr_checkpoint: their number [@commit; racy reads for statistics]
 * @committing: pages of the transaction being committed [@commit]
 * @nr_committing: their number [@commit]
 * @spare: memory for vhdx_page.logged, reserved before a commit [@commit]
 * @nr_spare: number of pages in @spare [@commit]
 * @pool: at least @max_pages pages, so that a commit after a checkpoint never
 *	waits for memory
 * @buf: where an entry is built [@commit]
 * @area: place [immutable] and LogGuid [@commit] of the ring
 * @active: the headers name the LogGuid [@commit; racy reads]
 * @next_seq: sequence number of the next entry [@commit]
 * @head: log offset of the next entry [@commit; racy reads]
 * @tail_mem: oldest entry not known to be stable in place [@commit]
 * @tail_disk: Tail of the newest stable entry [@commit; racy reads]
 * @started: commits begun [@commit; READ_ONCE by ticket holders]
 * @done: the newest of them that ended [@commit]
 * @result: and how [@commit]
 * @last_activity: jiffies of the last begin [racy]
 * @wq: runs @idle, nothing else
 * @idle: empties the log when nothing happened for a while
 * @nr_flush_requests: calls of vhdx_journal_flush(), each counted once its
 *	ticket is drawn
 * @nr_data_flushes: flushes of the file for a commit, one with nothing to
 *	write included
 * @nr_starts: logs begun
 * @nr_entries: entries, empty ones included
 * @nr_commits: entries with content
 * @nr_log_writes: writes to the log area
 * @nr_checkpoints: checkpoints with content
 * @nr_checkpoint_writes: pages that they wrote in place
 *
 * What it costs is counted apart by what it is for, so that tests can add it
 * up: test_log_commit.sh.
 */
struct vhdx_journal {
	struct vhdx_image	*img;
	struct mutex		commit;
	struct rw_semaphore	update;
	spinlock_t		lock;
	struct list_head	running;
	unsigned int		nr_running;
	unsigned int		nr_reserved;
	unsigned int		max_pages;
	struct list_head	checkpoint;
	unsigned int		nr_checkpoint;
	struct vhdx_page	**committing;
	unsigned int		nr_committing;
	struct page		**spare;
	unsigned int		nr_spare;
	mempool_t		*pool;
	struct vhdx_buf		buf;
	struct vhdx_log_area	area;
	bool			active;
	u64			next_seq;
	u32			head;
	u32			tail_mem;
	u32			tail_disk;
	u64			started;
	u64			done;
	int			result;
	unsigned long		last_activity;
	struct workqueue_struct	*wq;
	struct delayed_work	idle;
	atomic64_t		nr_flush_requests;
	atomic64_t		nr_data_flushes;
	atomic64_t		nr_starts;
	atomic64_t		nr_entries;
	atomic64_t		nr_commits;
	atomic64_t		nr_log_writes;
	atomic64_t		nr_checkpoints;
	atomic64_t		nr_checkpoint_writes;
};

/* For an image whose log is clean and that is open for writing. */
int vhdx_journal_init(struct vhdx_journal *j, struct vhdx_image *img);

/* Frees everything; does no I/O. vhdx_journal_clean() came before. */
void vhdx_journal_exit(struct vhdx_journal *j);

/*
 * Begin an update of at most @nr_pages pages; commits first if the running
 * transaction is full. The pages are already in memory and referenced. 0, or
 * an errno and then no update was begun. Sleeps.
 */
int vhdx_journal_begin(struct vhdx_journal *j, unsigned int nr_pages);

/* Store @raw at file offset @off of @page, as part of the caller's update. */
void vhdx_journal_set(struct vhdx_journal *j, struct vhdx_page *page, u64 off,
		      __le64 raw);

/* End the update of @nr_pages pages. */
void vhdx_journal_end(struct vhdx_journal *j, unsigned int nr_pages);

/*
 * Make everything that completed before the call durable: one flush of the
 * file and, if metadata changed, one log entry. Sleeps.
 */
int vhdx_journal_flush(struct vhdx_journal *j);

/*
 * Memory is short: let go of all pages, by a commit and a checkpoint. An error
 * if they can not be let go of. Sleeps.
 */
int vhdx_journal_relieve(struct vhdx_journal *j);

/* Commit, checkpoint, and clear the LogGuid in both headers. Sleeps. */
int vhdx_journal_clean(struct vhdx_journal *j);

/* Bytes of the ring that a crash now would need. Racy. */
u64 vhdx_journal_used(const struct vhdx_journal *j);

#endif
