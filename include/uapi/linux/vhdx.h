/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Control interface of the VHDX block driver: ioctls of /dev/vhdx-control.
 *
 * Each structure begins with its own size. A newer kernel accepts the shorter
 * structure of an older program; an older kernel accepts a longer one if what
 * it does not know is zero, and refuses it with E2BIG otherwise. Unknown flag
 * bits and reserved fields that are not zero are refused with EINVAL.
 *
 * The caller needs CAP_SYS_ADMIN.
 */
#ifndef _UAPI_LINUX_VHDX_H
#define _UAPI_LINUX_VHDX_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VHDX_CONTROL_NAME	"vhdx-control"
#define VHDX_FAULT_NAME_LEN	32
#define VHDX_FAULT_TEXT_LEN	200
#define VHDX_MAX_PARENTS	63

/**
 * struct vhdx_fault_reply - why an image was refused
 * @code: number of the fault, 0 when the image itself is not to blame
 * @image: 0 for the image, n for its n-th parent
 * @offset: file offset in bytes of what is wrong
 * @name: the fault's name, such as "bat-overlap"; NUL terminated
 * @text: a sentence for people; NUL terminated; also when @code is 0, empty
 *	where there is nothing more to say than the error number does
 */
struct vhdx_fault_reply {
	__u32	code;
	__u32	image;
	__u64	offset;
	char	name[VHDX_FAULT_NAME_LEN];
	char	text[VHDX_FAULT_TEXT_LEN];
};

/* Never write to the image; a dirty log is replayed in memory. */
#define VHDX_ATTACH_READ_ONLY		(1U << 0)
/* Do not look for partitions. */
#define VHDX_ATTACH_NO_PARTSCAN		(1U << 1)
/* Detach by itself when the last user has closed the device. */
#define VHDX_ATTACH_AUTOCLEAR		(1U << 2)
/* Direct I/O or not at all; without one of the two: direct where possible. */
#define VHDX_ATTACH_DIRECT_IO		(1U << 3)
#define VHDX_ATTACH_BUFFERED_IO		(1U << 4)
#define VHDX_ATTACH_ALL			0x1fU

/**
 * struct vhdx_attach - make a block device of an image
 * @size: sizeof(struct vhdx_attach)
 * @flags: VHDX_ATTACH_* bits
 * @fd: the image, open for reading, and for writing unless READ_ONLY is set
 * @nr_parents: number of parents, 0 unless the image is a differencing one
 * @parents: address of an array of @nr_parents fds (__s32), the image's own
 *	parent first, each open for reading
 * @number: in: the wanted N of /dev/vhdxN, or -1 for a free one; out: N
 * @reserved: must be zero
 * @fault: out, when the call fails: what is wrong with which image
 *
 * Returns 0 when the device is there with its partitions. EBUSY: the image is
 * attached already. EEXIST: the wanted number is in use.
 */
struct vhdx_attach {
	__u32	size;
	__u32	flags;
	__s32	fd;
	__u32	nr_parents;
	__aligned_u64 parents;
	__s32	number;
	__u32	reserved[5];
	struct vhdx_fault_reply fault;
};

/* Only mark the device for detach when its last user closes it. */
#define VHDX_DETACH_LAZY		(1U << 0)
#define VHDX_DETACH_ALL			0x1U

/**
 * struct vhdx_detach - take a device away
 * @size: sizeof(struct vhdx_detach)
 * @flags: VHDX_DETACH_* bits
 * @number: N of /dev/vhdxN
 * @reserved: must be zero
 *
 * Everything is written, the log is emptied, and the image file is closed
 * before the call returns. EBUSY: the device is open (without LAZY), or is
 * still being attached. ENODEV: there is no such device. EIO and others: the
 * device is gone, but the last writes or the clean-up of the log failed; the
 * log will be replayed at the next attach.
 */
struct vhdx_detach {
	__u32	size;
	__u32	flags;
	__s32	number;
	__u32	reserved[5];
};

#define VHDX_IOC_MAGIC		0xbe
#define VHDX_CTL_ATTACH		_IOWR(VHDX_IOC_MAGIC, 0x00, struct vhdx_attach)
#define VHDX_CTL_DETACH		_IOW(VHDX_IOC_MAGIC, 0x01, struct vhdx_detach)

#endif
