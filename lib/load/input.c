/* SPDX-License-Identifier: MIT */
/* Files that are indexed, wherever they lie. */
#include "config.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "core/err.h"
#include "load/input.h"
#include "load/peer.h"

static int open_here(const char *path, struct dv_input *in)
{
	int rc = 0;

	/* O_NONBLOCK: a FIFO is refused below, not waited for. */
	in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (in->fd < 0 || fstat(in->fd, &in->st))
		rc = dv_err(-errno, "source %s: it cannot be opened: name a file that this process may read", path);
	else if (!S_ISREG(in->st.st_mode))
		rc = dv_err(S_ISDIR(in->st.st_mode) ? -EISDIR : -EINVAL, "source %s: it is no regular file", path);
	in->size = in->st.st_size;
	if (rc)
		dv_input_close(in);
	return rc;
}

/* The number of the server among those of the source, from 1 on. */
static int note_server(struct devio_source *s, const struct dv_url *url, uint32_t *number)
{
	for (uint64_t i = s->servers.nr; i-- > 0;)
		if (!strcmp(dv_source_server(s, i)->host, url->host) && !strcmp(dv_source_server(s, i)->port, url->port)) {
			*number = i + 1;
			return 0;
		}
	if (dv_source_add_server(s, url->host, url->port))
		return -ENOMEM;
	*number = s->servers.nr;
	return 0;
}

static int open_there(struct devio_source *s, const char *path, struct dv_input *in)
{
	struct dv_url url;
	int rc = dv_url_parse(path, &url);

	if (rc)
		return rc;
	rc = note_server(s, &url, &in->server);
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
		return dv_err(-EINVAL, "source: the name of a file is NULL");
	return dv_url_is(path) ? open_there(s, path, in) : open_here(path, in);
}

int dv_input_open_shard(struct devio_source *s, const char *path, struct dv_input *in)
{
	int rc = dv_input_open(s, path, in);
	const struct dv_shard sh = {
		.path = (char *)path, .size = in->size, .dev = in->st.st_dev, .ino = in->st.st_ino,
		.mtime = in->st.st_mtim, .server = in->server, .version = in->version,
	};

	if (rc)
		return rc;
	rc = dv_source_add_shard(s, &sh, in->name ? (size_t)(in->name - in->path) : 0);
	if (rc)
		dv_input_close(in);
	return rc;
}

void dv_input_close(struct dv_input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

static int read_here(const struct dv_input *in, char *to, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pread(in->fd, to, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return dv_err(-errno, "source %s: reading its header", in->path);
		if (!n)
			return dv_err(-EBADMSG, "source %s: it ends at byte %llu, in its header: it is truncated; get it anew",
				      in->path, (unsigned long long)off);
		to += n;
		len -= n;
		off += n;
	}
	return 0;
}

int dv_input_read(const struct dv_input *in, void *buf, size_t len, uint64_t off)
{
	if (in->fd >= 0)
		return read_here(in, buf, len, off);
	if (off > in->size || len > in->size - off)
		return dv_err(-EBADMSG, "source %s: it ends at byte %llu, in its header: it is truncated; get it anew", in->path,
			      (unsigned long long)in->size);
	return dv_peer_read(in->peer, in->path, buf, len, off);
}
