// SPDX-License-Identifier: GPL-2.0-only
/* The file of a new image, and what a child has of its parent. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "file.h"
#include "lock.h"
#include "newimage.h"
#include "output.h"
#include "resolve.h"
#include "target.h"

static void inherit(struct libvhdx_params *p, const struct vhdx_metadata *md)
{
	if (!p->logical_size)
		p->logical_size = md->logical_size;
	if (!p->physical_size)
		p->physical_size = md->physical_size;
	p->disk_id = md->disk_id;
}

int new_image_child(struct libvhdx_params *params, const char *path, const struct target *t,
		    const struct libvhdx_image *img, void *buf)
{
	int err;

	inherit(params, &img->md);
	if (params->logical_size != img->md.logical_size) {
		warnx("%s: --logical-sector-size: must be %u, as in the parent", path,
		      img->md.logical_size);
		return -1;
	}
	if (t->busy) {
		warnx("%s: is in use by another process, which writes to it (QEMU image lock); stop it first",
		      t->path);
		return -1;
	}
	err = libvhdx_locator_make(buf, LIBVHDX_LOCATOR_MAX, &params->locator_len,
				   &img->hdrs.cur.data_write_guid, path, t->path);
	if (err == -EILSEQ)
		warnx("%s: cannot be named in %s: in an image paths are UTF-8 without backslashes and control characters; rename it",
		      t->path, path);
	else if (err)
		warnx("%s: cannot be named in %s: %s", t->path, path, strerror(-err));
	params->locator = buf;
	return err ? -1 : 0;
}

/*
 * Has somebody the file open who writes to it? The kernel knows, whatever locks
 * there are: a lease for reading is granted only if not. It is given back at once;
 * that who opens the file in between sends us a signal means nothing. Where there
 * are no leases, or not for us, the answer is no.
 */
static bool is_written_to(int fd)
{
	bool written;

	signal(SIGIO, SIG_IGN);
	written = fcntl(fd, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
	if (!written)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	return written;
}

/*
 * May the file @path, open as @fd, be replaced? Not if it is in use, or if nobody
 * can tell. Whoever had the lock before may have replaced it meanwhile.
 */
static int check_unused(const char *path, int fd)
{
	int err = libvhdx_lock_image(fd, true);

	if (err == -EBUSY)
		warnx("%s: is in use by another process (QEMU image lock); stop it first", path);
	else if (err)
		warnx("%s: cannot be locked, and so may be in use: %s; remove it first", path,
		      strerror(-err));
	else if (is_written_to(fd))
		warnx("%s: is in use: another process or a loop device has it open for writing; stop it first",
		      path);
	else if (!path_leads_to(path, fd))
		warnx("%s: was replaced by another process just now", path);
	else
		return 0;
	return -1;
}

/* May @path, which exists, be replaced? Keeps the lock until the process ends. */
static int check_replace(const char *path, struct stat *st)
{
	int fd = open_regular_file(path, O_RDONLY);

	if (fd < 0)
		return -1;
	if (fstat(fd, st)) {
		warn("%s", path);
		return -1;
	}
	return check_unused(path, fd);
}

/**
 * struct output - the file under construction
 * @path: what it will be called, links resolved
 * @temp: what it is called, in the same directory
 * @mode: its permissions
 * @uid: its owner, where one is replaced
 * @gid: and group
 * @replace: it was there, and may be replaced
 */
struct output {
	char	*path;
	char	*temp;
	mode_t	mode;
	uid_t	uid;
	gid_t	gid;
	bool	replace;
};

/* A name of its own, since one with something behind it might be too long. */
static int name_temp(struct output *out)
{
	const char *slash = strrchr(out->path, '/');
	int dir = slash ? (int)(slash - out->path) + 1 : 0;

	if (asprintf(&out->temp, "%.*s.vhdxctl.XXXXXX", dir, out->path) >= 0)
		return 0;
	out->temp = NULL;
	return -1;
}

/* Where to write to; -1 and a message when it must not be. */
static int output_prepare(struct output *out, const char *path, bool force)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	out->mode = 0666 & ~mask;
	out->path = realpath(path, NULL);
	out->replace = out->path;
	if (!out->path) {
		/* No such file, which is as it should be, or no directory. */
		out->path = strdup(path);
	} else if (force) {
		if (check_replace(path, &st))
			return -1;
		out->mode = st.st_mode & 0777;
		out->uid = st.st_uid;
		out->gid = st.st_gid;
	} else {
		warnx("%s: exists; use --force to replace it", path);
		return -1;
	}
	if (!out->path || name_temp(out)) {
		warn("%s", path);
		return -1;
	}
	return 0;
}

/*
 * The temporary file that a signal finds; NULL when there is none. It is set before
 * the calls of signal(), which may call the handler for all that the compiler knows.
 */
static const char *unfinished;

static void remove_unfinished(int sig)
{
	if (unfinished)
		unlink(unfinished);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* From now until @temp is NULL the file is removed when a signal ends us. */
static void guard(const char *temp)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	size_t i;

	unfinished = temp;
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (signal(signals[i], temp ? remove_unfinished : SIG_DFL) == SIG_IGN)
			signal(signals[i], SIG_IGN);
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
	return err;
}

/* The owner stays, but only root can give a file away; whoever cannot is the owner now. */
static int set_access(const struct output *out, int fd)
{
	if (out->replace && fchown(fd, out->uid, out->gid) && errno != EPERM && errno != EINVAL)
		return -errno;
	return fchmod(fd, out->mode) ? -errno : 0;
}

static int output_write(const struct output *out, int fd, const char *path,
			const struct libvhdx_params *params)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_fd_file file;
	int err = libvhdx_fd_file_init(&file, fd);

	if (!err)
		err = set_access(out, fd);
	if (!err)
		err = libvhdx_create(&file.file, params, &finding);
	if (err) {
		warn_image(path, err, &finding);
		return -1;
	}
	return 0;
}

int new_image(const char *path, const struct libvhdx_params *params, bool force)
{
	struct output out = { .path = NULL };
	int status = -1;
	int fd;

	if (output_prepare(&out, path, force))
		goto out_free;
	guard(out.temp);
	signal(SIGXFSZ, SIG_IGN);	/* a file over the limit is an error like others */
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
	} else if (sync_directory(out.path)) {
		warn("%s: was made, but a power cut may undo that; its directory cannot be made stable",
		     path);
	} else {
		status = 0;
	}
	close(fd);
out_free:
	guard(NULL);
	free(out.temp);
	free(out.path);
	return status;
}
