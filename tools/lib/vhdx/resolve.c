// SPDX-License-Identifier: GPL-2.0-only
/* Where the parent of a differencing image may be. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "fold.h"
#include "guid.h"
#include "locator.h"
#include "resolve.h"
#include "utf16.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind the first @nr names of @path. */
static char *skip_names(char *path, unsigned int nr)
{
	while (nr--) {
		path += strcspn(path, "/");
		path += strspn(path, "/");
	}
	return path;
}

char *libvhdx_windows_path(char *value, bool *volume)
{
	bool long_form;
	char *p;

	for (p = value; *p; p++)
		if (*p == '\\')
			*p = '/';
	p = value;
	*volume = true;
	long_form = !strncmp(p, "//?/", 4);
	if (long_form)
		p += 4;
	if (is_letter(p[0]) && p[1] == ':')
		return p + 2 + strspn(p + 2, "/");
	if (long_form && !strncasecmp(p, "Volume{", 7))
		return skip_names(p, 1);
	if (long_form && !strncasecmp(p, "UNC/", 4))
		return skip_names(p, 3);
	if (!long_form && p[0] == '/' && p[1] == '/')
		return skip_names(p + 2, 2);
	*volume = false;
	/* What we write for a path of this system: its own '/' may be missing. */
	return long_form && *p != '/' ? p - 1 : p;
}

/* The name in @dir that differs from @name in case only, or NULL. */
static char *find_name(const char *dir, const char *name)
{
	DIR *d = opendir(*dir ? dir : ".");
	struct dirent *entry;
	char *found = NULL;

	while (d && !found && (entry = readdir(d)))
		if (libvhdx_names_equal(entry->d_name, name))
			found = strdup(entry->d_name);
	if (d)
		closedir(d);
	return found;
}

/* @path with "/" and @name appended; frees @path. */
static char *append(char *path, const char *name, bool slash)
{
	char *longer;

	if (!path || asprintf(&longer, "%s%s%s", path, slash ? "/" : "", name) < 0)
		longer = NULL;
	free(path);
	return longer;
}

static char *append_in_case(char *path, const char *name, bool slash)
{
	char *there = append(strdup(path), name, slash);
	char *other = NULL;

	if (there && access(there, F_OK))
		other = find_name(*path || !slash ? path : "/", name);
	if (other) {
		free(there);
		there = append(path, other, slash);
	} else {
		free(path);
	}
	free(other);
	return there;
}

char *libvhdx_path_case(const char *path)
{
	char *names = strdup(path), *save, *name;
	char *out = strdup("");
	const char *none = *path == '/' ? "/" : ".";
	bool slash = *path == '/';

	if (!names) {
		free(out);
		return NULL;
	}
	for (name = strtok_r(names, "/", &save); name && out;
	     name = strtok_r(NULL, "/", &save)) {
		if (!strcmp(name, "."))
			continue;
		out = append_in_case(out, name, slash);
		slash = true;
	}
	free(names);
	return out && !*out ? append(out, none, false) : out;
}

/* One more place, unless it is among them. Takes @path, which may be NULL. */
static int add_place(struct libvhdx_places *places, const char *key, char *path)
{
	struct libvhdx_place *place;
	size_t i;

	if (!path)
		return -ENOMEM;
	for (i = 0; i < places->nr; i++) {
		if (!strcmp(places->place[i].path, path)) {
			free(path);
			return 0;
		}
	}
	place = reallocarray(places->place, places->nr + 1, sizeof(*place));
	if (!place) {
		free(path);
		return -ENOMEM;
	}
	place[places->nr++] = (struct libvhdx_place){ .key = key, .path = path };
	places->place = place;
	return 0;
}

/* @name below @dir. */
static int add_below(struct libvhdx_places *places, const char *key, const char *dir,
		     const char *name)
{
	char *path, *real;
	int err;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	real = libvhdx_path_case(path);
	free(path);
	err = add_place(places, key, real);
	return err;
}

/**
 * struct search - where to look
 * @dir: of the child, links resolved
 * @dirs: further ones
 * @nr_dirs: their number
 */
