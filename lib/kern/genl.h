/* SPDX-License-Identifier: MIT */
/* Generic netlink: one request, its answers, and the kernel's own words when it refuses. */
#ifndef DV_KERN_GENL_H
#define DV_KERN_GENL_H

#include <stddef.h>
#include <stdint.h>

struct nl_sock;
struct nl_msg;
struct nlmsghdr;

struct dv_genl {
	struct nl_sock *sk;
	char why[160];             /* of the last refusal, "" if the kernel gave no words */
};

/* 0 or -errno. What was bound over it goes when it is closed. */
int dv_genl_open(struct dv_genl *g);
void dv_genl_close(struct dv_genl *g);

/* A request with its headers; NULL: no such family, or no memory. flags: NLM_F_DUMP or 0. */
struct nl_msg *dv_genl_msg(struct dv_genl *g, const char *family, uint8_t cmd, int flags);

/* Sends msg, which is freed (NULL is -EOPNOTSUPP), and gives the attributes of each answer to fn. 0 or the kernel's -errno. */
int dv_genl_talk(struct dv_genl *g, struct nl_msg *msg, void (*fn)(void *arg, const void *attrs, int len), void *arg);

/* One answer's attribute in a run of them; NULL if it is not there or shorter than min. */
const void *dv_genl_find(const void *attrs, int len, uint16_t type, int min);
/* As a number of 4 or 8 bytes; `none` if it is not there. */
uint64_t dv_genl_num(const void *attrs, int len, uint16_t type, uint64_t none);

/* The words in an error message of the kernel of len bytes; "" if there are none. */
void dv_genl_words(const struct nlmsghdr *h, char *buf, size_t size);

#endif
