/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parents of an image: found, opened for reading, locked, and checked to be
 * the ones that their children name.
 */
#ifndef VHDXCTL_PARENTS_H
#define VHDXCTL_PARENTS_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/vhdx.h>

#include "target.h"

/**
 * struct parent_options - where to look
 * @files: the parents that were named, the nearest first
 * @nr_files: their number
 * @dirs: further directories
 * @nr_dirs: their number
 */
struct parent_options {
	const char	**files;
	size_t		nr_files;
	const char	**dirs;
	size_t		nr_dirs;
};

/* Long options of commands that look for parents. */
enum { OPT_PARENT = 512, OPT_PARENT_DIR };
#define OPTION_PARENT		{ "parent", required_argument, NULL, OPT_PARENT }
#define OPTION_PARENT_DIR	{ "parent-dir", required_argument, NULL, OPT_PARENT_DIR }

#define HELP_PARENTS \
	"      --parent=FILE       take FILE as the parent; once for each level\n" \
	"      --parent-dir=DIR    look for parents in DIR, too; may be repeated\n"

/* Take option @c with @arg; false if it is none of them. Ends without memory. */
bool parent_option(struct parent_options *opt, int c, const char *arg);

/* Put @file in front of the parents that were named. Ends without memory. */
void parent_option_first(struct parent_options *opt, const char *file);
void parent_options_free(struct parent_options *opt);

/**
 * struct parent - one open parent
 * @target: its file, with a reader's lock
 * @img: what is in it
 * @path: owns target.path
 * @key: the key of its child's locator that led to it, or "--parent"
 */
struct parent {
	struct target		target;
	struct libvhdx_image	img;
	char			*path;
	const char		*key;
};

/**
 * struct parents - all of them, the nearest first
 * @nr: their number
 * @parent: the parents
 */
struct parents {
	size_t		nr;
	struct parent	*parent[VHDX_MAX_PARENTS];
};

/*
 * Find and open the parents of @img, the image in file @fd with path @path. 0, or
 * -1 and a message that says who was looked for, where, and what was there. To
 * be closed in either case.
 */
int parents_open(struct parents *parents, const char *path, int fd,
		 const struct libvhdx_image *img, const struct parent_options *opt);

void parents_close(struct parents *parents);

/* Is the file open as @fd one of them? */
bool parents_have(const struct parents *parents, int fd);

#endif
