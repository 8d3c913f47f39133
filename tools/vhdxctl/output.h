/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON, sizes, and messages about files. */
#ifndef VHDXCTL_OUTPUT_H
#define VHDXCTL_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include <linux/types.h>

struct vhdx_finding;

/**
 * struct json - a JSON text on its way out
 * @out: where it goes
 * @depth: open objects and arrays
 * @filled: the innermost one has a member already
 */
struct json {
	FILE		*out;
	unsigned int	depth;
	bool		filled;
};

/*
 * Each call writes one member of the innermost object, or one element of the
 * innermost array when @key is NULL. The outermost object has no key.
 */
void json_open(struct json *js, const char *key, char bracket);
void json_close(struct json *js, char bracket);
void json_string(struct json *js, const char *key, const char *value);
void json_number(struct json *js, const char *key, u64 value);
void json_bool(struct json *js, const char *key, bool value);
void json_null(struct json *js, const char *key);

/* Ends the text with a newline after the outermost bracket. */
void json_end(struct json *js);

/*
 * A copy of @s in which each byte that is no UTF-8 is U+FFFD, as in all JSON here,
 * for who writes JSON by other means. The caller frees it. Ends without memory.
 */
char *utf8_valid(const char *s);

#define SIZE_TEXT	24

/* "1.5G" as util-linux writes it; SIZE_TEXT bytes at @buf, returned. */
char *size_to_text(char *buf, u64 size);

/*
 * Parse "10G", "512MiB", "4096": factors of 1024; "GB" and so on: of 1000.
 * 0, -EINVAL or -ERANGE.
 */
int size_parse(const char *text, u64 *size);

/*
 * "vhdxctl: FILE: fault at offset 0x0: sentence" for a positive @err, else
 * the errno's text.
 */
void warn_image(const char *path, int err, const struct vhdx_finding *fd);

#endif
