/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * On-disk structures of a VHDX file, [MS-VHDX] chapter 2.
 *
 * Nothing here computes. Every structure is naturally aligned and little
 * endian; the assertions at the bottom pin each size and offset. Only the
 * files of format/ look inside these structures.
 */
#ifndef VHDX_FORMAT_RAW_H
#define VHDX_FORMAT_RAW_H

#include <linux/build_bug.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/uuid.h>

/* [MS-VHDX] 2.1, 2.2: layout of the first MiB. */
#define VHDX_FILE_ID_OFF		0
#define VHDX_HEADER1_OFF		0x10000
#define VHDX_HEADER2_OFF		0x20000
#define VHDX_REGION1_OFF		0x30000
#define VHDX_REGION2_OFF		0x40000
#define VHDX_HEADER_SECTION_SIZE	0x100000
#define VHDX_UNIT			0x100000	/* everything is MiB aligned */
#define VHDX_UNIT_SHIFT			20

#define VHDX_FILE_ID_SIZE		520
#define VHDX_HEADER_SIZE		4096
#define VHDX_REGION_TABLE_SIZE		65536
#define VHDX_REGION_MAX_ENTRIES		2047
#define VHDX_METADATA_TABLE_SIZE	65536
#define VHDX_METADATA_MAX_ENTRIES	2047
#define VHDX_METADATA_MAX_USER		1024
#define VHDX_METADATA_MAX_ITEM		0x100000
#define VHDX_CREATOR_CHARS		256

#define VHDX_LOG_SECTOR			4096
#define VHDX_LOG_SECTOR_SHIFT		12
#define VHDX_LOG_DESC_SIZE		32
#define VHDX_LOG_DESC_FIRST		126	/* descriptors in the first sector */
#define VHDX_LOG_DESC_NEXT		128	/* descriptors in each further one */
#define VHDX_LOG_MIN_TARGET		VHDX_REGION1_OFF
#define VHDX_LOG_MAX_LENGTH		0x40000000	/* our bound: 1 GiB */

#define VHDX_BLOCK_MIN			0x100000
#define VHDX_BLOCK_MAX			0x10000000
#define VHDX_SB_BLOCK_SIZE		0x100000
#define VHDX_CHUNK_SECTORS_SHIFT	23
#define VHDX_DISK_MAX			(1ULL << 46)	/* 64 TiB */
#define VHDX_FILE_MAX			(1ULL << 48)	/* our bound: 256 TiB */

#define VHDX_VERSION			1
#define VHDX_LOG_VERSION		0

#define VHDX_FILE_ID_SIGNATURE		0x656c696678646876ULL	/* vhdxfile */
#define VHDX_HEADER_SIGNATURE		0x64616568	/* head */
#define VHDX_REGION_SIGNATURE		0x69676572	/* regi */
#define VHDX_METADATA_SIGNATURE		0x617461646174656dULL	/* metadata */
#define VHDX_LOG_ENTRY_SIGNATURE	0x65676f6c	/* loge */
#define VHDX_LOG_ZERO_SIGNATURE		0x6f72657a	/* zero */
#define VHDX_LOG_DESC_SIGNATURE		0x63736564	/* desc */
#define VHDX_LOG_DATA_SIGNATURE		0x61746164	/* data */

#define VHDX_GUID_REGION_BAT \
	GUID_INIT(0x2dc27766, 0xf623, 0x4200, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08)
#define VHDX_GUID_REGION_METADATA \
	GUID_INIT(0x8b7ca206, 0x4790, 0x4b9a, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e)
#define VHDX_GUID_FILE_PARAMETERS \
	GUID_INIT(0xcaa16737, 0xfa36, 0x4d43, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b)
#define VHDX_GUID_VIRTUAL_DISK_SIZE \
	GUID_INIT(0x2fa54224, 0xcd1b, 0x4876, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8)
