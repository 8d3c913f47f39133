// SPDX-License-Identifier: GPL-2.0-only
/* The scan over the whole BAT of an open image. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "bat_scan.h"
#include "image.h"
#include "raw.h"

#define CHUNK	8192U	/* entries read at once */

struct walk {
	const struct libvhdx_image	*img;
	struct vhdx_bat_scan		*scan;
	__le64				*raw;
	void				(*found)(void *data, const struct vhdx_finding *fd);
	void				*data;
};

/* Entries [@idx, @end), which are in w->raw: go on behind each fault. */
static void scan_chunk(const struct walk *w, u64 idx, u64 end)
{
	struct vhdx_finding fd;

	while (w->scan->next < end) {
		const __le64 *raw = w->raw + (w->scan->next - idx);

		if (vhdx_bat_scan_entries(w->scan, raw, end - w->scan->next, &fd))
			w->found(w->data, &fd);
	}
}

static void scan_hole(const struct walk *w, u64 end)
{
	struct vhdx_finding fd;

	while (w->scan->next < end) {
		if (vhdx_bat_scan_zeros(w->scan, end - w->scan->next, &fd))
			w->found(w->data, &fd);
	}
}

static int scan_all(const struct walk *w)
{
	u64 nr = w->img->geo.nr_entries;
	struct vhdx_finding fd;
	u64 idx = 0, end;
	int err;

	while (idx < nr) {
		idx = libvhdx_image_next_bat(w->img, idx);
		scan_hole(w, idx);
		end = idx + CHUNK < nr ? idx + CHUNK : nr;
		if (idx == end)
			break;
		err = libvhdx_image_read_bat(w->img, idx, end - idx, w->raw);
		if (err)
			return err;
		scan_chunk(w, idx, end);
		idx = end;
	}
	if (vhdx_bat_scan_end(w->scan, &fd))
		w->found(w->data, &fd);
	return 0;
}

/*
 * The BAT of a differencing disk goes on to the end of the last chunk. Entries
 * there that stand for no block are not present and must not be counted.
 */
static void drop_surplus(struct vhdx_bat_scan *scan)
{
	u64 *not_present = &scan->nr_states[VHDX_BLOCK_NOT_PRESENT];
	u64 nr = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(scan->nr_states); i++)
		nr += scan->nr_states[i];
	if (nr > scan->geo->nr_blocks)
		*not_present -= min(nr - scan->geo->nr_blocks, *not_present);
}

int libvhdx_bat_scan(const struct libvhdx_image *img, struct vhdx_bat_scan *scan,
		     void (*found)(void *data, const struct vhdx_finding *fd),
		     void *data)
{
	struct walk w = { .img = img, .scan = scan, .found = found, .data = data };
	u8 *map = calloc(1, vhdx_bat_scan_bytes(img->src.size));
	int err = -ENOMEM;

	memset(scan, 0, sizeof(*scan));
	w.raw = calloc(CHUNK, sizeof(*w.raw));
	if (map && w.raw) {
		vhdx_bat_scan_init(scan, &img->geo, img->src.size, map, &img->hdrs.cur,
				   img->region_table, img->regions.nr);
		err = scan_all(&w);
		drop_surplus(scan);
	} else {
		free(map);
	}
	free(w.raw);
	return err;
}

void libvhdx_bat_scan_release(struct vhdx_bat_scan *scan)
{
	free(scan->map);
	scan->map = NULL;
}

u64 libvhdx_bat_scan_unused(const struct libvhdx_image *img,
			    const struct vhdx_bat_scan *scan, u64 *first)
{
	u64 units = img->src.size >> VHDX_UNIT_SHIFT;
	u64 nr = 0;
	u64 i;

	*first = 0;
	for (i = 0; i < units; i += 8) {
		u8 used = scan->map[i / 8];

		if (units - i < 8)
			used |= 0xff << (units - i);
		if (used == 0xff)
			continue;
		if (!nr)
			*first = (i + __builtin_ctz(~used)) << VHDX_UNIT_SHIFT;
		nr += 8 - __builtin_popcount(used);
	}
	return nr;
}
