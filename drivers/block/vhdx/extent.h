/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only currency of the read path: where a piece of the disk is.
 */
#ifndef VHDX_EXTENT_H
#define VHDX_EXTENT_H

#include <linux/types.h>

struct vhdx_file;

enum vhdx_extent_kind {
	VHDX_EXTENT_DATA,	/* at @off of @file */
	VHDX_EXTENT_ZERO,	/* reads as zeros; nothing is stored */
	VHDX_EXTENT_UNMAPPED,	/* a write must allocate first */
	VHDX_EXTENT_PARENT,	/* the image does not say: ask its parent */
};

/**
 * struct vhdx_extent - where a piece of the disk is
 * @kind: what it is
 * @len: bytes of the piece, from the position asked for; never above what
 *	was asked, never 0
 * @file: DATA: the backing file
 * @off: DATA: offset in it
 * @zero_beyond_eof: DATA: a read past the file's end gives zeros (the file is
 *	shorter than its in-memory replayed log says); else it is an error
 * @unmarked: DATA, for a write: some of the sectors are still the parent's, and
 *	must be marked as present when their data has been written
 */
struct vhdx_extent {
	enum vhdx_extent_kind	kind;
	u32			len;
	struct vhdx_file	*file;
	u64			off;
	bool			zero_beyond_eof;
	bool			unmarked;
};

#endif
