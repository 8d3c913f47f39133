// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of faults: every row has a name of its own, an errno that leaves
 * the module, and a sentence.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "format/fault.h"

struct fault_row {
	enum vhdx_fault	fault;
	const char	*symbol;
	int		error;
	const char	*text;
};

static const struct fault_row rows[] = {
#define FAULT_ROW(name, errno, text) { VHDX_FAULT_##name, #name, -errno, text },
	VHDX_FAULTS(FAULT_ROW)
};

/* The printed name is the symbol in lower case with dashes. */
static char printed(char c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool name_matches(const char *name, const char *symbol)
{
	while (*symbol)
		if (*name++ != printed(*symbol++))
			return false;
	return !*name;
}

static void fault_name_test(struct kunit *test)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_TRUE_MSG(test,
				      name_matches(vhdx_fault_name(rows[i].fault), rows[i].symbol),
				      "%s is printed as %s", rows[i].symbol,
				      vhdx_fault_name(rows[i].fault));
	KUNIT_EXPECT_STREQ(test, vhdx_fault_name(VHDX_FAULT_NONE), "none");
	KUNIT_EXPECT_STREQ(test, vhdx_fault_name(VHDX_FAULT_BAT_OVERLAP), "bat-overlap");
}

/* A value that no row has, as a newer or damaged peer might hand over. */
static void fault_stranger_test(struct kunit *test)
{
	enum vhdx_fault strangers[] = { VHDX_FAULT_NR, VHDX_FAULT_NR + 1, 100000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(strangers); i++) {
		KUNIT_EXPECT_NOT_NULL(test, vhdx_fault_name(strangers[i]));
		KUNIT_EXPECT_NOT_NULL(test, vhdx_fault_text(strangers[i]));
		KUNIT_EXPECT_LT(test, vhdx_fault_errno(strangers[i]), 0);
	}
}

static void fault_text_test(struct kunit *test)
{
	const char *text;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		text = vhdx_fault_text(rows[i].fault);
		len = strlen(text);
		KUNIT_EXPECT_STREQ(test, text, rows[i].text);
		KUNIT_ASSERT_GT(test, len, 10);
		KUNIT_EXPECT_TRUE_MSG(test, text[len - 1] != '.' && text[len - 1] != '\n',
				      "%s ends in punctuation", rows[i].symbol);
	}
	KUNIT_EXPECT_NOT_NULL(test, vhdx_fault_text(VHDX_FAULT_NONE));
}

static void fault_errno_test(struct kunit *test)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, vhdx_fault_errno(rows[i].fault), rows[i].error,
				    "%s", rows[i].symbol);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(0), 0);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(-EIO), -EIO);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(-ENOMEM), -ENOMEM);
}

/* One row of each kind, said again by hand: what callers were promised. */
static void fault_kinds_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_FILE_TOO_SMALL), -EINVAL);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_FILE_ID_SIGNATURE), -EINVAL);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_HEADER_CHECKSUM), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_HEADER_VERSION), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_LOG_NO_SEQUENCE), -EUCLEAN);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_REGION_UNKNOWN), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_CHAIN_LINKAGE), -ESTALE);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_CHAIN_DUPLICATE), -ELOOP);
	KUNIT_EXPECT_EQ(test, vhdx_fault_errno(VHDX_FAULT_HEADER_LOG_NONE), -EROFS);
}

static void fault_at_test(struct kunit *test)
{
	struct vhdx_finding fd;

	memset(&fd, 0xa5, sizeof(fd));
	KUNIT_EXPECT_EQ(test, vhdx_fault_at(&fd, VHDX_FAULT_BAT_OVERLAP, 0x300010, 6),
			VHDX_FAULT_BAT_OVERLAP);
	KUNIT_EXPECT_EQ(test, fd.fault, VHDX_FAULT_BAT_OVERLAP);
	KUNIT_EXPECT_EQ(test, fd.off, 0x300010);
	KUNIT_EXPECT_EQ(test, fd.value, 6);
	KUNIT_EXPECT_TRUE(test, guid_is_null(&fd.guid));
	KUNIT_EXPECT_EQ(test, vhdx_fault_at(NULL, VHDX_FAULT_BAT_LOCATION, 0, 0),
			VHDX_FAULT_BAT_LOCATION);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(fault_name_test),
	KUNIT_CASE(fault_stranger_test),
	KUNIT_CASE(fault_text_test),
	KUNIT_CASE(fault_errno_test),
	KUNIT_CASE(fault_kinds_test),
	KUNIT_CASE(fault_at_test),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "vhdx_fault",
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);

/* Of the module that all suites are. */
MODULE_DESCRIPTION("Unit tests of the VHDX format");
MODULE_LICENSE("GPL");
