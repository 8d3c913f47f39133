// SPDX-License-Identifier: GPL-2.0-only
/* Image locks on the byte ranges that QEMU uses. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <linux/kernel.h>

#include "lock.h"

/* The rights, one byte each behind the two bases; the order is QEMU's. */
#define RIGHT_CONSISTENT_READ	(1U << 0)
#define RIGHT_WRITE		(1U << 1)
#define RIGHT_WRITE_UNCHANGED	(1U << 2)
#define RIGHT_RESIZE		(1U << 3)
#define RIGHT_NR			4

#define RIGHT_USED_BASE		100	/* byte is locked: the right is used */
#define RIGHT_DENIED_BASE	200	/* byte is locked: others must not use it */

static int lock_byte(int fd, int cmd, short type, unsigned int byte, struct flock *fl)
{
	*fl = (struct flock){
		.l_type		= type,
		.l_whence	= SEEK_SET,
		.l_start	= byte,
		.l_len		= 1,
	};
	return fcntl(fd, cmd, fl) ? -errno : 0;
}

/* All locks are shared ones: what two parties may do together is tested. */
static int lock_rights(int fd, unsigned int rights, unsigned int base)
{
	struct flock fl;
	unsigned int i;
	int err;

	for (i = 0; i < RIGHT_NR; i++) {
		if (!(rights & (1U << i)))
			continue;
		err = lock_byte(fd, F_OFD_SETLK, F_RDLCK, base + i, &fl);
		if (err == -EAGAIN || err == -EACCES)
			return -EBUSY;
		if (err)
			return err;
	}
	return 0;
}

/* Does another description hold one of these bytes? */
static int test_rights(int fd, unsigned int rights, unsigned int base)
{
	struct flock fl;
	unsigned int i;
	int err;

	for (i = 0; i < RIGHT_NR; i++) {
		if (!(rights & (1U << i)))
			continue;
		err = lock_byte(fd, F_OFD_GETLK, F_WRLCK, base + i, &fl);
		if (err)
			return err;
		if (fl.l_type != F_UNLCK)
			return -EBUSY;
	}
	return 0;
}

static void unlock_all(int fd)
{
	struct flock fl = {
		.l_type		= F_UNLCK,
		.l_whence	= SEEK_SET,
		.l_start	= RIGHT_USED_BASE,
		.l_len		= RIGHT_DENIED_BASE + RIGHT_NR - RIGHT_USED_BASE,
	};

	/* Cannot fail for a range that was just locked; closing does it too. */
	(void)fcntl(fd, F_OFD_SETLK, &fl);
}

/*
 * Lock first and test afterwards, as QEMU does: of two who come at the same
 * time at least one sees the other.
 */
int libvhdx_lock_image(int fd, bool write)
{
	unsigned int used = RIGHT_CONSISTENT_READ;
	unsigned int denied = RIGHT_WRITE | RIGHT_RESIZE;
	int err;

	if (write)
		used |= RIGHT_WRITE | RIGHT_RESIZE;
	err = lock_rights(fd, used, RIGHT_USED_BASE);
	if (!err)
		err = lock_rights(fd, denied, RIGHT_DENIED_BASE);
	if (!err)
		err = test_rights(fd, used, RIGHT_DENIED_BASE);
	if (!err)
		err = test_rights(fd, denied, RIGHT_USED_BASE);
	if (err)
		unlock_all(fd);
	return err;
}
