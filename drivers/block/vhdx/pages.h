/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metadata in memory: 4 KiB pages of the file (BAT, sector bitmaps), read on
 * demand and dropped again when they are clean and memory is wanted.
 *
 * Lifetime. The cache holds one reference to each page, every user and each
 * list of the journal one more. Only a page whose single reference is the
 * cache's is dropped, by taking that reference from 1 to 0: so a page that
 * the journal still has to write can not go, and neither can one in use. The
 * memory is freed after an RCU grace period, so vhdx_pages_peek() needs no
 * reference at all.
 *
 * A page is inserted before it is read, in state LOADING, and others wait
 * for it. Reading first and inserting later could bring back content that
 * was changed, written and dropped in the meantime.
 *
 * Memory. Pages are loaded for requests that may themselves be the write-back
 * that memory is waited for, so loading must go on when there is none. A pool
 * holds VHDX_PAGES_RESERVE pages, and the index is a table of lists: to insert
 * takes no memory. Where is a page of the reserve when the pool is empty?
 *
 *  - with a user. Each holds one page at a time, and waits for nothing but the
 *    file and a commit, which loads no page and has a reserve of its own
 *    (journal.h). The reserve is larger than what all of them hold; a parent
 *    may have more users than that, of many devices, but none of them waits for
 *    a page while it holds one;
 *  - clean in the cache: then pages_relieve() drops it;
 *  - changed or logged: then pages_relieve() commits and writes in place, and
 *    drops it the next time;
 *  - dropped, until the end of an RCU grace period: it comes back by itself.
 *
 * So who waits for a page gets one in the end. Only where the file can not be
 * written (the mode fell, or it has no space) changed pages stay: then nothing
 * is written back through us either, and memory is waited for in the allocator.
 */
#ifndef VHDX_PAGES_H
#define VHDX_PAGES_H

#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct page;
struct vhdx_image;
struct vhdx_pages;

/* More than all users of one device hold together: there are 16 workers. */
#define VHDX_PAGES_RESERVE	32

enum vhdx_page_state {
	VHDX_PAGE_LOADING,
	VHDX_PAGE_READY,
	VHDX_PAGE_BROKEN,
};

/**
 * struct vhdx_page - one 4 KiB page of metadata
 * @pages: the cache [immutable]
 * @off: file offset [immutable]
 * @page: its memory [immutable]
 * @data: address of the memory: the newest content, in 8-byte words that are
 *	read with vhdx_page_read() and written under the journal's lock
 * @logged: content in the newest stable log entry that still has to be
 *	written in place, or NULL [journal commit mutex]
 * @ref: see above
 * @state: enum vhdx_page_state [release/acquire]
 * @error: why it is BROKEN [published by @state]
 * @referenced: used since the reclaimer last saw it [racy on purpose]
 * @dirty: on the running transaction's list [journal lock; READ_ONCE without]
 * @committing: in the transaction being committed [journal commit mutex;
 *	READ_ONCE without]
 * @hash: in the cache's index [pages lock; RCU for look-ups]
 * @lru: on the cache's list [pages lock]
 * @running: on the running transaction's list [journal lock]
 * @checkpoint: on the list of logged pages [journal commit mutex]
 * @rcu: for freeing
 */
struct vhdx_page {
	struct vhdx_pages	*pages;
	u64			off;
	struct page		*page;
	__le64			*data;
	struct page		*logged;
	refcount_t		ref;
	int			state;
	int			error;
	bool			referenced;
	bool			dirty;
	bool			committing;
	struct hlist_node	hash;
	struct list_head	lru;
	struct list_head	running;
	struct list_head	checkpoint;
	struct rcu_head		rcu;
};

/**
 * struct vhdx_pages - the cache of one image
 * @img: the image [immutable]
 * @buckets: pages by file offset [@lock; RCU for look-ups]
 * @pool: the reserve, see above
 * @lock: guards @buckets, @lru and @nr
 * @lru: all pages, most recently loaded first
 * @nr: their number [@lock; racy reads]
 * @shrinker: gives clean pages back under memory pressure
 */
struct vhdx_pages {
	struct vhdx_image	*img;
	struct hlist_head	*buckets;
	mempool_t		*pool;
	spinlock_t		lock;
	struct list_head	lru;
	unsigned long		nr;
	struct shrinker		*shrinker;
};

/* The slab cache of all images; when the module comes and goes. */
int vhdx_pages_setup(void);
void vhdx_pages_teardown(void);

int vhdx_pages_init(struct vhdx_pages *pages, struct vhdx_image *img);

/* No user and no journal is left. */
void vhdx_pages_exit(struct vhdx_pages *pages);

/*
 * The 8-byte word at file offset @off if its page is in memory; else -EAGAIN.
 * Takes no lock, never sleeps.
 */
int vhdx_pages_peek(struct vhdx_pages *pages, u64 off, __le64 *raw);

/*
 * The page around @off, read if need be, with a reference; ERR_PTR. Sleeps,
 * and may commit when memory is short: no lock from the space mutex on inwards
 * (image.h) is held, and no page.
 */
struct vhdx_page *vhdx_page_get(struct vhdx_pages *pages, u64 off);

/* One more reference for somebody who has one. Never sleeps. */
void vhdx_page_ref(struct vhdx_page *page);
void vhdx_page_put(struct vhdx_page *page);

/* Word of @page at file offset @off. */
static inline __le64 *vhdx_page_word(struct vhdx_page *page, u64 off)
{
	return page->data + ((off - page->off) >> 3);
}

/*
 * The word of @page at file offset @off. What was done before it was stored,
 * by vhdx_journal_set(), is seen after it was read.
 */
static inline __le64 vhdx_page_read(struct vhdx_page *page, u64 off)
{
	/* Pairs with the release in vhdx_journal_set(). */
	return smp_load_acquire(vhdx_page_word(page, off));
}

/*
 * Is the page around @off changed and not in a stable log entry? Also true
 * when the image has lost its log: what is dirty then stays so.
 */
bool vhdx_pages_is_dirty(struct vhdx_pages *pages, u64 off);

#endif
