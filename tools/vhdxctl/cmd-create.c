// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl create */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "command.h"
#include "create.h"
#include "fault.h"
#include "file.h"
#include "lock.h"
#include "output.h"
#include "parents.h"
#include "resolve.h"
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

/* What a child has of its parent; the rest is asked for or has a default. */
static void inherit(struct request *rq, const struct vhdx_metadata *md)
{
	struct libvhdx_params *p = &rq->params;

	if (!rq->size_given)
		p->disk_size = md->disk_size;
	if (!p->logical_size)
		p->logical_size = md->logical_size;
	if (!p->physical_size)
		p->physical_size = md->physical_size;
	p->disk_id = md->disk_id;
}

/* The locator of a child at @path of the open parent @img; -1 and a message. */
static int make_locator(struct request *rq, const char *path, const struct target *t,
			const struct libvhdx_image *img, void *buf)
{
	struct libvhdx_params *p = &rq->params;
	int err;

	inherit(rq, &img->md);
	if (p->logical_size != img->md.logical_size) {
		warnx("%s: --logical-sector-size: must be %u, as in the parent", path,
		      img->md.logical_size);
		return -1;
	}
	if (t->busy) {
		warnx("%s: is in use by another process, which writes to it (QEMU image lock); stop it first",
		      t->path);
		return -1;
	}
	err = libvhdx_locator_make(buf, LIBVHDX_LOCATOR_MAX, &p->locator_len,
				   &img->hdrs.cur.data_write_guid, path, t->path);
	if (err == -EILSEQ)
		warnx("%s: cannot be named in %s: in an image paths are UTF-8 without backslashes and control characters; rename it",
		      t->path, path);
	else if (err)
		warnx("%s: cannot be named in %s: %s", t->path, path, strerror(-err));
	p->locator = buf;
	return err ? -1 : 0;
}

/*
 * Has somebody the file open who writes to it? The kernel knows, whatever locks
 * there are: a lease for reading is granted only if not. It is given back at once;
 * that who opens the file in between sends us a signal means nothing. Where there
 * are no leases, or not for us, the answer is no.
 */
static bool is_written_to(int fd)
{
	bool written;

	signal(SIGIO, SIG_IGN);
	written = fcntl(fd, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
	if (!written)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	return written;
}

/*
 * May the file @path, open as @fd, be replaced? Not if it is in use, or if nobody
 * can tell. Whoever had the lock before may have replaced it meanwhile.
 */
static int check_unused(const char *path, int fd)
{
	int err = libvhdx_lock_image(fd, true);

	if (err == -EBUSY)
		warnx("%s: is in use by another process (QEMU image lock); stop it first", path);
	else if (err)
		warnx("%s: cannot be locked, and so may be in use: %s; remove it first", path,
		      strerror(-err));
	else if (is_written_to(fd))
		warnx("%s: is in use: another process or a loop device has it open for writing; stop it first",
		      path);
	else if (!path_leads_to(path, fd))
		warnx("%s: was replaced by another process just now", path);
	else
		return 0;
	return -1;
}

/* May @path, which exists, be replaced? Keeps the lock until the process ends. */
static int check_replace(const char *path, struct stat *st)
{
	int fd = open_regular_file(path, O_RDONLY);

	if (fd < 0)
		return -1;
	if (fstat(fd, st)) {
		warn("%s", path);
		return -1;
	}
	return check_unused(path, fd);
}

/**
 * struct output - the file under construction
 * @path: what it will be called, links resolved
 * @temp: what it is called, in the same directory
 * @mode: its permissions
 * @uid: its owner, where one is replaced
 * @gid: and group
 * @replace: it was there, and may be replaced
 */
struct output {
	char	*path;
	char	*temp;
	mode_t	mode;
	uid_t	uid;
	gid_t	gid;
	bool	replace;
};

/* A name of its own, since one with something behind it might be too long. */
static int name_temp(struct output *out)
{
	const char *slash = strrchr(out->path, '/');
	int dir = slash ? (int)(slash - out->path) + 1 : 0;

	if (asprintf(&out->temp, "%.*s.vhdxctl.XXXXXX", dir, out->path) >= 0)
		return 0;
	out->temp = NULL;
	return -1;
}

/* Where to write to; -1 and a message when it must not be. */
static int output_prepare(struct output *out, const char *path, bool force)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	out->mode = 0666 & ~mask;
	out->path = realpath(path, NULL);
	out->replace = out->path;
	if (!out->path) {
		/* No such file, which is as it should be, or no directory. */
		out->path = strdup(path);
	} else if (force) {
		if (check_replace(path, &st))
			return -1;
		out->mode = st.st_mode & 0777;
		out->uid = st.st_uid;
		out->gid = st.st_gid;
	} else {
		warnx("%s: exists; use --force to replace it", path);
		return -1;
	}
	if (!out->path || name_temp(out)) {
		warn("%s", path);
		return -1;
	}
	return 0;
}

