// SPDX-License-Identifier: GPL-2.0-only
/*
 * fill-log IMAGE: fill the log of a clean fixed image to the last sector, with
 * entries that all have to be replayed. Their targets are payload, in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "file.h"
#include "header.h"
#include "image.h"
#include "log_entry.h"
#include "raw.h"

/* Two sectors of descriptors and so many of data are 1 MiB. */
#define NR_DESC		254
#define ENTRY_LEN	(1024 * 1024)

/* The end of the file, which is payload. */
#define TARGETS_LEN	(128ULL * 1024 * 1024)

static const guid_t log_guid = GUID_INIT(0x62656e63, 0x6821, 0x4c6f, 0x8b, 0x1d, 1, 2, 3,
					 4, 5, 6);

/* Entry @nr of the log, sealed in @buf. */
static void build_entry(void *buf, u32 nr, u64 file_size)
{
	struct vhdx_log_entry entry = {
		.tail = 0,
		.flushed_off = file_size,
		.last_off = file_size,
	};
	u64 first = (u64)nr * NR_DESC * VHDX_LOG_SECTOR;
	u8 data[VHDX_LOG_SECTOR];
	struct vhdx_log_build b;
	u64 off;
	u32 i;

	vhdx_log_build_init(&b, buf, 1 + nr, NR_DESC);
	for (i = 0; i < NR_DESC; i++) {
		off = (first + (u64)i * VHDX_LOG_SECTOR) % TARGETS_LEN;
		memset(data, nr + i, sizeof(data));
		vhdx_log_build_data(&b, file_size - TARGETS_LEN + off, data);
	}
	vhdx_log_build_seal(&b, &log_guid, &entry);
}

static int fill(struct libvhdx_file *file, const struct vhdx_header *hdr)
{
	void *buf = malloc(ENTRY_LEN);
	int err = buf ? 0 : -ENOMEM;
	u32 nr;

	for (nr = 0; !err && nr < hdr->log_len / ENTRY_LEN; nr++) {
		build_entry(buf, nr, file->size);
		err = libvhdx_file_write(file, hdr->log_off + (u64)nr * ENTRY_LEN, buf,
					 ENTRY_LEN);
	}
	free(buf);
	return err ?: libvhdx_file_sync(file);
}

/* Both headers name the log; they differ in their sequence numbers. */
static int name_log(struct libvhdx_file *file, struct vhdx_header *hdr)
{
	u8 buf[VHDX_HEADER_SIZE];
	unsigned int slot;
	int err = 0;

	hdr->log_guid = log_guid;
	for (slot = 0; !err && slot < 2; slot++) {
		hdr->seq++;
		vhdx_header_encode(buf, hdr);
		err = libvhdx_file_write(file, vhdx_header_off(slot), buf, sizeof(buf));
	}
	return err ?: libvhdx_file_sync(file);
}

static int fill_image(struct libvhdx_file *file)
{
	struct vhdx_finding fd = { };
	struct libvhdx_image img;
	struct vhdx_header hdr;
	bool fits;
	int err;

	err = libvhdx_image_open(&img, file, &fd);
	if (err)
		return err;
	hdr = img.hdrs.cur;
	fits = img.md.type == VHDX_DISK_FIXED && !img.dirty && img.geo.disk_size >= TARGETS_LEN;
	libvhdx_image_close(&img);
	if (!fits)
		return -EINVAL;
	err = fill(file, &hdr);
	return err ?: name_log(file, &hdr);
}

int main(int argc, char **argv)
{
	struct libvhdx_fd_file file;
	int fd, err;

	if (argc != 2) {
		fprintf(stderr, "usage: fill-log IMAGE\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	err = fd < 0 ? -errno : libvhdx_fd_file_init(&file, fd);
	if (!err)
		err = fill_image(&file.file);
	if (err) {
		fprintf(stderr, "fill-log: %s: %s\n", argv[1],
			err < 0 ? strerror(-err) : vhdx_fault_name(err));
		return 1;
	}
	return 0;
}
