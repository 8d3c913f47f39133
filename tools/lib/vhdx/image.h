/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image that is only read.
 *
 * Opening goes through stages, each of which needs those before it. A dirty
 * log is replayed into memory, so that everything read through @src is what
 * the next writer would find; the file itself never changes.
 *
 * All functions that look into the file return 0, a negative errno, or a
 * positive fault with @fd saying where; @fd must not be NULL.
 */
#ifndef LIBVHDX_IMAGE_H
#define LIBVHDX_IMAGE_H

#include <linux/types.h>

#include "bat.h"
#include "fault.h"
#include "geometry.h"
#include "header.h"
#include "locator.h"
#include "log_entry.h"
#include "log_replay.h"
#include "log_scan.h"
#include "metadata.h"
#include "overlay.h"
#include "region.h"
#include "source.h"

struct libvhdx_file;

/* 255 characters of UTF-16 in UTF-8 and the NUL. */
#define LIBVHDX_CREATOR_TEXT	769

/**
 * struct libvhdx_image - what is known of an image after each stage
 * @src: the file as it is after replay; @raw before the log stage
 * @raw: the file as it is
 * @file: where the bytes come from, owned by the caller
 * @overlay: replayed content
 * @creator: headers: who wrote the file, UTF-8
 * @slot: headers: both, as far as valid
 * @slot_fault: headers: why a slot is not valid, or VHDX_FAULT_NONE
 * @hdrs: headers: the choice
 * @dirty: log: it holds entries that must be replayed
 * @log: log: where it is
 * @seq: log: what was found in a dirty one
 * @replay: log: what was replayed
 * @nr_log_valid: log: entries of a dirty log that are valid by themselves
 * @regions: regions: the two that a disk needs
 * @region_table: regions: the 64 KiB of the copy that counts
 * @md: metadata: the items
 * @geo: metadata: shape of the disk
 * @metadata_table: metadata: 64 KiB
 * @locator_buf: metadata: bytes of the parent locator, NULL without parent
 * @locator: metadata: the same, checked
 */
struct libvhdx_image {
	struct vhdx_source		src;
	struct vhdx_source		raw;
	struct libvhdx_file		*file;
	struct libvhdx_overlay		overlay;
	char				creator[LIBVHDX_CREATOR_TEXT];
	struct vhdx_header		slot[2];
	enum vhdx_fault			slot_fault[2];
	struct vhdx_headers		hdrs;
	bool				dirty;
	struct vhdx_log_area		log;
	struct vhdx_log_sequence	seq;
	struct vhdx_log_replay		replay;
	u32				nr_log_valid;
	struct vhdx_regions		regions;
	void				*region_table;
	struct vhdx_metadata		md;
	struct vhdx_geometry		geo;
	void				*metadata_table;
	void				*locator_buf;
	struct vhdx_locator		locator;
};

/* Prepare @img for the stages; libvhdx_image_close() undoes it. */
void libvhdx_image_init(struct libvhdx_image *img, struct libvhdx_file *file);
void libvhdx_image_close(struct libvhdx_image *img);

/* The stages, in this order. */
int libvhdx_image_load_headers(struct libvhdx_image *img, struct vhdx_finding *fd);
int libvhdx_image_load_log(struct libvhdx_image *img, struct vhdx_finding *fd);
int libvhdx_image_load_regions(struct libvhdx_image *img, struct vhdx_finding *fd);
int libvhdx_image_load_metadata(struct libvhdx_image *img, struct vhdx_finding *fd);

/* All of it; on failure @img is closed. */
int libvhdx_image_open(struct libvhdx_image *img, struct libvhdx_file *file,
		       struct vhdx_finding *fd);

/* Entries @idx to @idx + @nr - 1 of the BAT, which must exist. 0 or -errno. */
int libvhdx_image_read_bat(const struct libvhdx_image *img, u64 idx, u64 nr,
			   __le64 *raw);

/*
 * First BAT entry from @idx on that may be other than zero; geo.nr_entries if
 * there is none. Costs nothing where the file has holes.
 */
u64 libvhdx_image_next_bat(const struct libvhdx_image *img, u64 idx);

#endif
