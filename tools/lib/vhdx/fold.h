/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of files as Windows compares them: without regard to case. */
#ifndef LIBVHDX_FOLD_H
#define LIBVHDX_FOLD_H

#include <stdbool.h>

/*
 * Are the names, UTF-8, the same but for the case of letters? Character by
 * character, as NTFS has it ("ß" is not "SS"), and the same whatever the locale
 * of the process is. Bytes that are no UTF-8 equal themselves only.
 */
bool libvhdx_names_equal(const char *a, const char *b);

#endif
