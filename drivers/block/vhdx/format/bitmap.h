/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sector bitmaps, [MS-VHDX] 2.5.2: which sectors of the partially present
 * blocks of a chunk are in this file. One bit for each logical sector of the
 * chunk, 1 for present, in 8-byte little-endian words as they are cached.
 *
 * A block's bits, its slice, begin and end at a word: the smallest slice, that
 * of 1 MiB in sectors of 4096 bytes, is four of them.
 */
#ifndef VHDX_FORMAT_BITMAP_H
#define VHDX_FORMAT_BITMAP_H

#include <linux/types.h>

#include "geometry.h"

#define VHDX_BITMAP_WORD_BITS	64u

/* Number of the bit, in its chunk, of the sector at disk position @pos. */
u32 vhdx_bitmap_bit(const struct vhdx_geometry *geo, u64 pos);

/* Offset in bytes, in the sector bitmap block, of the word that holds @bit. */
static inline u32 vhdx_bitmap_word_off(u32 bit)
{
	return bit / VHDX_BITMAP_WORD_BITS * 8;
}

/* Bits of [@bit, @bit + @nr) that are in the word of @bit; @nr is not 0. */
u32 vhdx_bitmap_in_word(u32 bit, u32 nr);

/* The bits of [@bit, @bit + @nr) in the word of @bit, as they are stored. */
__le64 vhdx_bitmap_mask(u32 bit, u32 nr);

/*
 * How many of the bits of [@bit, @bit + @nr), as far as they are in the word of
 * @bit, whose content is @word, equal the first one: at least 1. *@set is what
 * the first one is.
 */
u32 vhdx_bitmap_run(__le64 word, u32 bit, u32 nr, bool *set);

#endif
