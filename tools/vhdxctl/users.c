// SPDX-License-Identifier: GPL-2.0-only
/* Who uses a device: mounts, swap, other devices, processes. */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/kernel.h>

#include "users.h"

#define MAX_PARTS	256

/**
 * struct parts - the disk and its partitions
 * @dev: their device numbers
 * @name: their names, "vhdx0p1"
 * @nr: how many
 * @quiet: only count users
 * @nr_users: users found so far
 */
struct parts {
	dev_t		dev[MAX_PARTS];
	char		name[MAX_PARTS][NAME_MAX + 1];
	unsigned int	nr;
	bool		quiet;
	unsigned int	nr_users;
};

/* What a terminal would obey; names of processes and mounts are anybody's choice. */
static void tame(char *line)
{
	for (; *line; line++)
		if (iscntrl((unsigned char)*line))
			*line = '?';
}

static void __attribute__((format(printf, 2, 3)))
found(struct parts *parts, const char *fmt, ...)
{
	char *line;
	va_list args;
	int len;

	parts->nr_users++;
	if (parts->quiet)
		return;
	va_start(args, fmt);
	len = vasprintf(&line, fmt, args);
	va_end(args);
	if (len < 0)
		err(EXIT_FAILURE, NULL);
	tame(line);
	fprintf(stderr, "  %s\n", line);
	free(line);
}

static void add_part(struct parts *parts, const char *dir, const char *name)
{
	char path[PATH_MAX];
	unsigned int maj, min;
	FILE *f;

	snprintf(path, sizeof(path), "%s/dev", dir);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fscanf(f, "%u:%u", &maj, &min) == 2 && parts->nr < MAX_PARTS) {
		parts->dev[parts->nr] = makedev(maj, min);
		snprintf(parts->name[parts->nr], sizeof(parts->name[0]), "%s", name);
		parts->nr++;
	}
	fclose(f);
}

/* Call @each with the path and the name of each entry of @dir. */
static void visit_directory(const char *dir, void *data,
			    void (*each)(void *data, const char *path, const char *name))
{
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir,
				     entry->d_name) < sizeof(path))
			each(data, path, entry->d_name);
	}
	if (d)
		closedir(d);
}

static void each_part(void *data, const char *path, const char *name)
{
	struct parts *parts = data;

	if (!strncmp(name, parts->name[0], strlen(parts->name[0])))
		add_part(parts, path, name);
}

static void find_parts(struct parts *parts, int number)
{
	char dir[PATH_MAX], name[NAME_MAX + 1];

	snprintf(name, sizeof(name), "vhdx%d", number);
	snprintf(dir, sizeof(dir), "/sys/block/%s", name);
	parts->nr = 0;
	add_part(parts, dir, name);
	if (parts->nr)
		visit_directory(dir, parts, each_part);
}

static const char *part_name(const struct parts *parts, dev_t dev)
{
	unsigned int i;

	for (i = 0; i < parts->nr; i++) {
		if (parts->dev[i] == dev)
			return parts->name[i];
	}
	return NULL;
}

/* The same for the block device node @path. */
static const char *part_of_node(const struct parts *parts, const char *path)
{
	struct stat st;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return NULL;
	return part_name(parts, st.st_rdev);
}

/* Undo the \ooo of the files in /proc. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && isdigit((unsigned char)s[1]) &&
		    isdigit((unsigned char)s[2]) && isdigit((unsigned char)s[3])) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/*
 * One line of mountinfo. File systems over several devices show an anonymous
 * device number, so the source behind the " - " is looked at, too.
 */
