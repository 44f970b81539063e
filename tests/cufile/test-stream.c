/* SPDX-License-Identifier: MIT */
/* libcufile.so.0: transfers in the order of streams. */
#include "config.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include "rig.h"

#define SIZE (1 << 20)
#define MANY 300

static struct {
	int (*ctx_create)(void **ctx, unsigned int flags, int dev);
	int (*ctx_destroy)(void *ctx);
	int (*stream_create)(void **stream, unsigned int flags);
	int (*stream_destroy)(void *stream);
	int (*sync)(void *stream);
	int (*launch)(void *stream, void (*fn)(void *arg), void *arg);
	int (*to_device)(unsigned long long dst, const void *src, size_t len, void *stream);
	int (*to_host)(void *dst, unsigned long long src, size_t len, void *stream);
} cu;

static void *ctx, *stream[4];
static int fd;
static void *handle;
static char *mem;

static void open_cuda(void)
{
	cu.ctx_create = mt_sym("fakecuda", "cuCtxCreate_v2");
	cu.ctx_destroy = mt_sym("fakecuda", "cuCtxDestroy_v2");
	cu.stream_create = mt_sym("fakecuda", "cuStreamCreate");
	cu.stream_destroy = mt_sym("fakecuda", "cuStreamDestroy_v2");
	cu.sync = mt_sym("fakecuda", "cuStreamSynchronize");
	cu.launch = mt_sym("fakecuda", "cuLaunchHostFunc");
	cu.to_device = mt_sym("fakecuda", "cuMemcpyHtoDAsync_v2");
	cu.to_host = mt_sym("fakecuda", "cuMemcpyDtoHAsync_v2");
}

