// SPDX-License-Identifier: GPL-2.0-only
/*
 * The write-ahead log. The rules that it keeps are in journal.h.
 */
#include <linux/list_sort.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "format/raw.h"
#include "image.h"
#include "image_types.h"
#include "journal.h"
#include "pages.h"
#include "trace.h"

/* Two descriptor sectors hold so many; a commit of a larger log is no larger. */
#define JOURNAL_MAX_PAGES	254
/* So many pages are held twice, and none is given back to the system. */
#define JOURNAL_MAX_LOGGED	4096
/* A log with holes is filled before its first use if it is not longer. */
#define JOURNAL_FILL_MAX	SZ_64M

static unsigned int log_idle_ms = 3000;
module_param(log_idle_ms, uint, 0644);
MODULE_PARM_DESC(log_idle_ms,
		 "Milliseconds without a change of metadata after which a log is emptied (default 3000)");

static unsigned long journal_idle_time(void)
{
	return msecs_to_jiffies(READ_ONCE(log_idle_ms));
}

static bool is_no_space(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

/*
 * Whoever works on the log may be waited for by the write-back of the device:
 * its memory must not come from there, and it must not be held up because too
 * much is dirty there.
 */
struct journal_scope {
	unsigned int	noio;
	unsigned int	throttle;
};

static struct journal_scope journal_scope_enter(void)
{
	struct journal_scope scope = {
		.noio = memalloc_noio_save(),
		.throttle = current->flags & PF_LOCAL_THROTTLE,
	};

	current->flags |= PF_LOCAL_THROTTLE;
	return scope;
}

static void journal_scope_leave(struct journal_scope scope)
{
	current_restore_flags(scope.throttle, PF_LOCAL_THROTTLE);
	memalloc_noio_restore(scope.noio);
}

static void journal_touch(struct vhdx_journal *j)
{
	WRITE_ONCE(j->last_activity, jiffies);
	queue_delayed_work(j->wq, &j->idle, journal_idle_time());
}

static u32 ring_add(const struct vhdx_journal *j, u32 pos, u32 len)
{
	u64 next = (u64)pos + len;

	return next >= j->area.len ? next - j->area.len : next;
}

/* Bytes from @from up to @to, going forward round the ring. */
static u32 ring_distance(const struct vhdx_journal *j, u32 from, u32 to)
{
	return to >= from ? to - from : to + (j->area.len - from);
}

u64 vhdx_journal_used(const struct vhdx_journal *j)
{
	if (!READ_ONCE(j->active))
		return 0;
	return ring_distance(j, READ_ONCE(j->tail_disk), READ_ONCE(j->head));
}

/* Rule 4: the newest stable entry's Tail bounds what may be overwritten. */
static u32 ring_free(const struct vhdx_journal *j)
{
	return j->area.len - ring_distance(j, j->tail_disk, j->head);
}

static bool ring_has_room(const struct vhdx_journal *j, u32 len)
{
	return ring_free(j) >= (u64)len + VHDX_LOG_SECTOR;
}

/* Write the @len bytes of the sealed entry in the buffer at the head, stable. */
static int ring_write(struct vhdx_journal *j, u32 len)
{
	struct vhdx_file *file = &j->img->file;
	u32 first = min(len, j->area.len - j->head);
	int ret;

	atomic64_inc(&j->nr_log_writes);
	ret = vhdx_file_write(file, j->area.off + j->head, &j->buf, 0, first, true);
	if (ret || first == len)
		return ret;
	atomic64_inc(&j->nr_log_writes);
	return vhdx_file_write(file, j->area.off, &j->buf, first, len - first, true);
}

/*
 * Seal, write, and once it is stable let head and stable tail move. Of what is
 * stable FlushedFileOffset names only what is in use: if a tool cuts off what
 * we got ahead of need, nothing is lost.
 */
static int ring_append(struct vhdx_journal *j, struct vhdx_log_build *b)
{
	u64 last_off = vhdx_space_end(&j->img->space);
	struct vhdx_log_entry entry = {
		.tail = j->nr_checkpoint ? j->tail_mem : j->head,
		.flushed_off = round_down(min(j->img->stable_size, last_off), VHDX_UNIT),
		.last_off = last_off,
	};
	u32 len = vhdx_log_build_seal(b, &j->area.guid, &entry);
	int ret;

	lockdep_assert_held(&j->commit);
	ret = ring_write(j, len);
	if (ret)
		return ret;
	j->tail_mem = entry.tail;
	WRITE_ONCE(j->tail_disk, entry.tail);
	WRITE_ONCE(j->head, ring_add(j, j->head, len));
	j->next_seq++;
	atomic64_inc(&j->nr_entries);
	return 0;
}

/*
 * An entry without descriptors. All pages were written in place and flushed,
 * so its Tail is itself and the whole ring behind it becomes free.
 */
static int ring_append_empty(struct vhdx_journal *j)
{
	struct vhdx_log_build b;
	int ret;

	WARN_ON_ONCE(j->nr_checkpoint);
	vhdx_log_build_init(&b, j->buf.addr, j->next_seq, 0);
	ret = ring_append(j, &b);
	if (ret)
		vhdx_image_fail(j->img, VHDX_MODE_READ_ONLY, ret,
				"the log could not be written");
	return ret;
}

/*
 * A failed flush is final whatever its reason, lack of space included: the
 * kernel says it once, and of whose data it speaks nobody knows. If it were
 * forgotten here the next FLUSH would succeed without that data.
 */
static int journal_flush_file(struct vhdx_journal *j)
{
	struct vhdx_image *img = j->img;
	u64 size = READ_ONCE(img->file.cur_size);
	int ret = vhdx_file_flush(&img->file);

	if (ret)
		vhdx_image_fail(img, VHDX_MODE_READ_ONLY, ret,
				"the file could not be flushed");
	else
		img->stable_size = size;
	return ret;
}

/* All payload that was there before is stable, and so is the file's size. */
static int journal_flush_data(struct vhdx_journal *j)
{
	atomic64_inc(&j->nr_data_flushes);
	return journal_flush_file(j);
}

/* The ring is about to be used: give it blocks, so that FUA can be had. */
static int journal_fill_holes(struct vhdx_journal *j)
{
	u32 pos, len, step = j->buf.nr_pages << PAGE_SHIFT;
	struct vhdx_file *file = &j->img->file;
	int ret = 0;

	if (j->area.len > JOURNAL_FILL_MAX ||
	    !vhdx_file_has_hole(file, j->area.off, j->area.len))
		return 0;
	memset(j->buf.addr, 0, step);
	for (pos = 0; pos < j->area.len && !ret; pos += len) {
		len = min(step, j->area.len - pos);
		ret = vhdx_file_write(file, j->area.off + pos, &j->buf, 0, len, false);
	}
	return ret;
}

/*
 * Rule 5. FileWriteGuid comes first of all: the log is a part of the file
 * that changes too.
 */
static int journal_start(struct vhdx_journal *j)
{
	struct vhdx_image *img = j->img;
	int ret;

	lockdep_assert_held(&j->commit);
	ret = vhdx_image_touch_file(img);
	if (!ret)
		ret = journal_fill_holes(j);
	if (ret)
		return ret;
	ret = journal_flush_file(j);
	if (ret)
		return ret;
	guid_gen(&j->area.guid);
	j->next_seq = get_random_u32() | 1;
	WRITE_ONCE(j->head, 0);
	j->tail_mem = 0;
	WRITE_ONCE(j->tail_disk, 0);
	ret = ring_append_empty(j);
	if (!ret)
		ret = vhdx_image_write_headers(img, &j->area.guid, false);
	if (ret)
		return ret;
	WRITE_ONCE(j->active, true);
	atomic64_inc(&j->nr_starts);
	trace_vhdx_log_start(img->name, j->next_seq);
	return 0;
}

static int journal_ensure_active(struct vhdx_journal *j)
{
	int ret;

	if (j->active)
		return 0;
	ret = journal_start(j);
	if (ret && !is_no_space(ret))
		vhdx_image_fail(j->img, VHDX_MODE_READ_ONLY, ret,
				"the log could not be started");
	return ret;
}

static int page_cmp(void *priv, const struct list_head *a, const struct list_head *b)
{
	const struct vhdx_page *x = container_of(a, struct vhdx_page, checkpoint);
	const struct vhdx_page *y = container_of(b, struct vhdx_page, checkpoint);

	if (x->off == y->off)
		return 0;
	return x->off < y->off ? -1 : 1;
}

static void checkpoint_drop(struct vhdx_journal *j)
{
	struct vhdx_page *page, *next;

	list_for_each_entry_safe(page, next, &j->checkpoint, checkpoint) {
		list_del_init(&page->checkpoint);
		mempool_free(page->logged, j->pool);
		page->logged = NULL;
		vhdx_page_put(page);
	}
	WRITE_ONCE(j->nr_checkpoint, 0);
}

static int checkpoint_write(struct vhdx_journal *j)
{
	struct vhdx_file *file = &j->img->file;
	struct vhdx_page *page;
	int ret;

	list_sort(NULL, &j->checkpoint, page_cmp);
	list_for_each_entry(page, &j->checkpoint, checkpoint) {
		atomic64_inc(&j->nr_checkpoint_writes);
		ret = vhdx_file_write_page(file, page->off, page->logged, false);
		if (ret)
			return ret;
	}
	return journal_flush_file(j);
}

/*
 * Write all logged pages in place. Rule 3: the tail may move only behind the
 * flush; it does so in the next entry, for want of pages that need an older.
 */
static int journal_checkpoint(struct vhdx_journal *j)
{
	int ret;

	lockdep_assert_held(&j->commit);
	if (!j->nr_checkpoint)
		return 0;
	ret = vhdx_image_check_headers(j->img);
	if (!ret)
		ret = checkpoint_write(j);
	if (ret) {
		if (!is_no_space(ret))
			vhdx_image_fail(j->img, VHDX_MODE_READ_ONLY, ret,
					"metadata could not be written in place");
		return ret;
	}
	trace_vhdx_log_checkpoint(j->img->name, j->nr_checkpoint);
	checkpoint_drop(j);
	atomic64_inc(&j->nr_checkpoints);
	return 0;
}

/* Make room in the ring for an entry of @len bytes. */
static int journal_ensure_room(struct vhdx_journal *j, u32 len)
{
	int ret;

	if (ring_has_room(j, len))
		return 0;
	ret = journal_checkpoint(j);
	return ret ?: ring_append_empty(j);
}

/* Memory for the copies of @nr pages; a checkpoint gives back what is missing. */
static int journal_reserve_spares(struct vhdx_journal *j, unsigned int nr)
{
	struct page *page;
	int ret;

	while (j->nr_spare < nr) {
		page = mempool_alloc(j->pool, GFP_NOWAIT | __GFP_NOWARN);
		if (!page) {
			if (!j->nr_checkpoint)
				page = mempool_alloc(j->pool, GFP_NOIO);
			ret = page ? 0 : journal_checkpoint(j);
			if (ret)
				return ret;
		}
		if (page)
			j->spare[j->nr_spare++] = page;
	}
	return 0;
}

/*
 * Close the running transaction: its pages, as they are now, go into the
 * entry. Called with the update rwsem held for writing.
 */
static void journal_snapshot(struct vhdx_journal *j, struct vhdx_log_build *b)
{
	struct vhdx_page *page, *next;

	lockdep_assert_held_write(&j->update);
	vhdx_log_build_init(b, j->buf.addr, j->next_seq, j->nr_running);
	spin_lock(&j->lock);
	list_for_each_entry_safe(page, next, &j->running, running) {
		list_del_init(&page->running);
		WRITE_ONCE(page->committing, true);
		smp_wmb();	/* one of the two is seen: vhdx_pages_is_dirty() */
		WRITE_ONCE(page->dirty, false);
		vhdx_log_build_data(b, page->off, page->data);
		j->committing[j->nr_committing++] = page;
	}
	WRITE_ONCE(j->nr_running, 0);
	spin_unlock(&j->lock);
}

/* The commit failed: the changes are still only in memory, and stay dirty. */
static void journal_unsnapshot(struct vhdx_journal *j)
{
	struct vhdx_page *page;

	spin_lock(&j->lock);
	while (j->nr_committing) {
		page = j->committing[--j->nr_committing];
		WRITE_ONCE(page->committing, false);
		if (page->dirty) {
			/* Changed again meanwhile: one reference is enough. */
			spin_unlock(&j->lock);
			vhdx_page_put(page);
			spin_lock(&j->lock);
			continue;
		}
		WRITE_ONCE(page->dirty, true);
		list_add_tail(&page->running, &j->running);
		WRITE_ONCE(j->nr_running, j->nr_running + 1);
	}
	spin_unlock(&j->lock);
}

/*
 * The entry is stable. What it holds, taken out of the buffer again, is what
 * a checkpoint may write in place (rule 1).
 */
static void journal_logged(struct vhdx_journal *j, const struct vhdx_log_build *b)
{
	unsigned int i;

	for (i = 0; i < j->nr_committing; i++) {
		struct vhdx_page *page = j->committing[i];

		if (page->logged) {
			vhdx_page_put(page);	/* the list has one already */
		} else {
			page->logged = j->spare[--j->nr_spare];
			list_add_tail(&page->checkpoint, &j->checkpoint);
			WRITE_ONCE(j->nr_checkpoint, j->nr_checkpoint + 1);
		}
		vhdx_log_build_page(b, i, page_address(page->logged));
		WRITE_ONCE(page->committing, false);
	}
	j->nr_committing = 0;
}

/* Get everything ready that an entry of @nr pages needs. */
static int journal_prepare(struct vhdx_journal *j, unsigned int nr)
{
	int ret = 0;

	if (j->nr_checkpoint >= JOURNAL_MAX_LOGGED)
		ret = journal_checkpoint(j);
	/* Without space the pages stay in the log, where they are safe. */
	if (ret && !is_no_space(ret))
		return ret;
	ret = journal_ensure_active(j);
	if (!ret)
		ret = journal_reserve_spares(j, nr);
	return ret ?: journal_ensure_room(j, vhdx_log_entry_size(nr, nr));
}

/* Close the transaction if it has no more than @nr pages. */
static bool journal_try_close(struct vhdx_journal *j, unsigned int nr,
			      struct vhdx_log_build *b)
{
	bool ok;

	down_write(&j->update);
	ok = j->nr_running <= nr;
	if (ok)
		journal_snapshot(j, b);
	up_write(&j->update);
	return ok;
}

/*
 * Updates are kept out only while pages are copied, and not over I/O or a wait
 * for memory: an allocation of space waits for them, and it may be for the
 * write-back that the memory, or the file system's own commit, waits for. What
 * was made ready must not be asked to hold more, so if the transaction has
 * grown it is tried again. It does not shrink meanwhile and has a limit.
 */
static int journal_close(struct vhdx_journal *j, struct vhdx_log_build *b)
{
	unsigned int nr;
	int ret;

	do {
		nr = READ_ONCE(j->nr_running);
		ret = journal_prepare(j, nr);
	} while (!ret && !journal_try_close(j, nr, b));
	return ret;
}

static int journal_write_entry(struct vhdx_journal *j, struct vhdx_log_build *b)
{
	int ret;

	ret = journal_flush_data(j);
	if (ret)
		return ret;
	ret = ring_append(j, b);
	if (ret) {
		vhdx_image_fail(j->img, VHDX_MODE_READ_ONLY, ret,
				"the log could not be written");
		return ret;
	}
	atomic64_inc(&j->nr_commits);
	trace_vhdx_log_commit(j->img->name, b->seq, b->nr_data,
			      vhdx_log_entry_size(b->nr_desc, b->nr_data));
	return 0;
}

static int journal_commit(struct vhdx_journal *j)
{
	struct vhdx_log_build b;
	int ret;

	lockdep_assert_held(&j->commit);
	if (vhdx_image_mode(j->img) != VHDX_MODE_WRITE)
		return -EIO;
	ret = vhdx_image_watch_headers(j->img);
	if (ret)
		return ret;
	if (!READ_ONCE(j->nr_running))
		return journal_flush_data(j);
	ret = journal_close(j, &b);
	if (ret)
		return ret;
	ret = journal_write_entry(j, &b);
	if (ret)
		journal_unsnapshot(j);
	else
		journal_logged(j, &b);
	return ret;
}

/* A commit with a number, for those who wait for the mutex meanwhile. */
static int journal_commit_ticket(struct vhdx_journal *j)
{
	struct journal_scope scope = journal_scope_enter();

	WRITE_ONCE(j->started, j->started + 1);
	smp_mb();	/* the number before the look at what has to be written */
	j->result = journal_commit(j);
	j->done = j->started;
	journal_scope_leave(scope);
	return j->result;
}

int vhdx_journal_flush(struct vhdx_journal *j)
{
	u64 ticket;
	int ret;

	smp_mb();	/* what completed before the call, then the number */
	ticket = READ_ONCE(j->started) + 1;
	atomic64_inc(&j->nr_flush_requests);
	mutex_lock(&j->commit);
	ret = j->done >= ticket ? j->result : journal_commit_ticket(j);
	mutex_unlock(&j->commit);
	return ret;
}

int vhdx_journal_relieve(struct vhdx_journal *j)
{
	struct journal_scope scope = journal_scope_enter();
	int ret = 0;

	mutex_lock(&j->commit);
	if (READ_ONCE(j->nr_running))
		ret = journal_commit_ticket(j);
	else if (vhdx_image_mode(j->img) != VHDX_MODE_WRITE)
		ret = j->nr_checkpoint ? -EIO : 0;
	if (!ret)
		ret = journal_checkpoint(j);
	mutex_unlock(&j->commit);
	journal_scope_leave(scope);
	return ret;
}

/* Take a share of the running transaction; false if it has no room. */
static bool journal_reserve(struct vhdx_journal *j, unsigned int nr_pages)
{
	bool ok;

	spin_lock(&j->lock);
	ok = j->nr_running + j->nr_reserved + nr_pages <= j->max_pages;
	if (ok)
		j->nr_reserved += nr_pages;
	spin_unlock(&j->lock);
	return ok;
}

static int journal_make_room(struct vhdx_journal *j, unsigned int nr_pages)
{
	bool full;
	int ret = 0;

	mutex_lock(&j->commit);
	spin_lock(&j->lock);
	full = j->nr_running + nr_pages > j->max_pages;
	spin_unlock(&j->lock);
	if (full)
		ret = journal_commit_ticket(j);
	mutex_unlock(&j->commit);
	return ret;
}

int vhdx_journal_begin(struct vhdx_journal *j, unsigned int nr_pages)
{
	int ret;

	for (;;) {
		if (vhdx_image_mode(j->img) != VHDX_MODE_WRITE)
			return -EIO;
		down_read(&j->update);
		if (journal_reserve(j, nr_pages)) {
			journal_touch(j);
			return 0;
		}
		up_read(&j->update);
		ret = journal_make_room(j, nr_pages);
		if (ret)
			return ret;
	}
}

void vhdx_journal_set(struct vhdx_journal *j, struct vhdx_page *page, u64 off,
		      __le64 raw)
{
	lockdep_assert_held_read(&j->update);
	spin_lock(&j->lock);
	if (!page->dirty) {
		vhdx_page_ref(page);
		WRITE_ONCE(page->dirty, true);
		list_add_tail(&page->running, &j->running);
		WRITE_ONCE(j->nr_running, j->nr_running + 1);
	}
	/*
	 * The word comes last. Who sees the block may write to it and then
	 * flush: by then the page must count as dirty and the transaction as
	 * not empty. Pairs with the acquire of whoever reads the word.
	 */
	smp_store_release(vhdx_page_word(page, off), raw);
	spin_unlock(&j->lock);
}

void vhdx_journal_end(struct vhdx_journal *j, unsigned int nr_pages)
{
	spin_lock(&j->lock);
	j->nr_reserved -= nr_pages;
	spin_unlock(&j->lock);
	up_read(&j->update);
}

/* Rule 5, the other end: nothing may need the log when the headers say so. */
static int journal_stop(struct vhdx_journal *j)
{
	int ret;

	lockdep_assert_held(&j->commit);
	if (!j->active)
		return 0;
	ret = journal_checkpoint(j);
	if (ret)
		return ret;
	ret = vhdx_image_write_headers(j->img, &guid_null, false);
	if (ret)
		return ret;
	WRITE_ONCE(j->active, false);
	trace_vhdx_log_stop(j->img->name);
	return 0;
}

int vhdx_journal_clean(struct vhdx_journal *j)
{
	struct journal_scope scope = journal_scope_enter();
	int ret;

	mutex_lock(&j->commit);
	ret = journal_commit_ticket(j);
	if (!ret)
		ret = journal_stop(j);
	mutex_unlock(&j->commit);
	journal_scope_leave(scope);
	return ret;
}

static void journal_idle(struct work_struct *work)
{
	struct vhdx_journal *j = container_of(to_delayed_work(work),
					      struct vhdx_journal, idle);
	unsigned long due = READ_ONCE(j->last_activity) + journal_idle_time();

	if (vhdx_image_mode(j->img) != VHDX_MODE_WRITE)
		return;
	if (time_before(jiffies, due)) {
		queue_delayed_work(j->wq, &j->idle, due - jiffies);
		return;
	}
	/* For want of space it is tried again; other errors said so themselves. */
	if (vhdx_journal_clean(j) || READ_ONCE(j->active))
		queue_delayed_work(j->wq, &j->idle,
				   max_t(unsigned long, HZ, journal_idle_time()));
}

static unsigned int journal_max_pages(u32 log_len)
{
	u32 quarter = (log_len >> VHDX_LOG_SECTOR_SHIFT) / 4;

	return min_t(u32, quarter - 2, JOURNAL_MAX_PAGES);
}

static int journal_alloc(struct vhdx_journal *j)
{
	unsigned int nr = j->max_pages;

	j->committing = kvcalloc(nr, sizeof(*j->committing), GFP_KERNEL);
	j->spare = kvcalloc(nr, sizeof(*j->spare), GFP_KERNEL);
	j->pool = mempool_create_page_pool(nr, 0);
	j->wq = alloc_workqueue("%s-log", WQ_UNBOUND | WQ_FREEZABLE, 1, j->img->name);
	if (!j->committing || !j->spare || !j->pool || !j->wq)
		return -ENOMEM;
	return vhdx_buf_alloc(&j->buf, vhdx_log_entry_size(nr, nr));
}

int vhdx_journal_init(struct vhdx_journal *j, struct vhdx_image *img)
{
	int ret;

	j->img = img;
	mutex_init(&j->commit);
	init_rwsem(&j->update);
	spin_lock_init(&j->lock);
	INIT_LIST_HEAD(&j->running);
	INIT_LIST_HEAD(&j->checkpoint);
	INIT_DELAYED_WORK(&j->idle, journal_idle);
	j->area.off = img->hdrs.cur.log_off;
	j->area.len = img->hdrs.cur.log_len;
	j->max_pages = journal_max_pages(j->area.len);
	ret = journal_alloc(j);
	if (ret)
		vhdx_journal_exit(j);
	return ret;
}

/* What a failed image could not write is lost with it; the log still has it. */
static void journal_drop(struct vhdx_journal *j)
{
	struct vhdx_page *page, *next;

	list_for_each_entry_safe(page, next, &j->running, running) {
		list_del_init(&page->running);
		page->dirty = false;
		vhdx_page_put(page);
	}
	j->nr_running = 0;
	checkpoint_drop(j);
	while (j->nr_spare)
		mempool_free(j->spare[--j->nr_spare], j->pool);
}

void vhdx_journal_exit(struct vhdx_journal *j)
{
	if (!j->img)
		return;
	if (j->wq) {
		cancel_delayed_work_sync(&j->idle);
		destroy_workqueue(j->wq);
	}
	journal_drop(j);
	vhdx_buf_free(&j->buf);
	mempool_destroy(j->pool);
	kvfree(j->spare);
	kvfree(j->committing);
	j->img = NULL;
}
