/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages on their way to a file: those that follow each other go in one transfer,
 * and several transfers are under way at a time.
 *
 * For one task, while an image is being opened. What is added between two waits
 * is written in any order, so no page may be added twice between them.
 */
#ifndef VHDX_WRITER_H
#define VHDX_WRITER_H

#include <linux/types.h>

struct vhdx_file;
struct vhdx_writer;

/* For @file, which must stay. All memory that it needs, 2 MiB; NULL if there is none. */
struct vhdx_writer *vhdx_writer_alloc(struct vhdx_file *file);

/* Waits for what is under way; what was not sent yet is not written. NULL is allowed. */
void vhdx_writer_free(struct vhdx_writer *w);

/*
 * Write the 4 KiB at @page, zeros if that is NULL, to file offset @off, sooner or
 * later. Copies them. 0, or the errno of this or an earlier page: then nothing
 * more is to be added. -EINTR if the task is about to die. May sleep.
 */
int vhdx_writer_add(struct vhdx_writer *w, u64 off, const void *page);

/*
 * Wait until all that was added is written; it is not stable before the file is
 * flushed. 0, or the first error there was.
 */
int vhdx_writer_wait(struct vhdx_writer *w);

#endif
