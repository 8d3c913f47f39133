// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cache of metadata pages.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "image.h"
#include "image_types.h"
#include "pages.h"

/* 16 MiB of metadata: the BAT of 2 TiB in 1 MiB blocks. */
#define PAGES_MAX	4096
#define PAGES_RECLAIM	32

static unsigned long pages_slot(u64 off)
{
	return off >> VHDX_PAGE_SHIFT;
}

static void page_free(struct vhdx_page *page)
{
	WARN_ON_ONCE(page->logged || page->dirty || page->committing);
	if (page->page)
		__free_page(page->page);
	kfree(page);
}

static void page_free_rcu(struct rcu_head *rcu)
{
	page_free(container_of(rcu, struct vhdx_page, rcu));
}

void vhdx_page_ref(struct vhdx_page *page)
{
	refcount_inc(&page->ref);
}

void vhdx_page_put(struct vhdx_page *page)
{
	if (refcount_dec_and_test(&page->ref))
		call_rcu(&page->rcu, page_free_rcu);
}

static struct vhdx_page *page_alloc(u64 off)
{
	struct vhdx_page *page = kzalloc(sizeof(*page), GFP_KERNEL);

	if (!page)
		return NULL;
	page->page = alloc_page(GFP_KERNEL);
	if (!page->page) {
		kfree(page);
		return NULL;
	}
	page->off = off;
	page->data = page_address(page->page);
	refcount_set(&page->ref, 2);	/* the cache's and the caller's */
	page->state = VHDX_PAGE_LOADING;
	INIT_LIST_HEAD(&page->lru);
	INIT_LIST_HEAD(&page->running);
	INIT_LIST_HEAD(&page->checkpoint);
	return page;
}

static void page_set_state(struct vhdx_page *page, int state)
{
	/* The content, or the error, before the state that says it is there. */
	smp_store_release(&page->state, state);
	smp_mb();	/* the state before the look at the wait queue */
	wake_up_var(&page->state);
}

static int page_state(const struct vhdx_page *page)
{
	/* Pairs with the release in page_set_state(). */
	return smp_load_acquire(&page->state);
}

int vhdx_pages_peek(struct vhdx_pages *pages, u64 off, __le64 *raw)
{
	struct vhdx_page *page;
	int ret = -EAGAIN;

	rcu_read_lock();
	page = xa_load(&pages->xa, pages_slot(off));
	if (page && page_state(page) == VHDX_PAGE_READY) {
		*raw = vhdx_page_read(page, off);
		if (!READ_ONCE(page->referenced))
			WRITE_ONCE(page->referenced, true);
		ret = 0;
	}
	rcu_read_unlock();
	return ret;
}

bool vhdx_pages_is_dirty(struct vhdx_pages *pages, u64 off)
{
	struct vhdx_page *page;
	bool dirty;

	rcu_read_lock();
	page = xa_load(&pages->xa, pages_slot(off));
	dirty = page && READ_ONCE(page->dirty);
	smp_rmb();	/* pairs with journal_snapshot(): first the one, then the other */
	dirty = dirty || (page && READ_ONCE(page->committing));
	rcu_read_unlock();
	/*
	 * A commit that failed is undone after the mode fell, in two steps that
	 * may both be missed here: then the mode is the witness.
	 */
	smp_rmb();	/* pairs with the full barrier of vhdx_image_fail() */
	return dirty || vhdx_image_mode(pages->img) != VHDX_MODE_WRITE;
}

/* Look at the oldest page: true if it was dropped. Called with the lock held. */
static bool pages_reclaim_one(struct vhdx_pages *pages)
{
	struct vhdx_page *page;

	lockdep_assert_held(&pages->lock);
	page = list_last_entry(&pages->lru, struct vhdx_page, lru);
	if (READ_ONCE(page->referenced)) {
		WRITE_ONCE(page->referenced, false);
	} else if (refcount_dec_if_one(&page->ref)) {
		list_del_init(&page->lru);
		pages->nr--;
		xa_erase(&pages->xa, pages_slot(page->off));
		call_rcu(&page->rcu, page_free_rcu);
		return true;
	}
	list_move(&page->lru, &pages->lru);
	return false;
}

static unsigned long pages_reclaim(struct vhdx_pages *pages, unsigned long nr)
{
	unsigned long freed = 0;

	spin_lock(&pages->lock);
	while (nr-- && !list_empty(&pages->lru))
		freed += pages_reclaim_one(pages);
	spin_unlock(&pages->lock);
	return freed;
}

