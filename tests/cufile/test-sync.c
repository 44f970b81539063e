/* SPDX-License-Identifier: MIT */
/* libcufile.so.0: files and memory registered, read and written; every error by its code. */
#include "config.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "rig.h"

#define SIZE ((1 << 20) + 200000)

static const struct {
	uint64_t file_off, buf_off, len;
} places[] = {
	{ 0, 0, 4096 }, { 0, 0, 600000 }, { 1, 0, 4096 }, { 0, 1, 4096 }, { 511, 513, 100001 }, { 4096, 8192, 1 },
	{ 12345, 777, 700000 }, { 0, 0, SIZE - 1 }, { 65536, 4096, 65536 }, { 7, 7, 1 },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* The bytes of the place are those of the file, those beside it are not touched. */
static void check_read(enum rig_kind kind, void *handle, char *base, char *mem, size_t i)
{
	unsigned char *p = rig_bytes(kind, mem);
	uint64_t at = (uint64_t)(base - mem) + places[i].buf_off;

	memset(p, 0x5a, SIZE + 65536);
	assert_int_equal(cf.Read(handle, base, places[i].len, (off_t)places[i].file_off, (off_t)places[i].buf_off),
			 places[i].len);
	for (uint64_t n = 0; n < places[i].len; n++)
		if (p[at + n] != rig_byte(places[i].file_off + n))
			fail_msg("%s, place %zu: byte %llu differs", rig_names[kind], i, (unsigned long long)n);
	assert_int_equal(p[at + places[i].len], 0x5a);
	if (at)
		assert_int_equal(p[at - 1], 0x5a);
}

static void check_write(enum rig_kind kind, void *handle, int fd, char *base, char *mem, size_t i)
{
	unsigned char *p = rig_bytes(kind, mem), *back = malloc(SIZE);
	uint64_t at = (uint64_t)(base - mem) + places[i].buf_off;

	for (uint64_t n = 0; n < SIZE; n++)
		p[n] = (unsigned char)~rig_byte(n + i);
	assert_int_equal(cf.Write(handle, base, places[i].len, (off_t)places[i].file_off, (off_t)places[i].buf_off),
			 places[i].len);
	assert_int_equal(pread(fd, back, places[i].len, (off_t)places[i].file_off), places[i].len);
	for (uint64_t n = 0; n < places[i].len; n++)
		if (back[n] != (unsigned char)~rig_byte(at + n + i))
			fail_msg("%s, place %zu: byte %llu was not written", rig_names[kind], i,
				 (unsigned long long)n);
	free(back);
}

static void with_memory(enum rig_kind kind, int flags, size_t interior, bool registered)
{
	int fd = rig_file(SIZE, 0), own = flags ? rig_reopen(fd, flags) : fd;
	char *mem = rig_mem(kind, SIZE + 65536);
	void *handle;

	if (own < 0) {
		print_message("# no O_DIRECT on this file system\n");
		close(fd);
		rig_free(kind, mem);
		return;
	}
	handle = rig_handle(own);
	if (registered)
		rig_ok(cf.BufRegister(mem, SIZE + 65536, 0));
	for (size_t i = 0; i < PLACES; i++)
		if (interior + places[i].buf_off + places[i].len < SIZE + 65536)
			check_read(kind, handle, mem + interior, mem, i);
	for (size_t i = 0; i < PLACES; i++)
		if (interior + places[i].buf_off + places[i].len < SIZE)
			check_write(kind, handle, fd, mem + interior, mem, i);
	if (registered)
		rig_ok(cf.BufDeregister(mem));
	cf.HandleDeregister(handle);
	close(own);
	if (flags)
		close(fd);
	rig_free(kind, mem);
}

static void test_memories(void **state)
{
	(void)state;
	for (int kind = 0; kind < RIG_KINDS; kind++)
		for (int direct = 0; direct < 2; direct++) {
			with_memory(kind, direct ? O_DIRECT : 0, 0, true);
			with_memory(kind, direct ? O_DIRECT : 0, 0, false);
			with_memory(kind, direct ? O_DIRECT : 0, 4099, true);
			with_memory(kind, direct ? O_DIRECT : 0, 4099, false);
		}
	while (cf.UseCount())
		rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

static void test_counts(void **state)
{
	int fd = rig_file(10, 0), version;
	void *handle;

	(void)state;
	assert_int_equal(cf.UseCount(), 0);
	rig_fails(cf.DriverClose(), GDS_NOT_INITIALIZED);
	handle = rig_handle(fd);
	assert_int_equal(cf.UseCount(), 1);
	rig_ok(cf.DriverOpen());
	assert_int_equal(cf.UseCount(), 2);
	rig_ok(cf.DriverClose_v2());
	rig_ok(cf.DriverClose());
	assert_int_equal(cf.UseCount(), 0);
	rig_fails(cf.DriverClose_v2(), GDS_NOT_INITIALIZED);
	/* Closed and opened again: what was registered is not. */
	rig_ok(cf.DriverOpen());
	assert_int_equal(cf.Read(handle, &version, 4, 0, 0), -GDS_HANDLE_UNKNOWN);
	rig_drop(rig_handle(fd), fd);
	rig_ok(cf.DriverClose());
	rig_ok(cf.GetVersion(&version));
	assert_true(version >= 1080);
	rig_fails(cf.GetVersion(NULL), GDS_INVALID_VALUE);
}

static void refused(int type, int fd, const void *ops, int code)
{
	struct gds_descr d = { .type = type, .u.fd = fd, .fs_ops = ops };
	void *handle = &d;

	rig_fails(cf.HandleRegister(&handle, &d), code);
	assert_ptr_equal(handle, &d);
}

static void test_handles(void **state)
{
	int fd = rig_file(10, 0), append = rig_reopen(fd, O_APPEND), dir = open(".", O_RDONLY), p[2], twice;
	struct gds_descr d = { .type = GDS_TYPE_FD, .u.fd = fd };
	void *handle = rig_handle(fd);

	(void)state;
	assert_int_equal(pipe(p), 0);
	refused(GDS_TYPE_FD, fd, NULL, GDS_HANDLE_REGISTERED);
	refused(GDS_TYPE_FD, -1, NULL, GDS_INVALID_VALUE);
	refused(GDS_TYPE_FD, 12345, NULL, GDS_INVALID_VALUE);
	refused(GDS_TYPE_FD, dir, NULL, GDS_FILE_TYPE);
	refused(GDS_TYPE_FD, p[0], NULL, GDS_FILE_TYPE);
	refused(GDS_TYPE_FD, append, NULL, GDS_OPEN_FLAG);
	refused(GDS_TYPE_WIN32, fd, NULL, GDS_IO_UNSUPPORTED);
	refused(GDS_TYPE_USERSPACE, fd, NULL, GDS_IO_UNSUPPORTED);
	refused(GDS_TYPE_USERSPACE, fd, &d, GDS_IO_UNSUPPORTED);
	refused(7, fd, NULL, GDS_INVALID_VALUE);
	rig_fails(cf.HandleRegister(NULL, &d), GDS_INVALID_VALUE);
	rig_fails(cf.HandleRegister(&handle, NULL), GDS_INVALID_VALUE);
	/* Another descriptor of the same file is another handle. */
	twice = dup(fd);
	rig_drop(rig_handle(twice), twice);
	/* A descriptor that was closed without a word, and is another file's now. */
	close(fd);
	assert_int_equal(dup2(append, fd), fd);
	refused(GDS_TYPE_FD, fd, NULL, GDS_OPEN_FLAG);
	close(fd);
	twice = rig_file(20, 0);
	if (twice != fd) {
		assert_int_equal(dup2(twice, fd), fd);
		close(twice);
	}
	cf.HandleDeregister(rig_handle(fd));
	cf.HandleDeregister(handle);
	/* Unknown handles are no crash. */
	cf.HandleDeregister(handle);
	cf.HandleDeregister(NULL);
	cf.HandleDeregister(&d);
	close(fd);
	close(append);
	close(dir);
	close(p[0]);
	close(p[1]);
	rig_ok(cf.DriverClose());
}

static void test_buffers(void **state)
{
	char *mem = rig_mem(RIG_DEVICE, 300000), *host = malloc(5000);

	(void)state;
	rig_fails(cf.BufRegister(NULL, 1, 0), GDS_INVALID_VALUE);
	rig_fails(cf.BufRegister(mem, 0, 0), GDS_INVALID_VALUE);
	rig_fails(cf.BufRegister(mem, SIZE_MAX, 0), GDS_INVALID_VALUE);
	rig_fails(cf.BufRegister(mem, 1, 64), GDS_INVALID_VALUE);
	rig_fails(cf.BufRegister((char *)8, 1, 0), GDS_INVALID_VALUE);
	rig_fails(cf.BufRegister(mem, 300001, 0), GDS_POINTER_RANGE);
	rig_ok(cf.BufRegister(mem, 300000, 0));
	rig_fails(cf.BufRegister(mem, 300000, 0), GDS_MEM_REGISTERED);
	rig_fails(cf.BufRegister(mem, 5, 0), GDS_MEM_REGISTERED);
	rig_ok(cf.BufRegister(mem + 4096, 4096, 1));
	rig_ok(cf.BufRegister(host, 5000, 2));
	rig_fails(cf.BufDeregister(mem + 1), GDS_MEM_NOT_REGISTERED);
	rig_fails(cf.BufDeregister(NULL), GDS_MEM_NOT_REGISTERED);
	rig_ok(cf.BufDeregister(mem));
	rig_ok(cf.BufDeregister(mem + 4096));
	rig_ok(cf.BufDeregister(host));
	rig_fails(cf.BufDeregister(host), GDS_MEM_NOT_REGISTERED);
	rig_free(RIG_DEVICE, mem);
	free(host);
	rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

static void test_read_errors(void **state)
{
	int fd = rig_file(1000, 0), ro = rig_file(1000, 0), wo;
	char *mem = rig_mem(RIG_DEVICE, 65536), link[32];
	void *handle = rig_handle(fd), *w, *r;

	(void)state;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", ro);
	wo = open(link, O_WRONLY);
	close(ro);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", wo);
	ro = open(link, O_RDONLY);
	w = rig_handle(wo);
	r = rig_handle(ro);
	rig_ok(cf.BufRegister(mem, 8192, 0));
	assert_int_equal(cf.Read(NULL, mem, 10, 0, 0), -GDS_HANDLE_UNKNOWN);
	assert_int_equal(cf.Read(&fd, mem, 10, 0, 0), -GDS_HANDLE_UNKNOWN);
	assert_int_equal(cf.Read(handle, NULL, 10, 0, 0), -GDS_INVALID_VALUE);
	assert_int_equal(cf.Read(handle, mem, 10, -1, 0), -GDS_INVALID_VALUE);
	assert_int_equal(cf.Read(handle, mem, 10, 0, -1), -GDS_INTERNAL);
	assert_int_equal(cf.Read(handle, mem, SIZE_MAX, 0, 0), -GDS_INVALID_VALUE);
	assert_int_equal(cf.Read(handle, mem, 10, 0, 8183), -GDS_PAST_REGISTRATION);
	assert_int_equal(cf.Read(handle, mem, 8193, 0, 0), -GDS_PAST_REGISTRATION);
	assert_int_equal(cf.Write(handle, mem, 8193, 0, 0), -GDS_PAST_REGISTRATION);
	/* Not registered, and past the allocation. */
	assert_int_equal(cf.Read(handle, mem + 60000, 10000, 0, 0), -GDS_POINTER_RANGE);
	/* The file's own errors have an errno. */
	errno = 0;
	assert_int_equal(cf.Read(w, mem, 10, 0, 0), -1);
	assert_int_equal(errno, EBADF);
	errno = 0;
	assert_int_equal(cf.Write(r, mem, 10, 0, 0), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(cf.Read(handle, mem, 10, INT64_MAX, 0), -1);
	/* Nothing, and the end of the file. */
	assert_int_equal(cf.Read(handle, mem, 0, 0, 0), 0);
	assert_int_equal(cf.Write(handle, mem, 0, 0, 0), 0);
	assert_int_equal(cf.Read(handle, mem, 2000, 0, 0), 1000);
	assert_int_equal(cf.Read(handle, mem, 2000, 990, 0), 10);
	assert_int_equal(cf.Read(handle, mem, 2000, 1000, 0), 0);
	assert_int_equal(cf.Read(handle, mem, 2000, 5000, 0), 0);
	rig_ok(cf.BufDeregister(mem));
	rig_drop(handle, fd);
	rig_drop(w, wo);
	rig_drop(r, ro);
	rig_free(RIG_DEVICE, mem);
	rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

/* Many registrations, one inside the other: each pointer finds one that contains it. */
static void test_ranges(void **state)
{
	int fd = rig_file(SIZE, 0);
	char *mem = rig_mem(RIG_DEVICE, 1 << 20);
	void *handle = rig_handle(fd);

	(void)state;
	for (int i = 0; i < 500; i++)
		rig_ok(cf.BufRegister(mem + 2000 * ((i * 7) % 500), 1000, 0));
	rig_ok(cf.BufRegister(mem + 1, 1000000, 0));
	for (int i = 0; i < 500; i++) {
		int at = 2000 * ((i * 11) % 500);

		assert_int_equal(cf.Read(handle, mem + at, 1000, i, 0), 1000);
		assert_int_equal(*ctl->peek((uintptr_t)mem + (uint64_t)at + 999), rig_byte((uint64_t)i + 999));
		/* Longer than the small one; the large one has room, but begins one byte later than the first. */
		assert_int_equal(cf.Read(handle, mem + at, 1500, i, 0), at ? 1500 : -GDS_PAST_REGISTRATION);
		assert_int_equal(cf.Read(handle, mem + at + 500, 700, i, 10), 700);
		assert_int_equal(*ctl->peek((uintptr_t)mem + (uint64_t)at + 1209), rig_byte((uint64_t)i + 699));
	}
	for (int i = 0; i < 500; i++)
		rig_ok(cf.BufDeregister(mem + 2000 * ((i * 3) % 500)));
	assert_int_equal(cf.Read(handle, mem + 2000, 1500, 0, 0), 1500);
	rig_drop(handle, fd);
	/* Closing drops what is registered. */
	rig_ok(cf.DriverClose());
	rig_fails(cf.BufDeregister(mem + 1), GDS_MEM_NOT_REGISTERED);
	rig_free(RIG_DEVICE, mem);
	mt_no_leak(ctl);
}

/* Memory that is freed, and allocated again at its address, without a word to cuFile. */
static void test_reallocated(void **state)
{
	int fd = rig_file(SIZE, 0);
	void *handle = rig_handle(fd);

	(void)state;
	for (int i = 0; i < 200; i++) {
		size_t size = 65536u << (i % 3);
		char *mem = rig_mem(i % 2 ? RIG_DEVICE : RIG_MANAGED, size);

		assert_int_equal(cf.Read(handle, mem + 5, size - 5, i, 0), size - 5);
		assert_int_equal(*ctl->peek((uintptr_t)mem + 5), rig_byte((uint64_t)i));
		assert_int_equal(*ctl->peek((uintptr_t)mem + size - 1), rig_byte((uint64_t)i + size - 6));
		rig_free(RIG_DEVICE, mem);
	}
	rig_drop(handle, fd);
	rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

static void test_vectors(void **state)
{
	int fd = rig_file(10000, 0);
	char *mem = rig_mem(RIG_DEVICE, 65536), host[100] = { 0 };
	void *handle = rig_handle(fd);
	struct gds_iovec v[] = { { mem + 3, 5000 }, { host, 100 }, { mem + 10000, 10000 }, { mem + 30000, 1 } };

	(void)state;
	assert_int_equal(cf.Readv(handle, v, 4, 1, 0), 9999);
	assert_int_equal(*ctl->peek((uintptr_t)mem + 3), rig_byte(1));
	assert_int_equal((unsigned char)host[99], rig_byte(5100));
	assert_int_equal(*ctl->peek((uintptr_t)mem + 10000), rig_byte(5101));
	assert_int_equal(cf.Writev(handle, v, 2, 20000, 0), 5100);
	assert_int_equal(pread(fd, host, 100, 20000), 100);
	assert_int_equal((unsigned char)host[0], rig_byte(1));
	assert_int_equal(cf.Readv(handle, v, 0, 0, 0), -GDS_INVALID_VALUE);
	assert_int_equal(cf.Readv(handle, NULL, 1, 0, 0), -GDS_INVALID_VALUE);
	assert_int_equal(cf.Readv(handle, v, 1, 0, 5), -GDS_INVALID_VALUE);
	rig_drop(handle, fd);
	rig_free(RIG_DEVICE, mem);
	rig_ok(cf.DriverClose());
}

static void *shared_handle;
static char *shared_mem;

static int use_in_child(void)
{
	struct gds_descr d = { .type = GDS_TYPE_FD };
	char buf[5000] = { 0 }; /* valgrind does not see what io_uring writes */
	void *own;

	if (cf.UseCount() || cf.Read(shared_handle, buf, 100, 0, 0) != -GDS_HANDLE_UNKNOWN)
		return 1;
	d.u.fd = rig_file(5000, 0);
	if (cf.HandleRegister(&own, &d).err)
		return 2;
	if (cf.Read(own, buf, 5000, 0, 0) != 5000 || (unsigned char)buf[4999] != rig_byte(4999))
		return 3;
	cf.HandleDeregister(own);
	return cf.DriverClose().err ? 4 : 0;
}

static void test_fork(void **state)
{
	int fd = rig_file(65536, 0);

	(void)state;
	shared_handle = rig_handle(fd);
	shared_mem = rig_mem(RIG_DEVICE, 65536);
	rig_ok(cf.BufRegister(shared_mem, 65536, 0));
	assert_int_equal(cf.Read(shared_handle, shared_mem, 65536, 0, 0), 65536);
	assert_int_equal(rig_child(use_in_child), 0);
	assert_int_equal(cf.Read(shared_handle, shared_mem, 65536, 0, 0), 65536);
	rig_drop(shared_handle, fd);
	rig_ok(cf.DriverClose());
	rig_free(RIG_DEVICE, shared_mem);
	mt_no_leak(ctl);
}

static int thread_fd;
static _Atomic int bad_rounds;

static bool bytes_are(enum rig_kind kind, char *at, uint64_t off)
{
	return *rig_bytes(kind, at) == rig_byte(off);
}

/* cmocka's assertions work in the first thread only. */
static void complain(const char *what, long got)
{
	print_message("# %s: %ld\n", what, got);
	bad_rounds++;
}

/* Another thread may close the driver at any time. */
static void one_round(uint64_t seed)
{
	int fd = dup(thread_fd);
	struct gds_descr d = { .type = GDS_TYPE_FD, .u.fd = fd };
	enum rig_kind kind = seed % RIG_KINDS;
	char *mem = rig_mem(kind, 100000);
	uint64_t off = seed * 997 % 1000000;
	struct gds_error e;
	void *handle = NULL;
	ssize_t n;

	e = cf.HandleRegister(&handle, &d);
	if (e.err)
		complain("HandleRegister", e.err);
	e = seed % 3 ? cf.BufRegister(mem, 100000, 0) : (struct gds_error){ 0, 0 };
	if (e.err)
		complain("BufRegister", e.err);
	n = cf.Read(handle, mem + 100, 60000, (off_t)off, 17);
	if (n != 60000 && n != -GDS_HANDLE_UNKNOWN && n != -GDS_NOT_INITIALIZED)
		complain("Read", n);
	if (n == 60000 && (!bytes_are(kind, mem + 117, off) || !bytes_are(kind, mem + 60116, off + 59999)))
		complain("bytes differ", kind);
	if (seed % 3)
		(void)cf.BufDeregister(mem);
	cf.HandleDeregister(handle);
	close(fd);
	rig_free(kind, mem);
	if (seed % 5 == 4)
		(void)cf.DriverClose();
}

static void *rounds(void *arg)
{
	for (uint64_t i = 0; i < 20; i++)
		one_round((uint64_t)(uintptr_t)arg * 31 + i);
	return NULL;
}

/* No thread has a CUDA context; all open, register, read, deregister and close at once. */
static void test_threads(void **state)
{
	pthread_t t[64];

	(void)state;
	thread_fd = rig_file(SIZE, 0);
	for (uintptr_t i = 0; i < 64; i++)
		assert_int_equal(pthread_create(&t[i], NULL, rounds, (void *)i), 0);
	for (int i = 0; i < 64; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(bad_rounds, 0);
	close(thread_fd);
	while (cf.UseCount())
		rig_ok(cf.DriverClose());
	mt_no_leak(ctl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts), cmocka_unit_test(test_handles), cmocka_unit_test(test_buffers),
		cmocka_unit_test(test_read_errors), cmocka_unit_test(test_memories), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_reallocated), cmocka_unit_test(test_vectors), cmocka_unit_test(test_fork),
		cmocka_unit_test(test_threads),
	};

	rig_open();
	return cmocka_run_group_tests_name("cufile", tests, NULL, NULL);
}
