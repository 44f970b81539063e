/* SPDX-License-Identifier: MIT */
/* devio.data.Source: which bytes of which files are an item. */
#include <errno.h>
#include <string.h>
#include "load.h"

PyTypeObject *dp_source_type;
static PyTypeObject *field_type;

static void free_source(struct dp_handle *o)
{
	devio_source_close(o->h);
	o->h = NULL;
}

/* The names as C strings, which `files` (a list of bytes) holds: PyMem_Free() it. */
static const char **names_of(PyObject *files, Py_ssize_t nr)
{
	const char **out = PyMem_Calloc((size_t)nr + 1, sizeof(*out));

	for (Py_ssize_t i = 0; out && i < nr; i++)
		out[i] = PyBytes_AsString(PyList_GetItem(files, i));
	if (!out)
		PyErr_NoMemory();
	return out;
}

/* A name or a sequence of names, as a list of bytes. */
static PyObject *encode(PyObject *files)
{
	PyObject *out = PyList_New(0), *iter, *o, *name;

	if (PyUnicode_Check(files) || PyBytes_Check(files) || PyObject_HasAttrString(files, "__fspath__"))
		iter = PyTuple_Pack(1, files);
	else
		iter = PySequence_Tuple(files);
	for (Py_ssize_t i = 0; out && iter && i < PyTuple_Size(iter); i++) {
		o = PyTuple_GetItem(iter, i);
		name = NULL;
		if (!PyUnicode_FSConverter(o, &name) || PyList_Append(out, name))
			Py_CLEAR(out);
		Py_XDECREF(name);
	}
	if (!iter)
		Py_CLEAR(out);
	Py_XDECREF(iter);
	return out;
}

static int open_kind(struct dp_source *s, const char *kind, const char *const *names, unsigned int nr)
{
	struct devio_records_opts o = DEVIO_OPTS(o);
	struct devio_source *h = NULL;
	int rc;

	o.record_size = s->record_size;
	o.header = s->header;
	o.flags = s->tail ? DEVIO_RECORDS_TAIL : 0;
	do {
		Py_BEGIN_ALLOW_THREADS
		rc = *kind == 's' ? devio_source_open_safetensors(names[0], &h) :
		     *kind == 't' ? devio_source_open_tar(names, nr, &h) : devio_source_open_records(names, nr, &o, &h);
		Py_END_ALLOW_THREADS
	} while (rc == -EINTR && !PyErr_CheckSignals());
	s->base.h = h;
	s->base.free = free_source;
	return rc;
}

static int open_source(struct dp_source *s, PyObject *files)
{
	const char *kind = PyUnicode_AsUTF8AndSize(s->kind, NULL);
	PyObject *list;
	const char **names;
	int rc = -EINVAL;

	if (!kind || (strcmp(kind, "safetensors") && strcmp(kind, "tar") && strcmp(kind, "records"))) {
		PyErr_Format(PyExc_ValueError, "no kind of source is called %R: safetensors, tar, records are",
			     s->kind);
		return rc;
	}
	list = encode(files);
	names = list ? names_of(list, PyList_Size(list)) : NULL;
	if (names && *kind == 's' && PyList_Size(list) != 1)
		PyErr_SetString(PyExc_ValueError, "a safetensors source is one file, or one index of several");
	else if (names)
		rc = open_kind(s, kind, names, (unsigned int)PyList_Size(list));
	PyMem_Free(names);
	Py_XDECREF(list);
	return rc;
}

static PyObject *new_source(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "kind", "files", "record_size", "header", "tail", NULL };
	PyObject *kind, *files, *size = NULL, *header = NULL;
	struct dp_source *s;
	int tail = 0, rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UO|OOp:Source", words, &kind, &files, &size, &header, &tail))
		return NULL;
	s = (struct dp_source *)PyType_GenericAlloc(type, 0);
	if (!s)
		return NULL;
	s->kind = Py_NewRef(kind);
	s->files = Py_NewRef(files);
	s->tail = tail;
	rc = dp_u64_default(size, "record_size", 0, &s->record_size) || dp_u64_default(header, "header", 0, &s->header)
		     ? -1
		     : open_source(s, files);
	if (rc) {
		dp_raise(rc);
		Py_DECREF(s);
		return NULL;
	}
	s->info.sz = sizeof(s->info);
	devio_source_get_info(s->base.h, &s->info);
	return (PyObject *)s;
}

static PyObject *open_safetensors(PyObject *type, PyObject *file)
{
	return PyObject_CallFunction(type, "sO", "safetensors", file);
}

static PyObject *open_tar(PyObject *type, PyObject *files)
{
	return PyObject_CallFunction(type, "sO", "tar", files);
}

