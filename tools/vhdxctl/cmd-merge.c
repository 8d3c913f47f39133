// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl merge */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "edit.h"
#include "fault.h"
#include "merge.h"
#include "output.h"
#include "parents.h"

enum { OPT_INTO = 256, OPT_DELETE, OPT_SHRINK, OPT_NO_PROGRESS };

static const struct option options[] = {
	{ "into", required_argument, NULL, OPT_INTO },
	{ "delete", no_argument, NULL, OPT_DELETE },
	{ "shrink", no_argument, NULL, OPT_SHRINK },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	OPTION_PARENT,
	OPTION_PARENT_DIR,
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

/**
 * struct request - what is asked for
 * @child: path of the image
 * @into: path of one of its parents, NULL: the nearest
 * @delete: remove what was merged
 * @shrink: the disk may become smaller
 * @quiet: no progress
 * @look: where parents are
 */
struct request {
	const char		*child;
	const char		*into;
	bool			delete;
	bool			shrink;
	bool			quiet;
	struct parent_options	look;
};

static void parse(int argc, char **argv, struct request *rq)
{
	int c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		if (c == OPT_INTO)
			rq->into = optarg;
		else if (c == OPT_DELETE)
			rq->delete = true;
		else if (c == OPT_SHRINK)
			rq->shrink = true;
		else if (c == OPT_NO_PROGRESS)
			rq->quiet = true;
		else if (!parent_option(&rq->look, c, optarg))
			command_other_option(&cmd_merge, c);
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_merge, "exactly one image file must be given");
	rq->child = argv[optind];
}

/**
 * struct chain - the images that are merged, and the one that they are merged into
 * @nr: their number, the last one included
 * @path: their files, the leaf first
 * @edit: the same, open; the first @nr_open of them
 * @nr_open: number of those
 */
struct chain {
	size_t		nr;
	char		*path[VHDX_MAX_PARENTS + 1];
	struct edit	*edit[VHDX_MAX_PARENTS + 1];
	size_t		nr_open;
};

static void chain_close(struct chain *chain)
{
	while (chain->nr_open) {
		edit_close(chain->edit[--chain->nr_open]);
		free(chain->edit[chain->nr_open]);
	}
	while (chain->nr)
		free(chain->path[--chain->nr]);
}

static void chain_add(struct chain *chain, const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		err(EXIT_FAILURE, NULL);
	chain->path[chain->nr++] = copy;
}

/* Which of the parents is meant; -1 and a message: none. */
static int find_into(const struct request *rq, const struct parents *parents)
{
	struct target t;
	size_t i;

	if (!rq->into)
		return 0;
	if (target_open(&t, rq->into))
		return -1;
	for (i = 0; i < parents->nr; i++)
		if (target_is_same(&t, &parents->parent[i]->target))
			break;
	target_close(&t);
	if (i < parents->nr)
		return (int)i;
	warnx("%s: is not among the parents of %s", rq->into, rq->child);
	return -1;
}

/* A disk that ends before that of the image below: what is behind would be lost. */
static int check_size(const struct request *rq, const char *path,
		      const struct libvhdx_image *img, const struct parent *last)
{
	char size[SIZE_TEXT], last_size[SIZE_TEXT];

	if (rq->shrink || img->md.disk_size >= last->img.md.disk_size)
		return 0;
	warnx("%s: has a disk of %s (%llu bytes), and %s one of %s (%llu bytes), which would become smaller; what it holds behind that end would be lost: use --shrink if it may",
	      path, size_to_text(size, img->md.disk_size),
	      (unsigned long long)img->md.disk_size, last->path,
	      size_to_text(last_size, last->img.md.disk_size),
	      (unsigned long long)last->img.md.disk_size);
	return -1;
}

static int check_plain(const struct request *rq, const char *path)
{
	struct stat st;

	if (!rq->delete || lstat(path, &st) || (S_ISREG(st.st_mode) && st.st_nlink == 1))
		return 0;
	warnx("%s: is not a plain file with one name; it cannot be merged with --delete", path);
	return -1;
}

/* All that can be said against it, before anything is written; fills @chain. */
static int check_chain(const struct request *rq, const struct libvhdx_image *img,
		       const struct parents *parents, struct chain *chain)
{
	int last = find_into(rq, parents), i, err;

	if (last < 0)
		return -1;
	err = check_size(rq, rq->child, img, parents->parent[last]) ||
	      check_plain(rq, rq->child);
	chain_add(chain, rq->child);
	for (i = 0; i <= last && !err; i++) {
		const struct parent *p = parents->parent[i];

		chain_add(chain, p->path);
		if (i < last)
			err = check_size(rq, p->path, &p->img, parents->parent[last]) ||
			      check_plain(rq, p->path);
	}
	return err;
}

static int find_chain(const struct request *rq, struct target *t, struct chain *chain)
{
	struct parents parents = { .nr = 0 };
	struct libvhdx_image img;
	int err;

	if (edit_check_idle(t) || target_open_image(t, &img))
		return -1;
	err = parents_open(&parents, t->path, t->fd, &img, &rq->look);
	if (!err && !img.md.has_parent) {
		warnx("%s: is not a differencing image: it has no parent to be merged into",
		      rq->child);
		err = -1;
	}
	if (!err)
		err = check_chain(rq, &img, &parents, chain);
	parents_close(&parents);
	libvhdx_image_close(&img);
	return err;
}

