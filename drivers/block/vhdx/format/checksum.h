/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checksum of headers, region tables and log entries: CRC-32C, inverted
 * before and after, with the stored checksum itself counted as zero. All three
 * keep it in the four bytes behind their signature.
 *
 * crc32c() inverts nothing; a sum that goes on over several pieces is kept
 * the way crc32c() has it and inverted once, at its end.
 */
#ifndef VHDX_FORMAT_CHECKSUM_H
#define VHDX_FORMAT_CHECKSUM_H

#include <linux/crc32c.h>
#include <linux/types.h>

/* Begin a sum with the first piece, 8 bytes or more; @crc is ~0. */
static inline u32 vhdx_checksum_first(u32 crc, const void *buf, u32 len)
{
	static const u8 zero[4];
	const u8 *p = buf;

	crc = crc32c(crc, p, 4);
	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, p + 8, len - 8);
}

/* The checksum of a structure that is there as a whole. */
static inline u32 vhdx_checksum(const void *buf, u32 len)
{
	return ~vhdx_checksum_first(~0U, buf, len);
}

#endif
