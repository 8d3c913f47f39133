// SPDX-License-Identifier: GPL-2.0-only
/* Attached devices as sysfs shows them. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <linux/kernel.h>

#include "device.h"

#define SYS_BLOCK	"/sys/block"
#define PREFIX		"vhdx"

/* The N of "vhdxN", or -1; *@rest is what follows. "vhdx01" is no device. */
static int parse_name(const char *name, const char **rest)
{
	size_t skip = strlen(PREFIX);
	char *end;
	long n;

	if (strncmp(name, PREFIX, skip) || name[skip] < '0' || name[skip] > '9')
		return -1;
	if (name[skip] == '0' && name[skip + 1] >= '0' && name[skip + 1] <= '9')
		return -1;
	errno = 0;
	n = strtol(name + skip, &end, 10);
	*rest = end;
	return errno || n > INT_MAX ? -1 : (int)n;
}

static int by_number(const void *a, const void *b)
{
	int x = *(const int *)a;
	int y = *(const int *)b;

	return x < y ? -1 : x > y;
}

size_t device_list(int **numbers)
{
	DIR *dir = opendir(SYS_BLOCK);
	struct dirent *entry;
	const char *rest;
	size_t nr = 0;
	int *p;
	int n;

	*numbers = NULL;
	while (dir && (entry = readdir(dir))) {
		n = parse_name(entry->d_name, &rest);
		if (n < 0 || *rest)
			continue;
		p = reallocarray(*numbers, nr + 1, sizeof(*p));
		if (!p)
			err(EXIT_FAILURE, "cannot list the devices");
		p[nr++] = n;
		*numbers = p;
	}
	if (dir)
		closedir(dir);
	if (nr)
		qsort(*numbers, nr, sizeof(**numbers), by_number);
	return nr;
}

char *device_attr(int number, const char *attr)
{
	char path[PATH_MAX];
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *f;

	snprintf(path, sizeof(path), SYS_BLOCK "/" PREFIX "%d/%s", number, attr);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	len = getdelim(&line, &size, '\0', f);
	fclose(f);
	if (len < 0) {
		free(line);
		return NULL;
	}
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	return line;
}

char *device_path(char *buf, int number)
{
	snprintf(buf, DEVICE_PATH, "/dev/" PREFIX "%d", number);
	return buf;
}

/* The device number in the sysfs file @path. */
static bool read_devno(const char *path, dev_t *dev)
{
	unsigned int maj, min;
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fscanf(f, "%u:%u", &maj, &min) == 2;
	fclose(f);
	if (ok)
		*dev = makedev(maj, min);
	return ok;
}

static bool node_is(const char *path, dev_t dev)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == dev;
}

bool device_wait(int number)
{
	static const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	char sys[PATH_MAX], node[DEVICE_PATH];
	int tries;
	dev_t dev;

	snprintf(sys, sizeof(sys), SYS_BLOCK "/" PREFIX "%d/dev", number);
	device_path(node, number);
	for (tries = 0; tries < 500; tries++) {
		if (read_devno(sys, &dev) && node_is(node, dev))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

int device_number(const char *name)
{
	char *real = realpath(name, NULL);
	const char *base = name, *rest;
	int n;

	if (real && !strncmp(real, "/dev/", 5))
		base = real + 5;
	else if (!strncmp(name, "/dev/", 5))
		base = name + 5;
	else if (real)
		base = "";	/* an existing file elsewhere is no device */
	n = parse_name(base, &rest);
	if (n >= 0 && *rest)
		n = *rest == 'p' ? -EISDIR : -ENOENT;
	free(real);
	return n == -1 ? -ENOENT : n;
}

/* A path as sysfs shows it, where a newline is "\012"; in place. NULL stays NULL. */
static char *unescape(char *path)
{
	char *from, *to;
	unsigned int c;

	for (from = to = path; from && *from; *to++ = *from++) {
		if (*from == '\\' && sscanf(from + 1, "%3o", &c) == 1) {
			from += 3;
			*from = (char)c;
		}
	}
	if (to)
		*to = '\0';
	return path;
}

static bool is_deleted(const char *file)
{
	static const char deleted[] = " (deleted)";
	size_t len = file ? strlen(file) : 0;

	return len >= strlen(deleted) && !strcmp(file + len - strlen(deleted), deleted);
}

bool device_file_is_deleted(int number)
{
	char *file = device_attr(number, "vhdx/backing_file");
	bool deleted = is_deleted(file);

	free(file);
	return deleted;
}

char *device_snapshot_of(int number)
{
	char *parents = device_attr(number, "vhdx/parents");

	if (device_file_is_deleted(number) && parents && *parents) {
		parents[strcspn(parents, "\n")] = '\0';
	} else {
		free(parents);
		parents = NULL;
	}
	return parents;
}

/* By identity, not by name. @file, as sysfs shows it, is freed; it may be NULL. */
static bool is_file(char *file, const char *path)
{
	struct stat a, b;
	bool same;

	same = unescape(file) && !stat(file, &a) && !stat(path, &b) &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	free(file);
	return same;
}

int device_find(const char *path)
{
	int *numbers;
	size_t nr = device_list(&numbers);
	int found = -1;
	size_t i;

	for (i = 0; i < nr && found < 0; i++) {
		if (is_file(device_attr(numbers[i], "vhdx/backing_file"), path))
			found = numbers[i];
	}
	for (i = 0; i < nr && found < 0; i++) {
		if (is_file(device_snapshot_of(numbers[i]), path))
			found = numbers[i];
	}
	free(numbers);
	return found;
}