struct search {
	const char		*dir;
	const char *const	*dirs;
	size_t			nr_dirs;
};

static int add_in_dirs(struct libvhdx_places *places, const char *key,
		       const struct search *where, const char *path)
{
	const char *name = strrchr(path, '/');
	size_t i;
	int err;

	name = name ? name + 1 : path;
	err = add_below(places, key, where->dir, name);
	for (i = 0; i < where->nr_dirs && !err; i++) {
		err = add_below(places, key, where->dirs[i], path);
		if (!err)
			err = add_below(places, key, where->dirs[i], name);
	}
	return err;
}

/* @value, UTF-8, is the caller's and may be changed. */
static int add_value(struct libvhdx_places *places, const char *key,
		     const struct search *where, char *value)
{
	bool volume;
	char *path = libvhdx_windows_path(value, &volume);
	int err = 0;

	if (!*path)
		return 0;
	if (!volume && *path == '/')
		err = add_place(places, key, libvhdx_path_case(path));
	else if (!volume)
		err = add_below(places, key, where->dir, path);
	return err ? err : add_in_dirs(places, key, where, path);
}

static int add_key(struct libvhdx_places *places, const struct vhdx_locator *loc,
		   const char *key, const struct search *where)
{
	u16 len;
	const u8 *raw = vhdx_locator_find(loc, key, &len);
	char *value;
	int err;

	if (!raw)
		return 0;
	value = malloc(LIBVHDX_UTF8_SIZE(len));
	if (!value)
		return -ENOMEM;
	libvhdx_utf16_to_utf8(value, LIBVHDX_UTF8_SIZE(len), raw, len);
	err = add_value(places, key, where, value);
	free(value);
	return err;
}

int libvhdx_resolve(struct libvhdx_places *places, const struct vhdx_locator *loc,
		    const char *child, const char *const *dirs, size_t nr_dirs)
{
	static const char *const keys[] = {
		VHDX_LOCATOR_RELATIVE, VHDX_LOCATOR_VOLUME, VHDX_LOCATOR_ABSOLUTE,
	};
	struct search where = { .dirs = dirs, .nr_dirs = nr_dirs };
	char *real = realpath(child, NULL);
	size_t i;
	int err = 0;

	*places = (struct libvhdx_places){ .nr = 0 };
	if (!real)
		real = strdup(child);
	if (!real)
		return -ENOMEM;
	where.dir = dirname(real);
	for (i = 0; i < sizeof(keys) / sizeof(*keys) && !err; i++)
		err = add_key(places, loc, keys[i], &where);
	free(real);
	return err;
}

void libvhdx_places_free(struct libvhdx_places *places)
{
	while (places->nr)
		free(places->place[--places->nr].path);
	free(places->place);
	places->place = NULL;
}

/*
 * The directory of @path, links resolved, though @path may not exist; or NULL. If
 * @path is a link, that of the file which it leads to: from there the paths of a
 * locator are followed.
 */
static char *real_dir(const char *path)
{
	char *copy = realpath(path, NULL);
	char *real;

	if (!copy)
		copy = strdup(path);
	real = copy ? realpath(dirname(copy), NULL) : NULL;
	free(copy);
	return real;
}

/* Bytes of the directories that @dir and @path, both absolute, have in common. */
static size_t common(const char *dir, const char *path)
{
	size_t i, end = 0;

	for (i = 0; dir[i] && dir[i] == path[i]; i++)
		if (path[i] == '/')
			end = i;
	if (!dir[i] && path[i] == '/')
		end = i;
	return end;
}

/* The way from directory @dir to @path, both absolute, as Windows writes it. */
static char *relative_to(const char *dir, const char *path)
{
	size_t same = strcmp(dir, "/") ? common(dir, path) : 0;
	const char *down = path + same + 1;
	const char *p = strcmp(dir, "/") ? dir + same : "";
	char *out = strdup(*p ? "" : ".");

	for (; out && *p; p++)
		if (*p == '/')
			out = append(out, "..", *out);
	return append(out, down, true);
}

static char *backslashes(char *path)
{
	char *p;

	for (p = path; p && *p; p++)
		if (*p == '/')
			*p = '\\';
	return path;
}

