/* SPDX-License-Identifier: MIT */
/* Receiving into the memory of a dma-buf, and sending from it. */
#include "devmem-tcp.h"

#include <linux/errqueue.h>
#include <poll.h>

/* ---------------------------------------------------------------- receiving */


void release(struct stream *s)
{
	for (size_t i = 0; i < s->n_kept; i += 128) {
		size_t n = s->n_kept - i < 128 ? s->n_kept - i : 128;
		int ret = setsockopt(s->fd, SOL_SOCKET, SO_DEVMEM_DONTNEED, s->kept + i, n * sizeof(*s->kept));

		if (ret != (int)n) {
			printf("# returned %zu tokens: %d\n", n, ret);
			s->wrong++;
		}
	}
	s->n_kept = 0;
}

static void take_fragment(struct stream *s, const struct fragment *f)
{
	if (f->id != s->id || f->offset + f->size > s->m->size || !same(s->m->map + f->offset, s->position, f->size)) {
		if (!s->wrong++)
			printf("# wrong: dma-buf %u, %u bytes at %#lx, stream %lu\n", f->id, f->size, (long)f->offset,
			       (long)s->position);
	}
	s->position += f->size;
	s->fragments++;
	s->kept = realloc(s->kept, (s->n_kept + 1) * sizeof(*s->kept));
	s->kept[s->n_kept++] = (struct token){ f->token, 1 };
}

/* One recvmsg(): the bytes, 0 at the end, or the error. */
ssize_t receive(struct stream *s, int flags)
{
	static _Thread_local char linear[128 * KIB], control[16 * KIB];
	struct iovec iov = { linear, sizeof(linear) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t ret = recvmsg(s->fd, &msg, MSG_SOCK_DEVMEM | flags);
	uint64_t before = s->position;
	size_t at = 0;

	if (ret < 0)
		return -errno;
	s->calls++;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		struct fragment f;

		memcpy(&f, CMSG_DATA(c), sizeof(f));
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SO_DEVMEM_LINEAR) {
			s->wrong += !same(linear + at, s->position, f.size);
			at += f.size;
			s->position += f.size;
			s->linear += f.size;
		} else if (c->cmsg_type == SO_DEVMEM_DMABUF) {
			take_fragment(s, &f);
		}
	}
	/* Packets without anything in the memory come by themselves, as ever. */
	if (!at && s->position == before) {
		s->wrong += !same(linear, s->position, ret);
		s->position += ret;
		s->linear += ret;
	}
	if (!s->keep)
		release(s);
	return ret;
}

ssize_t receive_all(struct stream *s)
{
	ssize_t ret;

	do
		ret = receive(s, 0);
	while (ret > 0 || ret == -EINTR);
	return ret;
}

void report(const struct stream *s, const char *what, double start)
{
	printf("# %s: %lu bytes, %lu linear, %lu fragments in %lu calls, %.1f s\n", what, (long)s->position,
	       (long)s->linear, (long)s->fragments, (long)s->calls, seconds() - start);
}

/* A stream of that many bytes from the peer, all of it checked. */
void one_stream(const struct mem *m, uint32_t id, uint64_t bytes, bool odd, const char *what)
{
	struct peer p = { .bytes = bytes, .odd = odd, .port = 4999 };
	struct stream s = { .m = m, .id = id };
	double start = seconds();
	int listener = listen_on(true, p.port);
	ssize_t ret;

	peer_start(&p);
	s.fd = accept(listener, NULL, NULL);
	ret = receive_all(&s);
	pthread_join(p.thread, NULL);
	report(&s, what, start);
	ok(!ret && s.position == bytes, "the stream came whole", ret ? ret : (long)s.position);
	ok(!s.wrong, "every byte where it was said to be", s.wrong);
	ok(odd || s.linear * 20 < bytes, "nearly all in the memory", s.linear);
	close(s.fd);
	close(listener);
	free(s.kept);
}

/* ------------------------------------------------------------------ sending */


/* Completions of MSG_ZEROCOPY; false at a time-out. */
bool reap_zerocopy(struct sender *s, int timeout)
{
	while (s->reaped != s->next) {
		char control[256];
		struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
		struct pollfd poller = { .fd = s->fd };
		struct sock_extended_err error;
		struct cmsghdr *c;

		if (recvmsg(s->fd, &msg, MSG_ERRQUEUE) < 0) {
			if (poll(&poller, 1, timeout) != 1)
				return false;
			if (!(poller.revents & POLLERR))
				return false;
			continue;
		}
		c = CMSG_FIRSTHDR(&msg);
		memcpy(&error, CMSG_DATA(c), sizeof(error));
		if (error.ee_origin != SO_EE_ORIGIN_ZEROCOPY)
			continue;
		s->reaped += error.ee_data - error.ee_info + 1;
		s->copied += error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED;
	}
	return true;
}

ssize_t send_from(struct sender *s, uint32_t id, uint64_t offset, size_t len)
{
	char control[CMSG_SPACE(sizeof(id))] = { 0 };
	struct iovec iov = { (void *)offset, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t ret;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_DEVMEM_TX;
	c->cmsg_len = CMSG_LEN(sizeof(id));
	memcpy(CMSG_DATA(c), &id, sizeof(id));
	ret = sendmsg(s->fd, &msg, MSG_ZEROCOPY | MSG_NOSIGNAL);
	if (ret < 0)
		return -errno;
	s->next++;
	return ret;
}

struct sender sender_for(int listener)
{
	struct sender s = { .fd = accept(listener, NULL, NULL) };
	int one = 1;

	if (s.fd < 0 || setsockopt(s.fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		die("SO_ZEROCOPY");
	return s;
}

/* The pattern, from the memory, where it stands once and is sent over and over. */
void send_stream(const struct mem *m, uint32_t id, uint64_t bytes, bool odd, const char *what)
{
	struct peer p = { .receives = true, .port = 4998 };
	int listener = listen_on(true, p.port);
	double start = seconds();
	uint64_t sent = 0;
	struct sender s;
	ssize_t ret = 0;

	memcpy(m->map, pattern, PERIOD);
	peer_start(&p);
	s = sender_for(listener);
	for (size_t i = 0; sent < bytes && ret >= 0; i++) {
		size_t len = odd ? next_size(i) : 256 * KIB;

		if (len > bytes - sent)
			len = bytes - sent;
		if (len > PERIOD - sent % PERIOD)
			len = PERIOD - sent % PERIOD;
		ret = send_from(&s, id, sent % PERIOD, len);
		if (ret == -ENOBUFS) { /* too many completions in the error queue */
			ret = reap_zerocopy(&s, 5000) ? 0 : -ETIME;
			continue;
		}
		if (ret > 0)
			sent += ret;
	}
	ok(ret >= 0, "all was sent", ret);
	shutdown(s.fd, SHUT_WR);
	ok(reap_zerocopy(&s, 10000), "every send completed", s.next - s.reaped);
	pthread_join(p.thread, NULL);
	printf("# %s: %lu bytes, %u sends, %d copied, %.1f s\n", what, (long)sent, s.next, s.copied, seconds() - start);
	ok(p.done == bytes && !p.error, "the peer got every byte", p.error ? p.error : (long)p.done);
	close(s.fd);
	close(listener);
}
