// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl create */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "command.h"
#include "create.h"
#include "fault.h"
#include "newimage.h"
#include "output.h"
#include "parents.h"
#include "target.h"

enum {
	OPT_BLOCK_SIZE = 256, OPT_LOG_SIZE, OPT_LOGICAL, OPT_PHYSICAL, OPT_FORCE, OPT_OF,
};

static const struct option options[] = {
	{ "type", required_argument, NULL, 't' },
	{ "size", required_argument, NULL, 's' },
	{ "block-size", required_argument, NULL, OPT_BLOCK_SIZE },
	{ "log-size", required_argument, NULL, OPT_LOG_SIZE },
	{ "logical-sector-size", required_argument, NULL, OPT_LOGICAL },
	{ "physical-sector-size", required_argument, NULL, OPT_PHYSICAL },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "parent", required_argument, NULL, OPT_OF },
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

static u64 parse_size(const char *option, const char *arg, u64 max)
{
	u64 size;
	int err = size_parse(arg, &size);

	if (err == -EINVAL)
		command_usage_error(&cmd_create, "--%s: '%s' is not a size such as 512M or 10G",
				    option, arg);
	if (err || size > max)
		command_usage_error(&cmd_create, "--%s: '%s' is too large", option, arg);
	return size;
}

/* A number that may not be 0, since 0 stands for the default. */
static u32 parse_part(const char *option, const char *arg)
{
	u64 size = parse_size(option, arg, U32_MAX);

	if (!size)
		command_usage_error(&cmd_create, "--%s: must not be 0", option);
	return (u32)size;
}

static enum vhdx_disk_type parse_type(const char *arg)
{
	if (!strcmp(arg, "dynamic"))
		return VHDX_DISK_DYNAMIC;
	if (!strcmp(arg, "fixed"))
		return VHDX_DISK_FIXED;
	command_usage_error(&cmd_create, "--type: '%s' must be dynamic or fixed", arg);
}

/**
 * struct request - what is asked for
 * @params: of the new image
 * @parent: path of its parent, or NULL
 * @force: an existing file may be replaced
 * @size_given: its size was asked for
 */
struct request {
	struct libvhdx_params	params;
	const char		*parent;
	bool			force;
	bool			size_given;
};

static void parse(int argc, char **argv, struct request *rq)
{
	struct libvhdx_params *p = &rq->params;
	bool type_given = false;
	int c;

	while ((c = getopt_long(argc, argv, "t:s:hV", options, NULL)) != -1) {
		switch (c) {
		case 't':
			p->type = parse_type(optarg);
			type_given = true;
			break;
		case 's':
			p->disk_size = parse_size("size", optarg, U64_MAX);
			rq->size_given = true;
			break;
		case OPT_BLOCK_SIZE:
			p->block_size = parse_part("block-size", optarg);
			break;
		case OPT_LOG_SIZE:
			p->log_len = parse_part("log-size", optarg);
			break;
		case OPT_LOGICAL:
			p->logical_size = parse_part("logical-sector-size", optarg);
			break;
		case OPT_PHYSICAL:
			p->physical_size = parse_part("physical-sector-size", optarg);
			break;
		case OPT_FORCE:
			rq->force = true;
			break;
		case OPT_OF:
			rq->parent = optarg;
			p->type = VHDX_DISK_DIFFERENCING;
			break;
		default:
			command_other_option(&cmd_create, c);
		}
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_create, "exactly one file must be given");
	if (type_given && rq->parent)
		command_usage_error(&cmd_create, "--type and --parent exclude each other");
	if (!rq->size_given && !rq->parent)
		command_usage_error(&cmd_create, "--size must be given");
}

static void check_params(struct libvhdx_params *p)
{
	struct vhdx_finding fd;
	enum vhdx_fault fault = libvhdx_params_check(p, &fd);

	if (fault)
		command_usage_error(&cmd_create, "%s (%llu)", vhdx_fault_text(fault),
				    (unsigned long long)fd.value);
}

static int create(const char *path, const struct libvhdx_params *params, bool force)
{
	return new_image(path, params, force) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * A file that is to be replaced must not be one of those that the child needs:
 * the open @img in @t and its parents. They are left in @parents, to be closed
 * when the child is there, since locks last as long.
 */
static int check_chain(const char *path, const char *parent, const struct target *t,
		       const struct libvhdx_image *img, struct parents *parents)
{
	const struct parent_options opt = { .nr_files = 0 };
	int fd = open(path, O_PATH | O_CLOEXEC);
	int ret = -1;

	parents->nr = 0;
	if (fd < 0)
		return 0;	/* nothing to replace */
	if (same_file(fd, t->fd))
		warnx("%s: is the parent, and cannot be replaced by its child", path);
	else if (parents_open(parents, parent, t->fd, img, &opt))
		warnx("%s: is not replaced: it may be one of the parents of %s; remove it first if it is not",
		      path, parent);
	else if (parents_have(parents, fd))
		warnx("%s: is a parent of %s, and cannot be replaced", path, parent);
	else
		ret = 0;
	close(fd);
	return ret;
}

/* The parent stays open, and so locked, until its child is there. */
static int create_of(const char *path, struct request *rq, struct target *t)
{
	struct libvhdx_params *p = &rq->params;
	struct parents parents = { .nr = 0 };
	struct libvhdx_image img;
	int status = EXIT_FAILURE;
	void *buf;

	if (target_open_image(t, &img))
		return status;
	buf = malloc(LIBVHDX_LOCATOR_MAX);
	if (!buf)
		err(EXIT_FAILURE, NULL);
	if (!rq->size_given)
		p->disk_size = img.md.disk_size;
	if (!new_image_child(p, path, t, &img, buf) &&
	    (!rq->force || !check_chain(path, rq->parent, t, &img, &parents))) {
		check_params(p);
		status = create(path, p, rq->force);
	}
	free(buf);
	parents_close(&parents);
	libvhdx_image_close(&img);
	return status;
}

static int create_child(const char *path, struct request *rq)
{
	struct target t;
	int status;

	if (target_open(&t, rq->parent))
		return EXIT_FAILURE;
	status = create_of(path, rq, &t);
	target_close(&t);
	return status;
}

static int cmd_create_run(int argc, char **argv)
{
	struct request rq = {
		.params = {
			.type		= VHDX_DISK_DYNAMIC,
			.creator	= "vhdxctl " VHDXCTL_VERSION,
		},
	};

	parse(argc, argv, &rq);
	if (rq.parent)
		return create_child(argv[optind], &rq);
	check_params(&rq.params);
	return create(argv[optind], &rq.params, rq.force);
}

const struct command cmd_create = {
	.name		= "create",
	.run		= cmd_create_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "--size SIZE|--parent FILE [OPTION]... FILE",
	.summary	= "Make a new, empty image",
	.options	=
		"  -s, --size=SIZE                  size of the virtual disk, up to 64T\n"
		"  -t, --type=TYPE                  dynamic (the default) or fixed\n"
		"      --parent=FILE                make a differencing image with this parent\n"
		"      --block-size=SIZE            1M to 256M; default 32M, fixed and differencing 2M\n"
		"      --log-size=SIZE              1M to 1G in steps of 1M; default 1M\n"
		"      --logical-sector-size=SIZE   512 (the default) or 4096; a child has its parent's\n"
		"      --physical-sector-size=SIZE  512 or 4096 (the default)\n"
		"      --force                      replace FILE if it exists\n",
};
