/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHDX_SHADOW_LINUX_OVERFLOW_H
#define VHDX_SHADOW_LINUX_OVERFLOW_H

#include <linux/types.h>

/* True when the exact result does not fit *@d. */
#define check_add_overflow(a, b, d)	__builtin_add_overflow(a, b, d)
#define check_sub_overflow(a, b, d)	__builtin_sub_overflow(a, b, d)
#define check_mul_overflow(a, b, d)	__builtin_mul_overflow(a, b, d)

#endif
