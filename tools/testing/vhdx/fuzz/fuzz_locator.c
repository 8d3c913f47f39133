// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parent locator. Input: the item without its type; an empty input and
 * one that begins with 0xff have a damaged type as well.
 */
#include "format/locator.h"

#include "fuzz.h"

#define ITEM_OFF	0x211000

static const guid_t type = VHDX_GUID_LOCATOR_TYPE_VHDX;

/* The strings are inside of the item, whole characters, and not empty. */
static void check_pairs(const struct vhdx_locator *loc)
{
	const u8 *key, *value, *end = loc->buf + loc->len;
	u16 key_len, value_len;
	unsigned int i;

	for (i = 0; i < loc->nr; i++) {
		vhdx_locator_pair(loc, i, &key, &key_len, &value, &value_len);
		fuzz_assert(key_len && !(key_len & 1) && value_len && !(value_len & 1));
		fuzz_assert(key > loc->buf && key <= end && key_len <= end - key);
		fuzz_assert(value > loc->buf && value <= end && value_len <= end - value);
	}
}

static void check_accepted(const struct vhdx_locator *loc)
{
	static const char * const paths[] = {
		VHDX_LOCATOR_RELATIVE, VHDX_LOCATOR_VOLUME, VHDX_LOCATOR_ABSOLUTE,
	};
	bool path = false;
	size_t i;
	u16 len;

	fuzz_assert(loc->nr && loc->nr <= VHDX_LOCATOR_MAX_PAIRS);
	check_pairs(loc);
	fuzz_assert(vhdx_locator_find(loc, VHDX_LOCATOR_LINKAGE, &len) && len == 76);
	fuzz_assert(vhdx_locator_matches(loc, &loc->linkage));
	fuzz_assert(guid_is_null(&loc->linkage2) || vhdx_locator_matches(loc, &loc->linkage2));
	for (i = 0; i < ARRAY_SIZE(paths); i++)
		path |= !!vhdx_locator_find(loc, paths[i], &len);
	fuzz_assert(path);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	u32 len = sizeof(type) + size;
	struct vhdx_locator loc;
	struct vhdx_finding fd;
	enum vhdx_fault fault;
	u8 *item;

	/* Tight, so that a look behind the end shows. */
	item = fuzz_alloc(len);
	memcpy(item, &type, sizeof(type));
	if (size)
		memcpy(item + sizeof(type), data, size);
	if (!size || data[0] == 0xff)
		item[0] ^= 1;
	fault = vhdx_locator_decode(item, len, ITEM_OFF, &loc, &fd);
	fuzz_check_finding(fault, &fd);
	if (fault) {
		fuzz_assert(fd.off >= ITEM_OFF && fd.off <= ITEM_OFF + len);
	} else {
		fuzz_accept();
		check_accepted(&loc);
	}
	free(item);
	return 0;
}
