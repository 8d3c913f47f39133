/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One open VHDX file: floor 2 as the floors above see it.
 *
 * struct vhdx_image is opaque above this floor; its parts are in
 * image_types.h. All functions may sleep unless they say otherwise, and run in
 * a noio scope once the image is attached.
 *
 * Lock order of the module, outermost first (nothing else orders locks). What
 * each of them guards is told in Documentation/block/vhdx-design.rst and, field
 * by field, at its structure.
 *
 *	register_lock				control.c; nothing of ours inside
 *	disk->open_mutex			the block layer's; the same
 *	vhdx_device.stop_lock			device.c
 *	  vhdx_map.block[]			map.c, at most one of the array
 *	    vhdx_map.bitmap			map.c
 *	    vhdx_space.lock			space.c, inside of the former, too
 *	    vhdx_journal.commit			journal.c
 *	      vhdx_journal.update		journal.c
 *	        vhdx_image.header_lock		image.c
 *	          vhdx_image.guid_lock		image.c, spinlock
 *	        wait for a page to be loaded	pages.c, not a lock
 *	          vhdx_journal.lock		journal.c, spinlock
 *	          vhdx_pages.lock		pages.c, spinlock
 *	vhdx_requests.lock			request.c, irq-safe; nothing inside
 *
 * Below all that sleeps are the locks of the backing file's file system. The
 * first two are never held together. While the block layer holds open_mutex it
 * may wait for requests (it reads partitions), so no thread that serves
 * requests takes open_mutex or anything above it. The space mutex and the
 * commit mutex are never held together. A starting log writes headers, and a
 * checkpoint reads one, under the update rwsem; nobody takes the rwsem or the
 * commit mutex under the header mutex. Whoever loads a page needs the file and
 * no lock of ours, so those who wait for it may hold some. No spinlock is held
 * over any I/O or allocation: the shrinker takes vhdx_pages.lock in reclaim.
 */
#ifndef VHDX_IMAGE_H
#define VHDX_IMAGE_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "file.h"
#include "format/fault.h"

struct vhdx_extent;
struct vhdx_geometry;
struct vhdx_image;
struct vhdx_metadata;

/*
 * In order of degradation; a mode only ever grows. READ_ONLY: what would be
 * written could not be made stable, or not safely. What is in memory and in
 * the file is still right, and is read. FAILED: metadata is not to be trusted
 * any more: nobody knows where a block is, and nothing is read or written.
 */
enum vhdx_mode {
	VHDX_MODE_WRITE,
	VHDX_MODE_READ_ONLY,
	VHDX_MODE_FAILED,
};

/**
 * struct vhdx_image_options - how to open an image
 * @write: open for reading and writing; replays a dirty log into the file
 * @dio: direct I/O wanted
 * @parent: the image's parent, open, or NULL; an image that needs one is
 *	refused without, and one that needs none is refused with. Only looked
 *	at while the image is being opened
 * @mode_changed: told once for each step of the mode ladder, from any task
 *	context, with locks held: it may only schedule work. May be NULL.
 * @data: handed to @mode_changed
 * @name: for messages, "vhdx0"
 */
struct vhdx_image_options {
	bool			write;
	enum vhdx_file_dio	dio;
	struct vhdx_image	*parent;
	void			(*mode_changed)(void *data);
	void			*data;
	const char		*name;
};

/*
 * Open, check and (if dirty) replay the image in @filp, [MS-VHDX] 2.2 to 2.6
 * in the order of the open checklist, with the rules for its parent, 2.6.2.6.
 * Nothing in the file changes before everything was found to be in order, direct
 * I/O was decided and all memory is there; but a log of more than 64 MiB is applied
 * to a writable file first. What fails after that are writes to the file, and leaves
 * a log that the next open replays. On failure *@fd says what is wrong (fault
 * VHDX_FAULT_NONE for plain I/O errors); returns an ERR_PTR.
 */
struct vhdx_image *vhdx_image_open(struct file *filp,
				   const struct vhdx_image_options *opt,
				   struct vhdx_finding *fd);

/*
 * Commit, checkpoint and clear the log, give unused space at the end of the
 * file back. No requests may be under way. Returns the first error; the image
 * stays open (and readable) either way.
 */
int vhdx_image_stop(struct vhdx_image *img);

/* Drop the reference and free the image; vhdx_image_stop() came before. */
void vhdx_image_put(struct vhdx_image *img);

