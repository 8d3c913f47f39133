/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One printer for each object: what debugfs, the messages of the kernel and
 * "vhdxctl dump" show is the same text.
 *
 * Each function writes at most @size bytes with the terminating NUL to @buf
 * and returns the length that the whole text has, as snprintf() does.
 */
#ifndef VHDX_FORMAT_TEXT_H
#define VHDX_FORMAT_TEXT_H

#include <linux/types.h>

struct vhdx_bat_entry;
struct vhdx_finding;
struct vhdx_geometry;
struct vhdx_header;
struct vhdx_log_desc;
struct vhdx_log_entry;
struct vhdx_log_sequence;
struct vhdx_metadata;
struct vhdx_region;

/* "bat-overlap at 0x300010: sentence (found 0x1d00006)": one line, no newline. */
int vhdx_finding_to_text(char *buf, size_t size, const struct vhdx_finding *fd);

/* The others: "name value" lines, each ended with a newline. */
int vhdx_header_to_text(char *buf, size_t size, const struct vhdx_header *hdr);
int vhdx_region_to_text(char *buf, size_t size, const struct vhdx_region *region);
int vhdx_metadata_to_text(char *buf, size_t size, const struct vhdx_metadata *md);
int vhdx_geometry_to_text(char *buf, size_t size, const struct vhdx_geometry *geo);
int vhdx_log_entry_to_text(char *buf, size_t size, const struct vhdx_log_entry *e);
int vhdx_log_desc_to_text(char *buf, size_t size, const struct vhdx_log_desc *desc);
int vhdx_log_sequence_to_text(char *buf, size_t size,
			      const struct vhdx_log_sequence *seq);
/* One BAT entry: "fully-present 0x400000", without newline. */
int vhdx_bat_entry_to_text(char *buf, size_t size, const struct vhdx_bat_entry *e,
			   bool bitmap);

#endif
