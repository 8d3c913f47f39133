// SPDX-License-Identifier: GPL-2.0-only
/*
 * The overlay against a plain copy of the file: random pages and ranges of
 * zeros go to both, then every read and every search must agree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay.h"

#define PAGE		4096U
#define NR_PAGES	64U
#define NR_ROUNDS	2000U

struct model {
	u8	bytes[NR_PAGES * PAGE];
	u8	covered[NR_PAGES];
};

static unsigned int seed = 1;

static unsigned int random_below(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

static int fill(struct libvhdx_overlay *ov, struct model *m)
{
	unsigned int i, nr = random_below(40);
	u8 page[PAGE];
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		unsigned int at = random_below(NR_PAGES);
		unsigned int len = random_below(NR_PAGES - at + 1);

		if (random_below(3)) {
			memset(page, (int)random_below(256), PAGE);
			memcpy(m->bytes + at * PAGE, page, PAGE);
			m->covered[at] = 1;
			err = ov->sink.write(&ov->sink, (u64)at * PAGE, page);
		} else {
			memset(m->bytes + at * PAGE, 0, len * PAGE);
			memset(m->covered + at, 1, len);
			err = ov->sink.zero(&ov->sink, (u64)at * PAGE, (u64)len * PAGE);
		}
	}
	return err ? err : libvhdx_overlay_seal(ov);
}

static int compare_reads(const struct libvhdx_overlay *ov, const struct model *m,
			 const u8 *file)
{
	static u8 buf[NR_PAGES * PAGE];
	unsigned int i;

	for (i = 0; i < 50; i++) {
		unsigned int off = random_below(sizeof(buf));
		unsigned int len = random_below((unsigned int)sizeof(buf) - off + 1);

		memcpy(buf, file + off, len);
		libvhdx_overlay_apply(ov, off, buf, len);
		if (memcmp(buf, m->bytes + off, len)) {
			printf("# read of %u bytes at %u differs\n", len, off);
			return 1;
		}
	}
	return 0;
}

static int compare_searches(const struct libvhdx_overlay *ov, const struct model *m)
{
	unsigned int at, next;
	u64 found;

	for (at = 0; at < NR_PAGES; at++) {
		for (next = at; next < NR_PAGES && !m->covered[next]; next++)
			;
		found = libvhdx_overlay_next(ov, (u64)at * PAGE, (u64)NR_PAGES * PAGE);
		if (found != (u64)next * PAGE) {
			printf("# search from page %u finds %llu\n", at,
			       (unsigned long long)found);
			return 1;
		}
	}
	return 0;
}

int main(void)
{
	static u8 file[NR_PAGES * PAGE];
	static struct model m;
	struct libvhdx_overlay ov;
	unsigned int round;
	int bad = 0;

	memset(file, 0xa5, sizeof(file));
	for (round = 0; round < NR_ROUNDS && !bad; round++) {
		memcpy(m.bytes, file, sizeof(file));
		memset(m.covered, 0, sizeof(m.covered));
		libvhdx_overlay_init(&ov);
		bad = fill(&ov, &m) || compare_reads(&ov, &m, file) ||
		      compare_searches(&ov, &m);
		libvhdx_overlay_release(&ov);
	}
	printf("# %u rounds\n", round);
	return bad;
}
