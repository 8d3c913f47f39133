// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation of blocks at the end of the file.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "format/bat.h"
#include "format/raw.h"
#include "image.h"
#include "image_types.h"
#include "space.h"

#define SPACE_STEP_MIN		SZ_64M
#define SPACE_STEP_MAX		SZ_1G
#define SCAN_BUF		SZ_64K
#define SCAN_ENTRIES		(SCAN_BUF / sizeof(__le64))

void vhdx_space_init(struct vhdx_space *space, struct vhdx_image *img)
{
	space->img = img;
	mutex_init(&space->lock);
	space->step = SPACE_STEP_MIN;
	atomic64_set(&space->next, round_up(vhdx_image_size(img), VHDX_UNIT));
}

static void scan_free(struct vhdx_space *space)
{
	kvfree(space->map);
	space->map = NULL;
	space->map_bytes = 0;
	vhdx_buf_free(&space->buf);
}

/* What of it is there already is kept. */
static int scan_alloc(struct vhdx_space *space, u64 size)
{
	u64 bytes = vhdx_bat_scan_bytes(size);

	if (!space->buf.addr && vhdx_buf_alloc(&space->buf, SCAN_BUF))
		return -ENOMEM;
	if (space->map_bytes < bytes) {
		kvfree(space->map);
		space->map = kvmalloc(bytes, GFP_KERNEL);
		space->map_bytes = space->map ? bytes : 0;
	}
	if (!space->map)
		return -ENOMEM;
	memset(space->map, 0, bytes);
	return 0;
}

void vhdx_space_exit(struct vhdx_space *space)
{
	scan_free(space);
}

u64 vhdx_space_end(const struct vhdx_space *space)
{
	return atomic64_read(&space->next);
}

/* Entries from scan->next on that lie in a hole of the file. */
static u64 scan_hole(struct vhdx_image *img, const struct vhdx_bat_scan *scan)
{
	u64 off = vhdx_bat_entry_off(&img->geo, scan->next);
	u64 len = (img->geo.nr_entries - scan->next) * sizeof(__le64);
	u64 data;

	if (img->overlay)
		return 0;	/* the hole may be filled in memory */
	data = vhdx_file_next_data(&img->file, off, len) - off;
	if (data < len)
		data = round_down(data, VHDX_PAGE_SIZE);
	return data / sizeof(__le64);
}

/*
 * The @nr entries from scan->next on. Once it is known that I/O is direct it is
 * done in whole pages, which the table's region consists of.
 */
static int scan_read(struct vhdx_image *img, const struct vhdx_bat_scan *scan, u64 nr)
{
	struct vhdx_buf *buf = &img->space.buf;
	u64 off = vhdx_bat_entry_off(&img->geo, scan->next);
	u32 len = nr * sizeof(__le64);

	if (img->file.direct && !img->overlay)
		return vhdx_file_read(&img->file, off, buf,
				      round_up(len, VHDX_PAGE_SIZE));
	return vhdx_image_pread(img, off, buf->addr, len);
}

static int scan_step(struct vhdx_image *img, struct vhdx_bat_scan *scan,
		     u64 *budget, struct vhdx_finding *fd)
{
	u64 nr = scan_hole(img, scan);
	int ret;

	if (nr)
		return vhdx_bat_scan_zeros(scan, nr, fd);
	nr = min_t(u64, img->geo.nr_entries - scan->next, SCAN_ENTRIES);
	if (*budget < nr * sizeof(__le64))
		return -EAGAIN;
	*budget -= nr * sizeof(__le64);
	ret = scan_read(img, scan, nr);
	if (ret)
		return ret;
	return vhdx_bat_scan_entries(scan, img->space.buf.addr, nr, fd);
}

static int scan_run(struct vhdx_image *img, struct vhdx_bat_scan *scan,
		    u64 budget, struct vhdx_finding *fd)
{
	int ret = 0;

	while (!ret && scan->next < img->geo.nr_entries) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = scan_step(img, scan, &budget, fd);
		cond_resched();
	}
	return ret ?: vhdx_bat_scan_end(scan, fd);
}

/* The file may have another size than at the scan: the next block goes behind its end. */
static void space_settle(struct vhdx_space *space)
{
	u64 end = round_up(vhdx_image_size(space->img), VHDX_UNIT);

	atomic64_set(&space->next, max(end, space->used_end));
}

static void space_scanned(struct vhdx_space *space, const struct vhdx_bat_scan *scan)
{
	struct vhdx_image *img = space->img;

	WRITE_ONCE(space->scanned, true);
	space->used_end = scan->used_end;
	space_settle(space);
	atomic64_set(&img->nr_allocated,
		     scan->nr_states[VHDX_BLOCK_FULLY_PRESENT] +
		     scan->nr_states[VHDX_BLOCK_PARTIALLY_PRESENT]);
	kvfree(img->region_table);
	img->region_table = NULL;
}

