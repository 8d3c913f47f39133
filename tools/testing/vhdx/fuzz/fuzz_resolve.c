// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the parent locator to the places where the parent may be: resolve.c, over
 * a tree of files that is the same each time (the functions that it looks at
 * files with are ours, see the Makefile).
 *
 * Input: a byte of flags, the lowest two bits of which say how many further
 * directories there are. With 4 what follows is the item without its type; else
 * pairs beside parent_linkage: a byte that picks the key, the number of
 * characters, and the characters in UTF-16.
 */
#include <dirent.h>

#include "format/locator.h"

#include "fold.h"
#include "resolve.h"
#include "utf16.h"

#include "fuzz.h"

int fuzz_access(const char *path, int mode);
char *fuzz_realpath(const char *path, char *buf);
DIR *fuzz_opendir(const char *path);
struct dirent *fuzz_readdir(DIR *dir);
int fuzz_closedir(DIR *dir);

#define CHILD_DIR	"/img/vm"
#define LINKAGE_TEXT	"{83ed0ec5-24c8-49a6-a959-5e4bd1288480}"
#define MAX_PAIRS	5
#define MAX_PATH	(1 << 17)

static const guid_t type = VHDX_GUID_LOCATOR_TYPE_VHDX;

static const char *const dirs[] = { "/srv", "../Base", "/nowhere" };

/* --- the tree of files --- */

static const char *const tree[] = {
	"/", "/img", CHILD_DIR, CHILD_DIR "/child.vhdx", CHILD_DIR "/Sub", CHILD_DIR "/Sub/A",
	"/img/Base", "/img/Base/x.vhdx", "/img/Base/X.vhdx", "/img/Base/Größe.vhdx", "/srv",
	"/srv/x.vhdx", "/srv/vm", "/srv/vm/Y.VHDX",
};

