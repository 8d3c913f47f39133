// SPDX-License-Identifier: GPL-2.0-only
/* An image that is only read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "file.h"
#include "image.h"
#include "raw.h"
#include "utf16.h"

static int raw_read(const struct vhdx_source *src, u64 off, void *buf, u32 len)
{
	const struct libvhdx_image *img = container_of(src, struct libvhdx_image, raw);

	return libvhdx_file_read(img->file, off, buf, len);
}

/* The file, zeros behind its end, and what the log says over both. */
static int replayed_read(const struct vhdx_source *src, u64 off, void *buf, u32 len)
{
	const struct libvhdx_image *img = container_of(src, struct libvhdx_image, src);
	u64 in_file = off < img->raw.size ? img->raw.size - off : 0;
	int err = 0;

	if (off > src->size || len > src->size - off)
		return -EIO;
	if (in_file > len)
		in_file = len;
	if (in_file)
		err = libvhdx_file_read(img->file, off, buf, in_file);
	if (err)
		return err;
	memset((u8 *)buf + in_file, 0, len - in_file);
	libvhdx_overlay_apply(&img->overlay, off, buf, len);
	return 0;
}

void libvhdx_image_init(struct libvhdx_image *img, struct libvhdx_file *file)
{
	memset(img, 0, sizeof(*img));
	img->file = file;
	img->raw.read = raw_read;
	img->raw.size = file->size;
	img->src.read = replayed_read;
	img->src.size = file->size;
	libvhdx_overlay_init(&img->overlay);
}

void libvhdx_image_close(struct libvhdx_image *img)
{
	libvhdx_overlay_release(&img->overlay);
	free(img->region_table);
	free(img->metadata_table);
	free(img->locator_buf);
	memset(img, 0, sizeof(*img));
}

static int load_file_id(struct libvhdx_image *img, struct vhdx_finding *fd)
{
	struct vhdx_raw_file_id id;
	int err = (int)vhdx_file_size_check(img->raw.size, fd);

	if (err)
		return err;
	err = img->raw.read(&img->raw, VHDX_FILE_ID_OFF, &id, sizeof(id));
	if (err)
		return err;
	libvhdx_utf16_to_utf8(img->creator, sizeof(img->creator),
			      (const u8 *)id.creator, sizeof(id.creator));
	return (int)vhdx_file_id_check(&id, fd);
}

static int choose_header(struct libvhdx_image *img, u8 *buf, struct vhdx_finding *fd)
{
	enum vhdx_fault fault;
	unsigned int i;
	int err;

	for (i = 0; i < 2; i++) {
		u8 *slot = buf + i * VHDX_HEADER_SIZE;

		err = img->raw.read(&img->raw, vhdx_header_off(i), slot, VHDX_HEADER_SIZE);
		if (err)
			return err;
		img->slot_fault[i] = vhdx_header_decode(slot, i, &img->slot[i], NULL);
	}
	fault = vhdx_headers_choose(buf, buf + VHDX_HEADER_SIZE, &img->hdrs, fd);
	if (!fault)
		fault = vhdx_headers_check(&img->hdrs, img->raw.size, fd);
	return (int)fault;
}

int libvhdx_image_load_headers(struct libvhdx_image *img, struct vhdx_finding *fd)
{
	u8 *buf;
	int err = load_file_id(img, fd);

	if (err)
		return err;
	buf = malloc(2 * VHDX_HEADER_SIZE);
	if (!buf)
		return -ENOMEM;
	err = choose_header(img, buf, fd);
	free(buf);
	return err;
}

/* Find the active sequence and apply it to the overlay. */
static int replay_log(struct libvhdx_image *img, struct vhdx_log_slot *slots,
		      void *scratch, struct vhdx_finding *fd)
{
	int err = vhdx_log_scan(&img->raw, &img->log, slots, scratch, &img->seq,
				&img->nr_log_valid, fd);

	if (err)
		return err;
	err = vhdx_log_replay(&img->raw, &img->log, &img->seq, &img->overlay.sink,
			      scratch, &img->replay, fd);
	if (err == -EFBIG)
		return (int)vhdx_fault_at(fd, VHDX_FAULT_LOG_TOO_COMPLEX, img->log.off,
					  img->log.len);
	if (!err)
		err = libvhdx_overlay_seal(&img->overlay);
	if (err)
		return err;
	if (img->seq.end > img->src.size)
		img->src.size = img->seq.end;
	return 0;
}