static int setup(void **state)
{
	(void)state;
	ctl->arm("", 0);
	assert_int_equal(cu.ctx_create(&ctx, 0, 0), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(cu.stream_create(&stream[i], 1), 0);
	fd = rig_file(SIZE, 0);
	handle = rig_handle(fd);
	mem = rig_mem(RIG_DEVICE, SIZE);
	rig_ok(cf.BufRegister(mem, SIZE, 0));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ctl->arm("", 0);
	for (int i = 0; i < 4; i++) {
		cu.sync(stream[i]);
		cu.stream_destroy(stream[i]);
	}
	rig_ok(cf.BufDeregister(mem));
	rig_free(RIG_DEVICE, mem);
	rig_drop(handle, fd);
	rig_ok(cf.DriverClose());
	cu.ctx_destroy(ctx);
	mt_no_leak(ctl);
	return 0;
}

static unsigned long long dev(const char *p)
{
	return (uintptr_t)p;
}

/* A copy to the device, a write, a read, a copy to the host: each needs what the one before it did. */
static void test_order(void **state)
{
	static unsigned char in[16][5000], out[16][5000];
	size_t size = 5000;
	off_t zero = 0;
	off_t at[16];
	ssize_t wrote[16], got[16];

	(void)state;
	for (int i = 0; i < 16; i++) {
		char *a = mem + i * 20000, *b = a + 10000;
		void *s = stream[i % 4];

		mt_random(in[i], 5000);
		at[i] = i * 6001;
		wrote[i] = got[i] = -99;
		assert_int_equal(cu.to_device(dev(a), in[i], 5000, s), 0);
		rig_ok(cf.WriteAsync(handle, a, &size, &at[i], &zero, &wrote[i], s));
		rig_ok(cf.ReadAsync(handle, b, &size, &at[i], &zero, &got[i], s));
		assert_int_equal(cu.to_host(out[i], dev(b), 5000, s), 0);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(cu.sync(stream[i]), 0);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(wrote[i], 5000);
		assert_int_equal(got[i], 5000);
		assert_memory_equal(in[i], out[i], 5000);
	}
}

static _Atomic int gate;

static void wait_gate(void *arg)
{
	(void)arg;
	while (!gate)
		usleep(100);
}

/* The stream is held up, and many more transfers are submitted than are carried out at once: no call waits. */
static void test_many(void **state)
{
	static off_t at[MANY], to[MANY];
	static ssize_t got[MANY];
	static size_t size = 3000;

	(void)state;
	gate = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(cu.launch(stream[i], wait_gate, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		at[i] = i * 1000;
		to[i] = i * 3100;
		got[i] = -99;
		rig_ok(cf.ReadAsync(handle, mem, &size, &at[i], &to[i], &got[i], stream[i % 4]));
	}
	usleep(20000);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(got[i], -99);
	gate = 1;
	for (int i = 0; i < 4; i++)
		assert_int_equal(cu.sync(stream[i]), 0);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(got[i], 3000);
		assert_int_equal(*ctl->peek(dev(mem) + (uint64_t)i * 3100), rig_byte((uint64_t)i * 1000));
		assert_int_equal(*ctl->peek(dev(mem) + (uint64_t)i * 3100 + 2999), rig_byte((uint64_t)i * 1000 + 2999));
	}
}

static size_t late_size;
static off_t late_off, late_to;

static void change(void *arg)
{
	(void)arg;
	late_size = 700;
	late_off = 12345;
	late_to = 777;
}

/* Sizes and offsets are those of the execution, unless the stream is registered otherwise. */
static void test_late(void **state)
{
	ssize_t got = -99;

	(void)state;
	for (unsigned int flags = 0; flags < 16; flags += 7) {
		bool off = flags & GDS_STREAM_FILE_OFF, to = flags & GDS_STREAM_BUF_OFF, size = flags & GDS_STREAM_SIZE;
		uint64_t from = off ? 5 : 12345, at = to ? 11 : 777;

		memset(rig_bytes(RIG_DEVICE, mem), 0x5a, SIZE);
		gate = 0;
		late_size = 1000;
		late_off = 5;
		late_to = 11;
		rig_ok(cf.StreamRegister(stream[0], flags));
		rig_fails(cf.StreamRegister(stream[0], flags), GDS_INVALID_VALUE);
		assert_int_equal(cu.launch(stream[0], wait_gate, NULL), 0);
		assert_int_equal(cu.launch(stream[0], change, NULL), 0);
		rig_ok(cf.ReadAsync(handle, mem, &late_size, &late_off, &late_to, &got, stream[0]));
		gate = 1;
		assert_int_equal(cu.sync(stream[0]), 0);
		assert_int_equal(got, size ? 1000 : 700);
		assert_int_equal(*ctl->peek(dev(mem) + at), rig_byte(from));
		assert_int_equal(*ctl->peek(dev(mem) + at + (size_t)got - 1), rig_byte(from + (size_t)got - 1));
		assert_int_equal(*ctl->peek(dev(mem) + at + (size_t)got), 0x5a);
		rig_ok(cf.StreamDeregister(stream[0]));
	}
	rig_fails(cf.StreamDeregister(stream[0]), GDS_INVALID_VALUE);
	rig_fails(cf.StreamRegister(stream[0], 16), GDS_INVALID_VALUE);
}

static void test_errors(void **state)
{
	size_t size = 1000, long_size = SIZE + 1;
	off_t off = 0, zero = 0, end = SIZE - 10, past = SIZE, far = SIZE, negative = -1;
	char link[32];
	ssize_t got;
	int wo;
	void *w;

	(void)state;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	wo = open(link, O_WRONLY);
	w = rig_handle(wo);
	rig_fails(cf.ReadAsync(handle, mem, NULL, &off, &zero, &got, stream[0]), GDS_INVALID_VALUE);
	rig_fails(cf.ReadAsync(handle, mem, &size, NULL, &zero, &got, stream[0]), GDS_INVALID_VALUE);
	rig_fails(cf.ReadAsync(handle, mem, &size, &off, NULL, &got, stream[0]), GDS_INVALID_VALUE);
	rig_fails(cf.ReadAsync(handle, mem, &size, &off, &zero, NULL, stream[0]), GDS_INVALID_VALUE);
	rig_fails(cf.ReadAsync(handle, NULL, &size, &off, &zero, &got, stream[0]), GDS_INVALID_VALUE);
	rig_fails(cf.ReadAsync(&wo, mem, &size, &off, &zero, &got, stream[0]), GDS_HANDLE_UNKNOWN);
	rig_fails(cf.ReadAsync(handle, mem, &long_size, &off, &zero, &got, stream[0]), GDS_PAST_REGISTRATION);
	rig_fails(cf.ReadAsync(handle, mem, &size, &negative, &zero, &got, stream[0]), GDS_INVALID_VALUE);
	rig_fails(cf.ReadAsync(handle, mem, &size, &off, &far, &got, stream[0]), GDS_PAST_REGISTRATION);
	/* The stream goes on after a transfer that fails. */
	rig_ok(cf.ReadAsync(w, mem, &size, &off, &zero, &got, stream[0]));
	assert_int_equal(cu.sync(stream[0]), 0);
	assert_int_equal(got, -1);
	rig_ok(cf.ReadAsync(handle, mem, &size, &end, &zero, &got, stream[0]));
	assert_int_equal(cu.sync(stream[0]), 0);
	assert_int_equal(got, 10);
	rig_ok(cf.ReadAsync(handle, mem, &size, &past, &zero, &got, stream[0]));
	assert_int_equal(cu.sync(stream[0]), 0);
	assert_int_equal(got, 0);
	rig_drop(w, wo);
}

static void read_all(void)
{
	static size_t size = 4000;
	static off_t at[20], to[20];
	ssize_t got[20];
	int failed = 0;

	for (int i = 0; i < 20; i++) {
		at[i] = i * 500;
		to[i] = i * 4096;
		got[i] = 4000;
		failed += !!cf.ReadAsync(handle, mem, &size, &at[i], &to[i], &got[i], stream[i % 4]).err;
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(cu.sync(stream[i]), 0);
	assert_true(failed <= 1);
	/* A copy may have failed. */
	for (int i = 0; i < 20; i++)
		assert_true(got[i] == 4000 || got[i] == -GDS_CUDA_DRIVER);
}

/* Each call of the driver fails in turn: an error, or the transfer by another way; never a stream that stands still. */
static void test_failures(void **state)
{
	static const char *const calls[] = {
		"cuStreamGetCtx", "cuLaunchHostFunc", "cuStreamWaitValue32", "cuMemHostGetDevicePointer",
		"cuMemHostRegister", "cuCtxPushCurrent", "cuMemcpyHtoDAsync", "cuEventRecord", "cuEventQuery",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (int nth = 1; nth < 5; nth++) {
			ctl->arm(calls[i], nth);
			read_all();
			ctl->arm("", 0);
		}
}

/* A driver whose streams cannot wait for memory. */
static void test_no_memops(void **state)
{
	setenv("FAKE_CUDA_NO_MEMOPS", "1", 1);
	read_all();
	test_late(state);
	test_order(state);
	unsetenv("FAKE_CUDA_NO_MEMOPS");
}

/* Closing waits for what is on the streams; the files are gone by then. */
static void test_close(void **state)
{
	size_t size = 100000;
	off_t off = 1, zero = 0;
	ssize_t got = -99;

	(void)state;
	rig_ok(cf.ReadAsync(handle, mem, &size, &off, &zero, &got, stream[0]));
	cf.HandleDeregister(handle);
	close(fd);
	while (cf.UseCount())
		rig_ok(cf.DriverClose());
	assert_int_equal(got, 100000);
	assert_int_equal(*ctl->peek(dev(mem) + 99999), rig_byte(100000));
	fd = rig_file(10, 0);
	handle = rig_handle(fd);
	rig_ok(cf.BufRegister(mem, SIZE, 0));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_order), T(test_many), T(test_late), T(test_errors), T(test_failures), T(test_no_memops),
		T(test_close),
	};

	rig_open();
	open_cuda();
	return cmocka_run_group_tests_name("cufile-stream", tests, NULL, NULL);
}
