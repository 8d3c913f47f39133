// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths of locators as paths of this system, and locators that are made: from
 * tables, and in a folder of files that the caller names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "fold.h"
#include "guid.h"
#include "locator.h"
#include "resolve.h"
#include "utf16.h"

#define BAD	"\xef\xbf\xbd"	/* U+FFFD */

static int nr_failed;

static void expect(const char *what, const char *want, const char *got)
{
	if (got && !strcmp(want, got))
		return;
	printf("%s: wanted '%s', got '%s'\n", what, want, got ? got : "nothing");
	nr_failed++;
}

static void test_windows_path(void)
{
	static const struct {
		const char *value, *path;
		bool volume;
	} cases[] = {
		{ ".\\parent.vhdx", "./parent.vhdx", false },
		{ "..\\base\\parent.vhdx", "../base/parent.vhdx", false },
		{ "../base/parent.vhdx", "../base/parent.vhdx", false },
		{ "parent.vhdx", "parent.vhdx", false },
		{ "\\\\?\\srv\\base\\p.vhdx", "/srv/base/p.vhdx", false },
		{ "/srv/base/p.vhdx", "/srv/base/p.vhdx", false },
		{ "C:\\vm\\p.vhdx", "vm/p.vhdx", true },
		{ "\\\\?\\d:\\vm\\p.vhdx", "vm/p.vhdx", true },
		{ "\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\vm\\p.vhdx",
		  "vm/p.vhdx", true },
		{ "\\\\?\\VOLUME{26a21bda-a627-11d7-9931-806e6f6e6963}\\p.vhdx",
		  "p.vhdx", true },
		{ "\\\\?\\UNC\\server\\share\\vm\\p.vhdx", "vm/p.vhdx", true },
		{ "\\\\server\\share\\p.vhdx", "p.vhdx", true },
		{ "\\\\server", "", true },
		{ "c:", "", true },
		{ "", "", false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *value = strdup(cases[i].value);
		bool volume;

		expect(cases[i].value, cases[i].path, libvhdx_windows_path(value, &volume));
		if (volume != cases[i].volume)
			expect(cases[i].value, "another answer about the volume", "this one");
		free(value);
	}
}

static void test_utf16(void)
{
	/* Two, three and four bytes; then what is no UTF-8. */
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xbe";
	static const char bad[] = "\xff|\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xc3";
	static const char no_text[] = BAD "|" BAD BAD "|" BAD BAD BAD "|" BAD BAD BAD BAD "|" BAD;
	char back[128];
	u8 buf[64];
	size_t len;

	len = libvhdx_utf8_to_utf16(buf, sizeof(buf), text);
	libvhdx_utf16_to_utf8(back, sizeof(back), buf, len);
	expect("UTF-8 and back", text, back);
	expect("its length", "10", (snprintf(back, sizeof(back), "%zu", len), back));
	len = libvhdx_utf8_to_utf16(buf, 9, text);
	expect("cut at a character", "6", (snprintf(back, sizeof(back), "%zu", len), back));
	len = libvhdx_utf8_to_utf16(buf, sizeof(buf), bad);
	libvhdx_utf16_to_utf8(back, sizeof(back), buf, len);
	expect("no UTF-8", no_text, back);
}

static void make_file(const char *dir, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f)
		fclose(f);
	else
		nr_failed++;
}

static void test_case(const char *dir)
{
	char path[256], want[256], *got;
	size_t i;
	static const char *const no_names[][2] = {
		{ "/", "/" }, { "//./", "/" }, { ".", "." }, { "./.", "." },
	};
	static const char *const cases[][2] = {
		{ "Base.vhdx", "Base.vhdx" }, { "base.VHDX", "Base.vhdx" },
		{ "SUB/a.vhdx", "Sub/a.vhdx" }, { "./sub/./A.vhdx", "Sub/a.vhdx" },
		{ "nothing.vhdx", "nothing.vhdx" }, { "sub/../base.vhdx", "Sub/../Base.vhdx" },
		{ "SUB/GRÖßE-ДИСК.VHDX", "Sub/Größe-Диск.vhdx" },
		{ "sub/größe-диск.vhdx", "Sub/Größe-Диск.vhdx" },
	};

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, cases[i][0]);
		snprintf(want, sizeof(want), "%s/%s", dir, cases[i][1]);
		got = libvhdx_path_case(path);
		expect(cases[i][0], want, got);
		free(got);
	}
	for (i = 0; i < sizeof(no_names) / sizeof(*no_names); i++) {
		got = libvhdx_path_case(no_names[i][0]);
		expect(no_names[i][0], no_names[i][1], got);
		free(got);
	}
}

