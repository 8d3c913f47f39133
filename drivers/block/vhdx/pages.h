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
 */
#ifndef VHDX_PAGES_H
#define VHDX_PAGES_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct page;
struct vhdx_image;

enum vhdx_page_state {
	VHDX_PAGE_LOADING,
	VHDX_PAGE_READY,
	VHDX_PAGE_BROKEN,
};

/**
 * struct vhdx_page - one 4 KiB page of metadata
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
 * @dirty: on the running transaction's list [journal lock]
 * @committing: in the transaction being committed [journal lock]
 * @lru: on the cache's list [pages lock]
 * @running: on the running transaction's list [journal lock]
 * @checkpoint: on the list of logged pages [journal commit mutex]
 * @rcu: for freeing
 */
struct vhdx_page {
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
	struct list_head	lru;
	struct list_head	running;
	struct list_head	checkpoint;
	struct rcu_head		rcu;
};

/**
 * struct vhdx_pages - the cache of one image
 * @img: the image [immutable]
 * @xa: pages by file offset / 4096 [its own lock; RCU for look-ups]
 * @lock: guards @lru and @nr
 * @lru: all pages, most recently loaded first
 * @nr: their number
 * @shrinker: gives clean pages back under memory pressure
 */
struct vhdx_pages {
	struct vhdx_image	*img;
	struct xarray		xa;
	spinlock_t		lock;
	struct list_head	lru;
	unsigned long		nr;
	struct shrinker		*shrinker;
};

int vhdx_pages_init(struct vhdx_pages *pages, struct vhdx_image *img);

/* No user and no journal is left. */
void vhdx_pages_exit(struct vhdx_pages *pages);

/*
 * The 8-byte word at file offset @off if its page is in memory; else -EAGAIN.
 * Takes no lock, never sleeps.
 */
int vhdx_pages_peek(struct vhdx_pages *pages, u64 off, __le64 *raw);

/* The page around @off, read if need be, with a reference; ERR_PTR. Sleeps. */
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
