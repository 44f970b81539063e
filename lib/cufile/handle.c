/* SPDX-License-Identifier: MIT */
/* Registered files. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cufile/gds.h"

void dv_handle_free(struct dv_handle *h)
{
	devio_file_close(h->file);
	free(h);
}

/* The code for a descriptor that cannot be registered, or 0. */
static int check_descr(const struct gds_descr *d, struct stat *st)
{
	int fl;

	if (d->type != GDS_TYPE_FD)
		return d->type == GDS_TYPE_WIN32 || d->type == GDS_TYPE_USERSPACE ? GDS_IO_UNSUPPORTED :
										     GDS_INVALID_VALUE;
	fl = fcntl(d->u.fd, F_GETFL);
	if (fl < 0 || fstat(d->u.fd, st))
		return GDS_INVALID_VALUE;
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return GDS_FILE_TYPE;
	return fl & (O_APPEND | O_PATH) ? GDS_OPEN_FLAG : 0;
}

/* CUFILE_FORCE_COMPAT_MODE: through the host, by O_DIRECT where the file has it. */
static int import(const struct gds_descr *d, struct devio_file **file)
{
	struct devio_file_opts o = DEVIO_OPTS(o);
	struct devio_file_info info = DEVIO_OPTS(info);
	int rc;

	if (dv_conf.flag[CONF_FORCE_DIRECT])
		o.flags |= DEVIO_FILE_NO_CACHE;
	rc = devio_file_import(dv_gds.ctx, d->u.fd, &o, file);
	if (rc || !dv_conf.flag[CONF_FORCE_COMPAT])
		return rc;
	rc = devio_file_get_info(*file, &info);
	devio_file_close(*file);
	if (rc)
		return rc;
	o.path = info.dio_mem_align ? DEVIO_PATH_FILE_BOUNCE : DEVIO_PATH_FILE_BUFFERED;
	return devio_file_import(dv_gds.ctx, d->u.fd, &o, file);
}

static struct dv_handle *by_fd(int fd)
{
	return fd < dv_gds.nr_fds && dv_gds.by_fd[fd] ? dv_table_at(&dv_gds.handles, (uint32_t)dv_gds.by_fd[fd] - 1) :
							 NULL;
}

static int make_room(int fd)
{
	int nr = 64, *v;

	if (fd < dv_gds.nr_fds)
		return 0;
	while (nr <= fd)
		nr *= 2;
	v = realloc(dv_gds.by_fd, (size_t)nr * sizeof(*v));
	if (!v)
		return -ENOMEM;
	memset(v + dv_gds.nr_fds, 0, (size_t)(nr - dv_gds.nr_fds) * sizeof(*v));
	dv_gds.by_fd = v;
	dv_gds.nr_fds = nr;
	return 0;
}

/* With the lock held for writing. */
static struct gds_error add(void **out, struct dv_handle *h, const struct stat *st)
{
	struct dv_handle *old = by_fd(h->fd);

	/* The same descriptor; not one that was closed and is another file's now. */
	if (old && old->dev == st->st_dev && old->ino == st->st_ino)
		return dv_status(GDS_HANDLE_REGISTERED, "handle register: the descriptor is registered already");
	*out = make_room(h->fd) ? NULL : dv_table_add(&dv_gds.handles, h);
	if (!*out)
		return dv_status(GDS_NO_MEMORY, "handle register: out of memory");
	dv_gds.by_fd[h->fd] = (int)dv_table_index(*out) + 1;
	return dv_ok();
}

static struct gds_error register_file(void **out, const struct gds_descr *d)
{
	struct dv_handle *h;
	struct gds_error e;
	void *handle;
	struct stat st;
	int rc = check_descr(d, &st);

	if (rc)
		return dv_status(rc, "handle register: the descriptor cannot be used");
	h = calloc(1, sizeof(*h));
	if (!h)
		return dv_status(GDS_NO_MEMORY, "handle register: out of memory");
	*h = (struct dv_handle){ .refs = 1, .fd = d->u.fd, .dev = st.st_dev, .ino = st.st_ino };
	pthread_rwlock_wrlock(&dv_gds.lock);
	rc = dv_gds.ctx ? import(d, &h->file) : -ECHILD;
	e = rc ? dv_status_errno(rc, GDS_INTERNAL, "handle register") : add(&handle, h, &st);
	h->session = dv_gds.session;
	if (!e.err)
		h->usage = dv_usage_of(h->fd, st.st_dev, st.st_ino);
	pthread_rwlock_unlock(&dv_gds.lock);
	if (e.err) {
		devio_file_close(h->file);
		free(h);
		return e;
	}
	*out = handle;
	return e;
}

GDS_API struct gds_error cuFileHandleRegister(void **out, struct gds_descr *d)
{
	struct gds_error e = out && d ? dv_open_driver(false) : dv_status(GDS_INVALID_VALUE, "handle register: NULL");

	for (int i = 0; !e.err && i < DV_TRIES; i++) {
		e = register_file(out, d);
		if (e.err != GDS_NOT_INITIALIZED)
			break;
		e = dv_open_driver(false);
	}
	dv_usage_call(DV_CALL_HANDLE_REGISTER, e.err);
	return e;
}

static void unlink_fd(const struct dv_handle *h, uint32_t index)
{
	if (h->fd < dv_gds.nr_fds && dv_gds.by_fd[h->fd] == (int)index + 1)
		dv_gds.by_fd[h->fd] = 0;
}

GDS_API void cuFileHandleDeregister(void *handle)
{
	struct dv_handle *h;

	pthread_rwlock_wrlock(&dv_gds.lock);
	h = dv_table_remove(&dv_gds.handles, handle);
	if (h)
		unlink_fd(h, dv_table_index(handle));
	pthread_rwlock_unlock(&dv_gds.lock);
	dv_usage_call(DV_CALL_HANDLE_DEREGISTER, h ? 0 : GDS_HANDLE_UNKNOWN);
	if (h)
		dv_handle_put(h);
	else
		dv_note(DV_WARN, "handle deregister: %p is not registered", handle);
}

struct dv_handle *dv_handle_take_all(void)
{
	struct dv_handle *all = NULL, *h;

	while ((h = dv_table_pop(&dv_gds.handles))) {
		h->next = all;
		all = h;
	}
	if (dv_gds.nr_fds)
		memset(dv_gds.by_fd, 0, (size_t)dv_gds.nr_fds * sizeof(*dv_gds.by_fd));
	return all;
}

void dv_handle_put_all(struct dv_handle *h)
{
	while (h) {
		struct dv_handle *next = h->next;

		dv_handle_put(h);
		h = next;
	}
}