const struct vhdx_metadata *vhdx_image_metadata(const struct vhdx_image *img);
const struct vhdx_geometry *vhdx_image_geometry(const struct vhdx_image *img);
struct vhdx_file *vhdx_image_file(struct vhdx_image *img);

/* Never sleeps. */
enum vhdx_mode vhdx_image_mode(const struct vhdx_image *img);
const char *vhdx_mode_name(enum vhdx_mode mode);

/*
 * Step down to @mode because @what failed with @err; does nothing when the
 * image is there already. Logs one message. Never sleeps.
 */
void vhdx_image_fail(struct vhdx_image *img, enum vhdx_mode mode, int err,
		     const char *what);

/*
 * What answers a read at disk position @pos: DATA and its place, ZERO, or
 * PARENT in a differencing image. @extent->len is what is asked for, in one
 * block and below the disk's end, and becomes the length for which the answer
 * holds. With @nowait -EAGAIN in place of sleeping.
 */
int vhdx_image_map(struct vhdx_image *img, u64 pos, bool nowait,
		   struct vhdx_extent *extent);

/*
 * Where a write of all @extent->len bytes at @pos goes: DATA and its place, or
 * UNMAPPED. If it comes back as unmarked vhdx_image_mark() must follow.
 */
int vhdx_image_map_write(struct vhdx_image *img, u64 pos, bool nowait,
			 struct vhdx_extent *extent);

/*
 * The data of an unmarked piece was written: show it instead of the parent's.
 * Sleeps. The write has not happened before this returns 0.
 */
int vhdx_image_mark(struct vhdx_image *img, u64 pos, u32 len);

/* Give the block of @pos a place if it has none. Sleeps. */
int vhdx_image_allocate(struct vhdx_image *img, u64 pos);

/*
 * To be called before the data of a write goes to the file: the first one
 * stores new FileWriteGuid and DataWriteGuid and waits for it. With @nowait
 * -EAGAIN in place of waiting. -EIO if the mode is not WRITE (any more).
 */
int vhdx_image_begin_write(struct vhdx_image *img, bool nowait);

/*
 * FLUSH: all writes completed before the call are stable when it returns, and
 * so is the metadata they depend on. Concurrent calls share one commit.
 */
int vhdx_image_flush(struct vhdx_image *img);

/*
 * Does the mapping of the @len bytes at @pos, in one block, still wait for a
 * commit? Never sleeps.
 */
bool vhdx_image_is_dirty(struct vhdx_image *img, u64 pos, u32 len);

/**
 * struct vhdx_image_stats - numbers for sysfs and tests
 * @allocated: payload blocks present, as far as known: counted at the BAT scan
 * @replayed: log entries replayed at open
 * @flush_requests: FLUSHes, and FUA writes that needed a commit
 * @commits: log entries written with content
 * @checkpoints: rounds of in-place writes
 * @checkpoint_writes: pages that they wrote
 * @log_starts: logs begun
 * @log_entries: log entries written, empty ones included
 * @log_writes: writes to the log, empty entries included
 * @flushes: flushes of the file
 * @data_flushes: those of them that a commit needed
 * @fua_flushes: those of them that stood in for a write-through of metadata
 * @fua: FUA writes to the file (log and headers)
 * @header_writes: header slots written
 * @log_len: bytes of the log
 * @log_used: bytes of it that hold entries still needed
 * @log_active: the header's LogGuid is set
 * @pages: metadata pages in memory
 * @dirty_pages: those that wait for a commit
 * @logged_pages: those that wait for a checkpoint
 * @file_size: bytes
 */
struct vhdx_image_stats {
	u64	allocated;
	u64	replayed;
	u64	flush_requests;
	u64	commits;
	u64	checkpoints;
	u64	checkpoint_writes;
	u64	log_starts;
	u64	log_entries;
	u64	log_writes;
	u64	flushes;
	u64	data_flushes;
	u64	fua_flushes;
	u64	fua;
	u64	header_writes;
	u64	log_len;
	u64	log_used;
	u64	pages;
	u64	dirty_pages;
	u64	logged_pages;
	u64	file_size;
	bool	log_active;
};

/* A consistent-enough snapshot; never sleeps. */
void vhdx_image_stats(struct vhdx_image *img, struct vhdx_image_stats *st);

/* DataWriteGuid and FileWriteGuid of the current header. Never sleeps. */
void vhdx_image_guids(struct vhdx_image *img, guid_t *data_write, guid_t *file_write);

/* Empty the log now (as the idle timer does): for reboot. May sleep. */
int vhdx_image_clean(struct vhdx_image *img);

#endif
