/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The check of a whole image: everything that opening looks at, every BAT
 * entry, both copies of what exists twice, and the space that nothing uses.
 * Nothing is ever written.
 */
#ifndef LIBVHDX_CHECK_H
#define LIBVHDX_CHECK_H

#include <linux/types.h>

#include "bat.h"
#include "fault.h"

struct libvhdx_file;
struct libvhdx_image;

enum libvhdx_severity {
	LIBVHDX_NOTE,	/* worth knowing; the image is in order */
	LIBVHDX_ERROR,	/* breaks a rule of the format */
};

/**
 * struct libvhdx_message - one thing that the check has to say
 * @severity: how bad it is
 * @name: the fault's name, or one of "log-dirty", "log-entries-lost", "log-none",
 *	"file-size-odd", "space-unused", "parent-unchecked"
 * @off: file offset that it is about
 * @text: a sentence
 * @fd: the finding behind it, NULL for a note without a fault
 */
struct libvhdx_message {
	enum libvhdx_severity		severity;
	const char			*name;
	u64				off;
	const char			*text;
	const struct vhdx_finding	*fd;
};

/**
 * struct libvhdx_check - one run
 * @report: in: told of each message in the order of discovery; what it is
 *	handed lives until it returns
 * @data: in: for @report
 * @nr_errors: out: messages that were errors
 * @nr_notes: out: the others
 * @whole: out: the check came to its end; else an error kept it from
 *	looking at what follows
 * @scan: out: what was counted in the BAT; its map is gone
 */
struct libvhdx_check {
	void			(*report)(struct libvhdx_check *chk,
					  const struct libvhdx_message *msg);
	void			*data;
	u64			nr_errors;
	u64			nr_notes;
	bool			whole;
	struct vhdx_bat_scan	scan;
};

/*
 * Check @file. Returns 0 whatever was found, or a negative errno when the
 * file could not be read or memory ran out. @img is open as far as the image
 * allows; libvhdx_image_close() it in every case.
 */
int libvhdx_check(struct libvhdx_check *chk, struct libvhdx_image *img,
		  struct libvhdx_file *file);

#endif
