/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parent locator, [MS-VHDX] 2.6.2.6: pairs of UTF-16 strings that say
 * which file the parent is and where it was.
 *
 * The kernel looks only at the linkage; paths are resolved in user space.
 */
#ifndef VHDX_FORMAT_LOCATOR_H
#define VHDX_FORMAT_LOCATOR_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "fault.h"

#define VHDX_LOCATOR_MAX_PAIRS	256

#define VHDX_LOCATOR_LINKAGE	"parent_linkage"
#define VHDX_LOCATOR_LINKAGE2	"parent_linkage2"
#define VHDX_LOCATOR_RELATIVE	"relative_path"
#define VHDX_LOCATOR_VOLUME	"volume_path"
#define VHDX_LOCATOR_ABSOLUTE	"absolute_win32_path"

/**
 * struct vhdx_locator - a checked locator
 * @buf: the item's bytes, owned by the caller
 * @len: their number
 * @nr: key-value pairs
 * @linkage: parent_linkage
 * @linkage2: parent_linkage2, null when absent
 */
struct vhdx_locator {
	const u8	*buf;
	u32		len;
	unsigned int	nr;
	guid_t		linkage;
	guid_t		linkage2;
};

/*
 * Check the item of @len bytes at @buf that was read from file offset @off:
 * type, count, every entry's range and strings, duplicate keys, linkage, and
 * that one path is there. @buf must outlive @loc.
 */
enum vhdx_fault vhdx_locator_decode(const void *buf, u32 len, u64 off,
				    struct vhdx_locator *loc,
				    struct vhdx_finding *fd);

/*
 * Find the ASCII @key: a pointer to the value's UTF-16LE bytes (maybe
 * unaligned) and their number in *@len, or NULL.
 */
const u8 *vhdx_locator_find(const struct vhdx_locator *loc, const char *key,
			    u16 *len);

/* Pair @i: pointers into the item and lengths in bytes. */
void vhdx_locator_pair(const struct vhdx_locator *loc, unsigned int i,
		       const u8 **key, u16 *key_len,
		       const u8 **value, u16 *value_len);

/**
 * struct vhdx_locator_pair - one pair of a new locator, in UTF-16LE
 * @key: without a terminator
 * @value: the same
 * @key_len: bytes, even and not 0
 * @value_len: the same
 */
struct vhdx_locator_pair {
	const void	*key;
	const void	*value;
	u16		key_len;
	u16		value_len;
};

/*
 * Encode a locator of the @nr pairs into @buf of @size bytes: the entries, then
 * the strings in their order, each at an even offset. Returns its length, or 0
 * when it does not fit.
 */
u32 vhdx_locator_encode(void *buf, u32 size, const struct vhdx_locator_pair *pairs,
			unsigned int nr);

/* Does a parent whose header has @data_write_guid match? */
bool vhdx_locator_matches(const struct vhdx_locator *loc,
			  const guid_t *data_write_guid);

#endif