static PyObject *open_records(PyObject *type, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "files", "record_size", "header", "tail", NULL };
	PyObject *files, *size, *header = Py_None;
	int tail = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|$Op:records", words, &files, &size, &header, &tail))
		return NULL;
	return PyObject_CallFunction(type, "sOOOO", "records", files, size, header, tail ? Py_True : Py_False);
}

/* Copies and pickles open the files again. */
static PyObject *reduce(PyObject *self, PyObject *protocol)
{
	struct dp_source *s = (struct dp_source *)self;

	(void)protocol;
	return Py_BuildValue("(O(OOKKO))", (PyObject *)Py_TYPE(self), s->kind, s->files,
			     (unsigned long long)s->record_size, (unsigned long long)s->header,
			     s->tail ? Py_True : Py_False);
}

static Py_ssize_t length(PyObject *self)
{
	return (Py_ssize_t)((struct dp_source *)self)->info.items;
}

static PyObject *count(PyObject *self, PyObject *item)
{
	struct dp_source *s = (struct dp_source *)self;
	uint64_t i;
	int n;

	if (dp_u64(item, "item", &i) || !dp_use(&s->base))
		return NULL;
	n = devio_source_count(s->base.h, i);
	dp_unuse(&s->base);
	return n < 0 ? dp_raise(n) : PyLong_FromLong(n);
}

int dp_source_raw_field(struct dp_source *s, uint64_t item, unsigned int n, struct devio_field *f)
{
	int rc;

	if (!dp_use(&s->base))
		return -1;
	f->sz = sizeof(*f);
	rc = devio_source_get_field(s->base.h, item, n, f);
	dp_unuse(&s->base);
	if (rc)
		dp_raise(rc);
	return rc;
}

static PyObject *shape_of(const struct devio_field *f)
{
	PyObject *out = PyTuple_New(f->rank);

	for (unsigned int i = 0; out && i < f->rank; i++) {
		PyObject *o = PyLong_FromUnsignedLongLong(f->shape[i]);

		if (!o || PyTuple_SetItem(out, i, o))
			Py_CLEAR(out);
	}
	return out;
}

PyObject *dp_source_field(struct dp_source *s, uint64_t item, unsigned int n)
{
	struct devio_field f;
	PyObject *out, *values[8];

	if (dp_source_raw_field(s, item, n, &f))
		return NULL;
	out = PyStructSequence_New(field_type);
	if (!out)
		return NULL;
	values[0] = dp_text(f.key);
	values[1] = dp_text(f.name);
	values[2] = PyUnicode_DecodeFSDefault(f.path);
	values[3] = dp_text(f.dtype);
	values[4] = shape_of(&f);
	values[5] = PyLong_FromUnsignedLongLong(f.off);
	values[6] = PyLong_FromUnsignedLongLong(f.len);
	values[7] = PyLong_FromUnsignedLong(f.file);
	for (int i = 0; i < 8; i++)
		PyStructSequence_SetItem(out, i, values[i] ? values[i] : Py_NewRef(Py_None));
	if (PyErr_Occurred())
		Py_CLEAR(out);
	return out;
}

static PyObject *field(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *words[] = { "item", "n", NULL };
	unsigned int n = 0;
	PyObject *item;
	uint64_t i;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|I:field", words, &item, &n) || dp_u64(item, "item", &i))
		return NULL;
	return dp_source_field((struct dp_source *)self, i, n);
}

static PyObject *find(PyObject *self, PyObject *key)
{
	struct dp_source *s = (struct dp_source *)self;
	PyObject *bytes = PyUnicode_AsEncodedString(key, "utf-8", "surrogateescape");
	int64_t n;

	if (!bytes || !dp_use(&s->base)) {
		Py_XDECREF(bytes);
		return NULL;
	}
	n = devio_source_find(s->base.h, PyBytes_AsString(bytes));
	dp_unuse(&s->base);
	Py_DECREF(bytes);
	if (n == -ENOENT)
		PyErr_SetObject(PyExc_KeyError, key);
	return n < 0 ? dp_raise((int)n) : PyLong_FromLongLong(n);
}

static PyObject *get_metadata(PyObject *self, void *unused)
{
	struct dp_source *s = (struct dp_source *)self;
	PyObject *out = PyDict_New(), *k, *v;
	const char *key, *value;

	(void)unused;
	if (!out || !dp_use(&s->base)) {
		Py_XDECREF(out);
		return NULL;
	}
	for (unsigned int n = 0; out && n < s->info.metas && !devio_source_get_meta(s->base.h, n, &key, &value); n++) {
		k = dp_text(key);
		v = dp_text(value);
		if (!k || !v || PyDict_SetItem(out, k, v))
			Py_CLEAR(out);
		Py_XDECREF(k);
		Py_XDECREF(v);
	}
	dp_unuse(&s->base);
	return out;
}

static PyObject *get_number(PyObject *self, void *offset)
{
	return PyLong_FromUnsignedLongLong(*(uint64_t *)((char *)self + (size_t)offset));
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
	Py_VISIT(Py_TYPE(self));
	Py_VISIT(((struct dp_source *)self)->files);
	return 0;
}

