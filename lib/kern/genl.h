/* SPDX-License-Identifier: MIT */
/* Generic netlink: one request, its replies, and the kernel's extended ACK message on failure. */
#ifndef DV_KERN_GENL_H
#define DV_KERN_GENL_H

#include <stddef.h>
#include <stdint.h>

struct nl_sock;
struct nl_msg;
struct nlmsghdr;

struct dv_genl {
	struct nl_sock *sk;
	char why[160];             /* extended ACK message of the last error, "" if the kernel gave none */
};

/* 0 or -errno. Bindings made through the socket are removed when it is closed. */
int dv_genl_open(struct dv_genl *g);
void dv_genl_close(struct dv_genl *g);

/* A request with its headers; NULL: no such family, or out of memory. flags: NLM_F_DUMP or 0. */
struct nl_msg *dv_genl_msg(struct dv_genl *g, const char *family, uint8_t cmd, int flags);

/*
 * Sends and frees msg (NULL: -EOPNOTSUPP) and passes the attributes of each reply
 * to fn. 0 or the kernel's -errno.
 */
int dv_genl_talk(struct dv_genl *g, struct nl_msg *msg, void (*fn)(void *arg, const void *attrs, int len), void *arg);

/* The payload of the attribute; NULL if it is missing or shorter than min. */
const void *dv_genl_find(const void *attrs, int len, uint16_t type, int min);
/* The attribute as a number of 4 or 8 bytes; `none` if it is missing. */
uint64_t dv_genl_num(const void *attrs, int len, uint16_t type, uint64_t none);

/* The extended ACK message in a netlink error; "" if there is none. */
void dv_genl_words(const struct nlmsghdr *h, char *buf, size_t size);

#endif
