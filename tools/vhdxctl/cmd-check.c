// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl check */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "check.h"
#include "command.h"
#include "guid.h"
#include "output.h"
#include "target.h"
#include "text.h"

enum { OPT_FORCE = 256 };

static const struct option options[] = {
	{ "json", no_argument, NULL, 'J' },
	{ "force", no_argument, NULL, OPT_FORCE },
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

static const char *severity_name(enum libvhdx_severity severity)
{
	return severity == LIBVHDX_ERROR ? "error" : "note";
}

static void report_text(struct libvhdx_check *chk, const struct libvhdx_message *msg)
{
	char line[512];

	(void)chk;
	if (msg->fd) {
		vhdx_finding_to_text(line, sizeof(line), msg->fd);
		printf("%s: %s\n", severity_name(msg->severity), line);
	} else {
		printf("%s: %s at 0x%llx: %s\n", severity_name(msg->severity), msg->name,
		       (unsigned long long)msg->off, msg->text);
	}
}

static void report_json(struct libvhdx_check *chk, const struct libvhdx_message *msg)
{
	struct json *js = chk->data;
	char guid[LIBVHDX_GUID_TEXT];

	json_open(js, NULL, '{');
	json_string(js, "severity", severity_name(msg->severity));
	json_string(js, "name", msg->name);
	json_number(js, "offset", msg->off);
	json_string(js, "text", msg->text);
	if (msg->fd) {
		json_number(js, "value", msg->fd->value);
		if (!guid_is_null(&msg->fd->guid))
			json_string(js, "guid", libvhdx_guid_to_text(guid, &msg->fd->guid));
	}
	json_close(js, '}');
}

static int check_json(struct target *t)
{
	struct json js = { .out = stdout };
	struct libvhdx_check chk = { .report = report_json, .data = &js };
	struct libvhdx_image img;
	int err;

	json_open(&js, NULL, '{');
	json_string(&js, "file", t->path);
	json_open(&js, "findings", '[');
	err = libvhdx_check(&chk, &img, &t->file.file);
	json_close(&js, ']');
	json_number(&js, "errors", chk.nr_errors);
	json_number(&js, "notes", chk.nr_notes);
	json_bool(&js, "complete", chk.whole);
	json_close(&js, '}');
	json_end(&js);
	libvhdx_image_close(&img);
	if (err < 0)
		return err;
	return chk.nr_errors ? 1 : 0;
}

static const char *plural(uint64_t nr)
{
	return nr == 1 ? "" : "s";
}

static int check_text(struct target *t)
{
	struct libvhdx_check chk = { .report = report_text };
	struct libvhdx_image img;
	int err = libvhdx_check(&chk, &img, &t->file.file);

	libvhdx_image_close(&img);
	if (err < 0)
		return err;
	if (chk.nr_errors)
		printf("%s: %llu error%s, %llu note%s%s\n", t->path,
		       (unsigned long long)chk.nr_errors, plural(chk.nr_errors),
		       (unsigned long long)chk.nr_notes, plural(chk.nr_notes),
		       chk.whole ? "" : "; what follows the last error was not checked");
	else
		printf("%s: no errors, %llu note%s\n", t->path,
		       (unsigned long long)chk.nr_notes, plural(chk.nr_notes));
	return chk.nr_errors ? 1 : 0;
}

static int check(const char *path, bool json, bool force)
{
	struct target t;
	int err;

	if (target_open(&t, path))
		return EXIT_CHECK_TROUBLE;
	if (t.busy && !force) {
		warnx("%s: is in use by another process, which writes to it; detach or stop it first, or use --force and expect false errors",
		      path);
		target_close(&t);
		return EXIT_CHECK_TROUBLE;
	}
	err = json ? check_json(&t) : check_text(&t);
	target_close(&t);
	if (err < 0) {
		warn_image(path, err, NULL);
		return EXIT_CHECK_TROUBLE;
	}
	return err ? EXIT_CHECK_ERRORS : EXIT_CHECK_CLEAN;
}

static int cmd_check_run(int argc, char **argv)
{
	bool json = false, force = false;
	int c;

	while ((c = getopt_long(argc, argv, "JhV", options, NULL)) != -1) {
		if (c == 'J')
			json = true;
		else if (c == OPT_FORCE)
			force = true;
		else
			command_other_option(&cmd_check, c);
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_check, "exactly one image file must be given");
	return check(argv[optind], json, force);
}

const struct command cmd_check = {
	.name		= "check",
	.run		= cmd_check_run,
	.usage_code	= EXIT_CHECK_USAGE,
	.failure_code	= EXIT_CHECK_TROUBLE,
	.synopsis	= "[OPTION]... FILE",
	.summary	= "Check the whole structure of an image; never writes to it",
	.options	=
		"  -J, --json     JSON instead of text\n"
		"      --force    check although another process writes to the image\n",
};
