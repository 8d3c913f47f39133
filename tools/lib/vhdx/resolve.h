/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the parent of a differencing image may be: the paths of its locator as
 * paths of this system.
 *
 * The keys are taken in the order of [MS-VHDX] 2.6.2.6: relative_path,
 * volume_path, absolute_win32_path. What a Windows path says of a volume means
 * nothing here; of such a path the file's name is looked for beside the child,
 * and then the name and the whole path below each further directory.
 */
#ifndef LIBVHDX_RESOLVE_H
#define LIBVHDX_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>
#include <linux/uuid.h>

struct vhdx_locator;

/**
 * struct libvhdx_place - one place to look at
 * @key: the locator's key that it comes from
 * @path: of this system; with the case of the file that is there, if there is one
 */
struct libvhdx_place {
	const char	*key;
	char		*path;
};

/**
 * struct libvhdx_places - all of them, in order, each once
 * @nr: their number
 * @place: the places
 */
struct libvhdx_places {
	size_t			nr;
	struct libvhdx_place	*place;
};

/*
 * Fill @places for the image at path @child with locator @loc; @dirs are the
 * @nr_dirs further directories. 0 or -ENOMEM; to be freed in either case.
 */
int libvhdx_resolve(struct libvhdx_places *places, const struct vhdx_locator *loc,
		    const char *child, const char *const *dirs, size_t nr_dirs);

void libvhdx_places_free(struct libvhdx_places *places);

/*
 * The path of @value, a path as a locator has it, as far as it means something
 * here: '/' for '\', and without what names a volume, a drive or a server.
 * *@volume says whether there was such a thing. Points into @value, which is
 * changed.
 */
char *libvhdx_windows_path(char *value, bool *volume);

/*
 * The other way: the values of relative_path and absolute_win32_path of a child at
 * path @child, which may be a link and need not exist, of the parent at @parent,
 * which exists. The second is a path of this system in the form of Windows. 0, or a
 * negative errno: -EILSEQ when a path would not be read back as what it is, since it
 * is no UTF-8 or has backslashes or control characters. To be freed in either case.
 */
int libvhdx_locator_paths(const char *child, const char *parent, char **relative,
			  char **absolute);

/*
 * The same as a new locator, with @linkage, the parent's DataWriteGuid, as
 * parent_linkage, into @buf of @size bytes. Sets *@len. 0, a negative errno,
 * -ENAMETOOLONG when it does not fit.
 */
int libvhdx_locator_make(void *buf, u32 size, u32 *len, const guid_t *linkage,
			 const char *child, const char *parent);

/*
 * The same path with the names that are there, where those at hand differ from
 * them in the case of letters only. The caller frees it; NULL: no memory.
 */
char *libvhdx_path_case(const char *path);

#endif
