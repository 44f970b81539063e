/* SPDX-License-Identifier: MIT */
/* tcp://HOST:PORT/PATH, with brackets around an IPv6 address. There is no percent-encoding. */
#ifndef DV_URL_H
#define DV_URL_H

#include <stdbool.h>

struct dv_url {
	char host[256], port[6];
	const char *path;         /* relative; points into the text */
};

/* Whether it has the scheme of a URL; it may still be invalid. */
bool dv_url_is(const char *text);

/* 0, or -EINVAL with an error message. */
int dv_url_parse(const char *text, struct dv_url *url);

#endif
