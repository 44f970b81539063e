/* SPDX-License-Identifier: MIT */
/*
 * What a data server and those who read from it say to each other, on one TCP
 * connection. All numbers are little-endian, all heads have 32 bytes.
 *
 *   request            answer
 *   0  magic "dvs1"    0  magic "dvs1"
 *   4  u16 operation   4  u16 operation, of the request
 *   6  u16 file        6  u16 status: 0, or why not, see dv_wire_statuses[]
 *   8  u32 length      8  u32 bytes that follow this head
 *   12 u32 0           12 u32 0
 *   16 u64 offset      16 u64 OPEN: bytes of the file
 *   24 u64 version     24 u64 OPEN: its version
 *
 * The version of the protocol is in the magic. Requests are answered in their
 * order, and a client need not wait for one answer before the next request.
 *
 * OPEN   `length` bytes of a path follow the head, relative to the directory
 *        that is served. The file becomes number `file` of this connection, and
 *        who had the number before is closed. `version` is the one that the
 *        client knows, else ESTALE, or 0. After a failure reads of the number
 *        get the same status.
 * READ   the answer is followed by exactly `length` bytes of the file from
 *        `offset` on; by as many zeroes if status says that they could not be
 *        read: so the stream never loses its place. ESTALE if the file is not
 *        as it was when it was opened.
 * REFUSE is an answer alone, and the last one: status says why the server
 *        ends the connection.
 *
 * A version is any number but 0 that is another one when the file was
 * replaced or written. Neither side trusts the other: every number is checked.
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
#define DV_WIRE_PATH 1023u            /* bytes of a path at most, without a zero at its end */
#define DV_WIRE_FILES 256u            /* numbers of files of a connection */
#define DV_WIRE_READ_MAX (1u << 20)   /* bytes of one READ at most, and at least 1 */

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

/* The statuses are Linux's numbers as most machines have them; here is what they are on this one. */
static const struct {
	uint16_t status;
	int err;
} dv_wire_statuses[] = {
	{ 2, ENOENT }, { 5, EIO }, { 12, ENOMEM }, { 13, EACCES }, { 16, EBUSY }, { 20, ENOTDIR }, { 21, EISDIR },
	{ 22, EINVAL }, { 24, EMFILE }, { 34, ERANGE }, { 36, ENAMETOOLONG }, { 40, ELOOP }, { 61, ENODATA },
	{ 71, EPROTO }, { 116, ESTALE },
};

/* Any errno (positive) has a status: EIO if none fits better. */
static inline uint16_t dv_wire_status(int err)
{
	for (size_t i = 0; err && i < sizeof(dv_wire_statuses) / sizeof(dv_wire_statuses[0]); i++)
		if (dv_wire_statuses[i].err == err)
			return dv_wire_statuses[i].status;
	return err ? 5 : 0;
}

/* 0, the errno (negative), or -EPROTO of a status that is none. */
static inline int dv_wire_errno(uint16_t status)
{
	for (size_t i = 0; status && i < sizeof(dv_wire_statuses) / sizeof(dv_wire_statuses[0]); i++)
		if (dv_wire_statuses[i].status == status)
			return -dv_wire_statuses[i].err;
	return status ? -EPROTO : 0;
}

static inline void dv_wire_put(unsigned char *to, unsigned int op, unsigned int second, uint32_t len, uint64_t a, uint64_t b)
{
	const uint32_t words[4] = { htole32(DV_WIRE_MAGIC), htole32(op | second << 16), htole32(len), 0 };
	const uint64_t longs[2] = { htole64(a), htole64(b) };

	memcpy(to, words, 16);
	memcpy(to + 16, longs, 16);
}

/* false: it is no head of this protocol. */
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

/* A request that may be carried out, as far as it can be told without the file. */
static inline bool dv_wire_get_request(const unsigned char *from, struct dv_wire_request *q)
{
	if (!dv_wire_get(from, &q->op, &q->file, &q->len, &q->off, &q->version) || q->file >= DV_WIRE_FILES || !q->len)
		return false;
	if (q->op == DV_WIRE_OPEN)
		return q->len <= DV_WIRE_PATH;
	return q->op == DV_WIRE_READ && q->len <= DV_WIRE_READ_MAX && q->off <= INT64_MAX;
}

/* The answer to a request of this kind, for which `len` bytes follow? */
static inline bool dv_wire_get_answer(const unsigned char *from, unsigned int op, uint32_t len, struct dv_wire_answer *a)
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
