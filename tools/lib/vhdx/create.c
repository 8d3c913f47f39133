// SPDX-License-Identifier: GPL-2.0-only
/* A new, empty image. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <asm/byteorder.h>
#include <linux/kernel.h>

#include "bat.h"
#include "create.h"
#include "file.h"
#include "geometry.h"
#include "guid.h"
#include "header.h"
#include "image.h"
#include "raw.h"
#include "region.h"

#define LOG_OFF		VHDX_HEADER_SECTION_SIZE
#define META_LEN	VHDX_UNIT
#define META_USED	(128U * 1024)	/* table and items of a new file */
#define WRITE_SIZE	(1024 * 1024U)

/**
 * struct layout - where everything goes
 * @params: what it follows from
 * @buf: WRITE_SIZE bytes to build things in
 * @nr_entries: BAT entries in use
 * @nr_blocks: payload blocks
 * @chunk_shift: log2 of the payload blocks that share a sector bitmap block
 * @meta_off: the metadata region
 * @bat_off: the BAT region
 * @data_off: first block of a fixed disk
 * @bat_len: bytes of the BAT region
 * @size: bytes of the file
 */
struct layout {
	const struct libvhdx_params	*params;
	u8				*buf;
	u64				nr_entries;
	u64				nr_blocks;
	unsigned int			chunk_shift;
	u64				meta_off;
	u64				bat_off;
	u64				data_off;
	u32				bat_len;
	u64				size;
};

static bool is_power_of_2(u64 n)
{
	return n && !(n & (n - 1));
}

static bool is_sector_size(u32 size)
{
	return size == 512 || size == 4096;
}

static u32 default_block_size(enum vhdx_disk_type type)
{
	switch (type) {
	case VHDX_DISK_FIXED:
		return LIBVHDX_BLOCK_FIXED;
	case VHDX_DISK_DIFFERENCING:
		return LIBVHDX_BLOCK_CHILD;
	default:
		return LIBVHDX_BLOCK_DYNAMIC;
	}
}

static void set_defaults(struct libvhdx_params *p)
{
	if (!p->block_size)
		p->block_size = default_block_size(p->type);
	if (!p->log_len)
		p->log_len = LIBVHDX_LOG_LENGTH;
	if (!p->logical_size)
		p->logical_size = 512;
	if (!p->physical_size)
		p->physical_size = 4096;
}

enum vhdx_fault libvhdx_params_check(struct libvhdx_params *p, struct vhdx_finding *fd)
{
	set_defaults(p);
	if (p->block_size < VHDX_BLOCK_MIN || p->block_size > VHDX_BLOCK_MAX ||
	    !is_power_of_2(p->block_size))
		return vhdx_fault_at(fd, VHDX_FAULT_PARAMETERS_BLOCK_SIZE, 0, p->block_size);
	if (!is_sector_size(p->logical_size))
		return vhdx_fault_at(fd, VHDX_FAULT_LOGICAL_SECTOR_SIZE, 0, p->logical_size);
	if (!is_sector_size(p->physical_size))
		return vhdx_fault_at(fd, VHDX_FAULT_PHYSICAL_SECTOR_SIZE, 0, p->physical_size);
	if (!p->disk_size)
		return vhdx_fault_at(fd, VHDX_FAULT_DISK_SIZE_ZERO, 0, 0);
	if (p->disk_size > VHDX_DISK_MAX)
		return vhdx_fault_at(fd, VHDX_FAULT_DISK_SIZE_LIMIT, 0, p->disk_size);
	if (p->disk_size & (p->logical_size - 1))
		return vhdx_fault_at(fd, VHDX_FAULT_DISK_SIZE_ALIGNMENT, 0, p->disk_size);
	if (p->log_len & (VHDX_UNIT - 1))
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_ALIGNMENT, 0, p->log_len);
	if (p->log_len > VHDX_LOG_MAX_LENGTH)
		return vhdx_fault_at(fd, VHDX_FAULT_HEADER_LOG_LENGTH, 0, p->log_len);
	return VHDX_FAULT_NONE;
}

