// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl list */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols/libsmartcols.h>

#include <linux/kernel.h>

#include "command.h"
#include "device.h"
#include "output.h"

enum kind {
	KIND_TEXT,
	KIND_NUMBER,
	KIND_BYTES,
	KIND_SECTORS,	/* of 512 bytes */
	KIND_BOOL,
	KIND_NAME,
	KIND_LINES,	/* none, one or more */
	KIND_FILE,
};

/**
 * struct column - one column of the table
 * @name: its heading
 * @attr: the sysfs attribute below /sys/block/vhdxN
 * @kind: how its value is shown
 * @flags: of libsmartcols
 * @help: one line
 */
struct column {
	const char	*name;
	const char	*attr;
	enum kind	kind;
	int		flags;
	const char	*help;
};

#define RIGHT	SCOLS_FL_RIGHT

static const struct column columns[] = {
	{ "NAME", NULL, KIND_NAME, 0, "device" },
	{ "TYPE", "vhdx/type", KIND_TEXT, 0, "fixed, dynamic or differencing" },
	{ "SIZE", "size", KIND_SECTORS, RIGHT, "size of the virtual disk" },
	{ "MODE", "vhdx/mode", KIND_TEXT, 0, "write, read-only or failed" },
	{ "LOG", "vhdx/log_state", KIND_TEXT, 0, "state of the log" },
	{ "BLOCK-SIZE", "vhdx/block_size", KIND_BYTES, RIGHT, "size of a payload block" },
	{ "ALLOCATED", "vhdx/allocated_blocks", KIND_NUMBER, RIGHT, "payload blocks present" },
	{ "FILE", "vhdx/backing_file", KIND_FILE, SCOLS_FL_NOEXTREMES,
	  "the image, or what it is a snapshot of" },
	{ "RO", "ro", KIND_BOOL, RIGHT, "the device is read-only" },
	{ "DIO", "vhdx/direct_io", KIND_BOOL, RIGHT, "direct I/O to the image" },
	{ "AUTOCLEAR", "vhdx/autoclear", KIND_BOOL, RIGHT, "detaches at the last close" },
	{ "PARTSCAN", "vhdx/partscan", KIND_BOOL, RIGHT, "partitions are looked for" },
	{ "MAJ:MIN", "dev", KIND_TEXT, 0, "device number" },
	{ "LOG-SEC", "queue/logical_block_size", KIND_NUMBER, RIGHT, "logical sector size" },
	{ "PHY-SEC", "queue/physical_block_size", KIND_NUMBER, RIGHT, "physical sector size" },
	{ "DISK-ID", "vhdx/virtual_disk_id", KIND_TEXT, 0, "Virtual Disk ID" },
	{ "DATA-GUID", "vhdx/data_write_guid", KIND_TEXT, 0, "DataWriteGuid" },
	{ "FILE-GUID", "vhdx/file_write_guid", KIND_TEXT, 0, "FileWriteGuid" },
	{ "FILE-SIZE", "vhdx/file_size", KIND_BYTES, RIGHT, "size of the image file" },
	{ "LOG-LENGTH", "vhdx/log_length", KIND_BYTES, RIGHT, "size of the log" },
	{ "LOG-USED", "vhdx/log_used", KIND_BYTES, RIGHT, "part of it that is needed" },
	{ "REPLAYED", "vhdx/replayed_entries", KIND_NUMBER, RIGHT,
	  "log entries replayed at attach" },
	{ "COMMITS", "vhdx/commits", KIND_NUMBER, RIGHT, "log entries written with content" },
	{ "CHECKPOINTS", "vhdx/checkpoints", KIND_NUMBER, RIGHT, "rounds of in-place writes" },
	{ "LOG-WRITES", "vhdx/log_writes", KIND_NUMBER, RIGHT, "writes to the log" },
	{ "FLUSHES", "vhdx/flushes", KIND_NUMBER, RIGHT, "flushes of the image file" },
	{ "FUA-WRITES", "vhdx/fua_writes", KIND_NUMBER, RIGHT, "FUA writes to the image file" },
	{ "HEADER-WRITES", "vhdx/header_writes", KIND_NUMBER, RIGHT, "header slots written" },
	{ "PAGES", "vhdx/metadata_pages", KIND_NUMBER, RIGHT, "metadata pages in memory" },
	{ "DIRTY", "vhdx/dirty_pages", KIND_NUMBER, RIGHT, "those waiting for a commit" },
	{ "LOGGED", "vhdx/logged_pages", KIND_NUMBER, RIGHT, "those waiting for a checkpoint" },
	{ "DEPTH", "vhdx/depth", KIND_NUMBER, RIGHT, "images in the chain" },
	{ "PARENTS", "vhdx/parents", KIND_LINES, SCOLS_FL_NOEXTREMES, "the image's parents" },
};