static void show_mount(struct parts *parts, char *line)
{
	char *tail = strstr(line, " - ");
	char *source, *where, *save = NULL;
	const char *name = NULL;
	unsigned int maj, min;

	if (!tail || sscanf(line, "%*d %*d %u:%u", &maj, &min) != 2)
		return;
	*tail = '\0';
	name = part_name(parts, makedev(maj, min));
	strtok_r(tail + 3, " ", &save);
	source = strtok_r(NULL, " ", &save);
	if (!name && source) {
		unescape(source);
		name = part_of_node(parts, source);
	}
	strtok_r(line, " ", &save);	/* mount ID, parent, device, root */
	strtok_r(NULL, " ", &save);
	strtok_r(NULL, " ", &save);
	strtok_r(NULL, " ", &save);
	where = strtok_r(NULL, " ", &save);
	if (!name || !where)
		return;
	unescape(where);
	found(parts, "/dev/%s is mounted on %s; umount it", name, where);
}

static void show_swap(struct parts *parts, char *line)
{
	const char *name;
	char *save = NULL;
	char *node = strtok_r(line, " \t", &save);

	if (!node || *node != '/')
		return;
	unescape(node);
	name = part_of_node(parts, node);
	if (name)
		found(parts, "/dev/%s is swap space; swapoff it", name);
}

static void visit_lines(const char *path, struct parts *parts,
			void (*each)(struct parts *parts, char *line))
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen(path, "re");

	while (f && getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		each(parts, line);
	}
	free(line);
	if (f)
		fclose(f);
}

/**
 * struct part - one of the parts
 * @parts: all of them
 * @name: this one's name
 */
struct part {
	struct parts	*parts;
	const char	*name;
};

static void each_holder(void *data, const char *path, const char *name)
{
	const struct part *part = data;

	(void)path;
	found(part->parts, "/dev/%s is part of /dev/%s", part->name, name);
}

static void show_holders(struct parts *parts)
{
	char dir[PATH_MAX];
	unsigned int i;

	for (i = 0; i < parts->nr; i++) {
		struct part part = { .parts = parts, .name = parts->name[i] };

		snprintf(dir, sizeof(dir), "/sys/class/block/%s/holders", part.name);
		visit_directory(dir, &part, each_holder);
	}
}

/**
 * struct process - one process under scrutiny
 * @parts: what is looked for
 * @found: name of the part that it has open
 */
struct process {
	struct parts	*parts;
	const char	*found;
};

static void each_fd(void *data, const char *path, const char *name)
{
	struct process *proc = data;

	(void)name;
	if (!proc->found)
		proc->found = part_of_node(proc->parts, path);
}

static void each_process(void *data, const char *path, const char *name)
{
	struct process proc = { .parts = data };
	char file[PATH_MAX], comm[64] = "?";
	FILE *f;

	if (!isdigit((unsigned char)*name))
		return;
	if ((size_t)snprintf(file, sizeof(file), "%s/fd", path) >= sizeof(file))
		return;
	visit_directory(file, &proc, each_fd);
	if (!proc.found)
		return;
	if ((size_t)snprintf(file, sizeof(file), "%s/comm", path) >= sizeof(file))
		return;
	f = fopen(file, "re");
	if (f && fgets(comm, sizeof(comm), f))
		comm[strcspn(comm, "\n")] = '\0';
	if (f)
		fclose(f);
	found(proc.parts, "/dev/%s is open in process %s (%s)", proc.found, name, comm);
}

static void show_lasting(struct parts *parts, int number)
{
	find_parts(parts, number);
	visit_lines("/proc/self/mountinfo", parts, show_mount);
	visit_lines("/proc/swaps", parts, show_swap);
	show_holders(parts);
}

void users_warn(int number)
{
	struct parts *parts = calloc(1, sizeof(*parts));

	if (!parts)
		return;
	show_lasting(parts, number);
	visit_directory("/proc", parts, each_process);
	free(parts);
}

bool users_last(int number)
{
	struct parts *parts = calloc(1, sizeof(*parts));
	bool last;

	if (!parts)
		return true;
	parts->quiet = true;
	show_lasting(parts, number);
	last = parts->nr_users;
	free(parts);
	return last;
}
