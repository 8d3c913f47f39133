/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * File type identifier and the two headers, [MS-VHDX] 2.2.1 and 2.2.2.
 *
 * A header is valid when signature and checksum are right; of two valid ones
 * the one with the greater sequence number is current. Headers are updated in
 * place, always in the slot that is not current.
 */
#ifndef VHDX_FORMAT_HEADER_H
#define VHDX_FORMAT_HEADER_H

#include <linux/types.h>
#include <linux/uuid.h>

#include "fault.h"

struct vhdx_header {
	u64	seq;
	guid_t	file_write_guid;
	guid_t	data_write_guid;
	guid_t	log_guid;		/* null: nothing to replay */
	u64	log_off;
	u32	log_len;
	u16	log_version;
	u16	version;
};

/**
 * struct vhdx_headers - outcome of choosing the current header
 * @cur: the current header
 * @slot: its slot, 0 or 1; an update goes to the other one
 * @valid: bit n is set when the header in slot n is valid
 */
struct vhdx_headers {
	struct vhdx_header	cur;
	unsigned int		slot;
	unsigned int		valid;
};

/* File offset of header slot 0 or 1. */
u64 vhdx_header_off(unsigned int slot);

/*
 * A file of @size bytes: can it be an image at all? FILE_TOO_SMALL, or
 * FILE_TOO_LARGE: what looks at each MiB of a file has an end.
 */
enum vhdx_fault vhdx_file_size_check(u64 size, struct vhdx_finding *fd);

/* Check the identifier at file offset 0; @buf holds at least 8 bytes. */
enum vhdx_fault vhdx_file_id_check(const void *buf, struct vhdx_finding *fd);

/* Write identifier and creator (ASCII, cut at 255 characters) to @buf, 520 bytes. */
void vhdx_file_id_encode(void *buf, const char *creator);

/* Decode one 4 KiB header found in @slot; tells signature and checksum faults. */
enum vhdx_fault vhdx_header_decode(const void *buf, unsigned int slot,
				   struct vhdx_header *hdr,
				   struct vhdx_finding *fd);

/* Encode and seal @hdr into 4 KiB at @buf; the reserved rest becomes zero. */
void vhdx_header_encode(void *buf, const struct vhdx_header *hdr);

/*
 * Choose the current one of the two 4 KiB headers ([MS-VHDX] 2.2.2). Equal
 * sequence numbers are accepted only for byte-identical headers (then slot 0).
 * If none is valid the finding is HEADER_NONE_VALID at the first slot.
 */
enum vhdx_fault vhdx_headers_choose(const void *buf0, const void *buf1,
				    struct vhdx_headers *hdrs,
				    struct vhdx_finding *fd);

/*
 * Version, LogVersion and place of the log of the current header, against a
 * file of @size bytes. A log of length 0 passes when LogGuid is null (such a
 * file can only be read).
 */
enum vhdx_fault vhdx_headers_check(const struct vhdx_headers *hdrs, u64 size,
				   struct vhdx_finding *fd);

/*
 * For who wants to write: are there sequence numbers enough left for the
 * updates of a long session? HEADER_SEQUENCE if not.
 */
enum vhdx_fault vhdx_headers_check_writable(const struct vhdx_headers *hdrs,
					    struct vhdx_finding *fd);

#endif
