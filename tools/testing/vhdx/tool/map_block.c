// SPDX-License-Identifier: GPL-2.0-only
/*
 * map_block FILE POSITION: what the image says of the disk from POSITION on, asked
 * without a scan of the BAT before: "data", "zeros", "parent", with the length and
 * the place in the file, or the fault that was found.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "file.h"
#include "map.h"
#include "text.h"

static const char *const kinds[] = {
	[LIBVHDX_EXTENT_DATA]	= "data",
	[LIBVHDX_EXTENT_ZERO]	= "zeros",
	[LIBVHDX_EXTENT_PARENT]	= "parent",
};

static void say(int ret, const struct libvhdx_extent *run, const struct vhdx_finding *fd)
{
	char text[512];

	if (ret < 0)
		errx(EXIT_FAILURE, "%s", strerror(-ret));
	if (ret > 0) {
		vhdx_finding_to_text(text, sizeof(text), fd);
		puts(text);
	} else {
		printf("%s %llu at %#llx\n", kinds[run->kind], (unsigned long long)run->len,
		       (unsigned long long)(run->kind == LIBVHDX_EXTENT_DATA ? run->off : 0));
	}
}

int main(int argc, char **argv)
{
	static struct libvhdx_image img;
	static struct libvhdx_map map;
	struct libvhdx_extent run;
	struct libvhdx_fd_file file;
	struct vhdx_finding fd;
	int ret, image;
	u64 pos;

	if (argc != 3)
		return 2;
	image = open(argv[1], O_RDONLY);
	if (image < 0)
		err(EXIT_FAILURE, "%s", argv[1]);
	ret = libvhdx_fd_file_init(&file, image);
	if (!ret)
		ret = libvhdx_image_open(&img, &file.file, &fd);
	if (ret)
		errx(EXIT_FAILURE, "%s: cannot be opened (%d)", argv[1], ret);
	libvhdx_map_init(&map, &img);
	pos = strtoull(argv[2], NULL, 0);
	ret = libvhdx_map_run(&map, pos, img.geo.disk_size - pos, &run, &fd);
	say(ret, &run, &fd);
	libvhdx_image_close(&img);
	close(image);
	return 0;
}