#define VHDX_GUID_VIRTUAL_DISK_ID \
	GUID_INIT(0xbeca12ab, 0xb2e6, 0x4523, 0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46)
#define VHDX_GUID_LOGICAL_SECTOR_SIZE \
	GUID_INIT(0x8141bf1d, 0xa96f, 0x4709, 0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f)
#define VHDX_GUID_PHYSICAL_SECTOR_SIZE \
	GUID_INIT(0xcda348c7, 0x445d, 0x4471, 0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56)
#define VHDX_GUID_PARENT_LOCATOR \
	GUID_INIT(0xa8d35f2d, 0xb30b, 0x454d, 0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c)
#define VHDX_GUID_LOCATOR_TYPE_VHDX \
	GUID_INIT(0xb04aefb7, 0xd19e, 0x4a81, 0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13)
/* Not in [MS-VHDX]: present while somebody else is still creating the file. */
#define VHDX_GUID_INCOMPLETE_FILE \
	GUID_INIT(0x71cc85f0, 0x1b69, 0x4e28, 0x95, 0x58, 0xc3, 0xbf, 0x83, 0xae, 0x75, 0xd3)

/* [MS-VHDX] 2.2.1 */
struct vhdx_raw_file_id {
	__le64	signature;
	__le16	creator[VHDX_CREATOR_CHARS];	/* UTF-16LE, diagnostics only */
};

/* [MS-VHDX] 2.2.2 */
struct vhdx_raw_header {
	__le32	signature;
	__le32	checksum;		/* CRC-32C of the 4096 bytes, this as 0 */
	__le64	sequence_number;
	guid_t	file_write_guid;
	guid_t	data_write_guid;
	guid_t	log_guid;
	__le16	log_version;
	__le16	version;
	__le32	log_length;
	__le64	log_offset;
	__u8	reserved[4016];
};

/* [MS-VHDX] 2.2.3.1 */
struct vhdx_raw_region_table {
	__le32	signature;
	__le32	checksum;		/* CRC-32C of the 65536 bytes, this as 0 */
	__le32	entry_count;
	__le32	reserved;
};

/* [MS-VHDX] 2.2.3.2 */
struct vhdx_raw_region_entry {
	guid_t	guid;
	__le64	file_offset;
	__le32	length;
	__le32	required;		/* bit 0; the rest is reserved */
};

#define VHDX_REGION_REQUIRED		0x1

/* [MS-VHDX] 2.3.1.2 */
struct vhdx_raw_log_entry {
	__le32	signature;
	__le32	checksum;		/* CRC-32C of entry_length bytes, this as 0 */
	__le32	entry_length;
	__le32	tail;			/* log offset of the oldest entry needed */
	__le64	sequence_number;
	__le32	descriptor_count;
	__le32	reserved;
	guid_t	log_guid;
	__le64	flushed_file_offset;
	__le64	last_file_offset;
};

/* [MS-VHDX] 2.3.1.3 */
struct vhdx_raw_log_zero {
	__le32	signature;
	__le32	reserved;
	__le64	zero_length;
	__le64	file_offset;
	__le64	sequence_number;
};

/* [MS-VHDX] 2.3.1.4 */
struct vhdx_raw_log_desc {
	__le32	signature;
	__u8	trailing_bytes[4];
	__u8	leading_bytes[8];
	__le64	file_offset;
	__le64	sequence_number;
};

/* [MS-VHDX] 2.3.1.5 */
struct vhdx_raw_log_data {
	__le32	signature;
	__le32	sequence_high;
	__u8	data[4084];
	__le32	sequence_low;
};

/* [MS-VHDX] 2.5: one entry of the block allocation table. */
#define VHDX_BAT_STATE_MASK		0x7ULL
#define VHDX_BAT_RESERVED_MASK		0xffff8ULL
#define VHDX_BAT_OFFSET_MASK		0xfffffffffff00000ULL

