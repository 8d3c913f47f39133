/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's header of this name brings along, as far as it is used. */
#ifndef VHDX_SHADOW_LINUX_KERNEL_H
#define VHDX_SHADOW_LINUX_KERNEL_H

#include_next <linux/kernel.h>

#include <stdarg.h>
#include <stdio.h>

#include <asm/byteorder.h>
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#define U8_MAX		((u8)~0U)
#define U16_MAX		((u16)~0U)
#define U32_MAX		((u32)~0U)
#define U64_MAX		((u64)~0ULL)
#define S32_MAX		((s32)(U32_MAX >> 1))
#define S64_MAX		((s64)(U64_MAX >> 1))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define min(x, y) ({				\
	__auto_type __min1 = (x);		\
	__auto_type __min2 = (y);		\
	__min1 < __min2 ? __min1 : __min2; })

#define max(x, y) ({				\
	__auto_type __max1 = (x);		\
	__auto_type __max2 = (y);		\
	__max1 > __max2 ? __max1 : __max2; })

#define min_t(type, x, y)	min((type)(x), (type)(y))
#define max_t(type, x, y)	max((type)(x), (type)(y))

#define swap(a, b) do {				\
	__auto_type __swap = (a);		\
	(a) = (b);				\
	(b) = __swap;				\
} while (0)

/* @a is a power of two. */
#define ALIGN(x, a)		(((x) + ((typeof(x))(a) - 1)) & ~((typeof(x))(a) - 1))
#define ALIGN_DOWN(x, a)	((x) & ~((typeof(x))(a) - 1))
#define IS_ALIGNED(x, a)	(((x) & ((typeof(x))(a) - 1)) == 0)
#define round_up(x, a)		ALIGN(x, a)
#define round_down(x, a)	ALIGN_DOWN(x, a)

#ifndef DIV_ROUND_UP
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#endif

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define upper_32_bits(n)	((u32)((n) >> 32))
#define lower_32_bits(n)	((u32)((n) & 0xffffffff))

#ifndef fallthrough
#define fallthrough		__attribute__((__fallthrough__))
#endif

/* Like snprintf(), but returns what was really stored. */
static inline int __attribute__((format(printf, 3, 4)))
scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(buf, size, fmt, args);
	va_end(args);
	if (len < 0 || !size)
		return 0;
	return (size_t)len < size ? len : (int)size - 1;
}

#endif
