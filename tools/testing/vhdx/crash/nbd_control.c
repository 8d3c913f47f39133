// SPDX-License-Identifier: GPL-2.0-only
/* Generic netlink, as far as a network block device needs it. */
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>

#include "nbd_control.h"

#define MESSAGE_MAX	4096

/* A message being put together, or an answer. */
struct message {
	union {
		struct nlmsghdr	head;
		char		bytes[MESSAGE_MAX];
	};
};

static void start(struct message *msg, u16 family, u8 command, u8 version)
{
	struct genlmsghdr gen = { .cmd = command, .version = version };

	memset(msg, 0, sizeof(*msg));
	msg->head.nlmsg_type = family;
	msg->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	msg->head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	memcpy(NLMSG_DATA(&msg->head), &gen, sizeof(gen));
}

/* All our messages are short. */
static struct nlattr *put(struct message *msg, u16 type, const void *data, u16 len)
{
	struct nlattr *attr = (void *)(msg->bytes + NLMSG_ALIGN(msg->head.nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((char *)attr + NLA_HDRLEN, data, len);
	msg->head.nlmsg_len = NLMSG_ALIGN(msg->head.nlmsg_len) + NLA_ALIGN(attr->nla_len);
	return attr;
}

static void end_nest(struct message *msg, struct nlattr *nest)
{
	nest->nla_type |= NLA_F_NESTED;
	nest->nla_len = (u16)(msg->bytes + msg->head.nlmsg_len - (char *)nest);
}

/* Send it, and receive answers up to the one that ends it: its errno. */
static int call(struct message *msg, struct message *answer)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct message got;
	int error;

	if (sock < 0 || send(sock, msg, msg->head.nlmsg_len, 0) < 0)
		err(2, "netlink");
	do {
		memset(&got, 0, sizeof(got));
		if (recv(sock, &got, sizeof(got), 0) < 0)
			err(2, "netlink");
		if (got.head.nlmsg_type != NLMSG_ERROR && answer)
			*answer = got;
	} while (got.head.nlmsg_type != NLMSG_ERROR);
	close(sock);
	memcpy(&error, NLMSG_DATA(&got.head), sizeof(error));
	return -error;
}

static u16 find_family(void)
{
	struct message msg, answer = { };
	u32 pos = NLMSG_LENGTH(GENL_HDRLEN);
	u16 family;
	int error;

	start(&msg, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	put(&msg, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME, sizeof(NBD_GENL_FAMILY_NAME));
	error = call(&msg, &answer);
	if (error)
		errx(2, "netlink: no nbd: %s", strerror(error));
	while (pos + NLA_HDRLEN <= answer.head.nlmsg_len) {
		struct nlattr *attr = (void *)(answer.bytes + pos);

		if (attr->nla_type == CTRL_ATTR_FAMILY_ID) {
			memcpy(&family, (char *)attr + NLA_HDRLEN, sizeof(family));
			return family;
		}
		if (attr->nla_len < NLA_HDRLEN)
			break;
		pos += NLA_ALIGN(attr->nla_len);
	}
	errx(2, "netlink: nbd has no number");
}

void nbd_connect(u32 number, int sock, u64 size, u32 block_size, u64 flags)
{
	const u64 block = block_size;
	const u32 fd = (u32)sock;
	struct nlattr *list, *item;
	struct message msg;
	int error;

	start(&msg, find_family(), NBD_CMD_CONNECT, NBD_GENL_VERSION);
	put(&msg, NBD_ATTR_INDEX, &number, sizeof(number));
	put(&msg, NBD_ATTR_SIZE_BYTES, &size, sizeof(size));
	put(&msg, NBD_ATTR_BLOCK_SIZE_BYTES, &block, sizeof(block));
	put(&msg, NBD_ATTR_SERVER_FLAGS, &flags, sizeof(flags));
	list = put(&msg, NBD_ATTR_SOCKETS, NULL, 0);
	item = put(&msg, NBD_SOCK_ITEM, NULL, 0);
	put(&msg, NBD_SOCK_FD, &fd, sizeof(fd));
	end_nest(&msg, item);
	end_nest(&msg, list);
	error = call(&msg, NULL);
	if (error)
		errx(2, "/dev/nbd%u: cannot be connected: %s", number, strerror(error));
}

void nbd_disconnect(u32 number)
{
	struct message msg;
	int error;

	start(&msg, find_family(), NBD_CMD_DISCONNECT, NBD_GENL_VERSION);
	put(&msg, NBD_ATTR_INDEX, &number, sizeof(number));
	error = call(&msg, NULL);
	if (error)
		errx(2, "/dev/nbd%u: cannot be disconnected: %s", number, strerror(error));
}
