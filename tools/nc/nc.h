/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-nc:
 *   main.c      options, the order of the steps, the exit status
 *   util.c      the ring, and the exit status of an error
 *   link.c      connections: opened, numbered, confirmed
 *   ends.c      what is sent and where it is written: files, standard input and output
 *   lane.c      one direction of one connection, block by block
 *   run.c       all lanes on one ring
 *   check.c     the pattern and the checksum
 *   explain.c   --explain: for every path whether it can be used, why not, and how to fix it
 *   nic.c       --nic: the interface that receives into device memory
 *   report.c    progress, the report as text and JSON
 */
#ifndef TOOLS_NC_H
#define TOOLS_NC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <devio.h>
#include "common/args.h"
#include "common/outfile.h"
#include "common/summary.h"
#include "common/term.h"
#include "common/tool.h"
#include "common/toolmem.h"

struct nc_opts {
	const char *host, *port;
	const char *in, *out;     /* "-": standard input and output, NULL: that direction is not used */
	const char *mem;
	uint64_t block, pattern;
	const char *nic;          /* interface to set up or, with restore, to restore; NULL: none, or all */
	int steer;                /* enum devio_steer */
	uint64_t area;            /* bytes of memory for the NIC */
	uint32_t buffer;          /* bytes of each of its receive buffers; 0: the default */
	unsigned int depth, flows;
	int path;                 /* enum devio_path */
	unsigned int family;      /* DEVIO_SOCK_IPV4, DEVIO_SOCK_IPV6 or 0 */
	int64_t timeout;          /* nanoseconds */
	bool listen, direct_only, verify, checksum, force, explain, has_pattern, sink, restore;
	struct args_report report;
};

enum nc_state { NC_FREE, NC_FILLING, NC_READY, NC_WRITING };

struct nc_block {
	uint64_t pos, len;        /* bytes [pos, pos + len) of the stream */
	uint64_t done;            /* bytes of it that the file has read or written */
	enum nc_state state;
};

/* One direction of one connection: blocks used in turn, numbered from 0. */
struct nc_lane {
	struct devio_sock *sock;
	struct nc_block *block;
	uint64_t base;            /* offset of the blocks in the memory */
	uint64_t filled, moved, freed; /* blocks started, moved on, and free again */
	uint64_t pos, end;        /* the next byte; the end of the stream, UINT64_MAX if unknown */
	uint64_t requested;       /* receive: bytes of all requests */
	unsigned int index;
	bool send, ended, shut, over;
};

struct nc_sum { uint64_t bytes; uint32_t crc; };

struct nc_job {
	struct nc_opts o;
	struct devio_ctx *ctx;
	struct devio_sock *listener, **socks;
	struct devio_mem *mem, *area;
	struct devio_nic *nic;
	struct devio_nic_info nic_info; /* when it was restored */
	struct devio_stat stat;
	struct devio_ring *ring;
	struct toolmem place;
	struct devio_file *in, *out;
	struct outfile dst;       /* the output file */
	struct nc_lane *lanes;
	struct nc_block *blocks;
	unsigned int nr_lanes;
	unsigned char *buf;       /* a block in host memory: standard input and output, the checks */
	uint64_t out_have, out_done; /* of buf2: bytes for standard output, and of them written */
	unsigned char *buf2;
	uint64_t total;           /* bytes of all flows; UINT64_MAX if unknown */
	uint64_t sent, received, host_copied, verified;
	struct nc_sum sum[2];     /* received, sent */
	struct summary net, disk;
	struct devio_sock_info info; /* of the first connection */
	struct summary_cost cost;
	struct progress progress;
	struct tool_error error;
};

/* The exit status for an error of the library. */
int nc_status(const struct nc_job *job, int64_t err);
/* Fails with the library's message. -1 */
int nc_fail(struct nc_job *job, int64_t err);
/* The ring, if there is none yet; for --path=sock-zcrx it is opened before the NIC. */
int nc_open_ring(struct nc_job *job);

int nc_open_ends(struct nc_job *job);
int nc_finish_out(struct nc_job *job);
void nc_close_ends(struct nc_job *job);
/* One read of standard input into buf: *got bytes, 0 at its end, < 0: none yet. 0 or -1. */
int nc_read_in(struct nc_job *job, int64_t *got);
/* One write of buf2 to standard output. 0 or -1. */
int nc_write_out(struct nc_job *job);

int nc_connect(struct nc_job *job);
/* Has the peer's TCP acknowledged all that was sent? 1, 0 or -1. */
int nc_acked(struct nc_job *job, struct devio_sock *sock);
/* The part of flow `index`: bytes [*start, *end) of the total. */
void nc_stripe(const struct nc_job *job, unsigned int index, uint64_t *start, uint64_t *end);

int nc_run(struct nc_job *job);
/* Starts all that the lane can start now. 0 or -1. */
int nc_lane_go(struct nc_job *job, struct nc_lane *lane);
int nc_lane_done(struct nc_job *job, const struct devio_completion *c);
/* Does the lane need bytes of standard input? */
bool nc_lane_wants_input(const struct nc_job *job, const struct nc_lane *lane);
int nc_lane_feed(struct nc_job *job, struct nc_lane *lane);

/* Fills buf with the pattern, from byte pos on. */
void nc_pattern(unsigned char *buf, uint64_t pos, uint64_t len);
/* Verifies and checksums a block, as it is in the memory, if the options say so. */
int nc_check(struct nc_job *job, const struct nc_lane *lane, uint64_t mem_off, uint64_t pos, uint64_t len);
/* As cksum(1) prints it. */
uint32_t nc_cksum(const struct nc_sum *sum);

int nc_open_nic(struct nc_job *job);
/* Steers a connection or a listener to the NIC's queue, before the peer sends. 0 or -1. */
int nc_steer(struct nc_job *job, struct devio_sock *sock);
void nc_close_nic(struct nc_job *job);
int nc_restore(struct nc_job *job);
/* enum devio_steer, or -1. */
int nc_steer_parse(const char *name);
void nc_report_nic(const struct nc_job *job, FILE *out);
struct json_object;
void nc_json_nic(struct json_object *o, const struct nc_job *job);

int nc_explain(struct nc_job *job);

void nc_progress(struct nc_job *job, double elapsed);
void nc_report_text(const struct nc_job *job, FILE *out);
void nc_report_json(const struct nc_job *job, FILE *out);
/* Addresses and ports of both sides, and the interface. */
void nc_json_link(struct json_object *o, const struct nc_job *job);

#endif
