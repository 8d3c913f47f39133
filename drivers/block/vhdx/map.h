/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BAT in memory: from payload block to place in the file, and the one
 * transition that there is so far, from nothing to FULLY_PRESENT.
 *
 * Life of a block: unmapped -> reserved (known to its allocator only) ->
 * published (word in the page set, inside a journal update) -> committed with
 * the page -> checkpointed with the page. Readers see it from published on.
 * A block never goes away while the image is open, so whoever has looked one
 * up may use its place without holding anything.
 */
#ifndef VHDX_MAP_H
#define VHDX_MAP_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "format/bat.h"

struct vhdx_image;

#define VHDX_MAP_LOCKS	64

/**
 * struct vhdx_map - serialises allocation of one block
 * @block: mutexes, picked by block number; held over the allocation, so two
 *	writers to one unmapped block share it
 */
struct vhdx_map {
	struct mutex	block[VHDX_MAP_LOCKS];
};

void vhdx_map_init(struct vhdx_map *map);

/*
 * The checked entry of payload block @blk. With @nowait -EAGAIN if its page is
 * not in memory, and no lock is taken; else may sleep. -EUCLEAN for a damaged
 * entry, with a message.
 */
int vhdx_map_lookup(struct vhdx_image *img, u64 blk, bool nowait,
		    struct vhdx_bat_entry *entry);

/* Make @blk FULLY_PRESENT if it has no place yet. Sleeps. */
int vhdx_map_allocate(struct vhdx_image *img, u64 blk);

/* Does the entry of @blk wait for a commit? Never sleeps. */
bool vhdx_map_is_dirty(struct vhdx_image *img, u64 blk);

#endif
