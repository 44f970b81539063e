/* SPDX-License-Identifier: MIT */
/* tcp://HOST:PORT/PATH, HOST in brackets if it is an IPv6 address. Nothing is escaped. */
#ifndef DV_URL_H
#define DV_URL_H

#include <stdbool.h>

struct dv_url {
	char host[256], port[6];
	const char *path;         /* in the text, relative */
};

/* Is it the name of a file at a server, right or wrong? */
bool dv_url_is(const char *text);

/* 0, or -EINVAL with a sentence. */
int dv_url_parse(const char *text, struct dv_url *url);

#endif