/*
 * The temporary file that a signal finds; NULL when there is none. It is set before
 * the calls of signal(), which may call the handler for all that the compiler knows.
 */
static const char *unfinished;

static void remove_unfinished(int sig)
{
	if (unfinished)
		unlink(unfinished);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* From now until @temp is NULL the file is removed when a signal ends us. */
static void guard(const char *temp)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	size_t i;

	unfinished = temp;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (signal(signals[i], temp ? remove_unfinished : SIG_DFL) == SIG_IGN)
			signal(signals[i], SIG_IGN);
}

static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, err = -1;

	if (!copy)
		return -1;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -1;
	err = fsync(fd);
	/* Some file systems have no such thing as a directory to sync. */
	if (err && errno == EINVAL)
		err = 0;
	close(fd);
	return err;
}

/* Give the finished file its name; nothing is replaced that may not be. */
static int output_publish(const struct output *out)
{
	unsigned int flags = out->replace ? 0 : RENAME_NOREPLACE;
	int err = renameat2(AT_FDCWD, out->temp, AT_FDCWD, out->path, flags);

	if (err && flags && (errno == EINVAL || errno == ENOSYS)) {
		err = link(out->temp, out->path);
		if (!err)
			err = unlink(out->temp);
	}
	return err;
}

/* The owner stays, but only root can give a file away; whoever cannot is the owner now. */
static int set_access(const struct output *out, int fd)
{
	if (out->replace && fchown(fd, out->uid, out->gid) && errno != EPERM && errno != EINVAL)
		return -errno;
	return fchmod(fd, out->mode) ? -errno : 0;
}

static int output_write(const struct output *out, int fd, const char *path,
			const struct libvhdx_params *params)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_fd_file file;
	int err = libvhdx_fd_file_init(&file, fd);

	if (!err)
		err = set_access(out, fd);
	if (!err)
		err = libvhdx_create(&file.file, params, &finding);
	if (err) {
		warn_image(path, err, &finding);
		return -1;
	}
	return 0;
}

static int create(const char *path, const struct libvhdx_params *params, bool force)
{
	struct output out = { .path = NULL };
	int status = EXIT_FAILURE;
	int fd;

	if (output_prepare(&out, path, force))
		goto out_free;
	guard(out.temp);
	signal(SIGXFSZ, SIG_IGN);	/* a file over the limit is an error like others */
	fd = mkostemp(out.temp, O_CLOEXEC);
	if (fd < 0) {
		warn("%s", path);
		goto out_free;
	}
	if (output_write(&out, fd, path, params)) {
		unlink(out.temp);
	} else if (output_publish(&out)) {
		warn("%s", path);
		unlink(out.temp);
	} else if (sync_directory(out.path)) {
		warn("%s: was made, but a power cut may undo that; its directory cannot be made stable",
		     path);
	} else {
		status = EXIT_SUCCESS;
	}
	close(fd);
out_free:
	guard(NULL);
	free(out.temp);
	free(out.path);
	return status;
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
	struct parents parents = { .nr = 0 };
	struct libvhdx_image img;
	int status = EXIT_FAILURE;
	void *buf;

	if (target_open_image(t, &img))
		return status;
	buf = malloc(LIBVHDX_LOCATOR_MAX);
	if (!buf)
		err(EXIT_FAILURE, NULL);
	if (!make_locator(rq, path, t, &img, buf) &&
	    (!rq->force || !check_chain(path, rq->parent, t, &img, &parents))) {
		check_params(&rq->params);
		status = create(path, &rq->params, rq->force);
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
