/* SPDX-License-Identifier: MIT */
/* The next I/O of a thread: direction, length, file, offset. */
#include "config.h"
#include <string.h>
#include "run.h"

/* Blocks of a random job have the least block size of the direction. */
static uint64_t blocks(const struct bench_thread *t, unsigned int file, int dir)
{
	return t->files[file].size / t->job->bs_min[dir];
}

static void start_map(struct bench_thread *t, unsigned int file, int dir)
{
	struct bench_place *p = &t->place[file];

	bench_map_init(&p->map[dir], blocks(t, file, dir), bench_rand_next(&t->rand));
}

void bench_gen_init(struct bench_thread *t)
{
	const struct bench_job *job = t->job;

	t->mixed = (job->rw & RW_READ) && (job->rw & RW_WRITE);
	t->mix = job->rwmix_read >= 100 ? UINT32_MAX : (uint32_t)((double)job->rwmix_read / 100 * 0x1p32);
	t->file = t->file_run = 0;
	for (unsigned int f = 0; f < t->nr_files; f++) {
		memset(t->place[f].pos, 0, sizeof(t->place[f].pos));
		memset(t->place[f].run, 0, sizeof(t->place[f].run));
		for (int d = 0; d < DIR_NR; d++)
			if (blocks(t, f, d))
				start_map(t, f, d);
	}
}

static inline int draw_dir(struct bench_thread *t)
{
	if (!t->mixed)
		return t->job->rw & RW_READ ? DIR_READ : DIR_WRITE;
	return (uint32_t)bench_rand_next(&t->rand) < t->mix || t->mix == UINT32_MAX ? DIR_READ : DIR_WRITE;
}

static inline uint32_t draw_length(struct bench_thread *t, int dir)
{
	const struct bench_job *job = t->job;
	uint32_t x;

	if (job->bs_range[dir]) {
		uint64_t n = (job->bs_range[dir] + job->bs[dir] - 1) / job->bs[dir];
		uint64_t len = job->bs[dir] * (1 + bench_rand_below(&t->rand, n));

		return (uint32_t)(len < job->bs_range[dir] ? len : job->bs_range[dir]);
	}
	if (!job->nr_split[dir])
		return (uint32_t)job->bs[dir];
	x = (uint32_t)bench_rand_next(&t->rand);
	for (unsigned int i = 0; i + 1 < job->nr_split[dir]; i++)
		if (x < job->split[dir][i].below)
			return job->split[dir][i].bs;
	return job->split[dir][job->nr_split[dir] - 1].bs;
}

static inline unsigned int draw_file(struct bench_thread *t)
{
	unsigned int file = t->file;

	if (t->nr_files == 1)
		return 0;
	if (t->job->service == SERVICE_RANDOM && !t->file_run)
		file = t->file = (unsigned int)bench_rand_below(&t->rand, t->nr_files);
	/* SERVICE_SEQUENTIAL moves on at the end of the file. */
	if (t->job->service != SERVICE_SEQUENTIAL && ++t->file_run >= t->job->service_run) {
		t->file_run = 0;
		t->file = file + 1 == t->nr_files ? 0 : file + 1;
	}
	return file;
}

/* The end of a file: sequential jobs start again at its beginning. */
static void wrap(struct bench_thread *t, unsigned int file, int dir)
{
	t->place[file].pos[dir] = 0;
	if (t->job->service == SERVICE_SEQUENTIAL)
		t->file = file + 1 == t->nr_files ? 0 : file + 1;
}

static uint64_t random_block(struct bench_thread *t, unsigned int file, int dir)
{
	struct bench_map *m = &t->place[file].map[dir];
	uint64_t block;

	if (t->dist)
		return bench_dist_draw(t->dist, &t->rand, m->n, t->job->bs_min[dir]);
	if (t->job->no_map || t->job->nr_split[dir] || t->job->bs_range[dir])
		return bench_rand_below(&t->rand, m->n);
	while (!bench_map_next(m, &block))
		start_map(t, file, dir);
	return block;
}

/* rw=randread:N: N sequential I/Os at each random offset, or N times the same one. */
static uint64_t random_pos(struct bench_thread *t, unsigned int file, int dir)
{
	const struct bench_job *job = t->job;
	struct bench_place *p = &t->place[file];

	if (p->run[dir] && p->run[dir] < job->every) {
		uint64_t pos = job->identical ? p->last[dir] : p->pos[dir];

		if (t->files[file].size - pos >= job->bs_min[dir]) {
			p->run[dir]++;
			return pos;
		}
	}
	p->run[dir] = 1;
	return random_block(t, file, dir) * job->bs_min[dir];
}

static uint64_t next_pos(struct bench_thread *t, unsigned int file, int dir)
{
	uint64_t pos;

	if (t->job->rw & RW_RANDOM)
		return random_pos(t, file, dir);
	pos = t->place[file].pos[dir];
	return t->files[file].size - pos < t->job->bs_min[dir] ? 0 : pos;
}

/* Notes the position of the I/O; sequential jobs skip the hole after it. */
static void moved(struct bench_thread *t, unsigned int file, int dir, uint64_t pos, uint32_t len)
{
	struct bench_place *p = &t->place[file];
	uint64_t rest = t->files[file].size - pos - len;

	p->last[dir] = pos;
	p->pos[dir] = pos + len;
	if (t->job->rw & RW_RANDOM)
		return;
	if (rest < t->job->hole || rest - t->job->hole < t->job->bs_min[dir])
		wrap(t, file, dir);
	else
		p->pos[dir] += t->job->hole;
}

bool bench_gen_next(struct bench_thread *t, struct bench_io *io)
{
	const struct bench_job *job = t->job;
	int dir = draw_dir(t);
	uint32_t len = draw_length(t, dir);
	unsigned int file = draw_file(t);
	const struct bench_file *f = &t->files[file];
	uint64_t pos = next_pos(t, file, dir);

	if (len > f->size - pos)
		len = (uint32_t)((f->size - pos) / job->bs_min[dir] * job->bs_min[dir]);
	moved(t, file, dir, pos, len);
	io->file = file;
	io->off = f->start + pos;
	io->len = len;
	io->dir = (uint8_t)dir;
	io->check = job->verify && dir == DIR_READ && !(job->rw & RW_WRITE);
	return len;
}