static unsigned int log2_of(u64 n)
{
	unsigned int shift = 0;

	while (n >>= 1)
		shift++;
	return shift;
}

/* Log, metadata, BAT, blocks: the order in which Windows puts them. */
static void plan(struct layout *l)
{
	const struct libvhdx_params *p = l->params;
	unsigned int block_shift = log2_of(p->block_size);
	u64 bytes;

	l->nr_entries = vhdx_geometry_entries(p->disk_size, p->block_size,
					      p->logical_size,
					      p->type == VHDX_DISK_DIFFERENCING);
	l->nr_blocks = (p->disk_size + p->block_size - 1) >> block_shift;
	l->chunk_shift = VHDX_CHUNK_SECTORS_SHIFT + log2_of(p->logical_size) - block_shift;
	bytes = l->nr_entries * sizeof(__le64);
	l->bat_len = (u32)((bytes + VHDX_UNIT - 1) & ~(u64)(VHDX_UNIT - 1));
	l->meta_off = LOG_OFF + p->log_len;
	l->bat_off = l->meta_off + META_LEN;
	l->data_off = l->bat_off + l->bat_len;
	l->size = l->data_off;
	if (p->type == VHDX_DISK_FIXED)
		l->size += l->nr_blocks << block_shift;
}

static int write_zeros(struct libvhdx_file *file, const struct layout *l, u64 off, u64 len)
{
	int err = 0;

	memset(l->buf, 0, WRITE_SIZE);
	for (; len && !err; off += WRITE_SIZE, len -= WRITE_SIZE)
		err = libvhdx_file_write(file, off, l->buf, WRITE_SIZE);
	return err;
}

/*
 * The space that must be there: all of a fixed disk, log and metadata of a
 * dynamic one. Where the file system cannot reserve it is written for a fixed
 * disk, which promises it, and left out for a dynamic one.
 */
static int reserve(struct libvhdx_file *file, const struct layout *l)
{
	bool fixed = l->params->type == VHDX_DISK_FIXED;
	u64 len = fixed ? l->size : l->bat_off;
	int err = libvhdx_file_resize(file, l->size);

	if (err)
		return err;
	err = libvhdx_file_allocate(file, 0, len);
	if (err != -EOPNOTSUPP && err != -ENOSYS)
		return err;
	return fixed ? write_zeros(file, l, 0, len) : 0;
}

static int write_regions(struct libvhdx_file *file, const struct layout *l)
{
	const struct vhdx_region regions[] = {
		{
			.guid		= VHDX_GUID_REGION_BAT,
			.off		= l->bat_off,
			.len		= l->bat_len,
			.required	= true,
		}, {
			.guid		= VHDX_GUID_REGION_METADATA,
			.off		= l->meta_off,
			.len		= META_LEN,
			.required	= true,
		},
	};
	int err;

	vhdx_region_table_encode(l->buf, regions, 2);
	err = libvhdx_file_write(file, VHDX_REGION1_OFF, l->buf, VHDX_REGION_TABLE_SIZE);
	if (err)
		return err;
	return libvhdx_file_write(file, VHDX_REGION2_OFF, l->buf, VHDX_REGION_TABLE_SIZE);
}

static int write_metadata(struct libvhdx_file *file, const struct layout *l)
{
	const struct libvhdx_params *p = l->params;
	struct vhdx_metadata md = {
		.type			= p->type,
		.disk_size		= p->disk_size,
		.block_size		= p->block_size,
		.logical_size		= p->logical_size,
		.physical_size		= p->physical_size,
		.leave_allocated	= p->type == VHDX_DISK_FIXED,
		.has_parent		= p->type == VHDX_DISK_DIFFERENCING,
		.disk_id		= p->disk_id,
	};
	int err = guid_is_null(&p->disk_id) ? libvhdx_guid_random(&md.disk_id) : 0;

	if (err)
		return err;
	memset(l->buf, 0, META_USED);
	if (!vhdx_metadata_encode(l->buf, META_USED, &md, p->locator, p->locator_len))
		return -ENAMETOOLONG;
	return libvhdx_file_write(file, l->meta_off, l->buf, META_USED);
}

