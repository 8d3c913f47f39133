// SPDX-License-Identifier: GPL-2.0-only
/* A parent locator, rewritten. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "guid.h"
#include "journal.h"
#include "raw.h"
#include "relink.h"
#include "resolve.h"
#include "utf16.h"

#define NR_KEYS	5

/**
 * struct words - the pairs that may change
 * @key: their keys
 * @value: new values in UTF-8, NULL where the pair goes away
 * @change: this one changes at all
 * @raw: @key and @value in UTF-16
 */
struct words {
	const char		*key[NR_KEYS];
	char			*value[NR_KEYS];
	bool			change[NR_KEYS];
	u8			*raw;
};

static char *guid_word(const guid_t *guid)
{
	char text[LIBVHDX_GUID_TEXT];
	char *word;

	return asprintf(&word, "{%s}", libvhdx_guid_to_text(text, guid)) < 0 ? NULL : word;
}

/* The directory that counts is that of the file itself, not of a link to it. */
static int words_paths(struct words *w, const struct libvhdx_relink *want)
{
	char *child = realpath(want->child, NULL);
	int err = child ? 0 : -errno;

	if (!err)
		err = libvhdx_locator_paths(child, want->parent, &w->value[2], &w->value[3]);
	free(child);
	return err;
}

static int words_make(struct words *w, const struct libvhdx_relink *want)
{
	static const char *const keys[NR_KEYS] = {
		VHDX_LOCATOR_LINKAGE, VHDX_LOCATOR_LINKAGE2, VHDX_LOCATOR_RELATIVE,
		VHDX_LOCATOR_ABSOLUTE, VHDX_LOCATOR_VOLUME,
	};
	unsigned int i;
	int err = 0;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < NR_KEYS; i++) {
		w->key[i] = keys[i];
		w->change[i] = i < 2 ? !!want->linkage : !!want->parent;
	}
	if (want->linkage) {
		w->value[0] = guid_word(want->linkage);
		w->value[1] = want->linkage2 ? guid_word(want->linkage2) : NULL;
		if (!w->value[0] || (want->linkage2 && !w->value[1]))
			err = -ENOMEM;
	}
	return !err && want->parent ? words_paths(w, want) : err;
}

static void words_free(struct words *w)
{
	unsigned int i;

	for (i = 0; i < NR_KEYS; i++)
		free(w->value[i]);
	free(w->raw);
}

/* Which of the words has this key? NR_KEYS: none. */
static unsigned int words_find(const struct words *w, const u8 *key, u16 len)
{
	char text[64];
	unsigned int i;

	if (len >= sizeof(text))
		return NR_KEYS;
	libvhdx_utf16_to_utf8(text, sizeof(text), key, len);
	for (i = 0; i < NR_KEYS; i++)
		if (w->change[i] && !strcmp(w->key[i], text))
			break;
	return i;
}

/* @text in UTF-16 at *@at, which goes on behind it; its length. */
static u16 put_word(u8 **at, const char *text)
{
	size_t len = libvhdx_utf8_to_utf16(*at, 2 * strlen(text), text);

	*at += len;
	return (u16)len;
}

/* The new pairs; their strings are in w->raw. */
static int words_encode(struct words *w, struct vhdx_locator_pair *pairs)
{
	size_t bytes = 0;
	unsigned int i;
	u8 *at;

	for (i = 0; i < NR_KEYS; i++) {
		size_t len = w->value[i] ? 2 * strlen(w->value[i]) : 0;

		if (len > U16_MAX)
			return -ENAMETOOLONG;
		bytes += len + 2 * strlen(w->key[i]);
	}
	w->raw = malloc(bytes);
	if (!w->raw)
		return -ENOMEM;
	at = w->raw;
	for (i = 0; i < NR_KEYS; i++) {
		if (!w->value[i])
			continue;
		pairs[i].key = at;
		pairs[i].key_len = put_word(&at, w->key[i]);
		pairs[i].value = at;
		pairs[i].value_len = put_word(&at, w->value[i]);
	}
	return 0;
}

/* What was there, in its order, and then what was not there. */
static unsigned int pairs_merge(const struct vhdx_locator *old, const struct words *w,
				const struct vhdx_locator_pair *new,
				struct vhdx_locator_pair *pairs)
{
	bool done[NR_KEYS + 1] = { };
	unsigned int i, k, nr = 0;

	for (i = 0; i < old->nr; i++) {
		struct vhdx_locator_pair *p = &pairs[nr];

		vhdx_locator_pair(old, i, (const u8 **)&p->key, &p->key_len,
				  (const u8 **)&p->value, &p->value_len);
		k = words_find(w, p->key, p->key_len);
		done[k] = true;
		if (k < NR_KEYS && w->value[k])
			*p = new[k];
		nr += k == NR_KEYS || w->value[k];
	}
	for (k = 0; k < NR_KEYS; k++)
		if (!done[k] && w->value[k])
			pairs[nr++] = new[k];
	return nr;
}

/* The new locator, *@len bytes at *@buf for the caller to free. */
static int locator_make(const struct vhdx_locator *old, struct words *w, u8 **buf, u32 *len)
{
	struct vhdx_locator_pair new[NR_KEYS] = { }, *pairs;
	u32 size = VHDX_METADATA_MAX_ITEM;
	unsigned int nr;
	int err = words_encode(w, new);

	if (err)
		return err;
	pairs = calloc(old->nr + NR_KEYS, sizeof(*pairs));
	*buf = malloc(size);
	if (pairs && *buf) {
		nr = pairs_merge(old, w, new, pairs);
		*len = vhdx_locator_encode(*buf, size, pairs, nr);
	}
	err = !pairs || !*buf ? -ENOMEM : *len ? 0 : -ENAMETOOLONG;
	free(pairs);
	return err;
}

/* Pages that [@off, @off + @len) touches. */
static u32 pages_of(u64 off, u32 len)
{
	return (u32)(((off + len - 1) >> VHDX_LOG_SECTOR_SHIFT) -
		     (off >> VHDX_LOG_SECTOR_SHIFT) + 1);
}

/* Table and item go into one entry of the log. */
static int locator_store(struct libvhdx_journal *j, const u8 *locator, u32 len)
{
	const struct vhdx_regions *regions = &j->img.regions;
	void *table = j->img.metadata_table;
	u32 off = vhdx_metadata_table_resize(table, regions->meta_len,
					     VHDX_ITEM_PARENT_LOCATOR, len);
	int err;

	if (!off)
		return -EOVERFLOW;
	err = libvhdx_journal_reserve(j, pages_of(regions->meta_off, VHDX_METADATA_TABLE_SIZE) +
				      pages_of(regions->meta_off + off, len));
	if (!err)
		err = libvhdx_journal_set(j, regions->meta_off, table, VHDX_METADATA_TABLE_SIZE);
	if (!err)
		err = libvhdx_journal_set(j, regions->meta_off + off, locator, len);
	return err;
}

int libvhdx_relink(struct libvhdx_journal *j, const struct libvhdx_relink *want,
		   struct vhdx_finding *fd)
{
	struct words w;
	u8 *locator = NULL;
	u32 len = 0;
	int err = words_make(&w, want);

	if (!err)
		err = locator_make(&j->img.locator, &w, &locator, &len);
	words_free(&w);
	if (!err)
		err = libvhdx_journal_touch(j, NULL);
	if (!err)
		err = locator_store(j, locator, len);
	free(locator);
	if (!err)
		err = libvhdx_journal_clean(j);
	return err ? err : libvhdx_journal_reload(j, fd);
}