/* Nobody may have come between the look at the chain and the locks. */
static int check_link(const struct edit *child, const struct edit *parent)
{
	if (child->j.img.md.has_parent &&
	    vhdx_locator_matches(&child->j.img.locator,
				 &parent->j.img.hdrs.cur.data_write_guid) &&
	    child->j.img.md.logical_size == parent->j.img.md.logical_size)
		return 0;
	warnx("%s: was changed by somebody else just now; try again", child->path);
	return -1;
}

/* All of them for writing, and checked once more. */
static int chain_open(struct chain *chain)
{
	size_t i;

	for (i = 0; i < chain->nr; i++) {
		struct edit *e = malloc(sizeof(*e));

		if (!e)
			err(EXIT_FAILURE, NULL);
		if (edit_open(e, chain->path[i])) {
			free(e);
			return -1;
		}
		chain->edit[chain->nr_open++] = e;
		if (i && check_link(chain->edit[i - 1], e))
			return -1;
	}
	return 0;
}

static int interrupted;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_store_n(&interrupted, 1, __ATOMIC_RELAXED);
}

static bool is_interrupted(void)
{
	return __atomic_load_n(&interrupted, __ATOMIC_RELAXED);
}

/* The second time it is no longer asked for, but done. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

static int shown = -1;

static void show_progress(u64 done, u64 total)
{
	const int width = 40;
	int percent = (int)(done / (total / 100 + 1)), bar = percent * width / 100;

	if (done == total) {
		percent = 100;
		bar = width;
	}
	if (percent == shown)
		return;
	shown = percent;
	fprintf(stderr, "\r[%.*s%*s] %3d%%", bar, "========================================",
		width - bar, "", percent);
}

static void end_progress(void)
{
	if (shown >= 0)
		fputc('\n', stderr);
	shown = -1;
}

static int merge_failed(const struct chain *chain, const struct libvhdx_merge *m,
			const struct edit *child, int err, const struct vhdx_finding *fd)
{
	const struct edit *last = chain->edit[chain->nr - 1];

	if (err == -EINTR)
		warnx("%s: interrupted", child->path);
	else if (err == -ENAMETOOLONG)
		warnx("%s: the path of %s is too long for a parent locator", child->path,
		      last->path);
	else
		edit_failed(m->in_child ? child : last, err, fd);
	warnx("%s: nothing is lost: it reads as before; 'vhdxctl merge' begins again",
	      chain->path[0]);
	return -1;
}

static int merge_one(const struct request *rq, struct chain *chain, size_t i)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct edit *child = chain->edit[i], *last = chain->edit[chain->nr - 1];
	struct libvhdx_merge m = {
		.child		= &child->j,
		.parent		= &last->j,
		.child_path	= child->path,
		.parent_path	= last->path,
		.progress	= rq->quiet || !isatty(STDERR_FILENO) ? NULL : show_progress,
		.stop		= is_interrupted,
	};
	int err = libvhdx_merge(&m, &finding);

	end_progress();
	return err ? merge_failed(chain, &m, child, err, &finding) : 0;
}

/*
 * From the image next to the last up to the leaf: each is merged when the one
 * below it was, and so has nothing between itself and the last.
 */
static int merge_all(const struct request *rq, struct chain *chain)
{
	size_t i;

	for (i = chain->nr - 1; i--;)
		if (merge_one(rq, chain, i))
			return -1;
	return 0;
}

/* The file that was merged, and no other that has its name by now. */
static int delete_one(const struct edit *e)
{
	if (!path_leads_to(e->path, e->fd))
		warnx("%s: was replaced by another process, and stays", e->path);
	else if (unlink(e->path))
		warn("%s: is merged, but cannot be removed", e->path);
	else
		return 0;
	return -1;
}

static int delete_merged(const struct chain *chain)
{
	int failed = 0;
	size_t i;

	for (i = 0; i + 1 < chain->nr; i++)
		failed |= delete_one(chain->edit[i]);
	return failed;
}

static void tell(const struct chain *chain)
{
	const char *last = chain->path[chain->nr - 1];
	size_t i;

	printf("%s: is merged into %s and may be removed\n", chain->path[0], last);
	for (i = 1; i + 1 < chain->nr; i++)
		printf("%s: is merged into %s, too, and is of no use any more\n", chain->path[i],
		       last);
}

static int merge(const struct request *rq)
{
	struct chain chain = { .nr = 0 };
	struct target t;
	int err;

	if (target_open(&t, rq->child))
		return -1;
	err = find_chain(rq, &t, &chain);
	target_close(&t);
	catch_signals();
	if (!err)
		err = chain_open(&chain);
	if (!err)
		err = merge_all(rq, &chain);
	if (!err && rq->delete)
		err = delete_merged(&chain);
	else if (!err)
		tell(&chain);
	chain_close(&chain);
	return err;
}

static int cmd_merge_run(int argc, char **argv)
{
	struct request rq = { .child = NULL };
	int err;

	parse(argc, argv, &rq);
	err = merge(&rq);
	parent_options_free(&rq.look);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct command cmd_merge = {
	.name		= "merge",
	.run		= cmd_merge_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "[OPTION]... CHILD",
	.summary	= "Put what a differencing image holds into its parent",
	.options	=
		"      --into=FILE         into this one of its parents, with all images between\n"
		"      --delete            remove the images that were merged\n"
		"      --shrink            although the parent's disk becomes smaller\n"
		"      --no-progress       no bar, which only a terminal shows anyway\n"
		HELP_PARENTS,
};
