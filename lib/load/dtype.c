/* SPDX-License-Identifier: MIT */
/* The table of element types: names in safetensors, codes of DLPack, names in PyTorch. */
#include "config.h"
#include <string.h>
#include "core/err.h"
#include "load/source.h"

/* DLDataTypeCode of dlpack.h 1.1. */
enum { DL_INT, DL_UINT, DL_FLOAT, DL_BFLOAT = 4, DL_COMPLEX, DL_BOOL, DL_F8_E4M3FN = 10, DL_F8_E4M3FNUZ, DL_F8_E5M2,
       DL_F8_E5M2FNUZ, DL_F8_E8M0FNU, DL_F6_E2M3FN, DL_F6_E3M2FN, DL_F4_E2M1FN };

#define ROW(n, b, code, t) { .name = n, .bits = b, .dlpack = code, .torch = t }

static const struct devio_dtype dtypes[] = {
	ROW("BOOL", 8, DL_BOOL, "bool"), ROW("U8", 8, DL_UINT, "uint8"), ROW("I8", 8, DL_INT, "int8"),
	ROW("U16", 16, DL_UINT, "uint16"), ROW("I16", 16, DL_INT, "int16"),
	ROW("F16", 16, DL_FLOAT, "float16"), ROW("BF16", 16, DL_BFLOAT, "bfloat16"),
	ROW("U32", 32, DL_UINT, "uint32"), ROW("I32", 32, DL_INT, "int32"), ROW("F32", 32, DL_FLOAT, "float32"),
	ROW("U64", 64, DL_UINT, "uint64"), ROW("I64", 64, DL_INT, "int64"), ROW("F64", 64, DL_FLOAT, "float64"),
	ROW("C64", 64, DL_COMPLEX, "complex64"),
	ROW("F8_E4M3", 8, DL_F8_E4M3FN, "float8_e4m3fn"), ROW("F8_E4M3FNUZ", 8, DL_F8_E4M3FNUZ, "float8_e4m3fnuz"),
	ROW("F8_E5M2", 8, DL_F8_E5M2, "float8_e5m2"), ROW("F8_E5M2FNUZ", 8, DL_F8_E5M2FNUZ, "float8_e5m2fnuz"),
	ROW("F8_E8M0", 8, DL_F8_E8M0FNU, "float8_e8m0fnu"),
	ROW("F6_E2M3", 6, DL_F6_E2M3FN, ""), ROW("F6_E3M2", 6, DL_F6_E3M2FN, ""),
	ROW("F4", 4, DL_F4_E2M1FN, "float4_e2m1fn_x2"),
};

const struct devio_dtype *dv_dtype_find(const char *name)
{
	for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
		if (!strcmp(dtypes[i].name, name))
			return &dtypes[i];
	return NULL;
}

DEVIO_API int devio_dtype_get(unsigned int n, struct devio_dtype *dtype)
{
	struct devio_dtype d;

	if (n >= sizeof(dtypes) / sizeof(dtypes[0]))
		return dv_err(-ERANGE, "dtype: no dtype %u: there are %zu, numbered from 0", n,
			      sizeof(dtypes) / sizeof(dtypes[0]));
	d = dtypes[n];
	return dv_info_copy(dtype, &d, sizeof(d), "devio_dtype");
}

DEVIO_API int devio_dtype_find(const char *name)
{
	const struct devio_dtype *d = name ? dv_dtype_find(name) : NULL;

	return d ? (int)(d - dtypes) : dv_err(-ENOENT, "dtype: unknown dtype '%.60s'", name ? name : "(NULL)");
}
