/* SPDX-License-Identifier: MIT */
/*
 * Files of which the file system may not let a drive write the bytes itself:
 * each is either served with the right bytes or refused whole.
 */
#include "uring-dmabuf.h"

#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>

#define LEN (256 * KIB)
#define KEY_SIZE 64

struct subject {
	const char *dir;
	char path[256];
	size_t len;
	char *want; /* what the file holds */
};

/* The file, written through the page cache by the hand that fits its kind. */
static void write_out(const struct subject *s, int fd)
{
	if (pwrite(fd, s->want, s->len, 0) != (ssize_t)s->len || fsync(fd))
		die("write");
	close(fd);
}

static int create(const struct subject *s)
{
	unlink(s->path);
	return must_open(s->path, O_RDWR | O_CREAT);
}

static void make_plain(struct subject *s)
{
	write_out(s, create(s));
}

static void make_journal(struct subject *s)
{
	int fd = create(s), flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		die("FS_IOC_GETFLAGS");
	flags |= 0x4000; /* EXT4_JOURNAL_DATA_FL */
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags))
		die("FS_IOC_SETFLAGS");
	write_out(s, fd);
}

static void make_inline(struct subject *s)
{
	s->len = 40; /* in the inode */
	make_plain(s);
}

static void make_verity(struct subject *s)
{
	struct fsverity_enable_arg arg = { .version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256,
					   .block_size = 4096 };
	int fd;

	make_plain(s);
	fd = must_open(s->path, O_RDONLY);
	if (ioctl(fd, FS_IOC_ENABLE_VERITY, &arg))
		die("FS_IOC_ENABLE_VERITY");
	close(fd);
}

static void make_encrypted(struct subject *s)
{
	struct fscrypt_add_key_arg *key = calloc(1, sizeof(*key) + KEY_SIZE);
	struct fscrypt_policy_v2 policy = { .version = FSCRYPT_POLICY_V2,
					    .contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
					    .filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
					    .flags = FSCRYPT_POLICY_FLAGS_PAD_32 };
	char dir[192];
	int fd;

	key->key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
	key->raw_size = KEY_SIZE;
	fill(key->raw, KEY_SIZE, 3);
	snprintf(dir, sizeof(dir), "%s/secret", s->dir);
	if (mkdir(dir, 0700) && errno != EEXIST)
		die(dir);
	fd = must_open(dir, O_RDONLY);
	if (ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, key))
		die("FS_IOC_ADD_ENCRYPTION_KEY");
	memcpy(policy.master_key_identifier, key->key_spec.u.identifier, sizeof(policy.master_key_identifier));
	if (ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy))
		die("FS_IOC_SET_ENCRYPTION_POLICY");
	close(fd);
	free(key);
	snprintf(s->path, sizeof(s->path), "%s/file", dir);
	make_plain(s);
}

/* Two files written by turns, so that neither has two blocks side by side. */
static void make_fragmented(struct subject *s)
{
	int fd = create(s), other;
	char name[256];

	snprintf(name, sizeof(name), "%s/between", s->dir);
	other = must_open(name, O_RDWR | O_CREAT);
	for (size_t off = 0; off < s->len; off += 4 * KIB)
		if (pwrite(fd, s->want + off, 4 * KIB, off) != 4 * KIB || fsync(fd) ||
		    pwrite(other, s->want, 4 * KIB, off) != 4 * KIB || fsync(other))
			die("write by turns");
	close(fd);
	close(other);
}

static void origin_of(const struct subject *s, char *name, size_t size)
{
	snprintf(name, size, "%s/origin", s->dir);
}

static void make_reflinked(struct subject *s)
{
	struct subject origin = *s;
	int fd, from;

	origin_of(s, origin.path, sizeof(origin.path));
	make_plain(&origin);
	fd = create(s);
	from = must_open(origin.path, O_RDONLY);
	if (ioctl(fd, FICLONE, from))
		die("FICLONE");
	close(from);
	close(fd);
}

static void set_realtime(int fd)
{
	struct fsxattr attr;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr))
		die("FS_IOC_FSGETXATTR");
	attr.fsx_xflags |= FS_XFLAG_REALTIME;
	if (ioctl(fd, FS_IOC_FSSETXATTR, &attr))
		die("FS_IOC_FSSETXATTR");
}

/* Its data lies on another drive than the file system. */
static void make_realtime(struct subject *s)
{
	int fd = create(s);

	set_realtime(fd);
	write_out(s, fd);
}

static bool holds(const char *path, const char *want, size_t len)
{
	int fd = must_open(path, O_RDONLY);
	char *got = host_memory(len);
	bool same;

	/* From the drive, and not from what the page cache remembers. */
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	same = pread(fd, got, len, 0) == (ssize_t)len && !memcmp(got, want, len);
	free(got);
	close(fd);
	return same;
}

