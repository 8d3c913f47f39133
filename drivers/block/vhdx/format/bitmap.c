// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic of sector bitmaps.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>

#include "bitmap.h"
#include "raw.h"

u32 vhdx_bitmap_bit(const struct vhdx_geometry *geo, u64 pos)
{
	return (pos >> geo->sector_shift) & ((1U << VHDX_CHUNK_SECTORS_SHIFT) - 1);
}

u32 vhdx_bitmap_in_word(u32 bit, u32 nr)
{
	u32 left = VHDX_BITMAP_WORD_BITS - (bit & (VHDX_BITMAP_WORD_BITS - 1));

	return nr < left ? nr : left;
}

static u64 mask(u32 bit, u32 nr)
{
	u32 in_word = vhdx_bitmap_in_word(bit, nr);

	return ~0ULL >> (VHDX_BITMAP_WORD_BITS - in_word)
		     << (bit & (VHDX_BITMAP_WORD_BITS - 1));
}

__le64 vhdx_bitmap_mask(u32 bit, u32 nr)
{
	return cpu_to_le64(mask(bit, nr));
}

/* Trailing zeros of a number that is not 0. */
static u32 first_bit(u64 n)
{
	u32 at = 0, step;

	for (step = 32; step; step >>= 1)
		if (!(n & ((1ULL << step) - 1))) {
			n >>= step;
			at += step;
		}
	return at;
}

u32 vhdx_bitmap_run(__le64 word, u32 bit, u32 nr, bool *set)
{
	u32 shift = bit & (VHDX_BITMAP_WORD_BITS - 1);
	u64 bits = le64_to_cpu(word) >> shift;
	u32 in_word = vhdx_bitmap_in_word(bit, nr);
	u64 other;

	*set = bits & 1;
	/* The bits that differ from the first, of those that are asked for. */
	other = (*set ? ~bits : bits) & (mask(bit, nr) >> shift);
	return other ? first_bit(other) : in_word;
}