/* @path, from the child's directory, without what leads nowhere: "//", ".", "..". */
static char *normal(const char *path)
{
	char *full = fuzz_alloc(strlen(path) + sizeof(CHILD_DIR) + 1);
	char *out = fuzz_alloc(strlen(path) + sizeof(CHILD_DIR) + 2), *name, *save;

	sprintf(full, "%s%s", *path == '/' ? "" : CHILD_DIR "/", path);
	for (name = strtok_r(full, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		if (!strcmp(name, ".."))
			*(strrchr(out, '/') ?: out) = '\0';
		else if (strcmp(name, "."))
			strcat(strcat(out, "/"), name);
	}
	free(full);
	if (!*out)
		memcpy(out, "/", sizeof("/"));
	return out;
}

int fuzz_access(const char *path, int mode)
{
	char *at = normal(path);
	int ret = -1;
	size_t i;

	fuzz_assert(!mode);
	for (i = 0; i < ARRAY_SIZE(tree); i++)
		if (!strcmp(tree[i], at))
			ret = 0;
	free(at);
	return ret;
}

char *fuzz_realpath(const char *path, char *buf)
{
	fuzz_assert(!buf);
	return fuzz_access(path, 0) ? NULL : normal(path);
}

struct fuzz_dir {
	char		*path;
	size_t		next;
	struct dirent	entry;
};

DIR *fuzz_opendir(const char *path)
{
	struct fuzz_dir *dir;

	if (fuzz_access(path, 0))
		return NULL;
	dir = fuzz_alloc(sizeof(*dir));
	dir->path = normal(path);
	return (DIR *)dir;
}

struct dirent *fuzz_readdir(DIR *d)
{
	struct fuzz_dir *dir = (struct fuzz_dir *)d;
	size_t len = strcmp(dir->path, "/") ? strlen(dir->path) : 0;

	while (dir->next < ARRAY_SIZE(tree)) {
		const char *file = tree[dir->next++];

		if (strlen(file) > len + 1 && !strncmp(file, dir->path, len) &&
		    file[len] == '/' && !strchr(file + len + 1, '/')) {
			snprintf(dir->entry.d_name, sizeof(dir->entry.d_name), "%s",
				 file + len + 1);
			return &dir->entry;
		}
	}
	return NULL;
}

int fuzz_closedir(DIR *d)
{
	struct fuzz_dir *dir = (struct fuzz_dir *)d;

	free(dir->path);
	free(dir);
	return 0;
}

/* --- what must be true of any locator --- */

static void check_text(const char *text)
{
	size_t used;

	fuzz_assert(*text && strlen(text) < MAX_PATH && !strchr(text, '\\'));
	for (; *text; text += used)
		fuzz_assert(libvhdx_utf8_decode(text, &used) != LIBVHDX_REPLACEMENT || used == 3);
}

/* The names that are there are the ones that are found; and nothing else changes. */
static void check_case(const char *path)
{
	char *once = libvhdx_path_case(path), *twice = libvhdx_path_case(once);

	fuzz_assert(once && twice && !strcmp(once, twice));
	fuzz_assert(fuzz_access(path, 0) || !fuzz_access(once, 0));
	free(once);
	free(twice);
}

static void check_places(const struct libvhdx_places *places, size_t nr_dirs)
{
	size_t i, j;

	fuzz_assert(places->nr <= 3 * (2 + 2 * nr_dirs));
	for (i = 0; i < places->nr; i++) {
		const struct libvhdx_place *p = &places->place[i];

		fuzz_assert(!strcmp(p->key, VHDX_LOCATOR_RELATIVE) ||
			    !strcmp(p->key, VHDX_LOCATOR_VOLUME) ||
			    !strcmp(p->key, VHDX_LOCATOR_ABSOLUTE));
		fuzz_assert(*p->path == '/' || !strncmp(p->path, dirs[1], strlen(dirs[1])));
		check_text(p->path);
		check_case(p->path);
		fuzz_assert(libvhdx_names_equal(p->path, p->path));
		for (j = 0; j < i; j++) {
			const char *other = places->place[j].path;

			fuzz_assert(strcmp(p->path, other));
			fuzz_assert(libvhdx_names_equal(p->path, other) ==
				    libvhdx_names_equal(other, p->path));
		}
	}
}

static void check_windows_path(const struct vhdx_locator *loc, const char *key)
{
	char *value, *path;
	bool volume;
	const u8 *raw;
	size_t len;
	u16 bytes;

	raw = vhdx_locator_find(loc, key, &bytes);
	if (!raw)
		return;
	value = fuzz_alloc(LIBVHDX_UTF8_SIZE(bytes));
	len = libvhdx_utf16_to_utf8(value, LIBVHDX_UTF8_SIZE(bytes), raw, bytes);
	fuzz_assert(len == strlen(value));
	path = libvhdx_windows_path(value, &volume);
	fuzz_assert(path >= value && path <= value + len);
	fuzz_assert(!volume || *path != '/');
	free(value);
}

/* --- the locator --- */

static u32 take_item(struct fuzz_input *in, u8 *item)
{
	u32 len = in->left;

	fuzz_take(in, item + sizeof(type), len);
	memcpy(item, &type, sizeof(type));
	return sizeof(type) + len;
}

static u32 take_pairs(struct fuzz_input *in, u8 *item, u32 size)
{
	static const char *const names[] = {
		VHDX_LOCATOR_RELATIVE, VHDX_LOCATOR_VOLUME, VHDX_LOCATOR_ABSOLUTE, "other",
	};
	static u8 keys[MAX_PAIRS][64], values[MAX_PAIRS][512];
	struct vhdx_locator_pair pairs[MAX_PAIRS];
	unsigned int i, nr;

	for (nr = 0; nr < MAX_PAIRS && (!nr || in->left); nr++) {
		const char *name = VHDX_LOCATOR_LINKAGE;
		struct vhdx_locator_pair *p = &pairs[nr];

		*p = (struct vhdx_locator_pair){ .key = keys[nr], .value = values[nr] };
		if (nr)
			name = names[fuzz_u8(in) % ARRAY_SIZE(names)];
		p->key_len = libvhdx_utf8_to_utf16(keys[nr], sizeof(keys[nr]), name);
		p->value_len = nr ? 2 * fuzz_u8(in) : 0;
		fuzz_take(in, values[nr], p->value_len);
		if (!nr)
			p->value_len = libvhdx_utf8_to_utf16(values[nr], sizeof(values[nr]),
							     LINKAGE_TEXT);
	}
	for (i = 1; i < nr; i++)
		if (!pairs[i].value_len)
			return 0;
	return vhdx_locator_encode(item, size, pairs, nr);
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	u8 flags = fuzz_u8(&in);
	struct libvhdx_places places;
	struct vhdx_locator loc;
	struct vhdx_finding fd;
	u32 room = sizeof(type) + size + 4096;
	u8 *item = fuzz_alloc(room);
	u32 len = flags & 4 ? take_item(&in, item) : take_pairs(&in, item, room);

	if (len && !vhdx_locator_decode(item, len, 0, &loc, &fd)) {
		fuzz_accept();
		check_windows_path(&loc, VHDX_LOCATOR_RELATIVE);
		check_windows_path(&loc, VHDX_LOCATOR_VOLUME);
		check_windows_path(&loc, VHDX_LOCATOR_ABSOLUTE);
		fuzz_assert(!libvhdx_resolve(&places, &loc, CHILD_DIR "/child.vhdx", dirs,
					     flags & 3));
		check_places(&places, flags & 3);
		libvhdx_places_free(&places);
	}
	free(item);
	return 0;
}
