// SPDX-License-Identifier: GPL-2.0-only
/*
 * create_faults FILE: let each call that creating an image makes fail, one run
 * for each. Creation must report that very error, and the file must not be
 * taken for an image unless it is a complete one. The same for opening.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "create.h"
#include "file.h"
#include "image.h"

static unsigned int failures;

static void expect(int ok, const char *what, unsigned int at)
{
	if (ok)
		return;
	printf("# call %u: %s\n", at, what);
	failures++;
}

static void count_report(struct libvhdx_check *chk, const struct libvhdx_message *msg)
{
	(void)chk;
	(void)msg;
}

/* Is @file an image, and if so one without errors? */
static int identifies(struct libvhdx_file *file, int *whole)
{
	struct libvhdx_check chk = { .report = count_report };
	struct vhdx_finding fd = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_image img;
	int err;

	libvhdx_image_init(&img, file);
	err = libvhdx_image_load_headers(&img, &fd);
	libvhdx_image_close(&img);
	*whole = !libvhdx_check(&chk, &img, file) && chk.whole && !chk.nr_errors;
	libvhdx_image_close(&img);
	return !err || (fd.fault != VHDX_FAULT_FILE_ID_SIGNATURE &&
			fd.fault != VHDX_FAULT_FILE_TOO_SMALL);
}

/* True when @at was beyond the last call. */
static int create_once(int fd, struct libvhdx_params *params, unsigned int at)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_faulty_file faulty;
	struct libvhdx_fd_file file;
	int err, whole;

	if (ftruncate(fd, 0) || libvhdx_fd_file_init(&file, fd))
		return -1;
	libvhdx_faulty_file_init(&faulty, &file.file, at, -ENOSPC);
	err = libvhdx_create(&faulty.file, params, &finding);
	if (faulty.calls <= at) {
		expect(!err, "creation without an error failed", at);
		return 1;
	}
	expect(err == -ENOSPC, "creation did not report the error", at);
	if (identifies(&file.file, &whole))
		expect(whole, "half an image is taken for one", at);
	return 0;
}

static int open_once(int fd, unsigned int at)
{
	struct vhdx_finding finding = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_check chk = { .report = count_report };
	struct libvhdx_faulty_file faulty;
	struct libvhdx_fd_file file;
	struct libvhdx_image img;
	int err;

	if (libvhdx_fd_file_init(&file, fd))
		return -1;
	libvhdx_faulty_file_init(&faulty, &file.file, at, -EIO);
	err = libvhdx_check(&chk, &img, &faulty.file);
	libvhdx_image_close(&img);
	if (faulty.calls <= at) {
		expect(!err && !chk.nr_errors, "checking without an error failed", at);
		return 1;
	}
	expect(err == -EIO, "checking did not report the error", at);

	libvhdx_faulty_file_init(&faulty, &file.file, at, -EIO);
	err = libvhdx_image_open(&img, &faulty.file, &finding);
	expect(!err || err == -EIO, "opening did not report the error", at);
	if (!err)
		libvhdx_image_close(&img);
	return 0;
}

int main(int argc, char **argv)
{
	struct libvhdx_params params = { .disk_size = 64 << 20, .creator = "test" };
	static const enum vhdx_disk_type types[] = { VHDX_DISK_DYNAMIC, VHDX_DISK_FIXED };
	unsigned int i, at, calls = 0;
	int fd, done;

	fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;
	if (fd < 0)
		return 2;
	for (i = 0; i < 2; i++) {
		params.type = types[i];
		if (libvhdx_params_check(&params, NULL))
			return 2;
		for (at = 0, done = 0; !done; at++)
			done = create_once(fd, &params, at);
		calls += at - 1;
		for (at = 0; done > 0; at++) {
			if (open_once(fd, at))
				break;
		}
		calls += at;
	}
	printf("# %u calls failed in turn\n", calls);
	return done < 0 || failures || calls < 20;
}
