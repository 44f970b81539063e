/* SPDX-License-Identifier: MIT */
/* libcufile.so.0: batches, their events and their errors. */
#include "config.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include "rig.h"

#define SIZE (2 << 20)
#define MAX 256

static struct gds_batch_io io[MAX];
static struct gds_event ev[MAX];

static void fill(int i, void *handle, char *base, size_t len, off_t off, off_t buf_off)
{
	io[i] = (struct gds_batch_io){ .mode = GDS_BATCH_MODE, .base = base, .file_off = off, .buf_off = buf_off,
				       .size = len, .handle = handle, .cookie = &io[i] };
}

/* Interior pointers of one registration, no time-out: as inference engines read their caches. */
static void test_all(void **state)
{
	int fd = rig_file(SIZE, 0);
	char *mem = rig_mem(RIG_DEVICE, SIZE);
	void *handle = rig_handle(fd), *batch[16];
	unsigned int nr;

	(void)state;
	rig_ok(cf.BufRegister(mem, SIZE, 0));
	for (int b = 0; b < 16; b++)
		rig_ok(cf.BatchIOSetUp(&batch[b], 128));
	for (int b = 0; b < 16; b++) {
		memset(rig_bytes(RIG_DEVICE, mem), 0, SIZE);
		for (int i = 0; i < 128; i++)
			fill(i, handle, mem + i * 16000, 15999, i * 16001 + b, i % 2);
		rig_ok(cf.BatchIOSubmit(batch[b], 128, io, 0));
		nr = 128;
		rig_ok(cf.BatchIOGetStatus(batch[b], 128, &nr, ev, NULL));
		assert_int_equal(nr, 128);
		for (int i = 0; i < 128; i++) {
			unsigned char *p = rig_bytes(RIG_DEVICE, mem + i * 16000 + i % 2);

			assert_ptr_equal(ev[i].cookie, &io[i]); /* in the order of submission */
			assert_int_equal(ev[i].status, GDS_COMPLETE);
			assert_int_equal(ev[i].ret, 15999);
			for (int n = 0; n < 15999; n++)
				if (p[n] != rig_byte((uint64_t)(i * 16001 + b + n)))
					fail_msg("batch %d, entry %d: byte %d differs", b, i, n);
		}
	}
	for (int b = 0; b < 16; b++)
		cf.BatchIODestroy(batch[b]);
	rig_ok(cf.BufDeregister(mem));
	rig_drop(handle, fd);
	rig_ok(cf.DriverClose());
	rig_free(RIG_DEVICE, mem);
	mt_no_leak(ctl);
}

