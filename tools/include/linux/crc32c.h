/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CRC-32C as the kernel computes it: nothing is inverted, neither before nor
 * after. All in this header, so that whoever compiles the format code has
 * nothing else to link.
 */
#ifndef VHDX_SHADOW_LINUX_CRC32C_H
#define VHDX_SHADOW_LINUX_CRC32C_H

#include <string.h>

#include <linux/types.h>

#include <asm/byteorder.h>

#define CRC32C_POLY_LE	0x82f63b78U

/* crc32c_table[k][b]: what byte b does to the sum when k bytes follow it. */
static u32 crc32c_table[8][256];

static inline void __attribute__((constructor)) crc32c_table_init(void)
{
	unsigned int b, k;
	u32 crc;

	for (b = 0; b < 256; b++) {
		crc = b;
		for (k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC32C_POLY_LE : 0);
		crc32c_table[0][b] = crc;
	}
	for (b = 0; b < 256; b++)
		for (k = 1; k < 8; k++) {
			crc = crc32c_table[k - 1][b];
			crc32c_table[k][b] = (crc >> 8) ^ crc32c_table[0][crc & 0xff];
		}
}

static inline u32 crc32c_step8(const u8 *p, u32 crc)
{
	__le32 word[2];
	u32 lo, hi;

	memcpy(word, p, 8);
	lo = le32_to_cpu(word[0]) ^ crc;
	hi = le32_to_cpu(word[1]);
	return crc32c_table[7][lo & 0xff] ^ crc32c_table[6][(lo >> 8) & 0xff] ^
	       crc32c_table[5][(lo >> 16) & 0xff] ^ crc32c_table[4][lo >> 24] ^
	       crc32c_table[3][hi & 0xff] ^ crc32c_table[2][(hi >> 8) & 0xff] ^
	       crc32c_table[1][(hi >> 16) & 0xff] ^ crc32c_table[0][hi >> 24];
}

static inline u32 crc32c(u32 crc, const void *buf, size_t len)
{
	const u8 *p = buf;

	for (; len >= 8; p += 8, len -= 8)
		crc = crc32c_step8(p, crc);
	for (; len; p++, len--)
		crc = (crc >> 8) ^ crc32c_table[0][(crc ^ *p) & 0xff];
	return crc;
}

#endif
