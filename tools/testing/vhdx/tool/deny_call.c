// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run a command for which one kind of system call fails: as it does on file
 * systems and in places that a test cannot count on.
 *
 * Usage: deny_call lock|directory|allocate COMMAND...
 *
 * lock: locks of open file descriptions cannot be taken, ENOLCK.
 * directory: a directory cannot be opened, EIO.
 * allocate: space cannot be reserved, EOPNOTSUPP.
 * Exit status 4 where system calls cannot be filtered, else the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

/* The low half of an argument, which is all there is to these. */
#define ARG(n)	(offsetof(struct seccomp_data, args[n]) + \
		 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

#define LOAD(off)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off))
#define RETURN(what)	BPF_STMT(BPF_RET | BPF_K, (what))

static int deny(unsigned int call, struct sock_filter test, unsigned int arg, int err)
{
	struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		LOAD(arg),
		test,
		RETURN(SECCOMP_RET_ERRNO | (unsigned int)err),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

int main(int argc, char **argv)
{
	struct sock_filter is_lock = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_SETLK, 0, 1);
	struct sock_filter is_dir = BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_DIRECTORY, 0, 1);
	struct sock_filter any = BPF_STMT(BPF_MISC | BPF_TAX, 0);
	int err;

	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "lock"))
		err = deny(SYS_fcntl, is_lock, ARG(1), ENOLCK);
	else if (!strcmp(argv[1], "directory"))
		err = deny(SYS_openat, is_dir, ARG(2), EIO);
	else if (!strcmp(argv[1], "allocate"))
		err = deny(SYS_fallocate, any, ARG(1), EOPNOTSUPP);
	else
		return 2;
	if (err) {
		perror("cannot filter system calls");
		return 4;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
