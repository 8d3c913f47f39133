// SPDX-License-Identifier: GPL-2.0-only
/* A disk in memory as a network block device of this machine. */
#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/nbd.h>

#include "disk.h"
#include "nbd.h"
#include "nbd_control.h"
#include "trace.h"

#define HELD_MAX	8
#define HOLD_MS		2

/* Answers that the server has not given yet. */
struct held {
	u64	handle[HELD_MAX];
	u32	event[HELD_MAX];
	u32	nr;
};

/* False when the other end is closed. */
static bool receive(int sock, void *buf, size_t len)
{
	char *p = buf;
	ssize_t n;

	for (; len; p += n, len -= (size_t)n) {
		n = recv(sock, p, len, 0);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			err(2, "nbd: receive");
		else if (!n)
			return false;
	}
	return true;
}

static void transmit(int sock, const void *buf, size_t len)
{
	const char *p = buf;
	ssize_t n;

	for (; len; p += n, len -= (size_t)n) {
		n = send(sock, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			err(2, "nbd: send");
		n = n < 0 ? 0 : n;
	}
}

static void answer(struct nbd *nbd, u64 handle, u32 error)
{
	struct nbd_reply reply = { .magic = htonl(NBD_REPLY_MAGIC), .error = htonl(error) };

	memcpy(&reply.handle, &handle, sizeof(handle));
	transmit(nbd->sock, &reply, sizeof(reply));
}

/* The event first: what the answer sets in motion comes later in the trace. */
static void done(struct nbd *nbd, u64 handle, u32 event)
{
	trace_append(nbd->trace, (struct event){ .type = TRACE_DONE, .ref = event });
	answer(nbd, handle, 0);
}

static void release(struct nbd *nbd, struct held *held)
{
	u32 i;

	for (i = 0; i < held->nr; i++)
		done(nbd, held->handle[i], held->event[i]);
	held->nr = 0;
}

static bool serve_write(struct nbd *nbd, struct held *held, u64 handle, u64 off,
			u32 len, bool fua)
{
	u8 *data = trace_room(nbd->trace, len);
	u32 event;

	if (!receive(nbd->sock, data, len))
		return false;
	event = trace_append(nbd->trace, (struct event){
		.type = TRACE_WRITE, .fua = fua, .off = off, .len = len,
		.data = nbd->trace->blob_len,
	});
	disk_write(nbd->disk, off, data, len);
	if (held->nr < HELD_MAX && random_chance(&nbd->rnd, nbd->hold)) {
		held->handle[held->nr] = handle;
		held->event[held->nr++] = event;
	} else {
		done(nbd, handle, event);
	}
	return true;
}

static void serve_flush(struct nbd *nbd, u64 handle)
{
	done(nbd, handle, trace_append(nbd->trace, (struct event){ .type = TRACE_FLUSH }));
}

static void serve_read(struct nbd *nbd, u64 handle, u64 off, u32 len)
{
	if (off > nbd->disk->size || len > nbd->disk->size - off)
		errx(2, "nbd: a read of %u bytes at %llu leaves the disk", len, off);
	answer(nbd, handle, 0);
	transmit(nbd->sock, nbd->disk->mem + off, len);
}

static bool serve(struct nbd *nbd, struct held *held, const struct nbd_request *req)
{
	u32 type = ntohl(req->type);
	u64 off = be64toh(req->from);
	u32 len = ntohl(req->len);
	u64 handle;

	memcpy(&handle, &req->handle, sizeof(handle));
	switch (type & 0xffff) {
	case NBD_CMD_READ:
		serve_read(nbd, handle, off, len);
		return true;
	case NBD_CMD_WRITE:
		return serve_write(nbd, held, handle, off, len, type & NBD_CMD_FLAG_FUA);
	case NBD_CMD_FLUSH:
		serve_flush(nbd, handle);
		return true;
	case NBD_CMD_DISC:
		return false;
	default:
		answer(nbd, handle, EINVAL);
		return true;
	}
}

static void *serve_all(void *arg)
{
	struct nbd *nbd = arg;
	struct pollfd pfd = { .fd = nbd->sock, .events = POLLIN };
	struct held held = { };
	struct nbd_request req;
	int ret;

	for (;;) {
		ret = held.nr ? poll(&pfd, 1, HOLD_MS) : 1;
		if (ret < 0 && errno != EINTR)
			err(2, "nbd: poll");
		if (!ret)
			release(nbd, &held);
		if (ret <= 0)
			continue;
		if (!receive(nbd->sock, &req, sizeof(req)) || !serve(nbd, &held, &req))
			return NULL;
		/* Answers come late, but not in the order of the requests. */
		if (held.nr && random_chance(&nbd->rnd, 30))
			release(nbd, &held);
	}
}

static u64 device_size(const struct nbd *nbd)
{
	int fd = open(nbd->path, O_RDONLY | O_CLOEXEC);
	u64 size = 0;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size))
		err(2, "%s", nbd->path);
	close(fd);
	return size;
}

void nbd_start(struct nbd *nbd, u32 number, struct disk *disk, struct trace *trace)
{
	const u64 flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA;
	int sv[2];

	*nbd = (struct nbd){ .disk = disk, .trace = trace, .number = number };
	snprintf(nbd->path, sizeof(nbd->path), "/dev/nbd%u", number);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		err(2, "socketpair");
	nbd->sock = sv[0];
	nbd->kernel_sock = sv[1];
	if (pthread_create(&nbd->server, NULL, serve_all, nbd))
		errx(2, "no thread for %s", nbd->path);
	nbd_connect(number, sv[1], disk->size, SECTOR, flags);
	if (device_size(nbd) != disk->size)
		errx(2, "%s: does not start", nbd->path);
}

void nbd_stop(struct nbd *nbd)
{
	nbd_disconnect(nbd->number);
	pthread_join(nbd->server, NULL);
	close(nbd->sock);
	close(nbd->kernel_sock);
}
