// SPDX-License-Identifier: GPL-2.0-only
/* The parents of an image. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "fault.h"
#include "guid.h"
#include "output.h"
#include "parents.h"
#include "resolve.h"

static void add_word(const char ***words, size_t *nr, const char *word)
{
	const char **longer = reallocarray(*words, *nr + 1, sizeof(*longer));

	if (!longer)
		err(EXIT_FAILURE, NULL);
	longer[(*nr)++] = word;
	*words = longer;
}

bool parent_option(struct parent_options *opt, int c, const char *arg)
{
	if (c == OPT_PARENT)
		add_word(&opt->files, &opt->nr_files, arg);
	else if (c == OPT_PARENT_DIR)
		add_word(&opt->dirs, &opt->nr_dirs, arg);
	else
		return false;
	return true;
}

void parent_option_first(struct parent_options *opt, const char *file)
{
	add_word(&opt->files, &opt->nr_files, file);
	memmove(opt->files + 1, opt->files, (opt->nr_files - 1) * sizeof(*opt->files));
	opt->files[0] = file;
}

void parent_options_free(struct parent_options *opt)
{
	free(opt->files);
	free(opt->dirs);
	*opt = (struct parent_options){ .nr_files = 0 };
}

/**
 * struct child - whose parent is looked for
 * @path: its file
 * @img: what is in it
 */
struct child {
	const char			*path;
	const struct libvhdx_image	*img;
};

static void warn_linkage(const struct child *child, const char *key, const char *path,
			 const guid_t *found)
{
	const guid_t *second = &child->img->locator.linkage2;
	char want[LIBVHDX_GUID_TEXT], want2[LIBVHDX_GUID_TEXT], is[LIBVHDX_GUID_TEXT];

	libvhdx_guid_to_text(want, &child->img->locator.linkage);
	libvhdx_guid_to_text(want2, second);
	libvhdx_guid_to_text(is, found);
	warnx("%s: %s: %s: %s is not the parent, or was changed since: its DataWriteGuid is %s, wanted is %s%s%s",
	      child->path, vhdx_fault_name(VHDX_FAULT_CHAIN_LINKAGE), key, path, is, want,
	      guid_is_null(second) ? "" : " or ",
	      guid_is_null(second) ? "" : want2);
}

static void parent_free(struct parent *p)
{
	free(p->path);
	free(p);
}

static void parent_close(struct parent *p)
{
	libvhdx_image_close(&p->img);
	target_close(&p->target);
	parent_free(p);
}

/* What the user named is opened as it is; where an image leads to, a regular file only. */
static const char named[] = "--parent";

static int open_target(struct parent *p)
{
	return p->key == named ? target_open(&p->target, p->path) :
				 target_open_regular(&p->target, p->path);
}

/* An open image at @path, or NULL and a message. */
static struct parent *parent_open(const char *key, const char *path)
{
	struct parent *p = calloc(1, sizeof(*p));

	if (!p)
		err(EXIT_FAILURE, NULL);
	p->key = key;
	p->path = strdup(path);
	if (!p->path)
		err(EXIT_FAILURE, NULL);
	if (open_target(p)) {
		parent_free(p);
		return NULL;
	}
	if (!target_open_image(&p->target, &p->img))
		return p;
	target_close(&p->target);
	parent_free(p);
	return NULL;
}

/* The same, if it is the parent of @child. */
static struct parent *parent_try(const struct child *child, const char *key, const char *path)
{
	struct parent *p = parent_open(key, path);

	if (!p)
		return NULL;
	if (vhdx_locator_matches(&child->img->locator, &p->img.hdrs.cur.data_write_guid))
		return p;
	warn_linkage(child, key, path, &p->img.hdrs.cur.data_write_guid);
	parent_close(p);
	return NULL;
}

/* What is there was spoken of already. */
static void warn_missing(const struct child *child, const struct libvhdx_place *place)
{
	if (access(place->path, F_OK))
		warn("%s: %s: %s", child->path, place->key, place->path);
}

/*
 * Places where there is nothing are of interest only if none has the parent:
 * then a second pass names them all.
 */
static struct parent *parent_find(const struct child *child, const struct parent_options *opt)
{
	struct libvhdx_places places;
	struct parent *p = NULL;
	size_t i;

	if (libvhdx_resolve(&places, &child->img->locator, child->path, opt->dirs, opt->nr_dirs))
		err(EXIT_FAILURE, NULL);
	for (i = 0; i < places.nr && !p; i++) {
		if (!access(places.place[i].path, F_OK))
			p = parent_try(child, places.place[i].key, places.place[i].path);
	}
	for (i = 0; i < places.nr && !p; i++)
		warn_missing(child, &places.place[i]);
	libvhdx_places_free(&places);
	if (!p)
		warnx("%s: %s: the parent was not found; name it with --parent or where it is with --parent-dir",
		      child->path, vhdx_fault_name(VHDX_FAULT_CHAIN_PARENT_MISSING));
	return p;
}

bool parents_have(const struct parents *parents, int fd)
{
	size_t i;

	for (i = 0; i < parents->nr; i++)
		if (same_file(parents->parent[i]->target.fd, fd))
			return true;
	return false;
}

/* Is @p the leaf, open as @fd, or one of the parents so far? */
static bool is_loop(const struct parents *parents, int fd, const struct parent *p)
{
	return same_file(fd, p->target.fd) || parents_have(parents, p->target.fd);
}

/* What makes a parent that was found unfit. */
static int parent_check(const struct parents *parents, int fd, const struct child *child,
			const struct parent *p)
{
	if (is_loop(parents, fd, p))
		warnx("%s: %s: %s: %s is in the chain already: the chain is a loop",
		      child->path, vhdx_fault_name(VHDX_FAULT_CHAIN_DUPLICATE), p->key, p->path);
	else if (parents->nr == VHDX_MAX_PARENTS)
		warnx("%s: the chain is longer than %d images", child->path,
		      VHDX_MAX_PARENTS + 1);
	else if (p->target.busy)
		warnx("%s: %s: %s is in use by another process, which writes to it (QEMU image lock); stop it first",
		      child->path, p->key, p->path);
	else
		return 0;
	return -1;
}

static int parents_add(struct parents *parents, int fd, const struct child *child,
		       const struct parent_options *opt)
{
	struct parent *p;

	p = parents->nr < opt->nr_files ?
	    parent_try(child, named, opt->files[parents->nr]) :
	    parent_find(child, opt);
	if (!p)
		return -1;
	if (parent_check(parents, fd, child, p)) {
		parent_close(p);
		return -1;
	}
	parents->parent[parents->nr++] = p;
	return 0;
}

int parents_open(struct parents *parents, const char *path, int fd,
		 const struct libvhdx_image *img, const struct parent_options *opt)
{
	struct child child = { .path = path, .img = img };

	parents->nr = 0;
	while (child.img->md.has_parent) {
		if (parents_add(parents, fd, &child, opt))
			return -1;
		child.path = parents->parent[parents->nr - 1]->path;
		child.img = &parents->parent[parents->nr - 1]->img;
	}
	if (parents->nr >= opt->nr_files)
		return 0;
	warnx("%s: --parent: %s: %s has no parent", path, opt->files[parents->nr], child.path);
	return -1;
}

void parents_close(struct parents *parents)
{
	while (parents->nr)
		parent_close(parents->parent[--parents->nr]);
}
