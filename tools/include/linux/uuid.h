/* SPDX-License-Identifier: GPL-2.0-only */
/* GUIDs as the kernel has them; the uapi header of this name went away. */
#ifndef VHDX_SHADOW_LINUX_UUID_H
#define VHDX_SHADOW_LINUX_UUID_H

#include <string.h>

#include <linux/types.h>

typedef struct {
	__u8 b[16];
} guid_t;

#define UUID_STRING_LEN		36

#define GUID_INIT(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)		\
((guid_t)								\
{{									\
	(a) & 0xff, ((a) >> 8) & 0xff,					\
	((a) >> 16) & 0xff, ((a) >> 24) & 0xff,				\
	(b) & 0xff, ((b) >> 8) & 0xff,					\
	(c) & 0xff, ((c) >> 8) & 0xff,					\
	(d0), (d1), (d2), (d3), (d4), (d5), (d6), (d7) }})

static const guid_t guid_null __attribute__((unused));

static inline bool guid_equal(const guid_t *u1, const guid_t *u2)
{
	return memcmp(u1, u2, sizeof(guid_t)) == 0;
}

static inline void guid_copy(guid_t *dst, const guid_t *src)
{
	memcpy(dst, src, sizeof(guid_t));
}

static inline bool guid_is_null(const guid_t *guid)
{
	return guid_equal(guid, &guid_null);
}

#endif
