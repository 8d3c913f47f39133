/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A leaf image and its parents: decides which file answers for a piece of the
 * virtual disk. Knows no BAT bits and no log.
 */
#ifndef VHDX_CHAIN_H
#define VHDX_CHAIN_H

#include <linux/types.h>

struct vhdx_chain;
struct vhdx_extent;
struct vhdx_finding;
struct vhdx_image;
struct vhdx_image_options;
struct file;

/*
 * Open the image @files[0] and its @nr - 1 parents, in order. Each must be the
 * parent that the one before it names; parents are opened for reading only,
 * and their dirty logs replayed in memory. On failure *@image is the index of
 * the one to blame and *@fd the fault. No file but the leaf's is changed, and that
 * as little as vhdx_image_open() says. ERR_PTR.
 */
struct vhdx_chain *vhdx_chain_open(struct file **files, unsigned int nr,
				   const struct vhdx_image_options *opt,
				   unsigned int *image, struct vhdx_finding *fd);

/* Close all images; vhdx_image_stop() of the leaf came before. */
void vhdx_chain_close(struct vhdx_chain *chain);

/* The image that is written to and that gives the disk its properties. */
struct vhdx_image *vhdx_chain_leaf(struct vhdx_chain *chain);

/* Number of images, and the @i-th; 0 is the leaf. */
unsigned int vhdx_chain_depth(const struct vhdx_chain *chain);
struct vhdx_image *vhdx_chain_image(struct vhdx_chain *chain, unsigned int i);

/*
 * Find what answers a read of [@pos, @pos + @len), which lies in one payload
 * block of the leaf: DATA or ZERO, for the first @extent->len bytes. With
 * @nowait -EAGAIN when metadata must be read first; without it may sleep.
 * -EUCLEAN and a message when the metadata is found to be damaged. When a parent
 * has failed the leaf does, too.
 */
int vhdx_chain_map_read(struct vhdx_chain *chain, u64 pos, u32 len, bool nowait,
			struct vhdx_extent *extent);

/*
 * The same for a write: the leaf's place for all of it, or UNMAPPED. When the
 * extent is unmarked, vhdx_chain_mark() follows the transfer of the data.
 */
int vhdx_chain_map_write(struct vhdx_chain *chain, u64 pos, u32 len, bool nowait,
			 struct vhdx_extent *extent);

/*
 * Give the block of @pos, found UNMAPPED, a place, so that the next
 * vhdx_chain_map_write() finds it. Sleeps. Two callers for one block are
 * served by one allocation. -ENOSPC, -EFBIG, -EIO.
 */
int vhdx_chain_allocate(struct vhdx_chain *chain, u64 pos);

/*
 * The @len bytes at @pos, whole sectors found unmarked, were written to their
 * place: from now on they are what is read. Sleeps. An error means that the write failed.
 */
int vhdx_chain_mark(struct vhdx_chain *chain, u64 pos, u32 len);

#endif
