/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHDX_SHADOW_LINUX_STRING_H
#define VHDX_SHADOW_LINUX_STRING_H

#include <errno.h>
#include <string.h>

#include <linux/types.h>

/* The first of @len bytes at @s that is not @c, or NULL. */
static inline void *memchr_inv(const void *s, int c, size_t len)
{
	const u8 *p = s;

	for (; len; p++, len--)
		if (*p != (u8)c)
			return (void *)p;
	return NULL;
}

/* Copy with termination; the length, or -E2BIG if it had to be cut. */
static inline ssize_t strscpy(char *dst, const char *src, size_t size)
{
	size_t len = strnlen(src, size);

	if (!size)
		return -E2BIG;
	if (len == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(dst, src, len + 1);
	return len;
}

#endif