#define NR_COLUMNS	ARRAY_SIZE(columns)
#define DEFAULT_COLUMNS	"NAME,TYPE,SIZE,MODE,LOG,BLOCK-SIZE,ALLOCATED,FILE"

enum { OPT_RAW = 256, OPT_OUTPUT_ALL };

static const struct option options[] = {
	{ "bytes", no_argument, NULL, 'b' },
	{ "json", no_argument, NULL, 'J' },
	{ "noheadings", no_argument, NULL, 'n' },
	{ "output", required_argument, NULL, 'o' },
	{ "output-all", no_argument, NULL, OPT_OUTPUT_ALL },
	{ "raw", no_argument, NULL, OPT_RAW },
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

/**
 * struct listing - what to show, and how
 * @table: of libsmartcols
 * @cols: indexes into columns[]
 * @nr: how many
 * @json: JSON instead of a table
 * @bytes: sizes in bytes
 */
struct listing {
	struct libscols_table	*table;
	size_t			cols[2 * NR_COLUMNS];
	size_t			nr;
	bool			json;
	bool			bytes;
};

static size_t find_column(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++) {
		if (strlen(columns[i].name) == len &&
		    !strncasecmp(columns[i].name, name, len))
			return i;
	}
	command_usage_error(&cmd_list, "unknown column '%.*s'; --help lists them",
			    (int)len, name);
}

/* Take the columns of the comma-separated @list; "+COL" adds to the default. */
static void choose_columns(struct listing *l, const char *list)
{
	if (*list == '+') {
		choose_columns(l, DEFAULT_COLUMNS);
		list++;
	} else {
		l->nr = 0;
	}
	for (;;) {
		size_t len = strcspn(list, ",");

		if (l->nr == ARRAY_SIZE(l->cols))
			command_usage_error(&cmd_list, "too many columns");
		l->cols[l->nr++] = find_column(list, len);
		if (!list[len])
			return;
		list += len + 1;
	}
}

static void choose_all(struct listing *l)
{
	for (l->nr = 0; l->nr < NR_COLUMNS; l->nr++)
		l->cols[l->nr] = l->nr;
}

/* JSON tells numbers and truth values from text where they stay such. */
static int json_type(const struct listing *l, const struct column *col)
{
	switch (col->kind) {
	case KIND_NUMBER:
		return SCOLS_JSON_NUMBER;
	case KIND_BYTES:
	case KIND_SECTORS:
		return l->bytes ? SCOLS_JSON_NUMBER : SCOLS_JSON_STRING;
	case KIND_BOOL:
		return SCOLS_JSON_BOOLEAN;
	default:
		return SCOLS_JSON_STRING;
	}
}

static void make_columns(struct listing *l)
{
	size_t i;

	for (i = 0; i < l->nr; i++) {
		const struct column *col = &columns[l->cols[i]];
		struct libscols_column *c;
		char name[32];
		size_t k;

		/* Headings are upper case, keys of JSON lower case. */
		for (k = 0; k < sizeof(name) - 1 && col->name[k]; k++)
			name[k] = (char)(l->json ? tolower((unsigned char)col->name[k]) :
						   col->name[k]);
		name[k] = '\0';
		c = scols_table_new_column(l->table, name, 0, col->flags);
		if (!c)
			err(EXIT_FAILURE, "cannot make the table");
		scols_column_set_json_type(c, json_type(l, col));
	}
}

/* The lines of @text, which is freed, in one. */
static char *join_lines(char *text)
{
	char *joined = NULL, *line, *save, *longer;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (asprintf(&longer, "%s%s%s", joined ? joined : "", joined ? ", " : "", line) < 0)
			err(EXIT_FAILURE, NULL);
		free(joined);
		joined = longer;
	}
	free(text);
	return joined;
}

/* "snapshot of FILE" where what is written goes to a file without a name. */
static char *image_name(int number)
{
	char *parent = device_snapshot_of(number);
	char *text;

	if (!parent)
		return device_attr(number, "vhdx/backing_file");
	if (asprintf(&text, "snapshot of %s", parent) < 0)
		err(EXIT_FAILURE, NULL);
	free(parent);
	return text;
}

