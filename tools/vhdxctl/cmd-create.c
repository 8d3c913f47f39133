// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl create */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
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

enum { OPT_BLOCK_SIZE = 256, OPT_LOG_SIZE, OPT_LOGICAL, OPT_PHYSICAL, OPT_FORCE };

static const struct option options[] = {
	{ "type", required_argument, NULL, 't' },
	{ "size", required_argument, NULL, 's' },
	{ "block-size", required_argument, NULL, OPT_BLOCK_SIZE },
	{ "log-size", required_argument, NULL, OPT_LOG_SIZE },
	{ "logical-sector-size", required_argument, NULL, OPT_LOGICAL },
	{ "physical-sector-size", required_argument, NULL, OPT_PHYSICAL },
	{ "force", no_argument, NULL, OPT_FORCE },
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

static void parse(int argc, char **argv, struct libvhdx_params *p, bool *force)
{
	bool size_given = false;
	struct vhdx_finding fd;
	enum vhdx_fault fault;
	int c;

	while ((c = getopt_long(argc, argv, "t:s:hV", options, NULL)) != -1) {
		switch (c) {
		case 't':
			p->type = parse_type(optarg);
			break;
		case 's':
			p->disk_size = parse_size("size", optarg, U64_MAX);
			size_given = true;
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
			*force = true;
			break;
		default:
			command_other_option(&cmd_create, c);
		}
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_create, "exactly one file must be given");
	if (!size_given)
		command_usage_error(&cmd_create, "--size must be given");
	fault = libvhdx_params_check(p, &fd);
	if (fault)
		command_usage_error(&cmd_create, "%s (%llu)", vhdx_fault_text(fault),
				    (unsigned long long)fd.value);
}

/*
 * May @path, which exists, be replaced? Not if it is no file or in use. Keeps
 * the lock until the process ends.
 */
static int check_replace(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st)) {
		warn("%s", path);
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		warnx("%s: is not a regular file and cannot be replaced", path);
		return -1;
	}
	if (libvhdx_lock_image(fd, true) == -EBUSY) {
		warnx("%s: is in use by another process (QEMU image lock); stop it first", path);
		return -1;
	}
	return 0;
}

/**
 * struct output - the file under construction
 * @path: what it will be called, links resolved
 * @temp: what it is called, in the same directory
 * @mode: its permissions
 * @replace: something of that name may be replaced
 */
struct output {
	char	*path;
	char	*temp;
	mode_t	mode;
	bool	replace;
};

/* Where to write to; -1 and a message when it must not be. */
static int output_prepare(struct output *out, const char *path, bool force)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	out->mode = 0666 & ~mask;
	out->replace = force;
	out->path = realpath(path, NULL);
	if (!out->path) {
		/* No such file, which is as it should be, or no directory. */
		out->path = strdup(path);
	} else if (force) {
		if (check_replace(path, &st))
			return -1;
		out->mode = st.st_mode & 07777;
	} else {
		warnx("%s: exists; use --force to replace it", path);
		return -1;
	}
	if (!out->path || asprintf(&out->temp, "%s.XXXXXX", out->path) < 0) {
		warn("%s", path);
		return -1;
	}
	return 0;
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
	return err ? err : sync_directory(out->path);
}

static int output_write(const struct output *out, int fd, const char *path,
			const struct libvhdx_params *params)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_fd_file file;
	int err = libvhdx_fd_file_init(&file, fd);

	if (!err && fchmod(fd, out->mode))
		err = -errno;
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
	} else {
		status = EXIT_SUCCESS;
	}
	close(fd);
out_free:
	free(out.temp);
	free(out.path);
	return status;
}

static int cmd_create_run(int argc, char **argv)
{
	struct libvhdx_params params = {
		.type		= VHDX_DISK_DYNAMIC,
		.creator	= "vhdxctl " VHDXCTL_VERSION,
	};
	bool force = false;

	parse(argc, argv, &params, &force);
	return create(argv[optind], &params, force);
}

const struct command cmd_create = {
	.name		= "create",
	.run		= cmd_create_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "--size SIZE [OPTION]... FILE",
	.summary	= "Make a new, empty image",
	.options	=
		"  -s, --size=SIZE                  size of the virtual disk, up to 64T\n"
		"  -t, --type=TYPE                  dynamic (the default) or fixed\n"
		"      --block-size=SIZE            1M to 256M; default 32M, fixed disks 2M\n"
		"      --log-size=SIZE              1M to 1G in steps of 1M; default 1M\n"
		"      --logical-sector-size=SIZE   512 (the default) or 4096\n"
		"      --physical-sector-size=SIZE  512 or 4096 (the default)\n"
		"      --force                      replace FILE if it exists\n",
};
