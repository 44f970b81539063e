/* SPDX-License-Identifier: MIT */
/* devio-nc: the pattern, which is different at every offset, and the checksum of cksum(1). */
#include "config.h"
#include <string.h>
#include "nc.h"

void nc_pattern(unsigned char *buf, uint64_t pos, uint64_t len)
{
	for (uint64_t at = pos; at < pos + len;) {
		uint64_t word = toolmem_pattern(at / 8), n = 8 - at % 8;

		if (n > pos + len - at)
			n = pos + len - at;
		memcpy(buf + (at - pos), (const char *)&word + at % 8, n);
		at += n;
	}
}

static const uint32_t *crc_table(void)
{
	static uint32_t table[256];

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		uint32_t c = i << 24;

		for (int bit = 0; bit < 8; bit++)
			c = c << 1 ^ (c >> 31 ? 0x04c11db7 : 0);
		table[i] = c;
	}
	return table;
}

static uint32_t crc_byte(uint32_t crc, unsigned char byte)
{
	return crc << 8 ^ crc_table()[crc >> 24 ^ byte];
}

static void update(struct nc_sum *sum, const unsigned char *buf, uint64_t len)
{
	uint32_t crc = sum->crc;
	const uint32_t *table = crc_table();

	for (uint64_t i = 0; i < len; i++)
		crc = crc << 8 ^ table[crc >> 24 ^ buf[i]];
	sum->crc = crc;
	sum->bytes += len;
}

uint32_t nc_cksum(const struct nc_sum *sum)
{
	uint32_t crc = sum->crc;

	for (uint64_t n = sum->bytes; n; n >>= 8)
		crc = crc_byte(crc, n & 0xff);
	return ~crc;
}

/* Reports the first byte that differs from the pattern. */
static int compare(struct nc_job *job, uint64_t pos, uint64_t len)
{
	unsigned char want[4096];

	for (uint64_t at = 0; at < len;) {
		uint64_t n = len - at < sizeof(want) ? len - at : sizeof(want), i = 0;

		nc_pattern(want, pos + at, n);
		if (memcmp(want, job->buf + at, n)) {
			while (want[i] == job->buf[at + i])
				i++;
			return tool_fail(&job->error, TOOL_DIFFERS, "byte %llu is 0x%02x, expected 0x%02x",
					 (unsigned long long)(pos + at + i), job->buf[at + i], want[i]);
		}
		at += n;
	}
	job->verified += len;
	return 0;
}

int nc_check(struct nc_job *job, const struct nc_lane *lane, uint64_t mem_off, uint64_t pos, uint64_t len)
{
	bool verify = job->o.verify && !lane->send;

	if (!verify && !job->o.checksum)
		return 0;
	if (devio_mem_copy_out(job->mem, mem_off, job->buf, len))
		return tool_fail(&job->error, TOOL_FAILED, "mem:%s: %s", job->place.spec, devio_errmsg());
	if (job->o.checksum)
		update(&job->sum[lane->send], job->buf, len);
	return verify ? compare(job, pos, len) : 0;
}
