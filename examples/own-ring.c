/* SPDX-License-Identifier: MIT */
/*
 * A program with an io_uring of its own, which it also uses to read a file into
 * device memory. Its own requests are a timer, in this example.
 * cc own-ring.c $(pkg-config --cflags --libs devio liburing)
 */
#include <fcntl.h>
#include <stdio.h>
#include <devio.h>
#include <devio/uring.h>

#define BLOCK (1u << 20)
#define DEPTH 16u
#define MY_TIMER 1        /* the program's own user_data */

struct state {
	struct io_uring uring;
	struct devio_ring *ring;
	struct devio_file *f;
	struct devio_mem *gpu;
	uint64_t size, next, got;
	unsigned int timers, failed;
};

static void start_timer(struct state *s)
{
	static struct __kernel_timespec tick = { .tv_nsec = 1000000 };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&s->uring);

	if (sqe) {
		io_uring_prep_timeout(sqe, &tick, 0, 0);
		io_uring_sqe_set_data64(sqe, MY_TIMER);
	}
}

static void start_reads(struct state *s)
{
	for (; s->next < s->size && !s->failed && devio_ring_inflight(s->ring) < DEPTH; s->next += BLOCK) {
		uint64_t left = s->size - s->next, len = left < BLOCK ? left : BLOCK;

		s->failed = devio_ring_read(s->ring, s->f, s->gpu, s->next, len, s->next, s->next) != 0;
		if (s->failed)
			fprintf(stderr, "%s\n", devio_errmsg());
	}
}

static void take_completions(struct state *s)
{
	struct devio_completion done;
	char text[256];

	while (devio_ring_peek(s->ring, &done, 1) == 1) {
		s->got += done.good;
		if (done.result < 0) {
			devio_completion_text(&done, text, sizeof(text));
			fprintf(stderr, "at byte %llu: %s\n", (unsigned long long)done.cookie, text);
			s->failed = 1;
		}
	}
}

/* The program's event loop: only the program submits and reaps. */
static void loop(struct state *s)
{
	struct io_uring_cqe *cqe;

	start_timer(s);
	start_reads(s);
	while (devio_ring_inflight(s->ring)) {
		io_uring_submit(&s->uring);
		if (io_uring_wait_cqe(&s->uring, &cqe))
			continue;
		if (!devio_ring_handle(s->ring, cqe) && cqe->user_data == MY_TIMER) {
			s->timers++;
			start_timer(s);
		}
		io_uring_cqe_seen(&s->uring, cqe);
		take_completions(s);
		start_reads(s);
	}
}

static int open_all(struct state *s, struct devio_ctx *ctx, const char *spec, const char *path)
{
	struct devio_file_info info = DEVIO_OPTS(info);
	struct devio_attach_opts opts = DEVIO_OPTS(opts);

	opts.entries = DEPTH;
	if (devio_file_open(ctx, path, O_RDONLY, NULL, &s->f) || devio_file_get_info(s->f, &info) ||
	    devio_mem_alloc(ctx, spec, info.size, NULL, &s->gpu))
		return -1;
	s->size = info.size;
	return devio_ring_attach(ctx, &s->uring, &opts, &s->ring);
}

int main(int argc, char **argv)
{
	struct devio_ctx *ctx = NULL;
	struct state s = { 0 };

	if (argc != 3 || io_uring_queue_init(128, &s.uring, 0)) {
		fprintf(stderr, "usage: %s SPEC FILE    (requires io_uring)\n", argv[0]);
		return 2;
	}
	s.failed = devio_ctx_open(NULL, &ctx) || open_all(&s, ctx, argv[1], argv[2]);
	if (s.failed)
		fprintf(stderr, "%s\n", devio_errmsg());
	else
		loop(&s);
	devio_ring_close(s.ring);   /* before the io_uring to which it is attached */
	io_uring_queue_exit(&s.uring);
	devio_file_close(s.f);
	devio_mem_free(s.gpu);
	devio_ctx_close(ctx);
	printf("%llu of %llu bytes, %u timer events of the program\n", (unsigned long long)s.got,
	       (unsigned long long)s.size, s.timers);
	return s.failed || s.got != s.size;
}
