/* SPDX-License-Identifier: GPL-2.0-only */
/* GUIDs for people, and new ones. */
#ifndef LIBVHDX_GUID_H
#define LIBVHDX_GUID_H

#include <linux/types.h>
#include <linux/uuid.h>

/* "cda348c7-445d-4471-9cc9-e9885251c556" and the NUL. */
#define LIBVHDX_GUID_TEXT	37

/* A random (version 4) GUID. 0 or a negative errno. */
int libvhdx_guid_random(guid_t *guid);

/* Writes LIBVHDX_GUID_TEXT bytes to @buf and returns it. */
char *libvhdx_guid_to_text(char *buf, const guid_t *guid);

#endif
