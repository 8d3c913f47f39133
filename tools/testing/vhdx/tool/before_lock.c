// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run a command, and another one right before the first takes its Nth lock: what
 * somebody else may do between an open and a lock, made to happen there. A reader
 * of an image takes three locks, a writer five.
 *
 * Usage: before_lock N SHELL-COMMAND COMMAND...
 *
 * Exit status 4 where processes cannot be traced, else the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#define CANNOT_TRACE	4

/* Stop at each lock of an open file description that is taken. */
static bool filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) +
			 (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_SETLK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void run_child(char **argv)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP) || !filter())
		_exit(CANNOT_TRACE);
	execvp(*argv, argv);
	perror(*argv);
	_exit(2);
}

/* The exit status of @pid, which is traced; @command is run at its @nth lock. */
static int watch(pid_t pid, int nth, const char *command)
{
	int status, sig;

	while (waitpid(pid, &status, 0) == pid) {
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (!WIFSTOPPED(status))
			return 2;
		sig = WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) && !--nth &&
		    system(command))
			return 2;
		/* The trap of exec(), and the stop that it all began with, are ours. */
		if (sig == SIGSTOP && ptrace(PTRACE_SETOPTIONS, pid, NULL,
					     PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL))
			return CANNOT_TRACE;
		if (sig == SIGSTOP || sig == SIGTRAP)
			sig = 0;
		if (ptrace(PTRACE_CONT, pid, NULL, sig))
			return CANNOT_TRACE;
	}
	return 2;
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc < 4)
		return 2;
	pid = fork();
	if (!pid)
		run_child(argv + 3);
	return pid < 0 ? 2 : watch(pid, atoi(argv[1]), argv[2]);
}