/* Value of @col, or NULL; freed by the caller. */
static char *column_value(const struct listing *l, const struct column *col, int number)
{
	char buf[DEVICE_PATH + SIZE_TEXT];
	unsigned long long n;
	char *text, *end;

	if (col->kind == KIND_NAME)
		return strdup(device_path(buf, number));
	if (col->kind == KIND_FILE)
		return image_name(number);
	text = device_attr(number, col->attr);
	if (text && col->kind == KIND_LINES)
		return join_lines(text);
	if (!text || (col->kind != KIND_BYTES && col->kind != KIND_SECTORS))
		return text;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end)
		return text;
	free(text);
	if (col->kind == KIND_SECTORS)
		n *= 512;
	if (!l->bytes)
		return strdup(size_to_text(buf, n));
	if (asprintf(&text, "%llu", n) < 0)
		err(EXIT_FAILURE, NULL);
	return text;
}

/* The same as what may stand in the table: libsmartcols takes care of it, but for JSON. */
static char *cell(const struct listing *l, const struct column *col, int number)
{
	char *value = column_value(l, col, number);
	char *valid;

	if (!value || !l->json)
		return value;
	valid = utf8_valid(value);
	free(value);
	return valid;
}

static void add_line(struct listing *l, int number)
{
	struct libscols_line *line = scols_table_new_line(l->table, NULL);
	size_t i;

	if (!line)
		err(EXIT_FAILURE, "cannot make the table");
	for (i = 0; i < l->nr; i++) {
		char *value = cell(l, &columns[l->cols[i]], number);

		if (value && scols_line_refer_data(line, i, value))
			err(EXIT_FAILURE, "cannot make the table");
	}
}

static void add_all(struct listing *l)
{
	int *numbers;
	size_t nr = device_list(&numbers);
	size_t i;

	for (i = 0; i < nr; i++)
		add_line(l, numbers[i]);
	free(numbers);
}

/* @name is a device or the image of one. */
static int add_named(struct listing *l, const char *name)
{
	int number = device_number(name);
	char *dev;

	if (number < 0)
		number = device_find(name);
	dev = number < 0 ? NULL : device_attr(number, "dev");
	if (!dev) {
		warnx("%s: is neither a VHDX device nor the image of one", name);
		return EXIT_FAILURE;
	}
	free(dev);
	add_line(l, number);
	return EXIT_SUCCESS;
}

static void list_help(void)
{
	size_t i;

	command_help(&cmd_list);
	puts("\nColumns for --output:");
	for (i = 0; i < NR_COLUMNS; i++)
		printf("  %-13s  %s\n", columns[i].name, columns[i].help);
}

static void parse(struct listing *l, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "bJno:hV", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			l->bytes = true;
			break;
		case 'J':
			l->json = true;
			break;
		case 'n':
			scols_table_enable_noheadings(l->table, 1);
			break;
		case 'o':
			choose_columns(l, optarg);
			break;
		case OPT_OUTPUT_ALL:
			choose_all(l);
			break;
		case OPT_RAW:
			scols_table_enable_raw(l->table, 1);
			break;
		case 'h':
			list_help();
			command_exit(&cmd_list);
		default:
			command_other_option(&cmd_list, c);
		}
	}
	scols_table_enable_json(l->table, l->json);
}

static int cmd_list_run(int argc, char **argv)
{
	struct listing l = { .nr = 0 };
	int status = EXIT_SUCCESS;

	l.table = scols_new_table();
	if (!l.table)
		err(EXIT_FAILURE, NULL);
	scols_table_set_name(l.table, "vhdxdevices");
	choose_columns(&l, DEFAULT_COLUMNS);
	parse(&l, argc, argv);
	make_columns(&l);
	if (optind == argc)
		add_all(&l);
	for (; optind < argc; optind++) {
		if (add_named(&l, argv[optind]))
			status = EXIT_FAILURE;
	}
	/* What can be shown; not before, since keys must be the same in Turkish. */
	setlocale(LC_CTYPE, "");
	if (scols_print_table(l.table)) {
		warn("cannot print the table");
		status = EXIT_FAILURE;
	}
	scols_unref_table(l.table);
	return status;
}

const struct command cmd_list = {
	.name		= "list",
	.run		= cmd_list_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "[OPTION]... [DEVICE|FILE]...",
	.summary	= "Show attached devices",
	.options	=
		"  -b, --bytes            sizes in bytes\n"
		"  -J, --json             JSON instead of a table\n"
		"  -n, --noheadings       no headings\n"
		"  -o, --output=COL,...   which columns; +COL,... adds to the default\n"
		"      --output-all       all columns\n"
		"      --raw              values apart by single blanks\n",
};
