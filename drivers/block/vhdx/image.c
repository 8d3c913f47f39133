// SPDX-License-Identifier: GPL-2.0-only
/*
 * One image: opening it in the order of the checklist, its headers, its mode.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "extent.h"
#include "format/locator.h"
#include "format/raw.h"
#include "format/source.h"
#include "format/text.h"
#include "image.h"
#include "image_types.h"
#include "overlay.h"
#include "replay.h"
#include "trace.h"

/* BAT bytes that are looked at before the first write asks for it. */
#define IMAGE_SCAN_BUDGET	SZ_4M
/* How often those who flush look whether the header is still ours. */
#define IMAGE_WATCH_INTERVAL	HZ

const char *vhdx_mode_name(enum vhdx_mode mode)
{
	static const char * const names[] = {
		[VHDX_MODE_WRITE] = "write",
		[VHDX_MODE_READ_ONLY] = "read-only",
		[VHDX_MODE_FAILED] = "failed",
	};

	return names[mode];
}

enum vhdx_mode vhdx_image_mode(const struct vhdx_image *img)
{
	return atomic_read(&img->mode);
}

/* The only place where a mode changes; whoever moves it says so. */
void vhdx_image_fail(struct vhdx_image *img, enum vhdx_mode mode, int err,
		     const char *what)
{
	int old = atomic_read(&img->mode);

	do {
		if (old >= (int)mode)
			return;
	} while (!atomic_try_cmpxchg(&img->mode, &old, mode));
	pr_err("%s: %s (error %d); the %s is %s from now on\n", img->name, what, err,
	       img->mode_changed ? "device" : "image", vhdx_mode_name(mode));
	if (img->mode_changed)
		img->mode_changed(img->mode_data);
}

void vhdx_image_report(struct vhdx_image *img, const struct vhdx_finding *fd)
{
	char text[256];

	if (!__ratelimit(&img->complaints))
		return;
	vhdx_finding_to_text(text, sizeof(text), fd);
	pr_err("%s: %s\n", img->name, text);
}

void vhdx_image_bad_entry(struct vhdx_image *img, const struct vhdx_finding *fd)
{
	vhdx_image_report(img, fd);
	if (READ_ONCE(img->space.scanned))
		vhdx_image_fail(img, VHDX_MODE_FAILED, -EUCLEAN,
				"metadata that was in order is damaged now");
}

/* At most up to the end of the 4 KiB page around @off. */
static int image_pread_in_page(struct vhdx_image *img, u64 off, void *buf, u32 len)
{
	u64 size = img->file.cur_size;
	u32 in_file = off >= size ? 0 : min_t(u64, len, size - off);
	int ret;

	if (vhdx_overlay_read(img->overlay, off, buf, len))
		return 0;
	if (in_file) {
		ret = vhdx_file_pread(&img->file, off, buf, in_file);
		if (ret)
			return ret;
	}
	memset(buf + in_file, 0, len - in_file);
	return 0;
}

int vhdx_image_pread(struct vhdx_image *img, u64 off, void *buf, u32 len)
{
	u32 n;
	int ret = 0;

	if (!img->overlay)
		return vhdx_file_pread(&img->file, off, buf, len);
	for (; len && !ret; off += n, buf += n, len -= n) {
		n = min_t(u32, len, VHDX_PAGE_SIZE - (off & (VHDX_PAGE_SIZE - 1)));
		ret = image_pread_in_page(img, off, buf, n);
	}
	return ret;
}

int vhdx_image_read_page(struct vhdx_image *img, u64 off, struct page *page)
{
	if (img->overlay)
		return image_pread_in_page(img, off, page_address(page), VHDX_PAGE_SIZE);
	return vhdx_file_read_page(&img->file, off, page);
}

/* Headers */

/* For vhdx_image_guids(), after each change of the current header. */
static void headers_show_guids(struct vhdx_image *img)
{
	spin_lock(&img->guid_lock);
	img->data_write_guid = img->hdrs.cur.data_write_guid;
	img->file_write_guid = img->hdrs.cur.file_write_guid;
	spin_unlock(&img->guid_lock);
}

