/* SPDX-License-Identifier: MIT */
/* Reading the files to index, local or on a data server. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "load/input.h"
#include "load/peer.h"

static int open_local(const char *path, struct dv_input *in)
{
	char byte;
	int rc = 0;

	/* O_NONBLOCK: do not wait for the writer of a FIFO, which is rejected below. */
	in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (in->fd < 0 || fstat(in->fd, &in->st))
		rc = dv_err(-errno, "source %s: cannot open it: check the name and its permissions", path);
	else if (!S_ISREG(in->st.st_mode))
		rc = dv_err(S_ISDIR(in->st.st_mode) ? -EISDIR : -EINVAL, "source %s: not a regular file", path);
	else if (!in->st.st_size && pread(in->fd, &byte, 1, 0) > 0)
		rc = dv_err(-EINVAL, "source %s: it has data but no size, like the files of /proc: load a copy of it",
			    path);
	in->size = in->st.st_size;
	if (rc)
		dv_input_close(in);
	return rc;
}

/* The number of the server in the source, from 1; adds it if it is new. */
static int server_number(struct devio_source *s, const struct dv_url *url, uint32_t *number)
{
	for (uint64_t i = s->servers.nr; i-- > 0;) {
		const struct dv_server *server = dv_source_server(s, i);

		if (strcmp(server->host, url->host) || strcmp(server->port, url->port))
			continue;
		*number = i + 1;
		return 0;
	}
	if (dv_source_add_server(s, url->host, url->port))
		return -ENOMEM;
	*number = s->servers.nr;
	return 0;
}

static int open_remote(struct devio_source *s, const char *path, struct dv_input *in)
{
	struct dv_url url;
	int rc = dv_url_parse(path, &url);

	if (rc)
		return rc;
	rc = server_number(s, &url, &in->server);
	if (!rc && !dv_peer_serves(s->peer, &url)) {
		dv_peer_close(s->peer);
		s->peer = NULL;
		rc = dv_peer_open(url.host, url.port, &s->peer);
	}
	if (rc)
		return rc;
	in->name = url.path;
	in->peer = s->peer;
	return dv_peer_open_file(in->peer, path, url.path, &in->size, &in->version);
}

int dv_input_open(struct devio_source *s, const char *path, struct dv_input *in)
{
	*in = (struct dv_input){ .path = path, .fd = -1 };
	if (!path)
		return dv_err(-EINVAL, "source: the path of a file is NULL");
	return dv_url_is(path) ? open_remote(s, path, in) : open_local(path, in);
}

int dv_input_open_shard(struct devio_source *s, const char *path, struct dv_input *in)
{
	int rc = dv_input_open(s, path, in);
	const struct dv_shard sh = {
		.path = (char *)path, .size = in->size, .st = in->st, .server = in->server, .version = in->version,
	};

	if (rc)
		return rc;
	rc = dv_source_add_shard(s, &sh, in->name ? (size_t)(in->name - in->path) : 0);
	if (rc)
		dv_input_close(in);
	return rc;
}

int dv_input_unchanged(const struct devio_source *s, const struct dv_input *in)
{
	return in->fd < 0 ? 0 : dv_source_same(dv_source_shard(s, s->shards.nr - 1), in->fd);
}

void dv_input_close(struct dv_input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

static int truncated(const struct dv_input *in, uint64_t at)
{
	return dv_err(-EBADMSG, "source %s: it ends at byte %llu, inside its header: it is truncated; get a new copy",
		      in->path, (unsigned long long)at);
}

static int read_local(const struct dv_input *in, char *to, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pread(in->fd, to, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return dv_err(-errno, "source %s: cannot read its header", in->path);
		if (!n)
			return truncated(in, off);
		to += n;
		len -= n;
		off += n;
	}
	return 0;
}

int dv_input_read(const struct dv_input *in, void *buf, size_t len, uint64_t off)
{
	if (in->fd >= 0)
		return read_local(in, buf, len, off);
	if (off > in->size || len > in->size - off)
		return truncated(in, in->size);
	return dv_peer_read(in->peer, in->path, buf, len, off);
}