/* Memory of every kind, registered or not, writes among reads, ends of files. */
static void test_kinds(void **state)
{
	char *mem[RIG_KINDS], back[1000];
	int fd = rig_file(100000, 0);
	void *handle = rig_handle(fd), *batch;
	unsigned int nr = MAX, n = 0;

	(void)state;
	rig_ok(cf.BatchIOSetUp(&batch, MAX));
	for (int k = 0; k < RIG_KINDS; k++) {
		mem[k] = rig_mem((enum rig_kind)k, 65536);
		fill((int)n++, handle, mem[k], 1000, 100 * k, 10);
		fill((int)n, handle, mem[k], 1000, 200000 + 1000 * k, 20000);
		io[n++].opcode = GDS_OP_WRITE;
		memset(rig_bytes((enum rig_kind)k, mem[k]) + 20000, 'a' + k, 1000);
		fill((int)n++, handle, mem[k], 5000, 99000, 30000);
	}
	rig_ok(cf.BatchIOSubmit(batch, n, io, 0));
	rig_ok(cf.BatchIOGetStatus(batch, n, &nr, ev, &(struct timespec){ 30, 0 }));
	assert_int_equal(nr, n);
	for (int k = 0; k < RIG_KINDS; k++) {
		assert_int_equal(ev[3 * k].ret, 1000);
		assert_int_equal(rig_bytes((enum rig_kind)k, mem[k])[1009], rig_byte((uint64_t)(100 * k + 999)));
		assert_int_equal(pread(fd, back, 1000, 200000 + 1000 * k), 1000);
		assert_int_equal(back[999], 'a' + k);
		/* The file may have grown by now, but not up to where this one begins to read zeros. */
		assert_true(ev[3 * k + 2].ret == 1000 || ev[3 * k + 2].ret == 5000);
		rig_free((enum rig_kind)k, mem[k]);
	}
	cf.BatchIODestroy(batch);
	rig_drop(handle, fd);
	rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

static void test_errors(void **state)
{
	int fd = rig_file(SIZE, 0), wo;
	char *mem = rig_mem(RIG_DEVICE, 65536), link[32];
	void *handle = rig_handle(fd), *batch, *w;
	unsigned int nr = 1;

	(void)state;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	wo = open(link, O_WRONLY);
	w = rig_handle(wo);
	rig_fails(cf.BatchIOSetUp(&batch, 0), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOSetUp(&batch, 257), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOSetUp(NULL, 1), GDS_INVALID_VALUE);
	rig_ok(cf.BatchIOSetUp(&batch, 4));
	fill(0, handle, mem, 100, 0, 0);
	rig_fails(cf.BatchIOSubmit(batch, 0, io, 0), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOSubmit(batch, 1, NULL, 0), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOSubmit(batch, 1, io, 5), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOSubmit(&batch, 1, io, 0), GDS_BATCH_SUBMIT_ERROR);
	io[0].mode = 2;
	rig_fails(cf.BatchIOSubmit(batch, 1, io, 0), GDS_BATCH_SUBMIT_ERROR);
	io[0].mode = 1;
	io[0].opcode = 2;
	rig_fails(cf.BatchIOSubmit(batch, 1, io, 0), GDS_BATCH_SUBMIT_ERROR);
	for (int i = 0; i < 5; i++)
		fill(i, handle, mem, 100, 0, 0);
	rig_fails(cf.BatchIOSubmit(batch, 5, io, 0), GDS_BATCH_FULL);
	rig_fails(cf.BatchIOGetStatus(batch, 0, NULL, ev, NULL), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOGetStatus(batch, 0, &nr, NULL, NULL), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOGetStatus(batch, 2, &nr, ev, NULL), GDS_INVALID_VALUE);
	rig_fails(cf.BatchIOGetStatus(NULL, 0, &nr, ev, NULL), GDS_BATCH_STATUS_ERROR);
	rig_fails(cf.BatchIOCancel(NULL), GDS_BATCH_CANCEL_ERROR);
	/* Entries that fail are events, each at its place. */
	fill(1, &fd, mem, 100, 0, 0);
	fill(2, w, mem, 100, 0, 0);
	fill(3, handle, mem, 100, -1, 0);
	rig_ok(cf.BatchIOSubmit(batch, 4, io, 0));
	nr = 4;
	rig_ok(cf.BatchIOGetStatus(batch, 4, &nr, ev, NULL));
	assert_int_equal(nr, 4);
	assert_int_equal(ev[0].status, GDS_COMPLETE);
	assert_int_equal(ev[1].status, GDS_FAILED);
	assert_int_equal((ssize_t)ev[1].ret, -EIO);
	assert_int_equal(ev[2].status, GDS_FAILED);
	assert_int_equal((ssize_t)ev[2].ret, -EBADF);
	assert_int_equal(ev[3].status, GDS_FAILED);
	for (int i = 0; i < 4; i++)
		assert_ptr_equal(ev[i].cookie, &io[i]);
	cf.BatchIODestroy(batch);
	cf.BatchIODestroy(batch);
	nr = 1;
	rig_fails(cf.BatchIOGetStatus(batch, 0, &nr, ev, NULL), GDS_BATCH_STATUS_ERROR);
	rig_fails(cf.BatchIOSubmit(batch, 1, io, 0), GDS_BATCH_SUBMIT_ERROR);
	rig_drop(handle, fd);
	rig_drop(w, wo);
	rig_free(RIG_DEVICE, mem);
	rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

/* Odd time-outs end, fewer events are fewer, and the rest comes later. */
static void test_timeouts(void **state)
{
	static struct timespec odd[] = { { 0, 0 }, { -5, 0 }, { 0, -1 }, { 0, 2000000000 }, { 0, 1 } };
	int fd = rig_file(SIZE, 0);
	char *mem = rig_mem(RIG_DEVICE, SIZE);
	void *handle = rig_handle(fd), *batch;
	unsigned int nr, got = 0;

	(void)state;
	rig_ok(cf.BatchIOSetUp(&batch, 64));
	/* Nothing is in flight: nothing to wait for. */
	nr = 5;
	rig_ok(cf.BatchIOGetStatus(batch, 5, &nr, ev, NULL));
	assert_int_equal(nr, 0);
	ctl->delay(20000);
	for (int i = 0; i < 64; i++)
		fill(i, handle, mem, 30000, i * 30000, i * 30000);
	rig_ok(cf.BatchIOSubmit(batch, 64, io, 0));
	for (unsigned int i = 0; i < 5; i++) {
		nr = 2;
		rig_ok(cf.BatchIOGetStatus(batch, i % 3, &nr, ev + got, &odd[i]));
		assert_true(nr <= 2);
		got += nr;
	}
	while (got < 64) {
		nr = 64 - got;
		rig_ok(cf.BatchIOGetStatus(batch, 1, &nr, ev + got, &(struct timespec){ INT64_MAX, 0 }));
		assert_true(nr >= 1);
		got += nr;
	}
	ctl->delay(200);
	for (int i = 0; i < 64; i++)
		assert_int_equal(*ctl->peek((uintptr_t)mem + (uint64_t)i * 30000), rig_byte((uint64_t)i * 30000));
	cf.BatchIODestroy(batch);
	rig_drop(handle, fd);
	rig_free(RIG_DEVICE, mem);
	rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

static void *cancel_later(void *batch)
{
	usleep(50000);
	rig_ok(cf.BatchIOCancel(batch));
	return NULL;
}

/* One thread waits for all, another one cancels: each entry has its event, completed or canceled. */
static void test_cancel(void **state)
{
	int fd = rig_file(SIZE, 0);
	char *mem = rig_mem(RIG_DEVICE, SIZE);
	void *handle = rig_handle(fd), *batch;
	unsigned int nr = 64;
	pthread_t t;

	(void)state;
	rig_ok(cf.BatchIOSetUp(&batch, 64));
	ctl->delay(30000);
	for (int i = 0; i < 64; i++)
		fill(i, handle, mem, 30000, i * 30000, i * 30000);
	rig_ok(cf.BatchIOSubmit(batch, 64, io, 0));
	assert_int_equal(pthread_create(&t, NULL, cancel_later, batch), 0);
	rig_ok(cf.BatchIOGetStatus(batch, 64, &nr, ev, NULL));
	assert_int_equal(nr, 64);
	for (int i = 0; i < 64; i++)
		assert_true(ev[i].status == GDS_COMPLETE ||
			    (ev[i].status == GDS_CANCELED && (ssize_t)ev[i].ret == -ECANCELED));
	pthread_join(t, NULL);
	ctl->delay(200);
	/* Destroyed with entries in flight, whose memory and file go at once. */
	rig_ok(cf.BatchIOSubmit(batch, 64, io, 0));
	cf.BatchIODestroy(batch);
	rig_drop(handle, fd);
	rig_free(RIG_DEVICE, mem);
	rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

/* The driver is closed under a batch. */
static void test_close(void **state)
{
	int fd = rig_file(SIZE, 0);
	char *mem = rig_mem(RIG_HOST, SIZE);
	void *handle = rig_handle(fd), *batch;
	unsigned int nr = 1;

	(void)state;
	rig_ok(cf.BatchIOSetUp(&batch, 8));
	fill(0, handle, mem, SIZE, 0, 0);
	rig_ok(cf.BatchIOSubmit(batch, 1, io, 0));
	rig_ok(cf.DriverClose());
	rig_fails(cf.BatchIOGetStatus(batch, 1, &nr, ev, NULL), GDS_BATCH_STATUS_ERROR);
	cf.BatchIODestroy(batch);
	cf.HandleDeregister(handle);
	close(fd);
	rig_free(RIG_HOST, mem);
	assert_int_equal(cf.UseCount(), 0);
	mt_no_leak(ctl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all), cmocka_unit_test(test_kinds), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_timeouts), cmocka_unit_test(test_cancel), cmocka_unit_test(test_close),
	};

	rig_open();
	return cmocka_run_group_tests_name("cufile-batch", tests, NULL, NULL);
}
