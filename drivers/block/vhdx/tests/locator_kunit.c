// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parent locator: pairs of UTF-16 strings whose offsets and lengths
 * somebody else wrote.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/locator.h"
#include "format/raw.h"

#include "craft.h"

#define ITEM_OFF	0x211000	/* file offset of the item */
#define MAX_LEN		65536

#define LINKAGE_TEXT	"{83ed0ec5-24c8-49a6-a959-5e4bd1288480}"
#define LINKAGE \
	GUID_INIT(0x83ed0ec5, 0x24c8, 0x49a6, 0xa9, 0x59, 0x5e, 0x4b, 0xd1, 0x28, 0x84, 0x80)
#define LINKAGE2_TEXT	"{01234567-89AB-CDEF-0123-456789ABCDEF}"
#define LINKAGE2 \
	GUID_INIT(0x01234567, 0x89ab, 0xcdef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef)

struct pair {
	const char	*key;
	const char	*value;
};

/* The item under construction: @used bytes of it hold something. */
struct item {
	struct vhdx_locator	loc;
	struct vhdx_finding	fd;
	u8			*buf;
	u32			used;
	unsigned int		nr;
};

static struct vhdx_raw_locator_entry *item_entry(struct item *item, unsigned int i)
{
	return (void *)(item->buf + 20 + 12 * i);
}

static u16 item_text(struct item *item, const char *text)
{
	u32 start = item->used;

	for (; *text; text++) {
		item->buf[item->used++] = *text;
		item->buf[item->used++] = 0;
	}
	return item->used - start;
}

static void item_pair(struct item *item, unsigned int i, const struct pair *pair)
{
	struct vhdx_raw_locator_entry *e = item_entry(item, i);

	e->key_offset = cpu_to_le32(item->used);
	e->key_length = cpu_to_le16(item_text(item, pair->key));
	e->value_offset = cpu_to_le32(item->used);
	e->value_length = cpu_to_le16(item_text(item, pair->value));
}

static struct item *item_init(struct kunit *test, const struct pair *pairs, unsigned int nr)
{
	struct item *item = kunit_kzalloc(test, sizeof(*item), GFP_KERNEL);
	struct vhdx_raw_locator *raw;
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, item);
	item->buf = kunit_kzalloc(test, MAX_LEN, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, item->buf);
	raw = (void *)item->buf;
	raw->type = VHDX_GUID_LOCATOR_TYPE_VHDX;
	raw->key_value_count = cpu_to_le16(nr);
	item->used = 20 + 12 * nr;
	item->nr = nr;
	for (i = 0; i < nr; i++)
		item_pair(item, i, &pairs[i]);
	return item;
}

/*
 * The bytes are moved to the end of a tight allocation, so that KASAN and
 * ASan see a look at what follows.
 */
static enum vhdx_fault item_decode(struct kunit *test, struct item *item)
{
	u8 *tight = kunit_kzalloc(test, item->used ?: 1, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tight);
	memcpy(tight, item->buf, item->used);
	memset(&item->fd, 0xa5, sizeof(item->fd));
	return vhdx_locator_decode(tight, item->used, ITEM_OFF, &item->loc, &item->fd);
}

static void item_expect(struct kunit *test, struct item *item, enum vhdx_fault fault, u32 off)
{
	KUNIT_EXPECT_EQ(test, item_decode(test, item), fault);
	if (!fault)
		return;
	KUNIT_EXPECT_EQ(test, item->fd.fault, fault);
	KUNIT_EXPECT_EQ(test, item->fd.off, ITEM_OFF + off);
}

static const struct pair usual[] = {
	{ "parent_linkage", LINKAGE_TEXT },
	{ "relative_path", "..\\base\\parent.vhdx" },
	{ "volume_path", "\\\\?\\Volume{0}\\parent.vhdx" },
	{ "absolute_win32_path", "\\\\?\\d:\\parent.vhdx" },
};

static struct item *item_usual(struct kunit *test)
{
	return item_init(test, usual, ARRAY_SIZE(usual));
}

