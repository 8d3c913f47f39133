// SPDX-License-Identifier: GPL-2.0-only
/* Facts with names, in sections. */
#include <stdio.h>

#include <linux/kernel.h>

#include "guid.h"
#include "sheet.h"

#define VALUE_COLUMN	28

/* Text lines: indentation, key with blanks, and the value's column. */
static void text_key(const struct sheet *sh, const char *key)
{
	int indent = (int)(2 * sh->js.depth);
	int width = indent;
	const char *p;

	printf("%*s", indent, "");
	for (p = key; *p; p++, width++)
		putchar(*p == '_' ? ' ' : *p);
	printf(":%*s", width + 1 < VALUE_COLUMN ? VALUE_COLUMN - width - 1 : 1, "");
}

void sheet_begin(struct sheet *sh, bool json)
{
	*sh = (struct sheet){ .json = json, .js.out = stdout };
	if (json)
		json_open(&sh->js, NULL, '{');
}

void sheet_end(struct sheet *sh)
{
	if (!sh->json)
		return;
	json_close(&sh->js, '}');
	json_end(&sh->js);
}

static void text_open(struct sheet *sh, const char *label)
{
	const char *p;

	printf("%*s", (int)(2 * sh->js.depth), "");
	for (p = label; *p; p++)
		putchar(*p == '_' ? ' ' : *p);
	puts(":");
	sh->js.depth++;
}

void sheet_open(struct sheet *sh, const char *key, const char *label)
{
	if (sh->json)
		json_open(&sh->js, key, '{');
	else
		text_open(sh, label ? label : key);
}

void sheet_close(struct sheet *sh)
{
	if (sh->json)
		json_close(&sh->js, '}');
	else
		sh->js.depth--;
}

void sheet_open_list(struct sheet *sh, const char *key)
{
	if (sh->json)
		json_open(&sh->js, key, '[');
	else
		text_open(sh, key);
}

void sheet_close_list(struct sheet *sh)
{
	if (sh->json)
		json_close(&sh->js, ']');
	else
		sh->js.depth--;
}

void sheet_string(struct sheet *sh, const char *key, const char *value)
{
	if (sh->json) {
		json_string(&sh->js, key, value);
		return;
	}
	text_key(sh, key);
	puts(value);
}

void sheet_number(struct sheet *sh, const char *key, u64 value)
{
	if (sh->json) {
		json_number(&sh->js, key, value);
		return;
	}
	text_key(sh, key);
	printf("%llu\n", (unsigned long long)value);
}

void sheet_bool(struct sheet *sh, const char *key, bool value)
{
	if (sh->json)
		json_bool(&sh->js, key, value);
	else
		sheet_string(sh, key, value ? "yes" : "no");
}

void sheet_guid(struct sheet *sh, const char *key, const guid_t *value)
{
	char text[LIBVHDX_GUID_TEXT];

	sheet_string(sh, key, libvhdx_guid_to_text(text, value));
}

void sheet_size(struct sheet *sh, const char *key, u64 value)
{
	char text[SIZE_TEXT];

	if (sh->json) {
		json_number(&sh->js, key, value);
		return;
	}
	text_key(sh, key);
	printf("%s (%llu bytes)\n", size_to_text(text, value), (unsigned long long)value);
}

void sheet_offset(struct sheet *sh, const char *key, u64 value)
{
	if (sh->json) {
		json_number(&sh->js, key, value);
		return;
	}
	text_key(sh, key);
	printf("0x%llx\n", (unsigned long long)value);
}
