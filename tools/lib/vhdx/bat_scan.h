/* SPDX-License-Identifier: GPL-2.0-only */
/* The scan over the whole BAT of an open image. */
#ifndef LIBVHDX_BAT_SCAN_H
#define LIBVHDX_BAT_SCAN_H

#include "bat.h"

struct libvhdx_image;

/*
 * Look at every BAT entry of @img, whose stages are all loaded, and tell
 * @found of each fault. Holes of the file are skipped, so that the cost is
 * that of the BAT's pages that exist. Returns 0 when the end was reached, else
 * a negative errno. In both cases @scan is valid and
 * libvhdx_bat_scan_release() frees its map.
 */
int libvhdx_bat_scan(const struct libvhdx_image *img, struct vhdx_bat_scan *scan,
		     void (*found)(void *data, const struct vhdx_finding *fd),
		     void *data);

void libvhdx_bat_scan_release(struct vhdx_bat_scan *scan);

/*
 * MiB of the file that nothing uses, and the file offset of the first one;
 * to be called after a scan of @img.
 */
u64 libvhdx_bat_scan_unused(const struct libvhdx_image *img,
			    const struct vhdx_bat_scan *scan, u64 *first);

#endif