/* [MS-VHDX] 2.6.1.1 */
struct vhdx_raw_metadata_table {
	__le64	signature;
	__le16	reserved;
	__le16	entry_count;
	__u8	reserved2[20];
};

/* [MS-VHDX] 2.6.1.2 */
struct vhdx_raw_metadata_entry {
	guid_t	item_id;
	__le32	offset;			/* from the start of the region */
	__le32	length;
	__le32	flags;
	__le32	reserved2;
};

#define VHDX_METADATA_IS_USER		0x1
#define VHDX_METADATA_IS_VIRTUAL_DISK	0x2
#define VHDX_METADATA_IS_REQUIRED	0x4
#define VHDX_METADATA_FLAGS_ALL		0x7

/* [MS-VHDX] 2.6.2.1 */
struct vhdx_raw_file_parameters {
	__le32	block_size;
	__le32	flags;
};

#define VHDX_PARAM_LEAVE_BLOCKS_ALLOCATED	0x1
#define VHDX_PARAM_HAS_PARENT			0x2
#define VHDX_PARAM_ALL				0x3

/* [MS-VHDX] 2.6.2.6.1 */
struct vhdx_raw_locator {
	guid_t	type;
	__le16	reserved;
	__le16	key_value_count;
};

/* [MS-VHDX] 2.6.2.6.2 */
struct vhdx_raw_locator_entry {
	__le32	key_offset;
	__le32	value_offset;
	__le16	key_length;
	__le16	value_length;
};

static_assert(sizeof(struct vhdx_raw_file_id) == VHDX_FILE_ID_SIZE);
static_assert(sizeof(struct vhdx_raw_header) == VHDX_HEADER_SIZE);
static_assert(offsetof(struct vhdx_raw_header, file_write_guid) == 16);
static_assert(offsetof(struct vhdx_raw_header, log_guid) == 48);
static_assert(offsetof(struct vhdx_raw_header, log_version) == 64);
static_assert(offsetof(struct vhdx_raw_header, log_length) == 68);
static_assert(offsetof(struct vhdx_raw_header, log_offset) == 72);
static_assert(sizeof(struct vhdx_raw_region_table) == 16);
static_assert(sizeof(struct vhdx_raw_region_entry) == 32);
static_assert(offsetof(struct vhdx_raw_region_entry, file_offset) == 16);
static_assert(offsetof(struct vhdx_raw_region_entry, required) == 28);
static_assert(sizeof(struct vhdx_raw_log_entry) == 64);
static_assert(offsetof(struct vhdx_raw_log_entry, sequence_number) == 16);
static_assert(offsetof(struct vhdx_raw_log_entry, log_guid) == 32);
static_assert(offsetof(struct vhdx_raw_log_entry, last_file_offset) == 56);
static_assert(sizeof(struct vhdx_raw_log_zero) == VHDX_LOG_DESC_SIZE);
static_assert(offsetof(struct vhdx_raw_log_zero, file_offset) == 16);
static_assert(sizeof(struct vhdx_raw_log_desc) == VHDX_LOG_DESC_SIZE);
static_assert(offsetof(struct vhdx_raw_log_desc, leading_bytes) == 8);
static_assert(offsetof(struct vhdx_raw_log_desc, sequence_number) == 24);
static_assert(sizeof(struct vhdx_raw_log_data) == VHDX_LOG_SECTOR);
static_assert(offsetof(struct vhdx_raw_log_data, sequence_low) == 4092);
static_assert(sizeof(struct vhdx_raw_metadata_table) == 32);
static_assert(sizeof(struct vhdx_raw_metadata_entry) == 32);
static_assert(offsetof(struct vhdx_raw_metadata_entry, flags) == 24);
static_assert(sizeof(struct vhdx_raw_file_parameters) == 8);
static_assert(sizeof(struct vhdx_raw_locator) == 20);
static_assert(sizeof(struct vhdx_raw_locator_entry) == 12);

#endif