static bool same_text(const u8 *utf16, u16 len, const char *ascii)
{
	u16 i;

	if (len != 2 * strlen(ascii))
		return false;
	for (i = 0; i < len; i++)
		if (utf16[i] != (i % 2 ? 0 : ascii[i / 2]))
			return false;
	return true;
}

static void locator_usual_test(struct kunit *test)
{
	struct item *item = item_usual(test);
	const u8 *key, *value;
	u16 key_len, len;
	unsigned int i;

	item_expect(test, item, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_EQ(test, item->loc.nr, 4);
	KUNIT_EXPECT_EQ(test, item->loc.len, item->used);
	KUNIT_EXPECT_TRUE(test, guid_equal(&item->loc.linkage, &LINKAGE));
	KUNIT_EXPECT_TRUE(test, guid_is_null(&item->loc.linkage2));
	for (i = 0; i < ARRAY_SIZE(usual); i++) {
		vhdx_locator_pair(&item->loc, i, &key, &key_len, &value, &len);
		KUNIT_EXPECT_TRUE(test, same_text(key, key_len, usual[i].key));
		KUNIT_EXPECT_TRUE(test, same_text(value, len, usual[i].value));
		value = vhdx_locator_find(&item->loc, usual[i].key, &len);
		KUNIT_ASSERT_NOT_NULL(test, value);
		KUNIT_EXPECT_TRUE(test, same_text(value, len, usual[i].value));
	}
}

/* A prefix, a longer word and another case are other keys. */
static void locator_find_test(struct kunit *test)
{
	struct item *item = item_usual(test);
	u16 len;

	item_expect(test, item, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_TRUE(test, !vhdx_locator_find(&item->loc, "parent_link", &len));
	KUNIT_EXPECT_TRUE(test, !vhdx_locator_find(&item->loc, "parent_linkage2", &len));
	KUNIT_EXPECT_TRUE(test, !vhdx_locator_find(&item->loc, "Relative_path", &len));
	KUNIT_EXPECT_TRUE(test, !vhdx_locator_find(&item->loc, "", &len));
}

static void locator_matches_test(struct kunit *test)
{
	static const struct pair both[] = {
		{ "parent_linkage2", LINKAGE2_TEXT },
		{ "relative_path", "p" },
		{ "parent_linkage", LINKAGE_TEXT },
	};
	struct item *item = item_usual(test);
	guid_t null = {};

	item_expect(test, item, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_TRUE(test, vhdx_locator_matches(&item->loc, &LINKAGE));
	KUNIT_EXPECT_FALSE(test, vhdx_locator_matches(&item->loc, &LINKAGE2));
	KUNIT_EXPECT_FALSE(test, vhdx_locator_matches(&item->loc, &null));

	item = item_init(test, both, ARRAY_SIZE(both));
	item_expect(test, item, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_TRUE(test, guid_equal(&item->loc.linkage2, &LINKAGE2));
	KUNIT_EXPECT_TRUE(test, vhdx_locator_matches(&item->loc, &LINKAGE));
	KUNIT_EXPECT_TRUE(test, vhdx_locator_matches(&item->loc, &LINKAGE2));
	KUNIT_EXPECT_FALSE(test, vhdx_locator_matches(&item->loc, &null));
}

/* A parent with a null DataWriteGuid, as makevhdx leaves them, can be named. */
static void locator_null_linkage_test(struct kunit *test)
{
	static const struct pair pairs[] = {
		{ "parent_linkage", "{00000000-0000-0000-0000-000000000000}" },
		{ "relative_path", "p" },
	};
	struct item *item = item_init(test, pairs, ARRAY_SIZE(pairs));
	guid_t null = {};

	item_expect(test, item, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_TRUE(test, vhdx_locator_matches(&item->loc, &null));
}

/* One value for parent_linkage; upper and lower case are the same GUID. */
struct linkage_case {
	const char	*name;
	const char	*text;
	bool		good;
};

static const struct linkage_case linkage_cases[] = {
	{ "lower case", LINKAGE_TEXT, true },
	{ "upper case", "{83ED0EC5-24C8-49A6-A959-5E4BD1288480}", true },
	{ "mixed case", "{83ed0EC5-24c8-49A6-a959-5E4Bd1288480}", true },
	{ "no braces", "83ed0ec5-24c8-49a6-a959-5e4bd1288480" },
	{ "round braces", "(83ed0ec5-24c8-49a6-a959-5e4bd1288480)" },
	{ "one brace", "{83ed0ec5-24c8-49a6-a959-5e4bd12884800" },
	{ "too short", "{83ed0ec5-24c8-49a6-a959-5e4bd128848}" },
	{ "too long", "{83ed0ec5-24c8-49a6-a959-5e4bd12884801}" },
	{ "text behind", LINKAGE_TEXT " " },
	{ "no dashes", "{83ed0ec5024c8049a60a95905e4bd1288480}" },
	{ "dash elsewhere", "{83ed0ec-524c8-49a6-a959-5e4bd1288480}" },
	{ "no hex digit", "{83ed0ec5-24c8-49a6-a959-5e4bd128848g}" },
	{ "between 9 and A", "{83ed0ec5-24c8-49a6-a959-5e4bd128848:}" },
	{ "one character", "{" },
};

static void linkage_desc(const struct linkage_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(linkage, linkage_cases, linkage_desc);

static void locator_linkage_test(struct kunit *test)
{
	const struct linkage_case *c = test->param_value;
	struct pair pairs[] = {
		{ "parent_linkage", c->text },
		{ "relative_path", "p" },
		{ "parent_linkage2", LINKAGE2_TEXT },
	};
	struct item *item = item_init(test, pairs, ARRAY_SIZE(pairs));
	u32 value = le32_to_cpu(item_entry(item, 0)->value_offset);

	item_expect(test, item, c->good ? 0 : VHDX_FAULT_LOCATOR_LINKAGE_GUID, value);
	if (c->good)
		KUNIT_EXPECT_TRUE(test, guid_equal(&item->loc.linkage, &LINKAGE));

	pairs[0].value = LINKAGE_TEXT;
	pairs[2].value = c->text;
	item = item_init(test, pairs, ARRAY_SIZE(pairs));
	value = le32_to_cpu(item_entry(item, 2)->value_offset);
	item_expect(test, item, c->good ? 0 : VHDX_FAULT_LOCATOR_LINKAGE_GUID, value);
}

/* A character beyond ASCII whose low byte would do. */
static void locator_linkage_wide_test(struct kunit *test)
{
	struct item *item = item_usual(test);
	u32 value = le32_to_cpu(item_entry(item, 0)->value_offset);

	item->buf[value + 3] = 1;
	item_expect(test, item, VHDX_FAULT_LOCATOR_LINKAGE_GUID, value);
}

/* Which keys have to be there. */
struct keys_case {
	const char	*name;
	struct pair	pairs[3];
	unsigned int	nr;
	enum vhdx_fault	fault;
};

static const struct keys_case keys_cases[] = {
	{ "relative", { { "parent_linkage", LINKAGE_TEXT }, { "relative_path", "a" } }, 2 },
	{ "volume", { { "volume_path", "a" }, { "parent_linkage", LINKAGE_TEXT } }, 2 },
	{ "absolute", { { "parent_linkage", LINKAGE_TEXT }, { "absolute_win32_path", "a" } }, 2 },
	{ "unknown key", { { "colour", "blue" }, { "parent_linkage", LINKAGE_TEXT },
			   { "relative_path", "a" } }, 3 },
	{ "key in another case", { { "Parent_Linkage", "x" }, { "parent_linkage", LINKAGE_TEXT },
				   { "relative_path", "a" } }, 3 },
	{ "no linkage", { { "relative_path", "a" }, { "volume_path", "b" } }, 2,
	  VHDX_FAULT_LOCATOR_LINKAGE_MISSING },
	{ "only the second linkage", { { "parent_linkage2", LINKAGE_TEXT },
				       { "relative_path", "a" } }, 2,
	  VHDX_FAULT_LOCATOR_LINKAGE_MISSING },
	{ "linkage in upper case", { { "PARENT_LINKAGE", LINKAGE_TEXT },
				     { "relative_path", "a" } }, 2,
	  VHDX_FAULT_LOCATOR_LINKAGE_MISSING },
	{ "no path", { { "parent_linkage", LINKAGE_TEXT } }, 1,
	  VHDX_FAULT_LOCATOR_PATH_MISSING },
	{ "path in upper case", { { "parent_linkage", LINKAGE_TEXT },
				  { "RELATIVE_PATH", "a" } }, 2,
	  VHDX_FAULT_LOCATOR_PATH_MISSING },
};

static void keys_desc(const struct keys_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(keys, keys_cases, keys_desc);

static void locator_keys_test(struct kunit *test)
{
	const struct keys_case *c = test->param_value;
	struct item *item = item_init(test, c->pairs, c->nr);

	item_expect(test, item, c->fault, 0);
}

static void locator_duplicate_test(struct kunit *test)
{
	static const struct pair pairs[] = {
		{ "parent_linkage", LINKAGE_TEXT },
		{ "relative_path", "a" },
		{ "relative_path", "a" },
	};
	struct item *item = item_init(test, pairs, ARRAY_SIZE(pairs));
	u32 key = le32_to_cpu(item_entry(item, 2)->key_offset);

	item_expect(test, item, VHDX_FAULT_LOCATOR_DUPLICATE, key);
	/* Two entries may even share the bytes of their key. */
	*item_entry(item, 2) = *item_entry(item, 1);
	key = le32_to_cpu(item_entry(item, 1)->key_offset);
	item_expect(test, item, VHDX_FAULT_LOCATOR_DUPLICATE, key);
}

static void locator_type_test(struct kunit *test)
{
	struct item *item = item_usual(test);
	int i;

	for (i = 0; i < 128; i++) {
		item->buf[i / 8] ^= 1 << (i % 8);
		item_expect(test, item, VHDX_FAULT_LOCATOR_TYPE, 0);
		item->buf[i / 8] ^= 1 << (i % 8);
	}
	item->buf[16] = 0xff;	/* reserved */
	item_expect(test, item, VHDX_FAULT_NONE, 0);
}

static void locator_short_test(struct kunit *test)
{
	struct item *item = item_usual(test);

	for (item->used = 0; item->used < 20; item->used++)
		item_expect(test, item, VHDX_FAULT_LOCATOR_SHORT, 0);
	for (; item->used < 20 + 12 * 4; item->used++)
		KUNIT_EXPECT_EQ(test, item_decode(test, item), VHDX_FAULT_LOCATOR_SHORT);
	KUNIT_EXPECT_EQ(test, item_decode(test, item), VHDX_FAULT_LOCATOR_ENTRY_RANGE);
}

/* Up to 256 pairs; here they share two strings and differ in the key's length. */
static struct item *item_crowd(struct kunit *test, unsigned int nr)
{
	struct item *item = item_init(test, usual, 0);
	struct vhdx_raw_locator_entry *e;
	unsigned int i;
	u32 text;

	((struct vhdx_raw_locator *)item->buf)->key_value_count = cpu_to_le16(nr);
	item->used = 20 + 12 * nr;
	item_pair(item, 0, &usual[0]);
	item_pair(item, 1, &usual[1]);
	text = item->used;
	for (i = 0; i < 2 * nr; i++)
		item->buf[item->used++] = 'k';
	for (i = 2; i < nr; i++) {
		e = item_entry(item, i);
		e->key_offset = cpu_to_le32(text);
		e->key_length = cpu_to_le16(2 * i);
		e->value_offset = cpu_to_le32(text);
		e->value_length = cpu_to_le16(2);
	}
	return item;
}

static void locator_count_test(struct kunit *test)
{
	struct item *item = item_crowd(test, 256);
	struct vhdx_raw_locator *raw = (void *)item->buf;
	static const u16 bad[] = { 0, 257, 0x8000, 0xffff };
	size_t i;

	item_expect(test, item, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_EQ(test, item->loc.nr, 256);
	item->used = MAX_LEN;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		raw->key_value_count = cpu_to_le16(bad[i]);
		item_expect(test, item, VHDX_FAULT_LOCATOR_COUNT, 18);
		KUNIT_EXPECT_EQ(test, item->fd.value, bad[i]);
	}
}

/* Entry 1 of the usual four with its numbers replaced; 0 leaves one alone. */
struct range_case {
	const char	*name;
	bool		value;		/* the value's numbers, not the key's */
	u32		off;
	u16		len;
	bool		zero_off;
	bool		zero_len;
	bool		at_len;		/* the length is the field that is wrong */
	enum vhdx_fault	fault;
};

#define RANGE	VHDX_FAULT_LOCATOR_ENTRY_RANGE

static const struct range_case range_cases[] = {
	{ "key at 0", false, 0, 0, true, false, false, RANGE },
	{ "value at 0", true, 0, 0, true, false, false, RANGE },
	{ "empty key", false, 0, 0, false, true, true, RANGE },
	{ "empty value", true, 0, 0, false, true, true, RANGE },
	{ "key behind the item", false, MAX_LEN, 26, false, false, false, RANGE },
	{ "value behind the item", true, MAX_LEN, 2, false, false, false, RANGE },
	{ "key's sum overflows", false, 0xffffffff, 26, false, false, false, RANGE },
	{ "value's sum overflows", true, 0xfffffffe, 4, false, false, false, RANGE },
	{ "key far away", false, 0x80000000, 26, false, false, false, RANGE },
	{ "value too long", true, 0, 0xfffe, false, false, false, RANGE },
};

static void range_desc(const struct range_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(range, range_cases, range_desc);

static void locator_range_test(struct kunit *test)
{
	const struct range_case *c = test->param_value;
	struct item *item = item_usual(test);
	struct vhdx_raw_locator_entry *e = item_entry(item, 1);
	__le32 *off = c->value ? &e->value_offset : &e->key_offset;
	__le16 *len = c->value ? &e->value_length : &e->key_length;
	u32 where;

	if (c->off || c->zero_off)
		*off = cpu_to_le32(c->off);
	if (c->len || c->zero_len)
		*len = cpu_to_le16(c->len);
	where = c->at_len ? (u8 *)len - item->buf : (u8 *)off - item->buf;
	item_expect(test, item, c->fault, where);
}

/* The last string ends exactly with the item; a byte less is too few. */
static void locator_tight_test(struct kunit *test)
{
	struct item *item = item_usual(test);

	item_expect(test, item, VHDX_FAULT_NONE, 0);
	item->used--;
	item_expect(test, item, RANGE, 20 + 3 * 12 + 4);
}

/* Odd offsets are unusual but legal. */
static void locator_unaligned_test(struct kunit *test)
{
	struct item *item = item_init(test, usual, 0);
	u16 len;

	((struct vhdx_raw_locator *)item->buf)->key_value_count = cpu_to_le16(2);
	item->used = 20 + 24 + 1;
	item_pair(item, 0, &usual[0]);
	item_pair(item, 1, &usual[1]);
	item_expect(test, item, VHDX_FAULT_NONE, 0);
	KUNIT_EXPECT_TRUE(test, guid_equal(&item->loc.linkage, &LINKAGE));
	KUNIT_EXPECT_NOT_NULL(test, vhdx_locator_find(&item->loc, "relative_path", &len));
}

/* Odd lengths and NULs, in a key and in a value. */
static void locator_string_test(struct kunit *test)
{
	struct item *item;
	u32 key, value;

	item = item_usual(test);
	item_entry(item, 1)->key_length = cpu_to_le16(25);
	item_expect(test, item, VHDX_FAULT_LOCATOR_STRING, 20 + 12 + 8);
	item = item_usual(test);
	item_entry(item, 1)->value_length = cpu_to_le16(1);
	item_expect(test, item, VHDX_FAULT_LOCATOR_STRING, 20 + 12 + 10);

	item = item_usual(test);
	key = le32_to_cpu(item_entry(item, 1)->key_offset);
	item->buf[key + 4] = 0;
	item_expect(test, item, VHDX_FAULT_LOCATOR_STRING, key);
	item = item_usual(test);
	value = le32_to_cpu(item_entry(item, 1)->value_offset);
	item->buf[value + 2] = 0;
	item_expect(test, item, VHDX_FAULT_LOCATOR_STRING, value);
}

/* A zero byte is no NUL: U+0100 and U+0001 have one each. */
static void locator_zero_byte_test(struct kunit *test)
{
	struct item *item = item_usual(test);
	u32 value = le32_to_cpu(item_entry(item, 1)->value_offset);

	item->buf[value] = 0;
	item->buf[value + 1] = 1;
	item->buf[value + 2] = 1;
	item->buf[value + 3] = 0;
	item_expect(test, item, VHDX_FAULT_NONE, 0);
}

/* What was encoded is decoded to the same, and is not longer than it says. */
static void locator_encode_test(struct kunit *test)
{
	struct item *in = item_usual(test);
	u8 *buf = kunit_kzalloc(test, MAX_LEN, GFP_KERNEL);
	struct vhdx_locator_pair pairs[8] = { };
	const u8 *key, *value;
	u16 key_len, value_len;
	struct vhdx_locator out;
	unsigned int i;
	u32 len;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, item_decode(test, in), VHDX_FAULT_NONE);
	KUNIT_ASSERT_LE(test, in->nr, ARRAY_SIZE(pairs));
	for (i = 0; i < in->nr; i++)
		vhdx_locator_pair(&in->loc, i, (const u8 **)&pairs[i].key,
				  &pairs[i].key_len, (const u8 **)&pairs[i].value,
				  &pairs[i].value_len);
	memset(buf, 0xa5, MAX_LEN);
	len = vhdx_locator_encode(buf, MAX_LEN, pairs, in->nr);
	KUNIT_EXPECT_EQ(test, len, in->used);
	KUNIT_EXPECT_EQ(test, buf[len], 0xa5);
	KUNIT_ASSERT_EQ(test, vhdx_locator_decode(buf, len, ITEM_OFF, &out, NULL),
			VHDX_FAULT_NONE);
	KUNIT_EXPECT_TRUE(test, guid_equal(&out.linkage, &in->loc.linkage));
	KUNIT_EXPECT_EQ(test, out.nr, in->nr);
	for (i = 0; i < out.nr; i++) {
		vhdx_locator_pair(&out, i, &key, &key_len, &value, &value_len);
		KUNIT_EXPECT_EQ(test, (key - buf) & 1, 0);
		KUNIT_EXPECT_EQ(test, (value - buf) & 1, 0);
		KUNIT_ASSERT_EQ(test, key_len, pairs[i].key_len);
		KUNIT_ASSERT_EQ(test, value_len, pairs[i].value_len);
		KUNIT_EXPECT_EQ(test, memcmp(key, pairs[i].key, key_len), 0);
		KUNIT_EXPECT_EQ(test, memcmp(value, pairs[i].value, value_len), 0);
	}
	KUNIT_EXPECT_EQ(test, vhdx_locator_encode(buf, len, pairs, in->nr), len);
	KUNIT_EXPECT_EQ(test, vhdx_locator_encode(buf, len - 1, pairs, in->nr), 0);
	KUNIT_EXPECT_EQ(test, vhdx_locator_encode(buf, MAX_LEN, pairs, 0), 0);
	KUNIT_EXPECT_EQ(test, vhdx_locator_encode(buf, MAX_LEN, pairs, 257), 0);
}

static struct kunit_case locator_cases[] = {
	KUNIT_CASE(locator_usual_test),
	KUNIT_CASE(locator_find_test),
	KUNIT_CASE(locator_matches_test),
	KUNIT_CASE(locator_encode_test),
	KUNIT_CASE(locator_null_linkage_test),
	KUNIT_CASE_PARAM(locator_linkage_test, linkage_gen_params),
	KUNIT_CASE(locator_linkage_wide_test),
	KUNIT_CASE_PARAM(locator_keys_test, keys_gen_params),
	KUNIT_CASE(locator_duplicate_test),
	KUNIT_CASE(locator_type_test),
	KUNIT_CASE(locator_short_test),
	KUNIT_CASE(locator_count_test),
	KUNIT_CASE_PARAM(locator_range_test, range_gen_params),
	KUNIT_CASE(locator_tight_test),
	KUNIT_CASE(locator_unaligned_test),
	KUNIT_CASE(locator_string_test),
	KUNIT_CASE(locator_zero_byte_test),
	{}
};

static struct kunit_suite locator_suite = {
	.name = "vhdx_locator",
	.test_cases = locator_cases,
};

kunit_test_suite(locator_suite);
