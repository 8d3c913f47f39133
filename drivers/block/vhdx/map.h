/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BAT and the sector bitmaps in memory: from payload block to place in the
 * file, and the transitions of a block.
 *
 * Life of a block: unmapped -> reserved (known to its allocator only) ->
 * published (word in the page set, inside a journal update) -> committed with
 * the page -> checkpointed with the page. Readers see it from published on.
 * A block never goes away while the image is open, so whoever has looked one
 * up may use its place without holding anything.
 *
 * In a differencing image a block that shows the parent, NOT_PRESENT, is
 * published as PARTIALLY_PRESENT with no bit of its slice set. That changes
 * nothing of what is read. Data then goes to its place, where nobody looks for
 * it yet, and once it has been written the bits of its sectors are set: only
 * that makes it visible. When the last bit of a slice is set the block becomes
 * FULLY_PRESENT, and its bits are not looked at any more.
 *
 * What must be true for that, at every moment:
 *
 *  - A bit joins a transaction only after the data of its sector was written
 *    (vhdx_map_mark() comes behind the transfer). A commit flushes the file
 *    after it closed the transaction and before it writes the entry, so the
 *    data is stable before a stable entry says that it is there.
 *  - A slice may hold bits of an earlier life of the block, or of other
 *    writers. They are cleared before, in updates that end before the one
 *    begins that makes the block PARTIALLY_PRESENT; so they are never seen,
 *    neither in memory nor by a replay. Cleared alone they change nothing:
 *    NOT_PRESENT does not look at them.
 *  - A sector bitmap block is new space and reads as zeros. It is published in
 *    an update that ends before the one of the first block that needs it
 *    begins; so an entry that has the latter is not older than that of the
 *    former.
 *  - Bits are only ever set, and by one at a time: a word belongs to one block,
 *    whose mutex is held from reading the word to storing it.
 */
#ifndef VHDX_MAP_H
#define VHDX_MAP_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "format/bat.h"

struct vhdx_image;

#define VHDX_MAP_LOCKS	64

/**
 * struct vhdx_map - serialises the transitions of one block
 * @block: mutexes, picked by block number; held over the allocation, so two
 *	writers to one unmapped block share it, and while bits are set
 * @bitmap: held while a chunk gets its sector bitmap block
 */
struct vhdx_map {
	struct mutex	block[VHDX_MAP_LOCKS];
	struct mutex	bitmap;
};

void vhdx_map_init(struct vhdx_map *map);

/*
 * The checked entry of payload block @blk. With @nowait -EAGAIN if its page is
 * not in memory, and no lock is taken; else may sleep. -EUCLEAN for a damaged
 * entry, with a message.
 */
int vhdx_map_lookup(struct vhdx_image *img, u64 blk, bool nowait,
		    struct vhdx_bat_entry *entry);

/*
 * Of a PARTIALLY_PRESENT block: is the sector of disk position @pos in this
 * file (*@present)? *@len, at most to the end of the block, becomes the length
 * for which that is so. Waits and fails as vhdx_map_lookup() does.
 */
int vhdx_map_run(struct vhdx_image *img, u64 pos, u32 *len, bool nowait,
		 bool *present);

/*
 * Give @blk a place if it has none yet: FULLY_PRESENT, or PARTIALLY_PRESENT
 * with no sector present if it shows the parent. Sleeps.
 */
int vhdx_map_allocate(struct vhdx_image *img, u64 blk);

/*
 * The data of [@pos, @pos + @len), in one block that has a place, was written:
 * its sectors are present from now on. Sleeps. -EIO, with a warning, for what is
 * not whole sectors of the disk.
 */
int vhdx_map_mark(struct vhdx_image *img, u64 pos, u32 len);

/*
 * Does anything that tells where [@pos, @pos + @len) is, in one block, wait for
 * a commit? Never sleeps; what is not in memory does not wait.
 */
bool vhdx_map_is_dirty(struct vhdx_image *img, u64 pos, u32 len);

#endif
