// SPDX-License-Identifier: GPL-2.0-only
/*
 * The printers: lines of a name and a value, the right numbers in them, and
 * the manners of snprintf() when the buffer is too short.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "format/bat.h"
#include "format/fault.h"
#include "format/geometry.h"
#include "format/header.h"
#include "format/log_entry.h"
#include "format/log_scan.h"
#include "format/metadata.h"
#include "format/raw.h"
#include "format/region.h"
#include "format/text.h"

#define GUID1_TEXT	"83ed0ec5-24c8-49a6-a959-5e4bd1288480"
#define GUID1 \
	GUID_INIT(0x83ed0ec5, 0x24c8, 0x49a6, 0xa9, 0x59, 0x5e, 0x4b, 0xd1, 0x28, 0x84, 0x80)
#define GUID2_TEXT	"01234567-89ab-cdef-0123-456789abcdef"
#define GUID2 \
	GUID_INIT(0x01234567, 0x89ab, 0xcdef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef)

#define TEXT_MAX	4096

static const struct vhdx_finding finding = {
	.fault = VHDX_FAULT_BAT_OVERLAP, .off = 0x300010, .value = 0x1d00006,
};

static const struct vhdx_header header = {
	.seq = 4242, .file_write_guid = GUID1, .data_write_guid = GUID2,
	.log_off = 0x100000, .log_len = 0x700000, .version = 1,
};

static const struct vhdx_region region = {
	.guid = GUID1, .off = 0x300000, .len = 0x500000, .required = true,
};

static const struct vhdx_metadata metadata = {
	.type = VHDX_DISK_DIFFERENCING, .disk_size = 1ULL << 40, .disk_id = GUID2,
	.block_size = SZ_2M, .logical_size = 512, .physical_size = 4096, .has_parent = true,
};

static const struct vhdx_geometry geometry = {
	.disk_size = 1ULL << 40, .nr_blocks = 524288, .nr_chunks = 256, .nr_entries = 524543,
	.bat_off = 0x300000, .block_shift = 21, .sector_shift = 9, .chunk_shift = 11,
};

static const struct vhdx_log_entry entry = {
	.seq = 123456789012345ULL, .flushed_off = 0x400000, .last_off = 0x6400000,
	.len = 8192, .tail = 0x7000, .nr_desc = 17, .desc_len = 4096,
};

static const struct vhdx_log_desc desc_data = { .off = 0x341000, .len = 4096 };
static const struct vhdx_log_desc desc_zero = { .off = 0x500000, .len = 0x100000, .zero = true };

static const struct vhdx_log_sequence sequence = {
	.tail = 0x3000, .head = 0x9000, .next = 0xb000, .nr = 4, .nr_desc = 99,
	.tail_seq = 1001, .head_seq = 1004, .flushed_off = 0x400000, .last_off = 0x800000,
};

static const struct vhdx_bat_entry block = { .off = 0x400000, .state = 6 };

static int print_finding(char *buf, size_t size)
{
	return vhdx_finding_to_text(buf, size, &finding);
}

static int print_header(char *buf, size_t size)
{
	return vhdx_header_to_text(buf, size, &header);
}

static int print_region(char *buf, size_t size)
{
	return vhdx_region_to_text(buf, size, &region);
}

static int print_metadata(char *buf, size_t size)
{
	return vhdx_metadata_to_text(buf, size, &metadata);
}

static int print_geometry(char *buf, size_t size)
{
	return vhdx_geometry_to_text(buf, size, &geometry);
}

static int print_entry(char *buf, size_t size)
{
	return vhdx_log_entry_to_text(buf, size, &entry);
}

static int print_data(char *buf, size_t size)
{
	return vhdx_log_desc_to_text(buf, size, &desc_data);
}

static int print_zero(char *buf, size_t size)
{
	return vhdx_log_desc_to_text(buf, size, &desc_zero);
}

static int print_sequence(char *buf, size_t size)
{
	return vhdx_log_sequence_to_text(buf, size, &sequence);
}

static int print_block(char *buf, size_t size)
{
	return vhdx_bat_entry_to_text(buf, size, &block, false);
}

/* Every printer, whether it makes lines, and some of what must be in there. */
struct printer_case {
	const char	*name;
	int		(*print)(char *buf, size_t size);
	bool		lines;
	const char	*parts[6];
};

