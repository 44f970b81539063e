/* SPDX-License-Identifier: MIT */
/* URLs of files on a data server. */
#include "config.h"
#include <string.h>
#include "core/err.h"
#include "load/url.h"
#include "load/wire.h"

static const char scheme[] = "tcp://";

bool dv_url_is(const char *text)
{
	return !strncmp(text, scheme, sizeof(scheme) - 1);
}

static int bad(const char *text, const char *why)
{
	return dv_err(-EINVAL, "source %.300s: %s: use tcp://HOST:PORT/PATH, with brackets around an IPv6 address",
		      text, why);
}

/* A decimal number from 1 to 65535, and nothing else. */
static bool parse_port(const char *from, size_t len, char *to)
{
	unsigned int n = 0;

	if (!len || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (from[i] < '0' || from[i] > '9')
			return false;
		n = 10 * n + (from[i] - '0');
	}
	memcpy(to, from, len);
	to[len] = '\0';
	return n && n < 65536;
}

int dv_url_parse(const char *text, struct dv_url *u)
{
	const char *host = text + sizeof(scheme) - 1, *slash, *end, *port;

	if (!dv_url_is(text))
		return bad(text, "it does not start with tcp://");
	slash = strchr(host, '/');
	if (!slash || !slash[1])
		return bad(text, "it has no path");
	if (*host == '[') {
		host++;
		end = memchr(host, ']', slash - host);
		port = end && end[1] == ':' ? end + 2 : NULL;
	} else {
		end = memchr(host, ':', slash - host);
		port = end ? end + 1 : NULL;
	}
	if (!port)
		return bad(text, "it has no port");
	if (end == host || (size_t)(end - host) >= sizeof(u->host))
		return bad(text, "its host is empty or too long");
	if (!parse_port(port, slash - port, u->port))
		return bad(text, "its port is not a number from 1 to 65535");
	memcpy(u->host, host, end - host);
	u->host[end - host] = '\0';
	u->path = slash + 1;
	if (*u->path == '/' || strlen(u->path) > DV_WIRE_PATH)
		return bad(text, "its path is absolute or longer than 1023 bytes");
	return 0;
}
