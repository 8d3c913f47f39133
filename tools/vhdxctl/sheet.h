/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts with names, in sections: as text for people or as JSON. One
 * description serves both, so they cannot say different things.
 */
#ifndef VHDXCTL_SHEET_H
#define VHDXCTL_SHEET_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "output.h"

/**
 * struct sheet - facts on their way out
 * @js: used when @json
 * @json: JSON instead of text
 */
struct sheet {
	struct json	js;
	bool		json;
};

void sheet_begin(struct sheet *sh, bool json);
void sheet_end(struct sheet *sh);

/*
 * A section is an object of JSON; the elements of a list have no key. Text
 * shows "key:", words apart by blanks, and what belongs to it indented. @label
 * is what text shows for an element of a list.
 */
void sheet_open(struct sheet *sh, const char *key, const char *label);
void sheet_close(struct sheet *sh);
void sheet_open_list(struct sheet *sh, const char *key);
void sheet_close_list(struct sheet *sh);

void sheet_string(struct sheet *sh, const char *key, const char *value);
void sheet_number(struct sheet *sh, const char *key, u64 value);
void sheet_bool(struct sheet *sh, const char *key, bool value);
void sheet_guid(struct sheet *sh, const char *key, const guid_t *value);

/* Bytes, also in the next larger unit; an offset, in hex; numbers in JSON. */
void sheet_size(struct sheet *sh, const char *key, u64 value);
void sheet_offset(struct sheet *sh, const char *key, u64 value);

#endif