static int header_write_slot(struct vhdx_image *img, const struct vhdx_header *hdr,
			     unsigned int slot)
{
	int ret;

	lockdep_assert_held(&img->header_lock);
	vhdx_header_encode(page_address(img->header_page), hdr);
	ret = vhdx_file_write_page(&img->file, vhdx_header_off(slot),
				   img->header_page, true);
	if (ret)
		return ret;
	atomic64_inc(&img->nr_header_writes);
	trace_vhdx_header_write(img->name, slot, hdr->seq);
	img->hdrs.cur = *hdr;
	img->hdrs.slot = slot;
	img->hdrs.valid |= BIT(slot);
	headers_show_guids(img);
	return 0;
}

static bool header_is_ours(const struct vhdx_image *img, const struct vhdx_header *hdr)
{
	const struct vhdx_header *cur = &img->hdrs.cur;

	return hdr->seq == cur->seq && guid_equal(&hdr->log_guid, &cur->log_guid) &&
	       guid_equal(&hdr->file_write_guid, &cur->file_write_guid) &&
	       guid_equal(&hdr->data_write_guid, &cur->data_write_guid);
}

/* 1: the header in @slot is as we left it, 0: somebody else wrote one, or an errno. */
static int header_check_slot(struct vhdx_image *img, unsigned int slot)
{
	struct vhdx_header hdr;
	bool valid;
	int ret;

	ret = vhdx_file_read_page(&img->file, vhdx_header_off(slot), img->header_page);
	if (ret)
		return ret;
	valid = !vhdx_header_decode(page_address(img->header_page), slot, &hdr, NULL);
	if (slot == img->hdrs.slot)
		return valid && header_is_ours(img, &hdr);
	return !valid || hdr.seq <= img->hdrs.cur.seq;
}

/*
 * Whoever opens an image for writing begins with a new header, in the slot that is
 * not current; and another file that was copied into this one has its own. Then
 * what we have in memory is about an image that is not there any more.
 */
static int headers_check(struct vhdx_image *img)
{
	int ret;

	lockdep_assert_held(&img->header_lock);
	if (vhdx_image_mode(img) != VHDX_MODE_WRITE)
		return -EIO;
	ret = header_check_slot(img, img->hdrs.slot);
	if (ret > 0)
		ret = header_check_slot(img, !img->hdrs.slot);
	if (ret >= 0)
		img->header_seen = jiffies;
	if (ret)
		return min(ret, 0);
	vhdx_image_fail(img, VHDX_MODE_READ_ONLY, -ESTALE,
			"somebody else has written to the image file");
	return -ESTALE;
}

int vhdx_image_check_headers(struct vhdx_image *img)
{
	int ret;

	mutex_lock(&img->header_lock);
	ret = headers_check(img);
	mutex_unlock(&img->header_lock);
	return ret;
}

int vhdx_image_watch_headers(struct vhdx_image *img)
{
	int ret = 0;

	mutex_lock(&img->header_lock);
	if (time_after_eq(jiffies, img->header_seen + IMAGE_WATCH_INTERVAL))
		ret = headers_check(img);
	mutex_unlock(&img->header_lock);
	return ret == -ESTALE ? ret : 0;
}

static int headers_write(struct vhdx_image *img, const guid_t *log_guid, bool new_data)
{
	struct vhdx_header hdr = img->hdrs.cur;
	unsigned int i;
	int ret;

	ret = headers_check(img);
	if (ret) {
		vhdx_image_fail(img, VHDX_MODE_READ_ONLY, ret,
				"the headers could not be read");
		return ret;
	}
	/* Somebody may have left a number there, unread while there is no log. */
	hdr.log_version = VHDX_LOG_VERSION;
	if (!img->file_touched)
		guid_gen(&hdr.file_write_guid);
	if (new_data && !img->data_touched)
		guid_gen(&hdr.data_write_guid);
	if (log_guid)
		hdr.log_guid = *log_guid;
	for (i = 0; i < 2; i++) {
		ret = hdr.seq == U64_MAX ? -EOVERFLOW : 0;
		hdr.seq++;
		if (!ret)
			ret = header_write_slot(img, &hdr, !img->hdrs.slot);
		if (ret) {
			/* Under the lock: nobody else may try after this. */
			vhdx_image_fail(img, VHDX_MODE_READ_ONLY, ret,
					"the headers could not be written");
			return ret;
		}
	}
	WRITE_ONCE(img->file_touched, true);
	if (new_data)
		WRITE_ONCE(img->data_touched, true);
	return 0;
}

