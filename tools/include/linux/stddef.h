/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VHDX_SHADOW_LINUX_STDDEF_H
#define VHDX_SHADOW_LINUX_STDDEF_H

#include_next <linux/stddef.h>

#include <stddef.h>

#endif