int libvhdx_image_load_log(struct libvhdx_image *img, struct vhdx_finding *fd)
{
	const struct vhdx_header *hdr = &img->hdrs.cur;
	struct vhdx_log_slot *slots;
	void *scratch;
	int err = -ENOMEM;

	img->log.off = hdr->log_off;
	img->log.len = hdr->log_len;
	img->log.guid = hdr->log_guid;
	if (guid_is_null(&hdr->log_guid))
		return 0;
	img->dirty = true;
	slots = calloc(VHDX_LOG_SCAN_SLOTS(img->log.len), sizeof(*slots));
	scratch = malloc(max(VHDX_LOG_SCAN_SCRATCH, VHDX_LOG_REPLAY_SCRATCH));
	if (slots && scratch)
		err = replay_log(img, slots, scratch, fd);
	free(scratch);
	free(slots);
	return err;
}

int libvhdx_image_load_regions(struct libvhdx_image *img, struct vhdx_finding *fd)
{
	void *scratch = malloc(VHDX_REGION_TABLE_SIZE);
	int err = -ENOMEM;

	img->region_table = malloc(VHDX_REGION_TABLE_SIZE);
	if (scratch && img->region_table)
		err = vhdx_regions_read(&img->src, &img->hdrs.cur, img->region_table,
					scratch, &img->regions, fd);
	free(scratch);
	return err;
}

static int load_locator(struct libvhdx_image *img, struct vhdx_finding *fd)
{
	u64 off = img->md.items.off[VHDX_ITEM_PARENT_LOCATOR];
	u32 len = img->md.items.len[VHDX_ITEM_PARENT_LOCATOR];
	int err;

	if (!img->md.has_parent)
		return 0;
	img->locator_buf = malloc(len ? len : 1);
	if (!img->locator_buf)
		return -ENOMEM;
	err = img->src.read(&img->src, off, img->locator_buf, len);
	if (err)
		return err;
	return (int)vhdx_locator_decode(img->locator_buf, len, off, &img->locator, fd);
}

int libvhdx_image_load_metadata(struct libvhdx_image *img, struct vhdx_finding *fd)
{
	int err;

	img->metadata_table = malloc(VHDX_METADATA_TABLE_SIZE);
	if (!img->metadata_table)
		return -ENOMEM;
	err = vhdx_metadata_read(&img->src, img->regions.meta_off, img->regions.meta_len,
				 img->metadata_table, &img->md, fd);
	if (!err)
		err = (int)vhdx_geometry_init(&img->geo, &img->md, &img->regions, fd);
	if (!err)
		err = load_locator(img, fd);
	return err;
}

int libvhdx_image_open(struct libvhdx_image *img, struct libvhdx_file *file,
		       struct vhdx_finding *fd)
{
	int err;

	libvhdx_image_init(img, file);
	err = libvhdx_image_load_headers(img, fd);
	if (!err)
		err = libvhdx_image_load_log(img, fd);
	if (!err)
		err = libvhdx_image_load_regions(img, fd);
	if (!err)
		err = libvhdx_image_load_metadata(img, fd);
	if (err)
		libvhdx_image_close(img);
	return err;
}

int libvhdx_image_read_bat(const struct libvhdx_image *img, u64 idx, u64 nr, __le64 *raw)
{
	return img->src.read(&img->src, vhdx_bat_entry_off(&img->geo, idx), raw,
			     (u32)(nr * sizeof(*raw)));
}

u64 libvhdx_image_next_bat(const struct libvhdx_image *img, u64 idx)
{
	u64 off = vhdx_bat_entry_off(&img->geo, idx);
	u64 end = vhdx_bat_entry_off(&img->geo, img->geo.nr_entries);
	u64 data = off < img->raw.size ?
		   libvhdx_file_next_data(img->file, off, end) : end;
	u64 replayed = libvhdx_overlay_next(&img->overlay, off, end);

	if (replayed < data)
		data = replayed;
	return (data - img->geo.bat_off) / sizeof(__le64);
}