/* BAT entry @idx of a fixed disk: all blocks are there, one behind the other. */
static __le64 fixed_entry(const struct layout *l, u64 idx)
{
	u64 chunk = idx / ((1ULL << l->chunk_shift) + 1);
	u64 blk = idx - chunk;
	const struct vhdx_bat_entry entry = {
		.off	= l->data_off + blk * l->params->block_size,
		.state	= VHDX_BLOCK_FULLY_PRESENT,
	};

	/* The last entry of each chunk is for its sector bitmap block. */
	if (blk == (chunk + 1) << l->chunk_shift)
		return 0;
	return vhdx_bat_entry_encode(&entry);
}

/* A dynamic disk's BAT is the zeros that the new file is full of. */
static int write_bat(struct libvhdx_file *file, const struct layout *l)
{
	__le64 *raw = (__le64 *)l->buf;
	u64 per_write = WRITE_SIZE / sizeof(*raw);
	u64 idx, i;
	int err = 0;

	if (l->params->type != VHDX_DISK_FIXED)
		return 0;
	for (idx = 0; idx < l->nr_entries && !err; idx += per_write) {
		memset(raw, 0, WRITE_SIZE);
		for (i = 0; i < per_write && idx + i < l->nr_entries; i++)
			raw[i] = fixed_entry(l, idx + i);
		err = libvhdx_file_write(file, l->bat_off + idx * sizeof(*raw), raw,
					 WRITE_SIZE);
	}
	return err;
}

/* Two headers that differ only in their numbers; the second is current. */
static int write_headers(struct libvhdx_file *file, const struct layout *l)
{
	struct vhdx_header hdr = {
		.version	= VHDX_VERSION,
		.log_version	= VHDX_LOG_VERSION,
		.log_off	= LOG_OFF,
		.log_len	= l->params->log_len,
	};
	unsigned int i;
	int err;

	err = libvhdx_guid_random(&hdr.file_write_guid);
	if (!err)
		err = libvhdx_guid_random(&hdr.data_write_guid);
	for (i = 0; i < 2 && !err; i++) {
		hdr.seq = i + 1;
		vhdx_header_encode(l->buf, &hdr);
		err = libvhdx_file_write(file, vhdx_header_off(i), l->buf,
					 VHDX_HEADER_SIZE);
	}
	return err;
}

static int write_file_id(struct libvhdx_file *file, const struct layout *l)
{
	vhdx_file_id_encode(l->buf, l->params->creator);
	return libvhdx_file_write(file, VHDX_FILE_ID_OFF, l->buf, VHDX_FILE_ID_SIZE);
}

static int write_all(struct libvhdx_file *file, const struct layout *l)
{
	int err = reserve(file, l);

	if (!err)
		err = write_regions(file, l);
	if (!err)
		err = write_metadata(file, l);
	if (!err)
		err = write_bat(file, l);
	if (!err)
		err = write_headers(file, l);
	if (!err)
		err = libvhdx_file_sync(file);
	/* Everything else is stable: now, and only now, it is a VHDX. */
	if (!err)
		err = write_file_id(file, l);
	if (!err)
		err = libvhdx_file_sync(file);
	return err;
}

int libvhdx_create(struct libvhdx_file *file, const struct libvhdx_params *params,
		   struct vhdx_finding *fd)
{
	struct layout l = { .params = params };
	struct libvhdx_image img;
	int err;

	if (file->size)
		return -EEXIST;
	plan(&l);
	l.buf = malloc(WRITE_SIZE);
	if (!l.buf)
		return -ENOMEM;
	err = write_all(file, &l);
	free(l.buf);
	if (err)
		return err;
	err = libvhdx_image_open(&img, file, fd);
	if (!err)
		libvhdx_image_close(&img);
	return err;
}