int vhdx_space_scan(struct vhdx_space *space, u64 budget, struct vhdx_finding *fd)
{
	struct vhdx_image *img = space->img;
	struct vhdx_bat_scan scan;
	u64 size = vhdx_image_size(img);
	int ret;

	ret = scan_alloc(space, size);
	if (ret)
		return ret;
	vhdx_bat_scan_init(&scan, &img->geo, size, space->map, &img->hdrs.cur,
			   img->region_table, img->regions.nr);
	ret = scan_run(img, &scan, budget, fd);
	if (!ret)
		space_scanned(space, &scan);
	if (!ret || !img->writable)
		scan_free(space);
	return ret;
}

void vhdx_space_replayed(struct vhdx_space *space, u64 end)
{
	struct vhdx_file *file = &space->img->file;
	int ret = 0;

	end = max(round_up(end, VHDX_UNIT), space->used_end);
	if (space->scanned && end < file->cur_size)
		ret = vhdx_file_resize(file, end);
	if (ret)
		pr_warn("%s: space that was not in use when the power failed could not be given back (error %d)\n",
			space->img->name, ret);
	space_settle(space);
}

/* The scan that was too long for attach. */
static int space_scan_now(struct vhdx_space *space)
{
	struct vhdx_finding fd = { };
	int ret;

	lockdep_assert_held(&space->lock);
	if (space->scanned)
		return 0;
	ret = vhdx_space_scan(space, U64_MAX, &fd);
	if (!ret && space->img->file.direct)
		ret = vhdx_file_forget_cache(&space->img->file);
	if (ret > 0) {
		vhdx_image_report(space->img, &fd);
		vhdx_image_fail(space->img, VHDX_MODE_READ_ONLY, -EUCLEAN,
				"the block allocation table is damaged");
	}
	return vhdx_fault_errno(ret);
}

/*
 * To set the size of a file that somebody else made longer could cut off what
 * he wrote; one that he made shorter has lost blocks of ours.
 */
static int space_check_size(struct vhdx_space *space)
{
	lockdep_assert_held(&space->lock);
	if (!vhdx_file_size_changed(&space->img->file))
		return 0;
	vhdx_image_fail(space->img, VHDX_MODE_READ_ONLY, -ESTALE,
			"somebody else changed the size of the image file");
	return -ESTALE;
}

/*
 * What a step costs depends on the file system: where files cannot be sparse, as
 * with vfat, it is space, and perhaps zeros that are written. So only steps that
 * cost no space grow.
 */
static int space_step(struct vhdx_space *space, u64 size)
{
	struct vhdx_file *file = &space->img->file;
	u64 before, after;
	int ret;

	ret = vhdx_file_space(file, &before);
	if (!ret)
		ret = vhdx_file_resize(file, size);
	if (ret)
		return ret;
	if (vhdx_file_space(file, &after) || after >= before + SPACE_STEP_MIN / 2)
		space->step = SPACE_STEP_MIN;
	else
		space->step = min_t(u64, 2 * space->step, SPACE_STEP_MAX);
	return 0;
}

/* A large step if there is room for one, else just what is needed. */
static int space_resize(struct vhdx_space *space, u64 end)
{
	struct vhdx_file *file = &space->img->file;
	int ret;

	lockdep_assert_held(&space->lock);
	ret = space_step(space, min(end + space->step, VHDX_FILE_MAX));
	if (!ret)
		return 0;
	space->step = SPACE_STEP_MIN;
	return vhdx_file_resize(file, end);
}

static int space_grow(struct vhdx_space *space, u64 end)
{
	int ret;

	if (end <= space->img->file.cur_size)
		return 0;
	ret = space_check_size(space);
	if (ret)
		return ret;
	end = round_up(end, VHDX_UNIT);
	if (end > VHDX_FILE_MAX)
		return -EFBIG;	/* nobody could open it again */
	ret = space_resize(space, end);
	if (!ret)
		space->grown = true;
	return ret;
}

int vhdx_space_prepare(struct vhdx_space *space)
{
	int ret;

	mutex_lock(&space->lock);
	ret = space_scan_now(space);
	mutex_unlock(&space->lock);
	return ret;
}

int vhdx_space_reserve(struct vhdx_space *space, u32 len, u64 *off)
{
	int ret;

	mutex_lock(&space->lock);
	WARN_ON_ONCE(!space->scanned);
	*off = atomic64_read(&space->next);
	ret = space_grow(space, *off + len);
	if (!ret)
		atomic64_add(len, &space->next);
	mutex_unlock(&space->lock);
	return ret;
}

void vhdx_space_unreserve(struct vhdx_space *space, u64 off, u32 len)
{
	mutex_lock(&space->lock);
	if (atomic64_read(&space->next) == off + len)
		atomic64_set(&space->next, off);
	mutex_unlock(&space->lock);
}

int vhdx_space_trim(struct vhdx_space *space)
{
	struct vhdx_file *file = &space->img->file;
	u64 end = vhdx_space_end(space);
	int ret = 0;

	mutex_lock(&space->lock);
	if (space->grown && end < file->cur_size) {
		ret = space_check_size(space);
		if (!ret)
			ret = vhdx_file_resize(file, end);
		if (!ret)
			ret = vhdx_file_flush(file);
	}
	mutex_unlock(&space->lock);
	return ret;
}