/* Letters of one, two, three and four bytes; and what is no letter, or no UTF-8. */
static void test_names(void)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{ "Base.vhdx", "bASE.VHDX", true }, { "Base", "Base1", false },
		{ "Base1", "Base", false }, { "", "", true }, { "a[", "A{", false },
		{ "Ärger", "äRGER", true }, { "Ärger", "Arger", false },
		{ "ΣΊΣΥΦΟΣ", "σίσυφος", true }, { "ДИСК", "диск", true },
		{ "ǅ", "ǆ", true }, { "Ⱥ", "ⱥ", true }, { "𐐀", "𐐨", true },
		{ "磁盘", "磁盘", true }, { "磁盘", "磁碟", false },
		{ "straße", "STRASSE", false },
		{ "a\xff", "A\xff", true }, { "a\xff", "a\xfe", false },
		{ "\xff", BAD, false }, { BAD, BAD, true }, { "\xc3", "\xc3\xa4", false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static const char *const words[] = { "another name", "the same" };
		bool equal = libvhdx_names_equal(cases[i].a, cases[i].b);

		expect(cases[i].a, words[cases[i].equal], words[equal]);
	}
}

static void expect_value(const struct vhdx_locator *loc, const char *key, const char *want)
{
	char text[1024];
	u16 len = 0;
	const u8 *raw = vhdx_locator_find(loc, key, &len);

	libvhdx_utf16_to_utf8(text, sizeof(text), raw, raw ? len : 0);
	expect(key, want, text);
}

/* A child in Sub of Base.vhdx, and what its locator leads to. */
static void test_make(const char *dir)
{
	static u8 buf[65536];
	char child[256], parent[256], absolute[300], *p;
	struct libvhdx_places places = { .nr = 0 };
	struct vhdx_finding fd = { .fault = VHDX_FAULT_NONE };
	struct vhdx_locator loc;
	guid_t link;
	u32 len;

	libvhdx_guid_random(&link);
	snprintf(child, sizeof(child), "%s/Sub/child.vhdx", dir);
	snprintf(parent, sizeof(parent), "%s/Base.vhdx", dir);
	snprintf(absolute, sizeof(absolute), "\\\\?%s/Base.vhdx", dir);
	for (p = absolute; *p; p++)
		*p = *p == '/' ? '\\' : *p;
	if (libvhdx_locator_make(buf, sizeof(buf), &len, &link, child, parent) ||
	    vhdx_locator_decode(buf, len, 0, &loc, &fd)) {
		expect("locator", "made", vhdx_fault_name(fd.fault));
		return;
	}
	expect_value(&loc, VHDX_LOCATOR_RELATIVE, "..\\Base.vhdx");
	expect_value(&loc, VHDX_LOCATOR_ABSOLUTE, absolute);
	expect("linkage", "matches", vhdx_locator_matches(&loc, &link) ? "matches" : "does not");
	if (libvhdx_resolve(&places, &loc, child, NULL, 0))
		nr_failed++;
	snprintf(parent, sizeof(parent), "%s/Sub/../Base.vhdx", dir);
	expect("the first place", parent, places.nr ? places.place[0].path : NULL);
	libvhdx_places_free(&places);
	if (libvhdx_locator_make(buf, 100, &len, &link, child, parent) >= 0)
		expect("too small", "refused", "made");
}

int main(int argc, char **argv)
{
	char sub[256];
	char *dir;

	if (argc != 2)
		return 2;
	dir = realpath(argv[1], NULL);
	if (!dir)
		return 2;
	snprintf(sub, sizeof(sub), "%s/Sub", dir);
	mkdir(sub, 0700);
	make_file(dir, "Base.vhdx");
	make_file(sub, "a.vhdx");
	make_file(sub, "Größe-Диск.vhdx");
	test_windows_path();
	test_utf16();
	test_names();
	test_case(dir);
	test_make(dir);
	free(dir);
	return nr_failed ? 1 : 0;
}
