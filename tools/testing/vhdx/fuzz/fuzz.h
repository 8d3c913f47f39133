/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all fuzz targets share: taking an input apart, and an assertion that
 * says what did not hold. A target makes a structure of the format from its
 * input, seals its checksum, and holds what the code says against what must
 * be true of any input.
 */
#ifndef VHDX_FUZZ_H
#define VHDX_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <linux/string.h>

#include "format/fault.h"
#include "format/raw.h"
#include "format/text.h"

#include "tests/craft.h"
#include "tests/ram.h"

#define MIB(n)	((u64)(n) << 20)
#define SECTOR	VHDX_LOG_SECTOR

int fuzz_one(const uint8_t *data, size_t size);

#define fuzz_assert(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: does not hold: %s\n",		\
			__FILE__, __LINE__, #cond);			\
		abort();						\
	}								\
} while (0)

static unsigned long fuzz_nr_accepted;

static void fuzz_report(void)
{
	fprintf(stderr, "accepted: %lu\n", fuzz_nr_accepted);
}

/*
 * The input got through all checks to what lies behind them. The count is
 * printed at the end, so that a target whose inputs are all refused shows.
 */
static inline void fuzz_accept(void)
{
	if (!fuzz_nr_accepted++)
		atexit(fuzz_report);
}

/* What is left of the input; bytes beyond its end are zero. */
struct fuzz_input {
	const u8	*data;
	size_t		left;
};

static inline void fuzz_take(struct fuzz_input *in, void *buf, size_t len)
{
	size_t have = min(len, in->left);

	memset(buf, 0, len);
	if (have)
		memcpy(buf, in->data, have);
	in->data += have;
	in->left -= have;
}

static inline u8 fuzz_u8(struct fuzz_input *in)
{
	u8 value;

	fuzz_take(in, &value, sizeof(value));
	return value;
}

static inline u16 fuzz_u16(struct fuzz_input *in)
{
	__le16 value;

	fuzz_take(in, &value, sizeof(value));
	return le16_to_cpu(value);
}

static inline u32 fuzz_u32(struct fuzz_input *in)
{
	__le32 value;

	fuzz_take(in, &value, sizeof(value));
	return le32_to_cpu(value);
}

static inline u64 fuzz_u64(struct fuzz_input *in)
{
	__le64 value;

	fuzz_take(in, &value, sizeof(value));
	return le64_to_cpu(value);
}

static inline void *fuzz_alloc(size_t len)
{
	void *p = calloc(1, len);

	fuzz_assert(p);
	return p;
}

/* A fault has a name, an errno, and a text that ends in the buffer. */
static inline void fuzz_check_finding(int ret, const struct vhdx_finding *fd)
{
	char text[300];

	if (ret <= 0)
		return;
	fuzz_assert((int)fd->fault == ret);
	fuzz_assert(ret < VHDX_FAULT_NR);
	fuzz_assert(vhdx_fault_errno(ret) < 0);
	fuzz_assert(vhdx_finding_to_text(text, sizeof(text), fd) > 0);
	fuzz_assert(strnlen(text, sizeof(text)) < sizeof(text));
}

#endif
