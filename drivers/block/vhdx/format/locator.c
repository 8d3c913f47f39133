// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parent locator.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "locator.h"
#include "raw.h"

static const guid_t guid_type = VHDX_GUID_LOCATOR_TYPE_VHDX;

#define ENTRY_OFF(i)	(sizeof(struct vhdx_raw_locator) + \
			 (i) * sizeof(struct vhdx_raw_locator_entry))
#define ENTRY_FIELD(i, field) \
	(ENTRY_OFF(i) + offsetof(struct vhdx_raw_locator_entry, field))

/* A string of the item: UTF-16LE, maybe at an odd place. */
struct string {
	u32	off;
	u16	len;
};

static void entry_decode(const u8 *buf, unsigned int i, struct string *key,
			 struct string *value)
{
	struct vhdx_raw_locator_entry raw;

	memcpy(&raw, buf + ENTRY_OFF(i), sizeof(raw));
	key->off = le32_to_cpu(raw.key_offset);
	key->len = le16_to_cpu(raw.key_length);
	value->off = le32_to_cpu(raw.value_offset);
	value->len = le16_to_cpu(raw.value_length);
}

static bool has_nul(const u8 *p, u16 len)
{
	u16 i;

	for (i = 0; i < len; i += 2)
		if (!p[i] && !p[i + 1])
			return true;
	return false;
}

/*
 * One string of an item at file offset @off; @off_field and @len_field are
 * where the item says its place and its length.
 */
static enum vhdx_fault check_string(const struct vhdx_locator *loc, u64 off,
				    const struct string *s, u64 off_field,
				    u64 len_field, struct vhdx_finding *fd)
{
	u32 end;

	if (!s->off || check_add_overflow(s->off, (u32)s->len, &end) || end > loc->len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_ENTRY_RANGE,
				     off + off_field, s->off);
	if (!s->len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_ENTRY_RANGE,
				     off + len_field, 0);
	if (s->len & 1)
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_STRING,
				     off + len_field, s->len);
	if (has_nul(loc->buf + s->off, s->len))
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_STRING, off + s->off, 0);
	return VHDX_FAULT_NONE;
}

/* The key of pair @i, which passed check_string(), is new. */
static enum vhdx_fault check_key_is_new(const struct vhdx_locator *loc, u64 off,
					const struct string *key, unsigned int i,
					struct vhdx_finding *fd)
{
	struct string other, value;
	unsigned int k;

	for (k = 0; k < i; k++) {
		entry_decode(loc->buf, k, &other, &value);
		if (other.len == key->len &&
		    !memcmp(loc->buf + other.off, loc->buf + key->off, key->len))
			return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_DUPLICATE,
					     off + key->off, 0);
	}
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault check_pairs(const struct vhdx_locator *loc, u64 off,
				   struct vhdx_finding *fd)
{
	struct string key, value;
	enum vhdx_fault fault;
	unsigned int i;

	for (i = 0; i < loc->nr; i++) {
		entry_decode(loc->buf, i, &key, &value);
		fault = check_string(loc, off, &key, ENTRY_FIELD(i, key_offset),
				     ENTRY_FIELD(i, key_length), fd);
		if (!fault)
			fault = check_string(loc, off, &value,
					     ENTRY_FIELD(i, value_offset),
					     ENTRY_FIELD(i, value_length), fd);
		if (!fault)
			fault = check_key_is_new(loc, off, &key, i, fd);
		if (fault)
			return fault;
	}
	return VHDX_FAULT_NONE;
}

static int hex_digit(u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#define GUID_TEXT_CHARS	38	/* braces included */

/* Where each byte of the GUID stands in its text. */
static const u8 guid_text_pos[16] = {
	7, 5, 3, 1, 12, 10, 17, 15, 20, 22, 25, 27, 29, 31, 33, 35,
};

/* Spelling of the hexadecimal digits apart, there is one way to write it. */
static bool guid_decode(const u8 *p, u16 len, guid_t *guid)
{
	static const char frame[] = "{        -    -    -    -            }";
	unsigned int i;
	int high, low;

	if (len != 2 * GUID_TEXT_CHARS)
		return false;
	for (i = 0; i < GUID_TEXT_CHARS; i++)
		if (p[2 * i + 1] || (frame[i] != ' ' && p[2 * i] != (u8)frame[i]))
			return false;
	for (i = 0; i < sizeof(guid->b); i++) {
		high = hex_digit(p[2 * guid_text_pos[i]]);
		low = hex_digit(p[2 * guid_text_pos[i] + 2]);
		if (high < 0 || low < 0)
			return false;
		guid->b[i] = high << 4 | low;
	}
	return true;
}

/* A linkage that is absent leaves @guid null. */
static enum vhdx_fault linkage_decode(const struct vhdx_locator *loc, u64 off,
				      const char *key, guid_t *guid,
				      struct vhdx_finding *fd)
{
	u16 len;
	const u8 *value = vhdx_locator_find(loc, key, &len);

	if (value && !guid_decode(value, len, guid))
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_LINKAGE_GUID,
				     off + (value - loc->buf), 0);
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault check_keys(struct vhdx_locator *loc, u64 off,
				  struct vhdx_finding *fd)
{
	enum vhdx_fault fault;
	u16 len;

	if (!vhdx_locator_find(loc, VHDX_LOCATOR_LINKAGE, &len))
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_LINKAGE_MISSING, off, 0);
	fault = linkage_decode(loc, off, VHDX_LOCATOR_LINKAGE, &loc->linkage, fd);
	if (!fault)
		fault = linkage_decode(loc, off, VHDX_LOCATOR_LINKAGE2,
				       &loc->linkage2, fd);
	if (fault)
		return fault;
	if (!vhdx_locator_find(loc, VHDX_LOCATOR_RELATIVE, &len) &&
	    !vhdx_locator_find(loc, VHDX_LOCATOR_VOLUME, &len) &&
	    !vhdx_locator_find(loc, VHDX_LOCATOR_ABSOLUTE, &len))
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_PATH_MISSING, off, 0);
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_locator_decode(const void *buf, u32 len, u64 off,
				    struct vhdx_locator *loc,
				    struct vhdx_finding *fd)
{
	struct vhdx_raw_locator raw;
	enum vhdx_fault fault;

