// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cache of metadata pages.
 */
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "image.h"
#include "image_types.h"
#include "pages.h"

/* 16 MiB of metadata: the BAT of 2 TiB in 1 MiB blocks. */
#define PAGES_MAX	4096
#define PAGES_RECLAIM	32
#define PAGES_HASH_BITS	10

static struct kmem_cache *page_cache;

static struct hlist_head *pages_bucket(const struct vhdx_pages *pages, u64 off)
{
	return &pages->buckets[hash_64(off >> VHDX_PAGE_SHIFT, PAGES_HASH_BITS)];
}

/* The page at @off, or NULL. Under RCU or with the lock held. */
static struct vhdx_page *pages_look_up(struct vhdx_pages *pages, u64 off)
{
	struct vhdx_page *page;

	off = round_down(off, VHDX_PAGE_SIZE);
	hlist_for_each_entry_rcu(page, pages_bucket(pages, off), hash,
				 lockdep_is_held(&pages->lock))
		if (page->off == off)
			return page;
	return NULL;
}

/* Of the pool: a page with memory and nothing else. */
static void *page_new(gfp_t gfp, void *data)
{
	struct vhdx_page *page = kmem_cache_alloc(page_cache, gfp);

	if (!page)
		return NULL;
	page->page = alloc_page(gfp);
	if (!page->page) {
		kmem_cache_free(page_cache, page);
		return NULL;
	}
	return page;
}

static void page_delete(void *element, void *data)
{
	struct vhdx_page *page = element;

	__free_page(page->page);
	kmem_cache_free(page_cache, page);
}

static void page_free(struct vhdx_page *page)
{
	WARN_ON_ONCE(page->logged || page->dirty || page->committing);
	mempool_free(page, page->pages->pool);
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

static void page_init(struct vhdx_page *page, struct vhdx_pages *pages, u64 off)
{
	*page = (struct vhdx_page){
		.pages	= pages,
		.off	= off,
		.page	= page->page,
		.data	= page_address(page->page),
		.state	= VHDX_PAGE_LOADING,
	};
	refcount_set(&page->ref, 2);	/* the cache's and the caller's */
	INIT_LIST_HEAD(&page->lru);
	INIT_LIST_HEAD(&page->running);
	INIT_LIST_HEAD(&page->checkpoint);
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
	page = pages_look_up(pages, off);
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
	page = pages_look_up(pages, off);
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
		WRITE_ONCE(pages->nr, pages->nr - 1);
		hlist_del_rcu(&page->hash);
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

/*
 * Get pages back from where they need not be; see the argument in pages.h. An
 * error if the journal can not let go of what it has.
 */
static int pages_relieve(struct vhdx_pages *pages)
{
	struct vhdx_image *img = pages->img;

	/* Twice: at the first look a page may have been used. */
	if (pages_reclaim(pages, 2 * READ_ONCE(pages->nr)) || !img->writable)
		return 0;
	return vhdx_journal_relieve(&img->journal);
}

/* NULL only when the journal is stuck, and there is no memory. */
static struct vhdx_page *page_alloc(struct vhdx_pages *pages)
{
	struct vhdx_page *page;

	for (;;) {
		page = mempool_alloc(pages->pool, GFP_NOWAIT | __GFP_NOWARN);
		if (!page)
			page = page_new(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN, NULL);
		if (page)
			return page;
		if (pages_relieve(pages))
			return page_new(GFP_NOIO, NULL);
		schedule_timeout_uninterruptible(1);	/* an RCU grace period, a user */
	}
}

/* Put @new into the index; returns it, or the one that is there, with a reference. */
static struct vhdx_page *pages_insert(struct vhdx_pages *pages, struct vhdx_page *new)
{
	struct vhdx_page *page;

	spin_lock(&pages->lock);
	page = pages_look_up(pages, new->off);
	if (page) {
		vhdx_page_ref(page);	/* has the cache's: it leaves under the lock */
	} else {
		page = new;
		hlist_add_head_rcu(&new->hash, pages_bucket(pages, new->off));
		list_add(&new->lru, &pages->lru);
		WRITE_ONCE(pages->nr, pages->nr + 1);
	}
	spin_unlock(&pages->lock);
	if (READ_ONCE(pages->nr) > PAGES_MAX)
		pages_reclaim(pages, PAGES_RECLAIM);
	return page;
}

static void pages_remove(struct vhdx_pages *pages, struct vhdx_page *page)
{
	spin_lock(&pages->lock);
	list_del_init(&page->lru);
	WRITE_ONCE(pages->nr, pages->nr - 1);
	hlist_del_rcu(&page->hash);
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
	page = pages_look_up(pages, off);
	if (page && !refcount_inc_not_zero(&page->ref))
		page = NULL;
	rcu_read_unlock();
	return page;
}

struct vhdx_page *vhdx_page_get(struct vhdx_pages *pages, u64 off)
{
	struct vhdx_page *page = page_find(pages, off);
	struct vhdx_page *new;

	if (page)
		return page_wait(page);
	new = page_alloc(pages);
	if (!new)
		return ERR_PTR(-ENOMEM);
	page_init(new, pages, round_down(off, VHDX_PAGE_SIZE));
	page = pages_insert(pages, new);
	if (page == new)
		return page_load(pages, page);
	page_free(new);	/* somebody was faster */
	return page_wait(page);
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

static int pages_alloc(struct vhdx_pages *pages)
{
	pages->buckets = kvcalloc(1 << PAGES_HASH_BITS, sizeof(*pages->buckets),
				  GFP_KERNEL);
	pages->pool = mempool_create(VHDX_PAGES_RESERVE, page_new, page_delete, NULL);
	pages->shrinker = shrinker_alloc(0, "vhdx-metadata");
	return pages->buckets && pages->pool && pages->shrinker ? 0 : -ENOMEM;
}

static void pages_free(struct vhdx_pages *pages)
{
	if (pages->shrinker)
		shrinker_free(pages->shrinker);
	mempool_destroy(pages->pool);
	kvfree(pages->buckets);
	pages->img = NULL;
}

int vhdx_pages_init(struct vhdx_pages *pages, struct vhdx_image *img)
{
	int ret;

	pages->img = img;
	spin_lock_init(&pages->lock);
	INIT_LIST_HEAD(&pages->lru);
	ret = pages_alloc(pages);
	if (ret) {
		pages_free(pages);
		return ret;
	}
	pages->shrinker->count_objects = pages_count;
	pages->shrinker->scan_objects = pages_scan;
	pages->shrinker->private_data = pages;
	shrinker_register(pages->shrinker);
	return 0;
}

/*
 * The shrinker goes first, then the pages, which return to the pool when their
 * grace period is over, then the pool.
 */
void vhdx_pages_exit(struct vhdx_pages *pages)
{
	struct vhdx_page *page, *next;

	if (!pages->img)
		return;
	shrinker_free(pages->shrinker);
	pages->shrinker = NULL;
	list_for_each_entry_safe(page, next, &pages->lru, lru)
		pages_remove(pages, page);
	rcu_barrier();
	pages_free(pages);
}

/* A slab cache of its own: what of it fails can be chosen in tests. */
int vhdx_pages_setup(void)
{
	page_cache = KMEM_CACHE(vhdx_page, 0);
	return page_cache ? 0 : -ENOMEM;
}

void vhdx_pages_teardown(void)
{
	kmem_cache_destroy(page_cache);
}