int vhdx_image_write_headers(struct vhdx_image *img, const guid_t *log_guid,
			     bool new_data)
{
	int ret;

	mutex_lock(&img->header_lock);
	ret = headers_write(img, log_guid, new_data);
	mutex_unlock(&img->header_lock);
	return ret;
}

int vhdx_image_touch_file(struct vhdx_image *img)
{
	bool touched;

	mutex_lock(&img->header_lock);
	touched = img->file_touched;
	mutex_unlock(&img->header_lock);
	return touched ? 0 : vhdx_image_write_headers(img, NULL, false);
}

/*
 * Two first writers may both come here: the second finds it done. A BAT that
 * was too large to be looked at for attach is looked at now: an entry that
 * points at the log, or two that point at one place, must not be written to.
 */
static int image_touch_data(struct vhdx_image *img)
{
	unsigned int noio = memalloc_noio_save();
	int ret = vhdx_space_prepare(&img->space);

	if (!ret) {
		mutex_lock(&img->header_lock);
		if (!img->data_touched)
			ret = headers_write(img, NULL, true);
		mutex_unlock(&img->header_lock);
	}
	memalloc_noio_restore(noio);
	return ret;
}

int vhdx_image_begin_write(struct vhdx_image *img, bool nowait)
{
	if (unlikely(vhdx_image_mode(img) != VHDX_MODE_WRITE))
		return -EIO;
	if (likely(READ_ONCE(img->data_touched)))
		return 0;
	return nowait ? -EAGAIN : image_touch_data(img);
}

void vhdx_image_guids(struct vhdx_image *img, guid_t *data_write, guid_t *file_write)
{
	spin_lock(&img->guid_lock);
	*data_write = img->data_write_guid;
	*file_write = img->file_write_guid;
	spin_unlock(&img->guid_lock);
}

/* Opening, step by step */

