// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "guid.h"

int libvhdx_guid_random(guid_t *guid)
{
	ssize_t n = getrandom(guid, sizeof(*guid), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n != sizeof(*guid))
		return -EIO;
	/* RFC 4122: version 4 in the third field (little endian), variant. */
	guid->b[7] = (u8)((guid->b[7] & 0x0f) | 0x40);
	guid->b[8] = (u8)((guid->b[8] & 0x3f) | 0x80);
	return 0;
}

char *libvhdx_guid_to_text(char *buf, const guid_t *guid)
{
	const u8 *b = guid->b;

	snprintf(buf, LIBVHDX_GUID_TEXT,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9],
		 b[10], b[11], b[12], b[13], b[14], b[15]);
	return buf;
}