static int pages_insert(struct vhdx_pages *pages, struct vhdx_page *page)
{
	int ret;

	ret = xa_insert(&pages->xa, pages_slot(page->off), page, GFP_KERNEL);
	if (ret)
		return ret;
	spin_lock(&pages->lock);
	list_add(&page->lru, &pages->lru);
	pages->nr++;
	spin_unlock(&pages->lock);
	if (READ_ONCE(pages->nr) > PAGES_MAX)
		pages_reclaim(pages, PAGES_RECLAIM);
	return 0;
}

static void pages_remove(struct vhdx_pages *pages, struct vhdx_page *page)
{
	spin_lock(&pages->lock);
	list_del_init(&page->lru);
	pages->nr--;
	xa_erase(&pages->xa, pages_slot(page->off));
	spin_unlock(&pages->lock);
	vhdx_page_put(page);
}

/* Whoever inserted the page reads it; returns with the caller's reference. */
static struct vhdx_page *page_load(struct vhdx_pages *pages, struct vhdx_page *page)
{
	int ret = vhdx_image_read_page(pages->img, page->off, page->page);

	if (!ret) {
		page_set_state(page, VHDX_PAGE_READY);
		return page;
	}
	page->error = ret;
	page_set_state(page, VHDX_PAGE_BROKEN);
	pages_remove(pages, page);
	vhdx_page_put(page);
	return ERR_PTR(ret);
}

static struct vhdx_page *page_wait(struct vhdx_page *page)
{
	int ret;

	wait_var_event(&page->state, page_state(page) != VHDX_PAGE_LOADING);
	if (page->state == VHDX_PAGE_READY) {
		WRITE_ONCE(page->referenced, true);
		return page;
	}
	ret = page->error;
	vhdx_page_put(page);
	return ERR_PTR(ret);
}

/* A page that is in the cache, with a reference; NULL if there is none. */
static struct vhdx_page *page_find(struct vhdx_pages *pages, u64 off)
{
	struct vhdx_page *page;

	rcu_read_lock();
	page = xa_load(&pages->xa, pages_slot(off));
	if (page && !refcount_inc_not_zero(&page->ref))
		page = NULL;
	rcu_read_unlock();
	return page;
}

struct vhdx_page *vhdx_page_get(struct vhdx_pages *pages, u64 off)
{
	struct vhdx_page *page;
	int ret;

	off = round_down(off, VHDX_PAGE_SIZE);
	for (;;) {
		page = page_find(pages, off);
		if (page)
			return page_wait(page);
		page = page_alloc(off);
		if (!page)
			return ERR_PTR(-ENOMEM);
		ret = pages_insert(pages, page);
		if (!ret)
			return page_load(pages, page);
		page_free(page);
		if (ret != -EBUSY)
			return ERR_PTR(ret);
		cond_resched();	/* somebody was faster, or is dropping it */
	}
}

static unsigned long pages_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct vhdx_pages *pages = shrinker->private_data;

	return READ_ONCE(pages->nr);
}

/* To take away a page's second chance is progress, too: no SHRINK_STOP. */
static unsigned long pages_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct vhdx_pages *pages = shrinker->private_data;

	return pages_reclaim(pages, sc->nr_to_scan);
}

int vhdx_pages_init(struct vhdx_pages *pages, struct vhdx_image *img)
{
	pages->img = img;
	xa_init(&pages->xa);
	spin_lock_init(&pages->lock);
	INIT_LIST_HEAD(&pages->lru);
	pages->shrinker = shrinker_alloc(0, "vhdx-metadata");
	if (!pages->shrinker)
		return -ENOMEM;
	pages->shrinker->count_objects = pages_count;
	pages->shrinker->scan_objects = pages_scan;
	pages->shrinker->private_data = pages;
	shrinker_register(pages->shrinker);
	return 0;
}

/* Pages of a failed journal still carry references; they go with the cache. */
void vhdx_pages_exit(struct vhdx_pages *pages)
{
	struct vhdx_page *page, *next;

	if (!pages->shrinker)
		return;
	shrinker_free(pages->shrinker);
	list_for_each_entry_safe(page, next, &pages->lru, lru)
		pages_remove(pages, page);
	xa_destroy(&pages->xa);
	rcu_barrier();
}