	memset(loc, 0, sizeof(*loc));
	if (len < sizeof(raw))
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_SHORT, off, len);
	memcpy(&raw, buf, sizeof(raw));
	if (!guid_equal(&raw.type, &guid_type))
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_TYPE, off, 0);
	loc->buf = buf;
	loc->len = len;
	loc->nr = le16_to_cpu(raw.key_value_count);
	if (!loc->nr || loc->nr > VHDX_LOCATOR_MAX_PAIRS)
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_COUNT,
				     off + offsetof(struct vhdx_raw_locator, key_value_count),
				     loc->nr);
	if (ENTRY_OFF(loc->nr) > len)
		return vhdx_fault_at(fd, VHDX_FAULT_LOCATOR_SHORT, off, len);
	fault = check_pairs(loc, off, fd);
	if (!fault)
		fault = check_keys(loc, off, fd);
	return fault;
}

static bool key_is(const u8 *p, u16 len, const char *key)
{
	u16 i;

	for (i = 0; i + 1 < len; i += 2, key++)
		if (!*key || p[i] != (u8)*key || p[i + 1])
			return false;
	return !*key;
}

const u8 *vhdx_locator_find(const struct vhdx_locator *loc, const char *key,
			    u16 *len)
{
	struct string k, value;
	unsigned int i;

	for (i = 0; i < loc->nr; i++) {
		entry_decode(loc->buf, i, &k, &value);
		if (key_is(loc->buf + k.off, k.len, key)) {
			*len = value.len;
			return loc->buf + value.off;
		}
	}
	return NULL;
}

void vhdx_locator_pair(const struct vhdx_locator *loc, unsigned int i,
		       const u8 **key, u16 *key_len,
		       const u8 **value, u16 *value_len)
{
	struct string k, v;

	entry_decode(loc->buf, i, &k, &v);
	*key = loc->buf + k.off;
	*key_len = k.len;
	*value = loc->buf + v.off;
	*value_len = v.len;
}

bool vhdx_locator_matches(const struct vhdx_locator *loc,
			  const guid_t *data_write_guid)
{
	if (guid_equal(&loc->linkage, data_write_guid))
		return true;
	return !guid_is_null(&loc->linkage2) &&
	       guid_equal(&loc->linkage2, data_write_guid);
}

static u32 put_string(void *buf, u32 off, const void *s, u16 len)
{
	memcpy((u8 *)buf + off, s, len);
	return off + len;
}

/* Entry @i of the pair whose strings begin at @off; where they end. */
static u32 pair_encode(void *buf, unsigned int i, const struct vhdx_locator_pair *pair,
		       u32 off)
{
	struct vhdx_raw_locator_entry raw = {
		.key_offset	= cpu_to_le32(off),
		.value_offset	= cpu_to_le32(off + pair->key_len),
		.key_length	= cpu_to_le16(pair->key_len),
		.value_length	= cpu_to_le16(pair->value_len),
	};

	memcpy((u8 *)buf + ENTRY_OFF(i), &raw, sizeof(raw));
	off = put_string(buf, off, pair->key, pair->key_len);
	return put_string(buf, off, pair->value, pair->value_len);
}

u32 vhdx_locator_encode(void *buf, u32 size, const struct vhdx_locator_pair *pairs,
			unsigned int nr)
{
	struct vhdx_raw_locator raw = {
		.type			= guid_type,
		.key_value_count	= cpu_to_le16(nr),
	};
	u32 len = ENTRY_OFF(nr);
	unsigned int i;

	if (!nr || nr > VHDX_LOCATOR_MAX_PAIRS)
		return 0;
	for (i = 0; i < nr; i++)
		len += (u32)pairs[i].key_len + pairs[i].value_len;
	if (len > size)
		return 0;
	memset(buf, 0, len);
	memcpy(buf, &raw, sizeof(raw));
	len = ENTRY_OFF(nr);
	for (i = 0; i < nr; i++)
		len = pair_encode(buf, i, &pairs[i], len);
	return len;
}
