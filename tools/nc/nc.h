/* SPDX-License-Identifier: MIT */
/*
 * The parts of devio-nc:
 *   main.c      options, the order of the steps, the exit status
 *   link.c      connections: made, told apart, ended
 *   ends.c      what is sent and where it goes: files, standard input and output
 *   lane.c      one direction of one connection, block by block
 *   run.c       all of them on one ring
 *   check.c     the pattern and the checksum
 *   explain.c   the preflight: what stands in the way of which path, and its cure
 *   nic.c       the interface that receives into device memory
 *   report.c    progress, the text and the JSON
 */
#ifndef TOOLS_NC_H
#define TOOLS_NC_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <devio.h>
#include "common/summary.h"
#include "common/toolmem.h"

/* Exit status, as of devio-cp; a signal ends the program by that signal. */
enum { NC_OK = 0, NC_FAILED = 1, NC_USAGE = 2, NC_DIFFERS = 3, NC_NO_PATH = 4 };

struct nc_opts {
	const char *host, *port;
	const char *in, *out;     /* "-": standard input and output, NULL: that direction is not used */
	const char *mem;
	uint64_t block, pattern;
	const char *nic;          /* interface to set up, or (restore) to put back; NULL: none, or all */
	int steer;                /* enum devio_steer */
	uint64_t area;            /* bytes of memory for the NIC */
	uint32_t buffer;          /* bytes of each of its receive buffers; 0: as fits the interface */
	unsigned int depth, flows;
	int path;                 /* enum devio_path */
	unsigned int family;      /* DEVIO_SOCK_IPV4, DEVIO_SOCK_IPV6 or 0 */
	int64_t timeout;          /* nanoseconds */
	bool listen, direct, verify, checksum, json, force, verbose, explain, has_pattern, nothing, restore;
	int progress;             /* -1: when stderr is a terminal */
};

enum nc_state { NC_FREE, NC_FILLING, NC_READY, NC_LEAVING };

struct nc_block {
	uint64_t pos, len;        /* bytes [pos, pos + len) of what is sent or received */
	uint64_t done;            /* of them, by the file */
	enum nc_state state;
};

/* One direction of one connection: blocks used in turn, counted from the first. */
struct nc_lane {
	struct devio_sock *sock;
	struct nc_block *block;
	uint64_t base;            /* byte of the memory at which they begin */
	uint64_t filled, moved, freed; /* blocks begun, gone on, and done with */
	uint64_t pos, end;        /* the next byte to come; behind the last one, UINT64_MAX if not known */
	uint64_t asked;           /* received: bytes that were asked for */
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
	struct devio_nic_info nic_info; /* when it was put back */
	struct devio_stat stat;
	struct devio_ring *ring;
	struct toolmem place;
	struct devio_file *in, *out;
	char *final, *temp;       /* the output file: its name in the end, and until then */
	unsigned int mode;        /* and its permissions */
	int out_fd;
	struct nc_lane *lanes;
	struct nc_block *blocks;
	unsigned int nr_lanes;
	unsigned char *buf;       /* a block in host memory: standard input and output, the checks */
	uint64_t out_have, out_done; /* bytes of buf2 that standard output still has to take */
	unsigned char *buf2;
	uint64_t total;           /* bytes that all flows carry; UINT64_MAX if not known */
	uint64_t sent, received, host_copied, verified;
	struct nc_sum sum[2];     /* of what was received and sent */
	struct summary net, disk;
	struct devio_sock_info info; /* of the first connection */
	double setup_s, seconds, cpu_s;
	int status;               /* NC_* */
	char error[1024];         /* the sentence of the first failure, "" if none */
};

/* Set by SIGINT, SIGTERM and SIGHUP to their number. */
extern volatile sig_atomic_t nc_stop;

/* Keeps the first failure's sentence and status; returns -1. */
int nc_fail(struct nc_job *job, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
double nc_now(void);
/* Which status an error of the library gives. */
int nc_status(const struct nc_job *job, int64_t err);

int nc_open_ends(struct nc_job *job);
int nc_finish_out(struct nc_job *job);
void nc_close_ends(struct nc_job *job);
/* One read of standard input into buf: *got bytes, 0 at its end, < 0: none now. 0 or -1. */
int nc_read_in(struct nc_job *job, int64_t *got);
/* One write of what buf2 holds to standard output. 0 or -1. */
int nc_write_out(struct nc_job *job);

int nc_connect(struct nc_job *job);
/* Has the peer's TCP confirmed all that was sent? 1, 0 or -1. */
int nc_confirmed(struct nc_job *job, struct devio_sock *sock);
/* The part of flow `index`: bytes [*start, *end) of the total. */
void nc_stripe(const struct nc_job *job, unsigned int index, uint64_t *start, uint64_t *end);

/* The ring, if there is none yet; for --path=sock-zcrx it comes before the NIC. */
int nc_open_ring(struct nc_job *job);
int nc_run(struct nc_job *job);
/* Begins what the lane can begin now. 0 or -1. */
int nc_lane_go(struct nc_job *job, struct nc_lane *lane);
int nc_lane_done(struct nc_job *job, const struct devio_completion *c);
/* Would bytes of standard input be taken, and has it ended? */
bool nc_lane_hungry(const struct nc_job *job, const struct nc_lane *lane);
int nc_lane_feed(struct nc_job *job, struct nc_lane *lane);

/* Fills buf with the bytes of the pattern from byte pos on. */
void nc_pattern(unsigned char *buf, uint64_t pos, uint64_t len);
/* The lane's block as it lies in the memory: checked and summed up as the options want. */
int nc_check(struct nc_job *job, const struct nc_lane *lane, uint64_t mem_off, uint64_t pos, uint64_t len);
/* As cksum(1) tells it. */
uint32_t nc_cksum(const struct nc_sum *sum);

int nc_open_nic(struct nc_job *job);
/* Before the peer sends: a connection or a listener. 0 or -1. */
int nc_steer(struct nc_job *job, struct devio_sock *sock);
void nc_close_nic(struct nc_job *job);
int nc_restore(struct nc_job *job);
/* enum devio_steer, or -1. */
int nc_steer_parse(const char *name);
void nc_report_nic(const struct nc_job *job, FILE *out);
struct json_object;
void nc_json_nic(struct json_object *o, const struct nc_job *job);

int nc_explain(struct nc_job *job);
/* What would help, for this interface; NULL: nothing. */
const char *nc_cure(unsigned int reason, const char *ifname, char *buf, size_t size);

void nc_progress(struct nc_job *job, double elapsed, bool last);
void nc_report_text(const struct nc_job *job, FILE *out);
void nc_report_json(const struct nc_job *job, FILE *out);
/* Who is connected with whom, by which interface. */
void nc_json_link(struct json_object *o, const struct nc_job *job);

#endif
