/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's names for the conversions that the uapi header has already. */
#ifndef VHDX_SHADOW_ASM_BYTEORDER_H
#define VHDX_SHADOW_ASM_BYTEORDER_H

#include_next <asm/byteorder.h>

#define cpu_to_le16(x)	__cpu_to_le16(x)
#define cpu_to_le32(x)	__cpu_to_le32(x)
#define cpu_to_le64(x)	__cpu_to_le64(x)
#define le16_to_cpu(x)	__le16_to_cpu(x)
#define le32_to_cpu(x)	__le32_to_cpu(x)
#define le64_to_cpu(x)	__le64_to_cpu(x)

static inline __u16 le16_to_cpup(const __le16 *p)
{
	return le16_to_cpu(*p);
}

static inline __u32 le32_to_cpup(const __le32 *p)
{
	return le32_to_cpu(*p);
}

static inline __u64 le64_to_cpup(const __le64 *p)
{
	return le64_to_cpu(*p);
}

#endif
