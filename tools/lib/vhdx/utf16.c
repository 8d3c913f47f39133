// SPDX-License-Identifier: GPL-2.0-only
#include "utf16.h"

static u32 unit(const u8 *src)
{
	return src[0] | (u32)src[1] << 8;
}

/* Decode one character of at most @len bytes; *@used is what it took. */
static u32 decode(const u8 *src, size_t len, size_t *used)
{
	u32 c = unit(src);
	u32 low;

	*used = 2;
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return c ? LIBVHDX_REPLACEMENT : 0;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || len < 4)
		return LIBVHDX_REPLACEMENT;
	low = unit(src + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return LIBVHDX_REPLACEMENT;
	*used = 4;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static size_t encode(char out[4], u32 c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t libvhdx_utf16_to_utf8(char *buf, size_t size, const u8 *src, size_t len)
{
	size_t out = 0;
	size_t used;

	for (; len >= 2; src += used, len -= used) {
		u32 c = decode(src, len, &used);
		char bytes[4];
		size_t i, n;

		if (!c)
			break;
		n = encode(bytes, c);
		if (out + n >= size)
			break;
		for (i = 0; i < n; i++)
			buf[out++] = bytes[i];
	}
	buf[out] = '\0';
	return out;
}

u32 libvhdx_utf8_decode(const char *text, size_t *used)
{
	const u8 *s = (const u8 *)text;
	static const u32 least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned int more = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : 1;
	u32 c = *s & (0x3f >> more);
	unsigned int i;

	*used = 1;
	if (*s < 0x80)
		return *s;
	if (*s < 0xc0 || *s > 0xf7)
		return LIBVHDX_REPLACEMENT;
	for (i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return LIBVHDX_REPLACEMENT;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return LIBVHDX_REPLACEMENT;
	*used = more + 1;
	return c;
}

static void put_unit(u8 *buf, u32 unit)
{
	buf[0] = (u8)unit;
	buf[1] = (u8)(unit >> 8);
}

size_t libvhdx_utf8_to_utf16(u8 *buf, size_t size, const char *text)
{
	size_t out = 0, used, need;

	for (; *text; text += used, out += need) {
		u32 c = libvhdx_utf8_decode(text, &used);

		need = c < 0x10000 ? 2 : 4;
		if (need > size - out)
			break;
		if (need == 4) {
			put_unit(buf + out + 2, 0xdc00 + ((c - 0x10000) & 0x3ff));
			c = 0xd800 + ((c - 0x10000) >> 10);
		}
		put_unit(buf + out, c);
	}
	return out;
}