#define MAKE_PAIRS	3
/* Bytes of UTF-16 of the longest way: up from the deepest directory, and a path down. */
#define MAKE_STRING	(2 * 3 * PATH_MAX)

/* Both strings of a pair, for as long as it is needed. */
struct made_pair {
	u8	key[64];
	u8	value[MAKE_STRING];
};

static struct vhdx_locator_pair make_pair(struct made_pair *made, const char *key,
					  const char *value)
{
	struct vhdx_locator_pair pair = { .key = made->key, .value = made->value };

	pair.key_len = (u16)libvhdx_utf8_to_utf16(made->key, sizeof(made->key), key);
	pair.value_len = (u16)libvhdx_utf8_to_utf16(made->value, sizeof(made->value), value);
	return pair;
}

static u32 locator_encode(void *buf, u32 size, const guid_t *linkage,
			  const char *relative, const char *absolute)
{
	char guid[LIBVHDX_GUID_TEXT], braced[LIBVHDX_GUID_TEXT + 2];
	struct made_pair *made = calloc(MAKE_PAIRS, sizeof(*made));
	struct vhdx_locator_pair pairs[MAKE_PAIRS];
	u32 len;

	if (!made)
		return 0;
	snprintf(braced, sizeof(braced), "{%s}", libvhdx_guid_to_text(guid, linkage));
	pairs[0] = make_pair(&made[0], VHDX_LOCATOR_LINKAGE, braced);
	pairs[1] = make_pair(&made[1], VHDX_LOCATOR_RELATIVE, relative);
	pairs[2] = make_pair(&made[2], VHDX_LOCATOR_ABSOLUTE, absolute);
	len = vhdx_locator_encode(buf, size, pairs, MAKE_PAIRS);
	free(made);
	return len;
}

/*
 * Will whoever reads @made, a path for a locator, be led to @path? Not if @path is no
 * UTF-8, or has control characters, or backslashes, or looks like a volume.
 */
static bool leads_to(const char *made, const char *path)
{
	u8 *raw = malloc(MAKE_STRING);
	char *text = malloc(LIBVHDX_UTF8_SIZE(MAKE_STRING));
	bool volume, same = false;

	if (raw && text) {
		libvhdx_utf16_to_utf8(text, LIBVHDX_UTF8_SIZE(MAKE_STRING), raw,
				      libvhdx_utf8_to_utf16(raw, MAKE_STRING, made));
		same = !strcmp(libvhdx_windows_path(text, &volume), path) && !volume;
	}
	free(text);
	free(raw);
	return same;
}

/* The values for the two paths below, made of @way and @real. */
static int make_values(const char *way, const char *real, char **relative, char **absolute)
{
	*relative = backslashes(strdup(way));
	if (asprintf(absolute, "\\\\?%s", real) < 0)
		*absolute = NULL;
	backslashes(*absolute);
	if (!*relative || !*absolute)
		return -ENOMEM;
	return leads_to(*relative, way) && leads_to(*absolute, real) ? 0 : -EILSEQ;
}

int libvhdx_locator_paths(const char *child, const char *parent, char **relative,
			  char **absolute)
{
	char *real = realpath(parent, NULL), *dir = NULL, *way = NULL;
	int err = real ? 0 : -errno;

	*relative = NULL;
	*absolute = NULL;
	if (!err) {
		dir = real_dir(child);
		err = dir ? 0 : -errno;
	}
	if (!err) {
		way = relative_to(dir, real);
		err = way ? make_values(way, real, relative, absolute) : -ENOMEM;
	}
	free(way);
	free(dir);
	free(real);
	return err;
}

int libvhdx_locator_make(void *buf, u32 size, u32 *len, const guid_t *linkage,
			 const char *child, const char *parent)
{
	char *relative, *absolute;
	int err = libvhdx_locator_paths(child, parent, &relative, &absolute);

	if (!err) {
		*len = locator_encode(buf, size, linkage, relative, absolute);
		err = *len ? 0 : -ENAMETOOLONG;
	}
	free(absolute);
	free(relative);
	return err;
}
