/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where in the file the next block goes: always behind everything that the
 * file held when it was opened, in space that has just been added and so
 * reads as zeros. Because a crash shows zeros there, which is what the block
 * held before, a block may become visible before its data is stable.
 *
 * Setting the size takes the file's inode lock for writing, for which it waits
 * for all transfers that are being started, and they for it. So the file grows
 * in steps, of 64 MiB at first, and each is twice as long as the one before, up to
 * 1 GiB: what is got ahead of need is 64 MiB, or less than twice what was needed.
 *
 * Nothing is written before the whole BAT was seen once: an entry that points
 * at the log or at another's block would be written through, and one that
 * lies beyond the end of a damaged file would meet a block of ours.
 *
 * Memory. A scan that attach put off is done for the first write, which may be
 * the write-back that memory is waited for. So what it needs is kept from
 * attach until it is done: 64 KiB, and a bit for each MiB of the file. It then
 * reads as payload is read, not through the page cache where that can be
 * avoided.
 */
#ifndef VHDX_SPACE_H
#define VHDX_SPACE_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "file.h"

struct vhdx_finding;
struct vhdx_image;

/**
 * struct vhdx_space - allocator of one image
 * @img: the image [immutable]
 * @lock: guards the rest, and who sets the file's size; held over both, and
 *	over the scan. While the image is being opened nobody else is there
 * @next: file offset where the next block goes, a multiple of 1 MiB; also read
 *	without the lock
 * @map: for a scan: what of the file is in use; NULL once it is done
 * @map_bytes: length of @map
 * @buf: for a scan: entries
 * @step: by how much more than needed the file is made longer the next time
 * @used_end: end of the last thing in the file, from the scan
 * @scanned: the BAT was seen whole and is in order [READ_ONCE elsewhere]
 * @grown: the file was made longer than it needs to be
 */
struct vhdx_space {
	struct vhdx_image	*img;
	struct mutex		lock;
	atomic64_t		next;
	u8			*map;
	u64			map_bytes;
	struct vhdx_buf		buf;
	u64			step;
	u64			used_end;
	bool			scanned;
	bool			grown;
};

void vhdx_space_init(struct vhdx_space *space, struct vhdx_image *img);

/* Also for one that was never initialised, but zeroed. */
void vhdx_space_exit(struct vhdx_space *space);

/*
 * Look at the whole BAT, holes left out: states, places, overlaps. Gives up
 * with -EAGAIN after reading @budget bytes; a later call starts again, with the
 * same memory if the image is writable. The image's region table must still be
 * in memory. 0, an errno, or a fault.
 */
int vhdx_space_scan(struct vhdx_space *space, u64 budget, struct vhdx_finding *fd);

/*
 * Before the first write of a session: vhdx_space_scan() if attach put it off.
 * What is wrong is reported and makes the image read-only. Sleeps.
 */
int vhdx_space_prepare(struct vhdx_space *space);

/*
 * A log was replayed into the file, by which all that was in use ends at @end.
 * What the file holds behind that, and behind all that the BAT and the other
 * tables name, was got ahead of need by who then crashed: it is given back. That
 * is known only after a replay, and only if the BAT was seen whole; at any other
 * time the end of a file is left as it is. The next block goes behind the end
 * that the file has then.
 *
 * The log is empty and the headers that say so are stable: a crash before the
 * new size is stable leaves the file as long as it was.
 */
void vhdx_space_replayed(struct vhdx_space *space, u64 end);

/*
 * Take @len bytes (a multiple of 1 MiB) for a block: *@off. Grows the file in
 * large steps. -ENOSPC, -EFBIG, or what growing the file said. The caller's
 * write was announced: vhdx_space_prepare() came before.
 */
int vhdx_space_reserve(struct vhdx_space *space, u32 len, u64 *off);

/* Give back what was reserved last and not used; else it is left unused. */
void vhdx_space_unreserve(struct vhdx_space *space, u64 off, u32 len);

/* LastFileOffset: everything ever handed out ends here. Never sleeps. */
u64 vhdx_space_end(const struct vhdx_space *space);

/* With a clean log and no users: shorten the file to what it needs. */
int vhdx_space_trim(struct vhdx_space *space);

#endif