static int image_read_headers(struct vhdx_image *img, struct vhdx_finding *fd)
{
	u64 size = img->file.cur_size;
	u8 *buf;
	int ret;

	ret = vhdx_file_size_check(size, fd);
	if (ret)
		return ret;
	buf = kmalloc(2 * VHDX_HEADER_SIZE, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = vhdx_file_pread(&img->file, VHDX_FILE_ID_OFF, buf, sizeof(u64));
	if (!ret)
		ret = vhdx_file_id_check(buf, fd);
	if (!ret)
		ret = vhdx_file_pread(&img->file, VHDX_HEADER1_OFF, buf,
				      VHDX_HEADER_SIZE);
	if (!ret)
		ret = vhdx_file_pread(&img->file, VHDX_HEADER2_OFF,
				      buf + VHDX_HEADER_SIZE, VHDX_HEADER_SIZE);
	if (!ret)
		ret = vhdx_headers_choose(buf, buf + VHDX_HEADER_SIZE, &img->hdrs, fd);
	if (!ret)
		ret = vhdx_headers_check(&img->hdrs, size, fd);
	if (!ret)
		headers_show_guids(img);
	img->header_seen = jiffies;
	kfree(buf);
	return ret;
}

struct image_source {
	struct vhdx_source	src;
	struct vhdx_image	*img;
};

static int image_source_read(const struct vhdx_source *src, u64 off, void *buf, u32 len)
{
	const struct image_source *is = container_of(src, struct image_source, src);

	return vhdx_image_pread(is->img, off, buf, len);
}

/*
 * The rules of a chain, [MS-VHDX] 2.6.2.6 and digest 10.5: the parent is the one
 * that the child was made from, unchanged, with sectors of the same size. Sizes
 * of disks and blocks may differ.
 */
static int image_check_linkage(struct vhdx_image *img, const struct vhdx_locator *loc,
			       struct vhdx_image *parent, struct vhdx_finding *fd)
{
	u64 off = img->md.items.off[VHDX_ITEM_PARENT_LOCATOR];
	guid_t data_write, file_write;

	if (!parent)
		return vhdx_fault_at(fd, VHDX_FAULT_CHAIN_PARENT_MISSING, off, 0);
	vhdx_image_guids(parent, &data_write, &file_write);
	if (!vhdx_locator_matches(loc, &data_write)) {
		vhdx_fault_at(fd, VHDX_FAULT_CHAIN_LINKAGE, off, 0);
		fd->guid = data_write;
		return VHDX_FAULT_CHAIN_LINKAGE;
	}
	if (parent->md.logical_size != img->md.logical_size)
		return vhdx_fault_at(fd, VHDX_FAULT_CHAIN_SECTOR_SIZE,
				     img->md.items.off[VHDX_ITEM_LOGICAL_SECTOR_SIZE],
				     parent->md.logical_size);
	return 0;
}

static int image_check_locator(struct vhdx_image *img, struct vhdx_image *parent,
			       struct vhdx_finding *fd)
{
	u64 off = img->md.items.off[VHDX_ITEM_PARENT_LOCATOR];
	u32 len = img->md.items.len[VHDX_ITEM_PARENT_LOCATOR];
	struct vhdx_locator loc;
	void *buf;
	int ret;

	buf = kvmalloc(len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = vhdx_image_pread(img, off, buf, len);
	if (!ret)
		ret = vhdx_locator_decode(buf, len, off, &loc, fd);
	if (!ret)
		ret = image_check_linkage(img, &loc, parent, fd);
	kvfree(buf);
	return ret;
}

static int image_check_chain(struct vhdx_image *img, struct vhdx_image *parent,
			     struct vhdx_finding *fd)
{
	u64 off = img->md.items.off[VHDX_ITEM_FILE_PARAMETERS];

	if (img->md.has_parent)
		return image_check_locator(img, parent, fd);
	return parent ? vhdx_fault_at(fd, VHDX_FAULT_CHAIN_PARENT_UNUSED, off, 0) : 0;
}

int vhdx_image_check_parent(struct vhdx_image *img, struct vhdx_image *parent,
			    struct vhdx_finding *fd)
{
	int ret;

	*fd = (struct vhdx_finding){ };
	ret = image_check_chain(img, parent, fd);
	if (ret > 0)
		vhdx_image_report(img, fd);
	return vhdx_fault_errno(ret);
}

static int image_read_tables(struct vhdx_image *img, struct vhdx_image *parent,
			     struct vhdx_finding *fd)
{
	struct image_source is = {
		.src = { .read = image_source_read, .size = vhdx_image_size(img) },
		.img = img,
	};
	void *scratch;
	int ret;

	img->region_table = kvmalloc(VHDX_REGION_TABLE_SIZE, GFP_KERNEL);
	scratch = kvmalloc(VHDX_REGION_TABLE_SIZE, GFP_KERNEL);
	if (!img->region_table || !scratch) {
		kvfree(scratch);
		return -ENOMEM;
	}
	ret = vhdx_regions_read(&is.src, &img->hdrs.cur, img->region_table, scratch,
				&img->regions, fd);
	if (!ret)
		ret = vhdx_metadata_read(&is.src, img->regions.meta_off,
					 img->regions.meta_len, scratch, &img->md, fd);
	kvfree(scratch);
	if (!ret)
		ret = vhdx_geometry_init(&img->geo, &img->md, &img->regions, fd);
	return ret ?: image_check_chain(img, parent, fd);
}

static int image_scan_bat(struct vhdx_image *img, struct vhdx_finding *fd)
{
	int ret;

	vhdx_space_init(&img->space, img);
	ret = vhdx_space_scan(&img->space, IMAGE_SCAN_BUDGET, fd);
	if (ret == -EAGAIN)
		ret = 0;	/* the first write does it */
	return ret;
}

static int image_check_all(struct vhdx_image *img, struct vhdx_image *parent,
			   struct vhdx_finding *fd)
{
	int ret = image_read_tables(img, parent, fd);

	return ret ?: image_scan_bat(img, fd);
}

static void image_drop_overlay(struct vhdx_image *img)
{
	vhdx_overlay_free(img->overlay);
	img->overlay = NULL;
}

static int image_open_memory(struct vhdx_image *img)
{
	int ret = vhdx_pages_init(&img->pages, img);

	img->stable_size = 0;
	if (!ret && img->writable)
		ret = vhdx_journal_init(&img->journal, img);
	return ret;
}

/* The tables are known, and in order: what else the image needs. */
static int image_make_ready(struct vhdx_image *img, const struct vhdx_image_options *opt)
{
	int ret = vhdx_file_set_dio(&img->file, opt->dio, img->md.logical_size);

	/* What was read so far went through the page cache. */
	if (!ret && img->writable && img->file.direct)
		ret = vhdx_file_forget_cache(&img->file);
	return ret ?: image_open_memory(img);
}

/*
 * What a dirty log leads to is looked at in memory first, so that a file that turns
 * out to be damaged, or can not be had as it is wanted, stays as it was. For a
 * writable image it is then done to the file.
 */
static int image_open_dirty(struct vhdx_image *img, const struct vhdx_image_options *opt,
			    struct vhdx_replay *rp, struct vhdx_finding *fd)
{
	int ret = vhdx_replay_to_memory(rp, fd);

	if (!ret)
		ret = image_check_all(img, opt->parent, fd);
	if (!ret && img->writable)
		vhdx_replay_take_memory(rp);
	if (!ret)
		ret = image_make_ready(img, opt);
	if (ret || !img->writable)
		return ret;
	ret = vhdx_replay_to_file(rp, fd);
	/* The same tables, in a file of another size. */
	if (!ret)
		vhdx_space_replayed(&img->space, rp->seq.end);
	return ret;
}

/* The log is too long for that. */
static int image_open_unseen(struct vhdx_image *img, const struct vhdx_image_options *opt,
			     struct vhdx_replay *rp, struct vhdx_finding *fd)
{
	int ret = vhdx_replay_to_file(rp, fd);

	if (!ret)
		ret = image_check_all(img, opt->parent, fd);
	if (!ret)
		vhdx_space_replayed(&img->space, rp->seq.end);
	return ret ?: image_make_ready(img, opt);
}

/*
 * Direct I/O to a log, and from it, as far as it can be had: pages in sectors of a
 * log suit every image. That it can be had as it is wanted is looked at later.
 */
static int image_guess_dio(struct vhdx_image *img, const struct vhdx_image_options *opt)
{
	enum vhdx_file_dio dio = opt->dio == VHDX_DIO_OFF ? VHDX_DIO_OFF : VHDX_DIO_AUTO;

	return vhdx_file_set_dio(&img->file, dio, VHDX_PAGE_SIZE);
}

static int image_open_log(struct vhdx_image *img, const struct vhdx_image_options *opt,
			  struct vhdx_finding *fd)
{
	bool rehearse = !img->writable || img->hdrs.cur.log_len <= VHDX_REPLAY_MEMORY;
	struct vhdx_replay rp;
	int ret;

	ret = image_guess_dio(img, opt);
	if (ret)
		return ret;
	ret = vhdx_replay_begin(&rp, img, fd);
	if (!ret)
		ret = rehearse ? image_open_dirty(img, opt, &rp, fd) :
				 image_open_unseen(img, opt, &rp, fd);
	vhdx_replay_end(&rp);
	if (!ret && img->writable)
		pr_info("%s: replayed %llu log entries\n", img->name, img->nr_replayed);
	return ret;
}

static int image_open_content(struct vhdx_image *img,
			      const struct vhdx_image_options *opt,
			      struct vhdx_finding *fd)
{
	int ret;

	ret = image_read_headers(img, fd);
	if (!ret && img->writable)
		ret = vhdx_headers_check_writable(&img->hdrs, fd);
	if (ret)
		return ret;
	if (img->writable && !img->hdrs.cur.log_len)
		return -EROFS;	/* nothing to write a change to first */
	if (!guid_is_null(&img->hdrs.cur.log_guid))
		return image_open_log(img, opt, fd);
	ret = image_check_all(img, opt->parent, fd);
	return ret ?: image_make_ready(img, opt);
}

static struct vhdx_image *image_alloc(const struct vhdx_image_options *opt)
{
	struct vhdx_image *img = kzalloc(sizeof(*img), GFP_KERNEL);

	if (!img)
		return NULL;
	img->header_page = alloc_page(GFP_KERNEL);
	if (!img->header_page) {
		kfree(img);
		return NULL;
	}
	strscpy(img->name, opt->name, sizeof(img->name));
	img->writable = opt->write;
	atomic_set(&img->mode, opt->write ? VHDX_MODE_WRITE : VHDX_MODE_READ_ONLY);
	mutex_init(&img->header_lock);
	spin_lock_init(&img->guid_lock);
	vhdx_map_init(&img->map);
	ratelimit_state_init(&img->complaints, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	return img;
}

static void image_free(struct vhdx_image *img)
{
	vhdx_space_exit(&img->space);
	kvfree(img->region_table);
	__free_page(img->header_page);
	kfree(img);
}

void vhdx_image_put(struct vhdx_image *img)
{
	vhdx_journal_exit(&img->journal);
	vhdx_pages_exit(&img->pages);
	image_drop_overlay(img);
	vhdx_file_close(&img->file);
	image_free(img);
}

struct vhdx_image *vhdx_image_open(struct file *filp,
				   const struct vhdx_image_options *opt,
				   struct vhdx_finding *fd)
{
	struct vhdx_image *img = image_alloc(opt);
	int ret;

	*fd = (struct vhdx_finding){ };
	if (!img)
		return ERR_PTR(-ENOMEM);
	ret = vhdx_file_open(&img->file, filp, opt->write);
	if (ret) {
		image_free(img);
		return ERR_PTR(ret);
	}
	ret = image_open_content(img, opt, fd);
	if (ret > 0)
		vhdx_image_report(img, fd);
	else if (ret)
		*fd = (struct vhdx_finding){ };
	if (ret) {
		vhdx_image_put(img);
		return ERR_PTR(vhdx_fault_errno(ret));
	}
	img->mode_changed = opt->mode_changed;
	img->mode_data = opt->data;
	return img;
}

/* In use */

static void image_extent(struct vhdx_extent *extent,
			 enum vhdx_extent_kind kind)
{
	*extent = (struct vhdx_extent){ .kind = kind, .len = extent->len };
}

/* At the place of @pos in the block of @entry. */
static void image_extent_data(struct vhdx_image *img, struct vhdx_extent *extent,
			      const struct vhdx_bat_entry *entry, u64 pos)
{
	*extent = (struct vhdx_extent){
		.kind = VHDX_EXTENT_DATA,
		.len = extent->len,
		.file = &img->file,
		.off = entry->off + (pos & (vhdx_block_size(&img->geo) - 1)),
		.zero_beyond_eof = img->overlay,
	};
}

int vhdx_image_map(struct vhdx_image *img, u64 pos, bool nowait,
		   struct vhdx_extent *extent)
{
	struct vhdx_bat_entry entry;
	bool present = true;
	int ret;

	ret = vhdx_map_lookup(img, vhdx_block_of(&img->geo, pos), nowait, &entry);
	if (!ret && entry.state == VHDX_BLOCK_PARTIALLY_PRESENT)
		ret = vhdx_map_run(img, pos, &extent->len, nowait, &present);
	if (ret)
		return ret;
	if (vhdx_block_is_present(entry.state) && present)
		image_extent_data(img, extent, &entry, pos);
	else if (!present || (entry.state == VHDX_BLOCK_NOT_PRESENT && img->geo.differencing))
		image_extent(extent, VHDX_EXTENT_PARENT);
	else
		image_extent(extent, VHDX_EXTENT_ZERO);
	return 0;
}

int vhdx_image_map_write(struct vhdx_image *img, u64 pos, bool nowait,
			 struct vhdx_extent *extent)
{
	struct vhdx_bat_entry entry;
	u32 run = extent->len;
	bool present = true;
	int ret;

	ret = vhdx_map_lookup(img, vhdx_block_of(&img->geo, pos), nowait, &entry);
	if (!ret && entry.state == VHDX_BLOCK_PARTIALLY_PRESENT)
		ret = vhdx_map_run(img, pos, &run, nowait, &present);
	if (ret)
		return ret;
	if (!vhdx_block_is_present(entry.state)) {
		image_extent(extent, VHDX_EXTENT_UNMAPPED);
		return 0;
	}
	image_extent_data(img, extent, &entry, pos);
	extent->unmarked = !present || run < extent->len;
	return 0;
}

int vhdx_image_allocate(struct vhdx_image *img, u64 pos)
{
	return vhdx_map_allocate(img, vhdx_block_of(&img->geo, pos));
}

int vhdx_image_mark(struct vhdx_image *img, u64 pos, u32 len)
{
	return vhdx_map_mark(img, pos, len);
}

bool vhdx_image_is_dirty(struct vhdx_image *img, u64 pos, u32 len)
{
	return vhdx_map_is_dirty(img, pos, len);
}

int vhdx_image_flush(struct vhdx_image *img)
{
	return img->writable ? vhdx_journal_flush(&img->journal) : 0;
}

int vhdx_image_clean(struct vhdx_image *img)
{
	if (!img->writable || vhdx_image_mode(img) != VHDX_MODE_WRITE)
		return 0;
	return READ_ONCE(img->file_touched) ? vhdx_journal_clean(&img->journal) : 0;
}

/* Everything is stable by now, and the log is empty: a warning is enough. */
static void image_trim(struct vhdx_image *img)
{
	int ret = vhdx_space_trim(&img->space);

	if (ret)
		pr_warn("%s: the unused end of the image file could not be given back (error %d)\n",
			img->name, ret);
}

/*
 * The timer is stopped first: it would empty the log once more. What an image
 * that went read-only did not get into the file is in its log or was reported.
 */
int vhdx_image_stop(struct vhdx_image *img)
{
	int ret;

	if (!img->writable)
		return 0;
	cancel_delayed_work_sync(&img->journal.idle);
	if (vhdx_image_mode(img) != VHDX_MODE_WRITE)
		return -EIO;
	ret = vhdx_image_clean(img);
	if (!ret)
		image_trim(img);
	return ret;
}

const struct vhdx_metadata *vhdx_image_metadata(const struct vhdx_image *img)
{
	return &img->md;
}

const struct vhdx_geometry *vhdx_image_geometry(const struct vhdx_image *img)
{
	return &img->geo;
}

struct vhdx_file *vhdx_image_file(struct vhdx_image *img)
{
	return &img->file;
}

static void image_journal_stats(struct vhdx_image *img, struct vhdx_image_stats *st)
{
	struct vhdx_journal *j = &img->journal;

	if (!img->writable)
		return;
	st->flush_requests = atomic64_read(&j->nr_flush_requests);
	st->data_flushes = atomic64_read(&j->nr_data_flushes);
	st->commits = atomic64_read(&j->nr_commits);
	st->checkpoints = atomic64_read(&j->nr_checkpoints);
	st->checkpoint_writes = atomic64_read(&j->nr_checkpoint_writes);
	st->log_starts = atomic64_read(&j->nr_starts);
	st->log_entries = atomic64_read(&j->nr_entries);
	st->log_writes = atomic64_read(&j->nr_log_writes);
	st->log_len = j->area.len;
	st->log_used = vhdx_journal_used(j);
	st->dirty_pages = READ_ONCE(j->nr_running);
	st->logged_pages = READ_ONCE(j->nr_checkpoint);
	st->log_active = READ_ONCE(j->active);
}

void vhdx_image_stats(struct vhdx_image *img, struct vhdx_image_stats *st)
{
	*st = (struct vhdx_image_stats){
		.allocated = atomic64_read(&img->nr_allocated),
		.replayed = img->nr_replayed,
		.flushes = atomic64_read(&img->file.nr_flushes),
		.fua_flushes = atomic64_read(&img->file.nr_fua_flushes),
		.fua = atomic64_read(&img->file.nr_fua),
		.header_writes = atomic64_read(&img->nr_header_writes),
		.log_len = img->writable ? 0 : img->hdrs.cur.log_len,
		.pages = READ_ONCE(img->pages.nr),
		.file_size = READ_ONCE(img->file.cur_size),
		.log_active = img->overlay,
	};
	image_journal_stats(img, st);
}
