// SPDX-License-Identifier: GPL-2.0-only
/* Names of files as Windows compares them: without regard to case. */
#include <locale.h>
#include <wctype.h>

#include <linux/types.h>

#include "fold.h"
#include "utf16.h"

#define NO_CHARACTER	0x110000	/* behind Unicode: a byte that is no UTF-8 */

/* Knows the letters of Unicode; NULL where the C library has no such locale. */
static locale_t unicode(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
	return locale;
}

static u32 fold_ascii(u32 c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Up and down again: some letters have two small forms, as the Greek sigma. */
static u32 fold(u32 c)
{
	locale_t locale = unicode();

	if (!locale || c >= NO_CHARACTER)
		return fold_ascii(c);
	return (u32)towlower_l(towupper_l(c, locale), locale);
}

static u32 next(const char **s)
{
	size_t used;
	u32 c = libvhdx_utf8_decode(*s, &used);

	if (c == LIBVHDX_REPLACEMENT && used == 1)
		c = NO_CHARACTER + (u8)**s;
	*s += used;
	return fold(c);
}

bool libvhdx_names_equal(const char *a, const char *b)
{
	while (*a && *b)
		if (next(&a) != next(&b))
			return false;
	return !*a && !*b;
}
