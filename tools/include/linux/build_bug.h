/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHDX_SHADOW_LINUX_BUILD_BUG_H
#define VHDX_SHADOW_LINUX_BUILD_BUG_H

/* As in the kernel, the message may be left out. */
#ifndef __cplusplus
#undef static_assert
#define static_assert(expr, ...)	__static_assert(expr, ##__VA_ARGS__, #expr)
#define __static_assert(expr, msg, ...)	_Static_assert(expr, msg)
#endif

#endif
