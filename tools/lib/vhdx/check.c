// SPDX-License-Identifier: GPL-2.0-only
/* The check of a whole image. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>

#include "bat_scan.h"
#include "check.h"
#include "image.h"
#include "raw.h"

static void tell(struct libvhdx_check *chk, const struct libvhdx_message *msg)
{
	if (msg->severity == LIBVHDX_ERROR)
		chk->nr_errors++;
	else
		chk->nr_notes++;
	chk->report(chk, msg);
}

static void tell_finding(struct libvhdx_check *chk, enum libvhdx_severity severity,
			 const struct vhdx_finding *fd)
{
	const struct libvhdx_message msg = {
		.severity	= severity,
		.name		= vhdx_fault_name(fd->fault),
		.off		= fd->off,
		.text		= vhdx_fault_text(fd->fault),
		.fd		= fd,
	};

	tell(chk, &msg);
}

__attribute__((format(printf, 4, 5)))
static void note(struct libvhdx_check *chk, const char *name, u64 off,
		 const char *fmt, ...)
{
	char text[256];
	const struct libvhdx_message msg = {
		.severity	= LIBVHDX_NOTE,
		.name		= name,
		.off		= off,
		.text		= text,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(chk, &msg);
}

/* One valid header is enough; the other one is told of all the same. */
static void check_headers(struct libvhdx_check *chk, const struct libvhdx_image *img)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct vhdx_finding fd = {
			.fault	= img->slot_fault[i],
			.off	= vhdx_header_off(i),
		};

		if (fd.fault)
			tell_finding(chk, LIBVHDX_NOTE, &fd);
	}
	if (!img->hdrs.cur.log_len)
		note(chk, "log-none", vhdx_header_off(img->hdrs.slot),
		     "the file has no log: it can only be read");
}

static void check_log(struct libvhdx_check *chk, const struct libvhdx_image *img)
{
	if (!img->dirty)
		return;
	note(chk, "log-dirty", img->log.off,
	     "the log holds %llu entries that the file lacks; they were replayed in memory for this check, and will be in the file at the next attach for writing",
	     (unsigned long long)img->replay.nr_entries);
	if (img->seq.newer_seq)
		note(chk, "log-entries-lost", img->log.off,
		     "the log has entries up to number %llu that can not be replayed, for others are damaged; what is replayed ends with number %llu",
		     (unsigned long long)img->seq.newer_seq,
		     (unsigned long long)img->seq.head_seq);
}

/* The copy of the region table that was not used. */
static int check_other_regions(struct libvhdx_check *chk, const struct libvhdx_image *img)
{
	u64 off = img->regions.copy ? VHDX_REGION1_OFF : VHDX_REGION2_OFF;
	struct vhdx_regions regions;
	struct vhdx_finding fd = { .fault = VHDX_FAULT_NONE };
	void *table;
	int err;

	if (!img->regions.differ)
		return 0;
	table = malloc(VHDX_REGION_TABLE_SIZE);
	if (!table)
		return -ENOMEM;
	err = img->src.read(&img->src, off, table, VHDX_REGION_TABLE_SIZE);
	if (!err) {
		if (!vhdx_region_table_check(table, off, img->src.size,
					     &img->hdrs.cur, &regions, &fd))
			vhdx_fault_at(&fd, VHDX_FAULT_REGION_DIFFER, off, 0);
		tell_finding(chk, LIBVHDX_NOTE, &fd);
	}
	free(table);
	return err;
}

static void bat_found(void *data, const struct vhdx_finding *fd)
{
	tell_finding(data, LIBVHDX_ERROR, fd);
}

static int check_bat(struct libvhdx_check *chk, const struct libvhdx_image *img)
{
	int err = libvhdx_bat_scan(img, &chk->scan, bat_found, chk);
	u64 unused, first;

	if (!err) {
		unused = libvhdx_bat_scan_unused(img, &chk->scan, &first);
		if (unused)
			note(chk, "space-unused", first,
			     "%llu MiB of the file are used by nothing",
			     (unsigned long long)unused);
	}
	libvhdx_bat_scan_release(&chk->scan);
	return err;
}

static void check_size(struct libvhdx_check *chk, const struct libvhdx_image *img)
{
	if (img->raw.size & (VHDX_UNIT - 1))
		note(chk, "file-size-odd", img->raw.size,
		     "the file's size is not a multiple of 1 MiB; other programs may refuse it");
	if (img->md.has_parent)
		note(chk, "parent-unchecked", img->md.items.off[VHDX_ITEM_PARENT_LOCATOR],
		     "the image has a parent, which was not looked at");
}

/* What a stage returned: tell of a fault, pass an errno on. */
static int stage(struct libvhdx_check *chk, int err, const struct vhdx_finding *fd)
{
	if (err > 0)
		tell_finding(chk, LIBVHDX_ERROR, fd);
	return err;
}

/* The stages; a log that cannot be replayed does not keep from the others. */
static int check_stages(struct libvhdx_check *chk, struct libvhdx_image *img)
{
	struct vhdx_finding fd = { .fault = VHDX_FAULT_NONE };
	int err;

	err = stage(chk, libvhdx_image_load_headers(img, &fd), &fd);
	if (err)
		return err;
	check_headers(chk, img);
	err = stage(chk, libvhdx_image_load_log(img, &fd), &fd);
	if (err < 0)
		return err;
	if (!err)
		check_log(chk, img);
	err = stage(chk, libvhdx_image_load_regions(img, &fd), &fd);
	if (!err)
		err = check_other_regions(chk, img);
	if (!err)
		err = stage(chk, libvhdx_image_load_metadata(img, &fd), &fd);
	if (!err)
		err = check_bat(chk, img);
	if (err)
		return err;
	check_size(chk, img);
	chk->whole = true;
	return 0;
}

int libvhdx_check(struct libvhdx_check *chk, struct libvhdx_image *img,
		  struct libvhdx_file *file)
{
	int err;

	libvhdx_image_init(img, file);
	err = check_stages(chk, img);
	return err < 0 ? err : 0;
}
