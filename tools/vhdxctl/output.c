// SPDX-License-Identifier: GPL-2.0-only
/* JSON, sizes, and messages about files. */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "fault.h"
#include "output.h"
#include "utf16.h"

static void newline(const struct json *js)
{
	fprintf(js->out, "\n%*s", (int)(3 * js->depth), "");
}

/* JSON is UTF-8; names of files are any bytes. */
static void json_quote(const struct json *js, const char *s)
{
	size_t used;

	fputc('"', js->out);
	for (; *s; s += used) {
		u32 c = libvhdx_utf8_decode(s, &used);

		if (c == '"' || c == '\\')
			fprintf(js->out, "\\%c", (int)c);
		else if (c < 0x20 || c == 0x7f || c == LIBVHDX_REPLACEMENT)
			fprintf(js->out, "\\u%04x", (unsigned int)c);
		else
			fwrite(s, 1, used, js->out);
	}
	fputc('"', js->out);
}

char *utf8_valid(const char *s)
{
	char *text = malloc(3 * strlen(s) + 1), *out = text;
	size_t used;

	if (!text)
		err(EXIT_FAILURE, NULL);
	for (; *s; s += used)
		if (libvhdx_utf8_decode(s, &used) == LIBVHDX_REPLACEMENT)
			out = stpcpy(out, "\xef\xbf\xbd");
		else
			out = mempcpy(out, s, used);
	*out = '\0';
	return text;
}

/* What stands before a value. */
static void json_key(struct json *js, const char *key)
{
	if (js->filled)
		fputc(',', js->out);
	if (js->depth)
		newline(js);
	js->filled = true;
	if (key) {
		json_quote(js, key);
		fputs(": ", js->out);
	}
}

void json_open(struct json *js, const char *key, char bracket)
{
	json_key(js, key);
	fputc(bracket, js->out);
	js->depth++;
	js->filled = false;
}

void json_close(struct json *js, char bracket)
{
	js->depth--;
	if (js->filled)
		newline(js);
	fputc(bracket, js->out);
	js->filled = true;
}

void json_string(struct json *js, const char *key, const char *value)
{
	json_key(js, key);
	json_quote(js, value);
}

void json_number(struct json *js, const char *key, u64 value)
{
	json_key(js, key);
	fprintf(js->out, "%llu", (unsigned long long)value);
}

void json_bool(struct json *js, const char *key, bool value)
{
	json_key(js, key);
	fputs(value ? "true" : "false", js->out);
}

void json_null(struct json *js, const char *key)
{
	json_key(js, key);
	fputs("null", js->out);
}

void json_end(struct json *js)
{
	fputc('\n', js->out);
}

static const char suffixes[] = "BKMGTPE";

char *size_to_text(char *buf, u64 size)
{
	unsigned int i = 0, tenths;
	u64 whole;

	while (i < sizeof(suffixes) - 2 && size >> (10 * (i + 1)))
		i++;
	whole = size >> (10 * i);
	tenths = i ? (unsigned int)(((size >> (10 * (i - 1))) & 1023) * 10 / 1024) : 0;
	if (tenths)
		snprintf(buf, SIZE_TEXT, "%llu.%u%c", (unsigned long long)whole, tenths,
			 suffixes[i]);
	else
		snprintf(buf, SIZE_TEXT, "%llu%c", (unsigned long long)whole, suffixes[i]);
	return buf;
}

/* The factor of "", "K", "KiB", "KB" and so on, or 0. */
static u64 size_factor(const char *suffix)
{
	const char *letter;
	u64 base = 1024, factor = 1;
	size_t i, power;

	if (!*suffix || !strcmp(suffix, "B"))
		return 1;
	letter = strchr(suffixes + 1, toupper((unsigned char)*suffix));
	if (!letter)
		return 0;
	if (!strcasecmp(suffix + 1, "B"))
		base = 1000;
	else if (suffix[1] && strcasecmp(suffix + 1, "iB"))
		return 0;
	power = (size_t)(letter - suffixes);
	for (i = 0; i < power; i++)
		factor *= base;
	return factor;
}

int size_parse(const char *text, u64 *size)
{
	unsigned long long n;
	u64 factor;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	factor = size_factor(end);
	if (!factor)
		return -EINVAL;
	if (errno || __builtin_mul_overflow((u64)n, factor, size))
		return -ERANGE;
	return 0;
}

void warn_image(const char *path, int err, const struct vhdx_finding *fd)
{
	if (err > 0)
		warnx("%s: %s at offset 0x%llx: %s", path, vhdx_fault_name(fd->fault),
		      (unsigned long long)fd->off, vhdx_fault_text(fd->fault));
	else
		warnx("%s: %s", path, strerror(-err));
}
