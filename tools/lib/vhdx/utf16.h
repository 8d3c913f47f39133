/* SPDX-License-Identifier: GPL-2.0-only */
/* The strings of a VHDX file for people. */
#ifndef LIBVHDX_UTF16_H
#define LIBVHDX_UTF16_H

#include <linux/types.h>

/*
 * Convert the @len bytes of UTF-16LE at @src (any alignment) to UTF-8 in
 * @buf; ends at a NUL. What is no character and what does not print becomes
 * U+FFFD. Always terminates @buf; cuts at a character. Returns the length.
 */
size_t libvhdx_utf16_to_utf8(char *buf, size_t size, const u8 *src, size_t len);

/*
 * Convert the UTF-8 string @text to UTF-16LE in @buf; bytes that are no UTF-8
 * become U+FFFD. Returns the bytes used, at most @size; what does not fit is
 * left out, at a character.
 */
size_t libvhdx_utf8_to_utf16(u8 *buf, size_t size, const char *text);

#define LIBVHDX_REPLACEMENT	0xfffd

/*
 * The first character of @text, which is not empty; *@used is what it took. Forms
 * that are longer than needed, surrogates and what lies beyond Unicode are no
 * UTF-8: LIBVHDX_REPLACEMENT for one byte.
 */
u32 libvhdx_utf8_decode(const char *text, size_t *used);

/* Enough for @len bytes of UTF-16. */
#define LIBVHDX_UTF8_SIZE(len)	((size_t)(len) / 2 * 3 + 1)

#endif
