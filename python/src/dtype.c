/* SPDX-License-Identifier: MIT */
/* libdevio-load's table of dtypes, taken over when the module is imported. */
#include <stdio.h>
#include <string.h>
#include "load.h"

#define ROOM 64

static struct dp_dtype table[ROOM];
static unsigned int nr;

/* Those that Python's struct module and NumPy know; a long has 4 bytes on some machines. */
static const char *const formats[][2] = {
	{ "BOOL", "?" },
	{ "U8", "B" },
	{ "I8", "b" },
	{ "U16", "H" },
	{ "I16", "h" },
	{ "F16", "e" },
	{ "U32", "I" },
	{ "I32", "i" },
	{ "F32", "f" },
	{ "U64", sizeof(long) == 8 ? "L" : "Q" },
	{ "I64", sizeof(long) == 8 ? "l" : "q" },
	{ "F64", "d" },
	{ "C64", "Zf" },
};

static void fill(struct dp_dtype *t)
{
	static const char kinds[] = "iuf??cb"; /* by DLPack's code */

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(formats[i][0], t->d.name))
			snprintf(t->format, sizeof(t->format), "%s", formats[i][1]);
	if (*t->format)
		snprintf(t->typestr, sizeof(t->typestr), "%c%c%u", t->d.bits > 8 ? '<' : '|', kinds[t->d.dlpack],
			 t->d.bits / 8 % 100);
}

static int add_row(PyObject *dict, const struct dp_dtype *t)
{
	PyObject *row = Py_BuildValue("(IIs)", t->d.bits, t->d.dlpack, t->d.torch);
	int rc = row ? PyDict_SetItemString(dict, t->d.name, row) : -1;

	Py_XDECREF(row);
	return rc;
}

int dp_dtype_add(PyObject *module)
{
	PyObject *dict = PyDict_New();
	int rc = dict ? 0 : -1;

	for (nr = 0; nr < ROOM && !rc; nr++) {
		table[nr].d.sz = sizeof(table[nr].d);
		if (devio_dtype_get(nr, &table[nr].d))
			break;
		fill(&table[nr]);
		table[nr].text = PyUnicode_InternFromString(table[nr].d.name);
		rc = table[nr].text ? 0 : -1;
		if (!rc)
			rc = add_row(dict, &table[nr]);
	}
	if (!rc)
		rc = PyModule_AddObjectRef(module, "DTYPES", dict);
	Py_XDECREF(dict);
	return rc;
}

const struct dp_dtype *dp_dtype_find(const char *name)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!strcmp(table[i].d.name, name))
			return &table[i];
	return NULL;
}

const struct dp_dtype *dp_dtype_of_dlpack(unsigned int code, unsigned int bits)
{
	for (unsigned int i = 0; i < nr; i++)
		if (table[i].d.dlpack == code && table[i].d.bits == bits)
			return &table[i];
	return NULL;
}

const struct dp_dtype *dp_dtype_of_format(const char *format, Py_ssize_t itemsize)
{
	char kind;

	if (!format)
		format = "B";
	if (*format == '@' || *format == '=' || *format == '<')
		format++;
	if (!strcmp(format, "Zf"))
		return dp_dtype_find("C64");
	if (!*format || format[1])
		return NULL;
	kind = strchr("bhilqn", *format) ? 'i' : strchr("BHILQNc", *format) ? 'u' : strchr("efd", *format) ? 'f' :
	       *format == '?' ? 'b' : 0;
	for (unsigned int i = 0; i < nr && kind; i++)
		if (*table[i].format && table[i].typestr[1] == kind && (Py_ssize_t)table[i].d.bits == 8 * itemsize)
			return &table[i];
	return NULL;
}