/* The whole read into the middle of the memory; what lies around it stays. */
static int read_whole(struct io_uring *ring, const struct mem *m, const struct subject *s, int fd)
{
	const size_t at = 64 * KIB, asked = s->len < 4096 ? 4096 : s->len;
	size_t dirty = 0;
	int ret;

	memset(m->map, 0xee, m->size);
	ret = one(ring, false, 0, fd, at, asked, 0);
	for (size_t i = 0; i < m->size; i++)
		dirty += (i < at || i >= at + asked || ret < 0) && (unsigned char)m->map[i] != 0xee;
	ok(!dirty, "memory outside of what was read is as it was", dirty);
	if (ret >= 0)
		ok(ret == (int)s->len && !memcmp(m->map + at, s->want, s->len), "the bytes that were read", ret);
	return ret;
}

/* A write into its middle: all of it, or nothing. */
static int write_middle(struct io_uring *ring, const struct mem *m, struct subject *s, int fd)
{
	const size_t off = 16 * KIB, len = 64 * KIB;
	int ret;

	fill(m->map, len, 77);
	ret = one(ring, true, 0, fd, 0, len, off);
	if (ret >= 0)
		memcpy(s->want + off, m->map, len);
	ok(ret == (int)len || ret < 0, "written whole or not at all", ret);
	ok(holds(s->path, s->want, s->len), "the file's bytes afterwards", ret);
	return ret;
}

static const struct kind {
	const char *name;
	void (*make)(struct subject *);
	int read, write; /* 0: served, or the error */
} kinds[] = {
	{ "plain", make_plain, 0, 0 },
	{ "fragmented", make_fragmented, 0, 0 },
	{ "reflinked", make_reflinked, 0, 0 },
	{ "realtime", make_realtime, 0, 0 },
	{ "journal", make_journal, -EOPNOTSUPP, -EOPNOTSUPP },
	{ "inline", make_inline, -EOPNOTSUPP, 1 },
	{ "verity", make_verity, -EOPNOTSUPP, 1 },
	{ "encrypted", make_encrypted, -EOPNOTSUPP, -EOPNOTSUPP },
};

static void run_kind(const struct kind *k, const struct mem *m, struct io_uring *ring, struct subject *s)
{
	int fd, ret;

	k->make(s);
	fd = open(s->path, (k->write == 1 ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die(s->path);
	ret = read_whole(ring, m, s, fd);
	is(ret < 0 ? ret : 0, k->read, "the read's result");
	if (k->write != 1) {
		ret = write_middle(ring, m, s, fd);
		is(ret < 0 ? ret : 0, k->write, "the write's result");
	}
	close(fd);
}

/* The other drive of the file system is not the one that the buffer was registered for. */
static void other_drive(const struct mem *m, struct io_uring *ring, const struct subject *s)
{
	char name[256];
	int fd = must_open(s->path, O_RDWR | O_DIRECT), data;

	snprintf(name, sizeof(name), "%s/data", s->dir);
	data = must_open(name, O_RDWR | O_CREAT | O_DIRECT);
	is(reg(ring, 1, m->fd, data, ANY_FILE), 1, "register for the file system's own drive");
	is(one(ring, false, 1, fd, 0, 4096, 0), -EBADF, "a file on the other drive: read");
	is(one(ring, true, 1, fd, 0, 4096, 0), -EBADF, "a file on the other drive: write");
	ok(holds(s->path, s->want, s->len), "the file's bytes afterwards", 0);
	close(data);
	close(fd);
}

int kinds_of_files(const char *spec, const char *dir, const char *name)
{
	struct mem m = mem_open(spec, MIB);
	struct subject s = { .dir = dir, .len = LEN, .want = host_memory(LEN) };
	char origin[256], *before = host_memory(LEN);
	struct io_uring ring;
	int target;

	fill(s.want, LEN, 5);
	memcpy(before, s.want, LEN);
	snprintf(s.path, sizeof(s.path), "%s/target", dir);
	target = must_open(s.path, O_RDWR | O_CREAT | O_DIRECT);
	if (!strcmp(name, "realtime"))
		set_realtime(target);
	ring_open(&ring, 8, 0);
	if (!is(reg(&ring, 0, m.fd, target, ANY_FILE), 1, "register for any file"))
		return finish();
	snprintf(s.path, sizeof(s.path), "%s/%s", dir, name);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name)) {
			run_kind(&kinds[i], &m, &ring, &s);
			if (kinds[i].make == make_reflinked) {
				origin_of(&s, origin, sizeof(origin));
				ok(holds(origin, before, LEN), "the file that it was cloned from", 0);
			}
			if (kinds[i].make == make_realtime)
				other_drive(&m, &ring, &s);
			io_uring_queue_exit(&ring);
			return finish();
		}
	fprintf(stderr, "no kind of file named %s\n", name);
	return 2;
}