static const struct printer_case printer_cases[] = {
	{ "finding", print_finding, false, { "bat-overlap", "0x300010", "0x1d00006" } },
	{ "header", print_header, true, { "4242", GUID1_TEXT, GUID2_TEXT } },
	{ "region", print_region, true, { GUID1_TEXT, "0x300000" } },
	{ "metadata", print_metadata, true, { "differencing", GUID2_TEXT, "512", "4096" } },
	{ "geometry", print_geometry, true, { "524288", "524543", "256" } },
	{ "log entry", print_entry, true, { "123456789012345", "17" } },
	{ "data descriptor", print_data, true, { "0x341000", "data" } },
	{ "zero descriptor", print_zero, true, { "0x500000", "zero" } },
	{ "sequence", print_sequence, true, { "1001", "1004", "99" } },
	{ "BAT entry", print_block, false, { "fully-present 0x400000" } },
};

static void printer_desc(const struct printer_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(printer, printer_cases, printer_desc);

/* Each line is a name, blanks and a value; the last one is ended too. */
static bool lines_good(const char *text)
{
	const char *end, *blank;

	if (!*text)
		return false;
	for (; *text; text = end + 1) {
		end = strchr(text, '\n');
		blank = strchr(text, ' ');
		if (!end || !blank || blank == text || blank + 1 >= end)
			return false;
	}
	return true;
}

static void text_content_test(struct kunit *test)
{
	const struct printer_case *c = test->param_value;
	char *buf = kunit_kzalloc(test, TEXT_MAX, GFP_KERNEL);
	size_t i;
	int len;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	len = c->print(buf, TEXT_MAX);
	KUNIT_ASSERT_GT(test, len, 0);
	KUNIT_ASSERT_LT(test, len, TEXT_MAX);
	KUNIT_EXPECT_EQ(test, strlen(buf), (size_t)len);
	for (i = 0; i < ARRAY_SIZE(c->parts) && c->parts[i]; i++)
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(buf, c->parts[i]),
					  "%s is not in: %s", c->parts[i], buf);
	if (c->lines)
		KUNIT_EXPECT_TRUE_MSG(test, lines_good(buf), "%s", buf);
	else
		KUNIT_EXPECT_TRUE(test, !strchr(buf, '\n'));
}

/* A buffer of any size is filled as far as it goes, and never beyond. */
static void text_size_test(struct kunit *test)
{
	const struct printer_case *c = test->param_value;
	char *whole = kunit_kzalloc(test, TEXT_MAX, GFP_KERNEL);
	char *part = kunit_kzalloc(test, TEXT_MAX, GFP_KERNEL);
	int len, size, wrong = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, whole);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, part);
	len = c->print(whole, TEXT_MAX);
	for (size = 0; size <= len + 1; size++) {
		memset(part, 0x7f, TEXT_MAX);
		wrong += c->print(part, size) != len;
		wrong += part[size] != 0x7f;
		if (!size)
			continue;
		wrong += strlen(part) != (size_t)size - 1;
		wrong += strncmp(part, whole, size - 1) != 0;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, c->print(NULL, 0), len);
}

static void text_finding_test(struct kunit *test)
{
	struct vhdx_finding fd = { .fault = VHDX_FAULT_REGION_UNKNOWN, .off = 0x30050 };
	char buf[400], want[400];

	print_finding(buf, sizeof(buf));
	snprintf(want, sizeof(want), "bat-overlap at 0x300010: %s (found 0x1d00006)",
		 vhdx_fault_text(VHDX_FAULT_BAT_OVERLAP));
	KUNIT_EXPECT_STREQ(test, buf, want);

	fd.guid = GUID1;
	vhdx_finding_to_text(buf, sizeof(buf), &fd);
	KUNIT_EXPECT_TRUE(test, strstr(buf, "region-unknown at 0x30050: ") == buf);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(buf, GUID1_TEXT), "%s", buf);
}

/* A sector bitmap's states have names of their own. */
static void text_bat_test(struct kunit *test)
{
	struct vhdx_bat_entry e = {};
	char buf[80];

	vhdx_bat_entry_to_text(buf, sizeof(buf), &e, false);
	KUNIT_EXPECT_STREQ(test, buf, "not-present");
	e = (struct vhdx_bat_entry){ .off = 0x7fffff00000ULL, .state = 7 };
	vhdx_bat_entry_to_text(buf, sizeof(buf), &e, false);
	KUNIT_EXPECT_STREQ(test, buf, "partially-present 0x7fffff00000");
	e = (struct vhdx_bat_entry){ .off = 0x100000, .state = 6 };
	vhdx_bat_entry_to_text(buf, sizeof(buf), &e, true);
	KUNIT_EXPECT_STREQ(test, buf, "present 0x100000");
}

static struct kunit_case text_cases[] = {
	KUNIT_CASE_PARAM(text_content_test, printer_gen_params),
	KUNIT_CASE_PARAM(text_size_test, printer_gen_params),
	KUNIT_CASE(text_finding_test),
	KUNIT_CASE(text_bat_test),
	{}
};

static struct kunit_suite text_suite = {
	.name = "vhdx_text",
	.test_cases = text_cases,
};

kunit_test_suite(text_suite);
