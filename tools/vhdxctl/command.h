/* SPDX-License-Identifier: GPL-2.0-only */
/* What a sub-command is, and how it speaks to people. */
#ifndef VHDXCTL_COMMAND_H
#define VHDXCTL_COMMAND_H

#include <getopt.h>

/* Exit codes; those of check are fsck's. */
#define EXIT_CHECK_CLEAN	0
#define EXIT_CHECK_ERRORS	4
#define EXIT_CHECK_TROUBLE	8
#define EXIT_CHECK_USAGE	16

/**
 * struct command - one row of the table
 * @name: as it is typed
 * @run: does it; argv[0] is the name; returns the exit code
 * @usage_code: exit code for a command line that makes no sense
 * @failure_code: exit code for output that is lost; 0: EXIT_FAILURE
 * @synopsis: options and operands
 * @summary: what it does, in one line
 * @options: text of --help: one line for each option, two spaces in front;
 *	completion reads the option names from it
 */
struct command {
	const char	*name;
	int		(*run)(int argc, char **argv);
	int		usage_code;
	int		failure_code;
	const char	*synopsis;
	const char	*summary;
	const char	*options;
};

extern const struct command cmd_attach, cmd_detach, cmd_list, cmd_info,
			    cmd_create, cmd_check, cmd_set, cmd_merge, cmd_dump;

/* Long options of every command. */
#define OPTION_HELP	{ "help", no_argument, NULL, 'h' }
#define OPTION_VERSION	{ "version", no_argument, NULL, 'V' }

/* Handle what getopt returned and the command does not know; never returns. */
void __attribute__((noreturn)) command_other_option(const struct command *cmd, int c);

/* "Try ... --help" behind a message @fmt; never returns. */
void __attribute__((noreturn, format(printf, 2, 3)))
command_usage_error(const struct command *cmd, const char *fmt, ...);

/* Print the help of @cmd. */
void command_help(const struct command *cmd);

/* End well, unless what was printed cannot be written. */
void __attribute__((noreturn)) command_exit(const struct command *cmd);

#endif
