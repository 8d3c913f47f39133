// SPDX-License-Identifier: GPL-2.0-only
/*
 * lock_hold read|write FILE: take the image locks, say so, and keep them until
 * standard input ends. Stands for the driver in tests that have none. Exit
 * status 1 when somebody else holds them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lock.h"

int main(int argc, char **argv)
{
	int write, fd, err;

	if (argc != 3)
		return 2;
	write = !strcmp(argv[1], "write");
	fd = open(argv[2], write ? O_RDWR : O_RDONLY);
	if (fd < 0) {
		perror(argv[2]);
		return 2;
	}
	err = libvhdx_lock_image(fd, write);
	if (err) {
		printf("refused: %s\n", strerror(-err));
		return 1;
	}
	puts("locked");
	fflush(stdout);
	while (getchar() != EOF)
		;
	close(fd);
	return 0;
}
