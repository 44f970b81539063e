/* SPDX-License-Identifier: MIT */
/*
 * The protocol between a data server and its clients, on one TCP connection.
 * All integers are little-endian, all headers have 32 bytes.
 *
 *   request            answer
 *   0  magic "dvs1"    0  magic "dvs1"
 *   4  u16 operation   4  u16 operation, of the request
 *   6  u16 file        6  u16 status: 0, or an error of dv_wire_statuses[]
 *   8  u32 length      8  u32 bytes that follow this header
 *   12 u32 0           12 u32 0
 *   16 u64 offset      16 u64 OPEN: size of the file
 *   24 u64 version     24 u64 OPEN: its version
 *
 * The version of the protocol is part of the magic. Requests are answered in order;
 * a client may send several without waiting for the answers.
 *
 * OPEN   `length` bytes of a path follow the header, relative to the directory
 *        that is served. The file becomes number `file` of this connection; a file
 *        that had the number is closed. `version` is the version expected by the
 *        client (ESTALE if it is another one), or 0. If OPEN fails, READs of the
 *        number get the same status.
 * READ   the answer is followed by exactly `length` bytes of the file at `offset`,
 *        or, if status is an error, by as many zeroes: so the position in the
 *        stream is always known. ESTALE if the file was replaced or modified since
 *        it was opened.
 * REFUSE is an answer without a request, and the last one: status is the reason why
 *        the server closes the connection.
 *
 * A version is any number but 0; it changes when the file is replaced or modified.
 * Neither side trusts the other: every field is checked.
 */
#ifndef DV_WIRE_H
#define DV_WIRE_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DV_WIRE_MAGIC 0x31737664u     /* "dvs1" */
#define DV_WIRE_HEAD 32u
#define DV_WIRE_PATH 1023u            /* bytes of a path at most, without a terminating NUL */
#define DV_WIRE_FILES 256u            /* file numbers per connection */
#define DV_WIRE_READ_MAX (1u << 20)   /* bytes of one READ, from 1 */

enum { DV_WIRE_OPEN = 1, DV_WIRE_READ = 2, DV_WIRE_REFUSE = 0xffff };

struct dv_wire_request {
	uint16_t op, file;
	uint32_t len;
	uint64_t off, version;
};

struct dv_wire_answer {
	uint16_t op, status;
	uint32_t len;
	uint64_t size, version;
};

/* A status is the errno number of most Linux architectures; err is its value on this one. */
static const struct {
	uint16_t status;
	int err;
} dv_wire_statuses[] = {
	{ 2, ENOENT }, { 5, EIO }, { 12, ENOMEM }, { 13, EACCES }, { 16, EBUSY }, { 20, ENOTDIR }, { 21, EISDIR },
	{ 22, EINVAL }, { 24, EMFILE }, { 34, ERANGE }, { 36, ENAMETOOLONG }, { 40, ELOOP }, { 61, ENODATA },
	{ 71, EPROTO }, { 116, ESTALE },
};

/* The status of an errno (positive): that of EIO if it has none of its own. */
static inline uint16_t dv_wire_status(int err)
{
	for (size_t i = 0; err && i < sizeof(dv_wire_statuses) / sizeof(dv_wire_statuses[0]); i++)
		if (dv_wire_statuses[i].err == err)
			return dv_wire_statuses[i].status;
	return err ? 5 : 0;
}

/* 0, -errno, or -EPROTO for an unknown status. */
static inline int dv_wire_errno(uint16_t status)
{
	for (size_t i = 0; status && i < sizeof(dv_wire_statuses) / sizeof(dv_wire_statuses[0]); i++)
		if (dv_wire_statuses[i].status == status)
			return -dv_wire_statuses[i].err;
	return status ? -EPROTO : 0;
}

static inline void dv_wire_put(unsigned char *to, unsigned int op, unsigned int second, uint32_t len, uint64_t a,
			       uint64_t b)
{
	const uint32_t words[4] = { htole32(DV_WIRE_MAGIC), htole32(op | second << 16), htole32(len), 0 };
	const uint64_t longs[2] = { htole64(a), htole64(b) };

	memcpy(to, words, 16);
	memcpy(to + 16, longs, 16);
}

/* False: not a header of this protocol. */
static inline bool dv_wire_get(const unsigned char *from, uint16_t *op, uint16_t *second, uint32_t *len, uint64_t *a,
			       uint64_t *b)
{
	uint32_t words[4];
	uint64_t longs[2];

	memcpy(words, from, 16);
	memcpy(longs, from + 16, 16);
	*op = le32toh(words[1]) & 0xffff;
	*second = le32toh(words[1]) >> 16;
	*len = le32toh(words[2]);
	*a = le64toh(longs[0]);
	*b = le64toh(longs[1]);
	return le32toh(words[0]) == DV_WIRE_MAGIC && !words[3];
}

/* Decodes a request. False: it is invalid, whatever the file. */
static inline bool dv_wire_get_request(const unsigned char *from, struct dv_wire_request *q)
{
	if (!dv_wire_get(from, &q->op, &q->file, &q->len, &q->off, &q->version) || q->file >= DV_WIRE_FILES || !q->len)
		return false;
	if (q->op == DV_WIRE_OPEN)
		return q->len <= DV_WIRE_PATH;
	return q->op == DV_WIRE_READ && q->len <= DV_WIRE_READ_MAX && q->off <= INT64_MAX;
}

/* Decodes the answer to a request with this op, which `len` bytes follow, or REFUSE. False: it is invalid. */
static inline bool dv_wire_get_answer(const unsigned char *from, unsigned int op, uint32_t len,
				      struct dv_wire_answer *a)
{
	if (!dv_wire_get(from, &a->op, &a->status, &a->len, &a->size, &a->version))
		return false;
	if (a->op == DV_WIRE_REFUSE)
		return a->status && !a->len;
	if (op == DV_WIRE_OPEN && !a->status && (!a->version || a->size > INT64_MAX))
		return false;
	return a->op == op && a->len == len;
}

#endif
