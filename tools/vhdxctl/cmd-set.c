// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl set */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "edit.h"
#include "guid.h"
#include "output.h"
#include "parents.h"
#include "relink.h"

enum { OPT_IGNORE_ID_MISMATCH = 256 };

static const struct option options[] = {
	OPTION_PARENT,
	OPTION_PARENT_DIR,
	{ "ignore-id-mismatch", no_argument, NULL, OPT_IGNORE_ID_MISMATCH },
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

/**
 * struct request - what is asked for
 * @child: path of the image
 * @parent: path of the file that shall be its parent
 * @ignore_id: although that has not the DataWriteGuid that the child knows
 * @look: where parents of the parent may be
 */
struct request {
	const char		*child;
	const char		*parent;
	bool			ignore_id;
	struct parent_options	look;
};

static void parse(int argc, char **argv, struct request *rq)
{
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		if (c == OPT_PARENT)
			rq->parent = optarg;
		else if (c == OPT_IGNORE_ID_MISMATCH)
			rq->ignore_id = true;
		else if (!parent_option(&rq->look, c, optarg))
			command_other_option(&cmd_set, c);
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_set, "exactly one image file must be given");
	if (!rq->parent)
		command_usage_error(&cmd_set, "--parent must be given");
	rq->child = argv[optind];
}

/* The file that shall be the parent has @child among its own parents? */
static int check_loop(const struct target *child, const struct target *parent,
		      const struct parents *above)
{
	bool found = target_is_same(child, parent);
	size_t i;

	for (i = 0; i < above->nr && !found; i++)
		found = target_is_same(child, &above->parent[i]->target);
	if (!found)
		return 0;
	warnx("%s: cannot be the parent of %s: the chain would be a loop", parent->path,
	      child->path);
	return -1;
}

static int check_chain(const struct request *rq, const struct target *child,
		       const struct target *parent, const struct libvhdx_image *img)
{
	struct parents above = { .nr = 0 };
	int err = 0;

	if (!target_is_same(child, parent))
		err = parents_open(&above, parent->path, parent->fd, img, &rq->look);
	if (check_loop(child, parent, &above))
		err = -1;
	if (!err && above.nr + 1 > VHDX_MAX_PARENTS) {
		warnx("%s: the chain would be longer than %d images", child->path,
		      VHDX_MAX_PARENTS + 1);
		err = -1;
	}
	parents_close(&above);
	return err;
}

static int refuse_linkage(const struct request *rq, const struct vhdx_locator *loc,
			  const guid_t *found)
{
	char want[LIBVHDX_GUID_TEXT], want2[LIBVHDX_GUID_TEXT], is[LIBVHDX_GUID_TEXT];
	bool second = !guid_is_null(&loc->linkage2);

	libvhdx_guid_to_text(want, &loc->linkage);
	libvhdx_guid_to_text(want2, &loc->linkage2);
	warnx("%s: %s: %s is not its parent, or was changed since: its DataWriteGuid is %s, wanted is %s%s%s; if you know that it is the right one, use --ignore-id-mismatch",
	      rq->child, vhdx_fault_name(VHDX_FAULT_CHAIN_LINKAGE), rq->parent,
	      libvhdx_guid_to_text(is, found), want, second ? " or " : "",
	      second ? want2 : "");
	return -1;
}

static int check_linkage(const struct request *rq, const struct libvhdx_image *child,
			 const struct libvhdx_image *parent, bool *mismatch)
{
	const guid_t *found = &parent->hdrs.cur.data_write_guid;

	*mismatch = !vhdx_locator_matches(&child->locator, found);
	return *mismatch && !rq->ignore_id ? refuse_linkage(rq, &child->locator, found) : 0;
}

/* What both images must be. */
static int check_kinds(const struct request *rq, const struct libvhdx_image *child,
		       const struct libvhdx_image *parent)
{
	if (!child->md.has_parent)
		warnx("%s: is not a differencing image: it has no parent", rq->child);
	else if (child->md.logical_size != parent->md.logical_size)
		warnx("%s: %s: %s has sectors of %u bytes, not %u", rq->child,
		      vhdx_fault_name(VHDX_FAULT_CHAIN_SECTOR_SIZE), rq->parent,
		      parent->md.logical_size, child->md.logical_size);
	else
		return 0;
	return -1;
}

/* All that can be said against it, before anything is written. */
static int check(const struct request *rq, const struct target *parent,
		 const struct libvhdx_image *img, bool *mismatch)
{
	struct libvhdx_image child_img;
	struct target child;
	int err;

	if (target_open(&child, rq->child))
		return -1;
	err = edit_check_idle(&child) || edit_check_idle(parent) ||
	      target_open_image(&child, &child_img);
	if (!err) {
		err = check_kinds(rq, &child_img, img) || check_chain(rq, &child, parent, img) ||
		      check_linkage(rq, &child_img, img, mismatch);
		libvhdx_image_close(&child_img);
	}
	target_close(&child);
	return err;
}

static int relink(const struct request *rq, const guid_t *linkage)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	const struct libvhdx_relink want = {
		.child		= rq->child,
		.parent		= rq->parent,
		.linkage	= linkage,
	};
	struct edit e;
	int err;

	if (edit_open(&e, rq->child))
		return -1;
	err = libvhdx_relink(&e.j, &want, &finding);
	if (err == -ENAMETOOLONG)
		warnx("%s: the path of %s is too long for a parent locator", rq->child,
		      rq->parent);
	else if (err)
		edit_failed(&e, err, &finding);
	edit_close(&e);
	return err;
}

/* The parent stays open, and so locked, until its child names it. */
static int set_parent(const struct request *rq)
{
	struct libvhdx_image img;
	struct target parent;
	bool mismatch;
	int err;

	if (target_open(&parent, rq->parent))
		return -1;
	err = target_open_image(&parent, &img);
	if (!err) {
		err = check(rq, &parent, &img, &mismatch) ||
		      relink(rq, mismatch ? &img.hdrs.cur.data_write_guid : NULL);
		libvhdx_image_close(&img);
	}
	target_close(&parent);
	return err;
}

static int cmd_set_run(int argc, char **argv)
{
	struct request rq = { .child = NULL };
	int err;

	parse(argc, argv, &rq);
	err = set_parent(&rq);
	parent_options_free(&rq.look);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct command cmd_set = {
	.name		= "set",
	.run		= cmd_set_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "--parent FILE [OPTION]... CHILD",
	.summary	= "Tell a differencing image where its parent is",
	.options	=
		"      --parent=FILE           FILE is the parent of CHILD\n"
		"      --ignore-id-mismatch    even if it has not the identity that CHILD knows\n"
		"      --parent-dir=DIR        look for the parents of FILE in DIR, too; may be repeated\n",
};
