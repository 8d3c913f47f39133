// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl: attach, look at, create, check and merge VHDX images. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "command.h"

static const struct command *const commands[] = {
	&cmd_attach, &cmd_detach, &cmd_list, &cmd_info, &cmd_create, &cmd_check, &cmd_set,
	&cmd_merge, &cmd_dump,
};

static void show_version(void)
{
	puts("vhdxctl " VHDXCTL_VERSION);
}

static void show_help(void)
{
	size_t i;

	printf("Usage: vhdxctl COMMAND [OPTION]... [OPERAND]...\n\n"
	       "Attach, look at, create, check and merge VHDX disk images.\n\n"
	       "Commands:\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	printf("\nOptions:\n"
	       "  -h, --help     show this help; behind a command, that of the command\n"
	       "  -V, --version  show the version\n\n"
	       "For more see vhdxctl(8), and vhdxctl-COMMAND(8) for each command.\n");
}

void command_help(const struct command *cmd)
{
	printf("Usage: vhdxctl %s %s\n\n%s.\n\n", cmd->name, cmd->synopsis, cmd->summary);
	printf("Options:\n%s", cmd->options);
	printf("  -h, --help     show this help\n"
	       "  -V, --version  show the version\n\n"
	       "For more see vhdxctl-%s(8).\n", cmd->name);
}

static void __attribute__((noreturn)) try_help(const struct command *cmd)
{
	fprintf(stderr, "Try 'vhdxctl %s --help' for more information.\n", cmd->name);
	exit(cmd->usage_code);
}

/* What was printed but could not be written is a failure, too. */
static int close_stdout(int status, int failure)
{
	bool lost = ferror(stdout);

	if (fclose(stdout) || lost) {
		warn("cannot write the output");
		return status ? status : failure;
	}
	return status;
}

static int finish(const struct command *cmd, int status)
{
	return close_stdout(status, cmd->failure_code ? cmd->failure_code : EXIT_FAILURE);
}

void command_exit(const struct command *cmd)
{
	exit(finish(cmd, EXIT_SUCCESS));
}

void command_other_option(const struct command *cmd, int c)
{
	switch (c) {
	case 'h':
		command_help(cmd);
		command_exit(cmd);
	case 'V':
		show_version();
		command_exit(cmd);
	default:
		try_help(cmd);	/* getopt said what is wrong */
	}
}

void command_usage_error(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
	try_help(cmd);
}

static const struct command *find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

static int is_option(const char *arg, const char *brief, const char *full)
{
	return !strcmp(arg, brief) || !strcmp(arg, full);
}

/*
 * A standard stream that is closed is opened so that using it fails: else an
 * image would get its number, and what is printed would go into the image.
 */
static void occupy_standard_streams(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			exit(EXIT_FAILURE);	/* and there may be nowhere to say it */
}

int main(int argc, char **argv)
{
	const struct command *cmd;

	occupy_standard_streams();
	if (argc < 2) {
		warnx("no command given");
		fputs("Try 'vhdxctl --help' for more information.\n", stderr);
		return EXIT_FAILURE;
	}
	if (is_option(argv[1], "-h", "--help") || !strcmp(argv[1], "help")) {
		show_help();
		return close_stdout(EXIT_SUCCESS, EXIT_FAILURE);
	}
	if (is_option(argv[1], "-V", "--version")) {
		show_version();
		return close_stdout(EXIT_SUCCESS, EXIT_FAILURE);
	}
	cmd = find(argv[1]);
	if (!cmd) {
		warnx("unknown command '%s'", argv[1]);
		fputs("Try 'vhdxctl --help' for more information.\n", stderr);
		return EXIT_FAILURE;
	}
	return finish(cmd, cmd->run(argc - 1, argv + 1));
}