static int clear(PyObject *self)
{
	Py_CLEAR(((struct dp_source *)self)->files);
	Py_CLEAR(((struct dp_source *)self)->kind);
	return 0;
}

static PyMethodDef methods[] = {
	{ "safetensors", open_safetensors, METH_O | METH_CLASS,
	  "safetensors($type, file, /)\n--\n\n"
	  "A safetensors file, or, by the name of its index (*.json), a sharded model. An item is a tensor.\n\n"
	  "Raises FormatError, Error." },
	{ "tar", open_tar, METH_O | METH_CLASS,
	  "tar($type, files, /)\n--\n\n"
	  "Shards as WebDataset makes them, not compressed. An item is a sample: neighbours with one key.\n\n"
	  "Raises FormatError, Error." },
	{ "records", DP_CALL(open_records), DP_WORDS | METH_CLASS,
	  "records($type, /, files, record_size, *, header=0, tail=False)\n--\n\n"
	  "Files of records of `record_size` bytes behind `header` bytes; tail: an incomplete one at the end is "
	  "skipped.\n\n"
	  "Raises FormatError, Error." },
	{ "count", count, METH_O,
	  "count($self, item, /)\n--\n\nThe number of fields of an item. Raises Error (ERANGE)." },
	{ "field", DP_CALL(field), DP_WORDS,
	  "field($self, /, item, n=0)\n--\n\n"
	  "Field n of an item: (key, name, path, dtype, shape, offset, length), a Field. Raises Error (ERANGE)." },
	{ "find", find, METH_O, "find($self, key, /)\n--\n\nThe number of the first item with that key; KeyError." },
	DP_HANDLE_METHODS("Closes it. Loaders keep it until they close."),
	{ "__reduce_ex__", reduce, METH_O, NULL },
	{ 0 },
};

#define NUMBER(name, member, text) { name, get_number, NULL, text, (void *)offsetof(struct dp_source, member) }

static PyGetSetDef getset[] = {
	{ "metadata", get_metadata, NULL, "The __metadata__ of safetensors files.", NULL },
	NUMBER("bytes", info.bytes, "Of all items."),
	NUMBER("max_bytes", info.max_bytes, "Of the largest item, all its fields."),
	NUMBER("record_size", record_size, "Of records; else 0."),
	NUMBER("header", header, "Bytes in front of the records of a file."),
	{ 0 },
};

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(struct dp_handle, weak), READONLY, NULL },
	{ "closed", T_BOOL, offsetof(struct dp_handle, closed), READONLY, "Whether close() was called." },
	{ "kind", T_OBJECT, offsetof(struct dp_source, kind), READONLY, "\"safetensors\", \"tar\" or \"records\"." },
	{ "files", T_UINT, offsetof(struct dp_source, info.files), READONLY, "How many." },
	{ "max_fields", T_UINT, offsetof(struct dp_source, info.max_fields), READONLY, "Of an item." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "Source(kind, files, record_size=0, header=0, tail=False)\n--\n\n"
	  "Which bytes of which files are an item; see safetensors(), tar() and records(), which open one.\n\n"
	  "Opening checks the files' headers and reads no data. For any number of threads, and a child of fork().\n"
	  "Copies and pickles open the files again. len() is the number of items." },
	{ Py_tp_new, new_source },
	{ Py_tp_dealloc, dp_dealloc_handle },
	{ Py_tp_traverse, traverse },
	{ Py_tp_clear, clear },
	{ Py_tp_methods, methods },
	{ Py_tp_getset, getset },
	{ Py_tp_members, members },
	{ Py_sq_length, length },
	{ 0 },
};

static PyType_Spec spec = {
	.name = DP_MODULE "data.Source", .basicsize = sizeof(struct dp_source),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, .slots = slots,
};

static PyStructSequence_Field field_members[] = {
	{ "key", "the tensor's name, or the sample's key" },
	{ "name", "the extension of a member of a sample: \"jpg\"" },
	{ "path", "of the file" },
	{ "dtype", "as safetensors spells it" },
	{ "shape", "of a tensor" },
	{ "offset", "bytes, in the file" },
	{ "length", "bytes" },
	{ "file", "number of the file" }, /* an attribute alone: a Field unpacks into the seven before */
	{ 0 },
};

static PyStructSequence_Desc field_desc = {
	"devio.data.Field", "Part of an item: bytes [offset, offset + length) of a file.", field_members, 7
};

int dp_source_add(PyObject *module)
{
	dp_source_type = dp_add_type(module, &spec);
	field_type = dp_source_type ? PyStructSequence_NewType(&field_desc) : NULL;
	return field_type ? PyModule_AddObjectRef(module, "Field", (PyObject *)field_type) : -1;
}
