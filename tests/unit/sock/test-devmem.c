/* SPDX-License-Identifier: MIT */
/* sock-devmem without a NIC: pieces, tokens, the counting of sends, the journal, RSS tables and rules. */
#include "config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include "sock/rx.h"
#include "kern/netif.h"
#include "sock/frag_table.h"
#include "mem/mem.h"
#include "nic/nic.h"
#include "test.h"

static struct dv_rx rx;
static struct dv_token_batch back;
static struct dv_rx_frag piece[DV_RX_FRAGS];

static void begin(void)
{
	rx.msg = (struct msghdr){ .msg_control = rx.control, .msg_controllen = 0 };
}

static void put(int type, uint64_t off, uint32_t size, uint32_t token, uint32_t id)
{
	struct dv_dmabuf_cmsg f = { .frag_offset = off, .frag_size = size, .frag_token = token, .dmabuf_id = id };
	struct cmsghdr *c = (struct cmsghdr *)(void *)(rx.control + rx.msg.msg_controllen);

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = CMSG_LEN(sizeof(f)) };
	memcpy(CMSG_DATA(c), &f, sizeof(f));
	rx.msg.msg_controllen += CMSG_SPACE(sizeof(f));
}

static int parse(uint32_t n)
{
	return dv_rx_parse(&rx.msg, n, 5, 65536, piece);
}

static void pieces(void **state)
{
	(void)state;
	begin();
	assert_int_equal(parse(77), 1); /* not a word: ordinary bytes */
	assert_true(piece[0].linear && piece[0].len == 77);
	put(SO_DEVMEM_LINEAR, 0, 10, 0, 0);
	put(SO_DEVMEM_DMABUF, 4096, 100, 3, 5);
	assert_int_equal(parse(110), 2);
	assert_true(piece[0].linear && piece[0].len == 10 && !piece[1].linear && piece[1].off == 4096 &&
		    piece[1].token == 3);
	assert_int_equal(parse(111), -EPROTO); /* the sum is wrong */
	put(SO_TIMESTAMP, 0, 0, 0, 0);
	assert_int_equal(parse(110), 2);
	put(SO_DEVMEM_DMABUF, 0, 1, 4, 6);
	assert_int_equal(parse(111), -ENOMSG); /* another binding's */
	begin();
	put(SO_DEVMEM_DMABUF, 65536 - 10, 11, 4, 5);
	assert_int_equal(parse(11), -EPROTO); /* leaves the memory */
	begin();
	put(SO_DEVMEM_DMABUF, UINT64_MAX - 5, 11, 4, 5);
	assert_int_equal(parse(11), -EPROTO);
	begin();
	put(SO_DEVMEM_DMABUF, 65536 - 11, 11, 4, 5);
	assert_int_equal(parse(11), 1);
	((struct cmsghdr *)(void *)rx.control)->cmsg_len = CMSG_LEN(8);
	assert_int_equal(parse(11), -EPROTO); /* too short to be one */
	begin();
	for (int i = 0; i < DV_RX_FRAGS; i++)
		put(SO_DEVMEM_DMABUF, 0, 1, (uint32_t)i, 5);
	assert_int_equal(parse(DV_RX_FRAGS), DV_RX_FRAGS);
}

static void forget(void)
{
	back.nr = back.frags = 0;
}

static void tokens(void **state)
{
	(void)state;
	forget();
	for (uint32_t i = 10; i < 20; i++)
		assert_true(dv_token_batch_collect(&back, i));
	assert_true(dv_token_batch_collect(&back, 9));
	assert_int_equal(back.nr, 1);
	assert_true(back.range[0].token_start == 9 && back.range[0].token_count == 11);
	forget();
	for (uint32_t i = 0; i < DV_DONTNEED_FRAGS; i++)
		assert_true(dv_token_batch_collect(&back, i));
	assert_false(dv_token_batch_collect(&back, DV_DONTNEED_FRAGS)); /* where the kernel stops without a word */
	assert_int_equal(back.nr, 1);
	forget();
	for (uint32_t i = 0; i < DV_DONTNEED_TOKENS; i++)
		assert_true(dv_token_batch_collect(&back, i * 2));
	assert_false(dv_token_batch_collect(&back, 1000)); /* where it says EINVAL */
	assert_true(dv_token_batch_collect(&back, (DV_DONTNEED_TOKENS - 1) * 2 + 1));
	/* Not a socket that supports it: the tokens are lost, and that is reported. */
	assert_int_equal(dv_token_batch_flush(&back, -1), -EBADF);
	assert_int_equal(back.frags, 0);
	assert_int_equal(dv_token_batch_flush(&back, -1), 0);
}

static void borrowed(void **state)
{
	uint64_t ours[DV_FRAG_TABLE_MIN], again;
	struct dv_frag_table t = { 0 };
	uint32_t token;

	(void)state;
	assert_int_equal(dv_frag_table_init(&t, 1), 0);
	assert_int_equal(t.max, DV_FRAG_TABLE_MIN);
	for (uint32_t i = 0; i < DV_FRAG_TABLE_MIN; i++)
		assert_true((ours[i] = dv_frag_table_put(&t, 100 + i)));
	assert_false(dv_frag_table_put(&t, 1));
	assert_true(dv_frag_table_take(&t, ours[7], &token) && token == 107);
	assert_false(dv_frag_table_take(&t, ours[7], &token)); /* twice */
	again = dv_frag_table_put(&t, 107);                    /* the kernel gives the number again */
	assert_true(again && again != ours[7]);
	assert_false(dv_frag_table_take(&t, ours[7], &token));
	assert_true(dv_frag_table_take(&t, again, &token) && token == 107);
	assert_false(dv_frag_table_take(&t, again + (1ull << 32), &token));
	assert_false(dv_frag_table_take(&t, DV_FRAG_TABLE_MIN | 1ull << 32, &token));
	assert_false(dv_frag_table_take(&t, 0, &token));
	assert_int_equal(t.nr, DV_FRAG_TABLE_MIN - 1);
	free(t.place);
	t.place = NULL;
	assert_false(dv_frag_table_take(&t, ours[1], &token));
}

/* A whole packet, if there are two for each descriptor; a page otherwise. */
static void buffers(void **state)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);

	(void)state;
	assert_int_equal(dv_nic_buffer_for(1460, 64u << 20, 256), page);
	assert_int_equal(dv_nic_buffer_for(4096, 64u << 20, 256), page);
	if (page < 8192)
		assert_int_equal(dv_nic_buffer_for(4097, 64u << 20, 256), 8192);
	if (page < 16384)
		assert_int_equal(dv_nic_buffer_for(8960, 64u << 20, 256), 16384);
	assert_int_equal(dv_nic_buffer_for(8960, 16384 * 512 - 1, 256), page);
	assert_int_equal(dv_nic_buffer_for(0, 1u << 20, 256), page);
	assert_int_equal(dv_nic_buffer_for(UINT32_MAX, 1ull << 40, 256), 65536);
	assert_int_equal(dv_nic_buffer_check(0), 0);
	assert_int_equal(dv_nic_buffer_check(page), 0);
	assert_int_equal(dv_nic_buffer_check(4 * page), 0);
	assert_int_equal(dv_nic_buffer_check(page / 2), -EINVAL);
	assert_int_equal(dv_nic_buffer_check(page + page / 2), -EINVAL);
}

static int binds, bind_answer;

static int bind_large(struct devio_nic *nic, int fd, uint32_t buffer)
{
	(void)nic;
	(void)fd;
	binds++;
	return buffer ? bind_answer : 0;
}

/* Pages where large buffers are refused, unless the caller chose them or the error is another. */
static void buffers_refused(void **state)
{
	static const int of_no_size[] = { -EEXIST, -EBUSY, -EPERM, -EACCES, -ENODEV };
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	struct devio_mem mem = { .size = 1ull << 32 };
	struct devio_nic nic = { .ifname = "lo", .mem = &mem, .queues = 1 }; /* its MTU is 65536 */

	(void)state;
	bind_answer = -EINVAL;
	assert_int_equal(dv_nic_bind_buffers(&nic, -1, bind_large), 0);
	assert_int_equal(binds, 2);
	assert_int_equal(nic.buffer, page);
	for (size_t i = 0; i < sizeof(of_no_size) / sizeof(of_no_size[0]); i++) {
		nic.buffer = binds = 0;
		bind_answer = of_no_size[i];
		assert_int_equal(dv_nic_bind_buffers(&nic, -1, bind_large), bind_answer);
		assert_int_equal(binds, 1);
	}
	nic.buffer = 4 * page;
	binds = 0;
	bind_answer = -EINVAL;
	assert_int_equal(dv_nic_bind_buffers(&nic, -1, bind_large), -EINVAL);
	assert_int_equal(binds, 1);
	assert_true(dv_netif_mtu("lo") > 0);
	assert_int_equal(dv_netif_mtu("no-such-link"), 0);
	assert_false(dv_netif_running("no-such-link"));
}

static int rcvbuf_of(int fd)
{
	socklen_t len = sizeof(int);
	int n = 0;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, &len), 0);
	return n;
}

/* A quarter of the memory waits in the kernel at most, less if the socket has a smaller limit. */
static void waiting(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n, small = 40000;

	(void)state;
	n = rcvbuf_of(fd);
	dv_rx_limit(fd, 1ull << 40); /* more than the kernel lets it have */
	assert_int_equal(rcvbuf_of(fd), n);
	dv_rx_limit(fd, 1u << 20);
	assert_int_equal(rcvbuf_of(fd), 1 << 18);
	dv_rx_limit(fd, 4096);
	assert_int_equal(rcvbuf_of(fd), DV_RX_WAIT_MIN);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	dv_rx_limit(fd, 1u << 20);
	assert_int_equal(rcvbuf_of(fd), 80000);
	close(fd);
}

static void overlaps(void **state)
{
	(void)state;
	assert_int_equal(dv_tx_overlap(10, 3, 10, 12), 3);
	assert_int_equal(dv_tx_overlap(10, 3, 0, 100), 3);
	assert_int_equal(dv_tx_overlap(10, 3, 11, 11), 1);
	assert_int_equal(dv_tx_overlap(10, 3, 12, 40), 1);
	assert_int_equal(dv_tx_overlap(10, 3, 0, 9), 0);
	assert_int_equal(dv_tx_overlap(10, 3, 13, 14), 0);
	assert_int_equal(dv_tx_overlap(UINT32_MAX, 4, UINT32_MAX - 5, 0), 2); /* over the end of the count */
	assert_int_equal(dv_tx_overlap(UINT32_MAX - 1, 4, UINT32_MAX, 9), 3);
	assert_int_equal(dv_tx_overlap(2, 4, UINT32_MAX - 1, 3), 2);
	assert_int_equal(dv_tx_overlap(0, 1, UINT32_MAX, UINT32_MAX), 0);
}

static struct dv_nicstate was;

static void journal_text(void **state)
{
	static const char *const bad[] = { "x",
					   "devio-nic 2 eth0 3\n",
					   "devio-nic 1 eth0 0\n",
					   "devio-nic 1 eth0 3\nrss 0\n",
					   "devio-nic 1 eth0 3\nrss 3 1 2\n",
					   "devio-nic 1 eth0 3\nrss 5000 1\n",
					   "devio-nic 1 eth0 3\nsplit 4 1\n",
					   "devio-nic 1 eth0 3\nsplit 1 -2\n",
					   "devio-nic 1 eth0 3\nwhat 1\n",
					   "devio-nic 1 eth0 3\n\n",
					   "\n" };
	static const uint32_t table[4] = { 0, 1, 0, 1 };
	struct dv_split split = { .split = -1, .thresh = 256 };
	char text[256] = "devio-nic 1 eth0 3\n", line[64];
	int len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (dv_nicstate_parse(bad[i], &was) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(dv_nicstate_parse("", &was), 0);
	assert_int_equal(was.ifindex, 0);
	assert_int_equal(dv_nicstate_parse("devio-nic 1 et", &was), 0); /* torn: nothing was changed yet */
	assert_int_equal(was.ifindex, 0);
	dv_nicstate_line_split(&split, line, sizeof(line));
	strcat(text, line);
	len = dv_nicstate_line_rss(table, 4, line, sizeof(line));
	assert_int_equal(len, (int)strlen(line));
	strcat(text, line);
	strcat(text, "rule 1023\nrule 10");
	assert_int_equal(dv_nicstate_parse(text, &was), 0);
	assert_string_equal(was.ifname, "eth0");
	assert_true(was.ifindex == 3 && was.has_split && was.split.split == -1 && was.split.thresh == 256);
	assert_true(was.rss_size == 4 && !memcmp(was.rss, table, sizeof(table)));
	assert_true(was.nr_rules == 1 && was.rules[0] == 1023); /* the last line is torn */
	assert_true(dv_nicstate_line_rss(table, 4, line, 6) >= 6); /* reports that it did not fit */
	assert_int_equal(dv_nicstate_parse("devio-nic 1 eth0 3\nsplit 3 -1\n", &was), 0);
	assert_int_equal(was.split.split, DV_SPLIT_DEFAULT);
	/* A rule that the NIC did not take. */
	assert_int_equal(dv_nicstate_parse("devio-nic 1 eth0 3\nrule 7\nrule 6\nnorule 6\n", &was), 0);
	assert_true(was.nr_rules == 1 && was.rules[0] == 7);
	assert_int_equal(dv_nicstate_parse("devio-nic 1 eth0 3\nrule 7\nnorule 6\n", &was), -EBADMSG);
	assert_int_equal(dv_nicstate_parse("devio-nic 1 eth0 3\nrule 7 5\nrule 6\n", &was), 0);
	assert_true(was.nr_rules == 2 && was.rules[0] == 7 && was.rule_queue[0] == 5);
	assert_true(was.rules[1] == 6 && was.rule_queue[1] == DV_QUEUE_UNKNOWN);
}

static int count_one(void *arg, const char *ifname, unsigned int ifindex)
{
	++*(int *)arg;
	return strcmp(ifname, "eth-x.5") || ifindex != 7;
}

static void journal_file(void **state)
{
	off_t at;
	char dir[] = "journal-XXXXXX";
	int fd, other, n = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dv_journal_dir = dir;
	fd = dv_journal_open("eth-x.5", 7, &was);
	assert_true(fd >= 0 && !was.ifindex);
	assert_int_equal(dv_journal_open("eth-x.5", 7, &was), -EBUSY);
	assert_int_equal(dv_journal_begin(fd, "eth-x.5", 7), 0);
	assert_int_equal(dv_journal_add(fd, "rule 9\n"), 0);
	assert_int_equal(dv_journal_each(count_one, &n), 0);
	assert_int_equal(n, 1);
	dv_journal_leave(fd); /* as after a crash */
	fd = dv_journal_open("eth-x.5", 7, &was);
	assert_true(fd >= 0 && was.ifindex == 7 && was.nr_rules == 1 && was.rules[0] == 9);
	/* However often a rule is refused, the journal can be read back. */
	for (int i = 0; i < 100000 && !dv_journal_add(fd, "rule 15\nnorule 15\n"); i++)
		;
	dv_journal_leave(fd);
	fd = dv_journal_open("eth-x.5", 7, &was);
	assert_true(fd >= 0 && was.nr_rules == 1 && was.rules[0] == 9);
	assert_int_equal(dv_journal_begin(fd, "eth-x.5", 7), 0);
	at = dv_journal_size(fd);
	assert_int_equal(dv_journal_add(fd, "rule 3 1\n"), 0);
	assert_int_equal(dv_journal_cut(fd, at), 0);
	assert_true(dv_journal_size(fd) == at && at > 0);
	other = dv_journal_open("eth1", 8, &was);
	assert_true(other >= 0 && !was.ifindex);
	dv_journal_end(other, "eth1", 8);
	dv_journal_end(fd, "eth-x.5", 7);
	n = 0;
	assert_int_equal(dv_journal_each(count_one, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(dv_journal_open("eth1", 8, &was), -EPERM); /* others may write what we would carry out */
	dv_journal_dir = NULL;
	assert_int_equal(rmdir(dir), 0);
}

static void rss(void **state)
{
	uint32_t t[8] = { 0, 1, 2, 3, 0, 1, 2, 3 };

	(void)state;
	assert_true(dv_ethtool_rss_make(t, 8, 3, 1, false));
	for (int i = 0; i < 8; i++)
		assert_true(t[i] < 3);
	assert_true(t[1] == 1 && t[6] == 2); /* the others stay */
	assert_true(dv_ethtool_rss_make(t, 8, 2, 2, true));
	for (int i = 0; i < 8; i++)
		assert_true(t[i] == 2 + (uint32_t)i % 2);
	assert_false(dv_ethtool_rss_make(t, 8, 0, 4, false));
}

static void rules(void **state)
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	struct sockaddr_in *a = (struct sockaddr_in *)&here, *b = (struct sockaddr_in *)&there;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&here;
	struct ethtool_rxnfc r;

	(void)state;
	assert_int_equal(dv_ethtool_rule_fill(&r, &here, NULL, 3), -EINVAL);
	a->sin_family = b->sin_family = AF_INET;
	assert_int_equal(dv_ethtool_rule_fill(&r, &here, NULL, 3), -EINVAL); /* no port */
	a->sin_port = htons(5201);
	b->sin_port = htons(40000);
	b->sin_addr.s_addr = htonl(0x0a000002);
	assert_int_equal(dv_ethtool_rule_fill(&r, &here, NULL, 3), 0);
	assert_true(r.fs.flow_type == TCP_V4_FLOW && r.fs.ring_cookie == 3 &&
		    r.fs.h_u.tcp_ip4_spec.pdst == htons(5201));
	assert_true(r.fs.m_u.tcp_ip4_spec.pdst == 0xffff && r.fs.m_u.tcp_ip4_spec.ip4dst == 0xffffffff &&
		    !r.fs.m_u.tcp_ip4_spec.psrc);
	assert_int_equal(dv_ethtool_rule_fill(&r, &here, &there, 3), 0);
	assert_true(r.fs.h_u.tcp_ip4_spec.psrc == htons(40000) && r.fs.m_u.tcp_ip4_spec.ip4src == 0xffffffff);
	memset(&here, 0, sizeof(here));
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(80);
	inet_pton(AF_INET6, "fd00::1", &six->sin6_addr);
	assert_int_equal(dv_ethtool_rule_fill(&r, &here, NULL, 1), 0);
	assert_true(r.fs.flow_type == TCP_V6_FLOW && r.fs.m_u.tcp_ip6_spec.ip6dst[3] == 0xffffffff);
	/* An IPv4 peer of a socket for both. */
	inet_pton(AF_INET6, "::ffff:10.0.0.1", &six->sin6_addr);
	assert_int_equal(dv_ethtool_rule_fill(&r, &here, NULL, 1), 0);
	assert_true(r.fs.flow_type == TCP_V4_FLOW && r.fs.h_u.tcp_ip4_spec.ip4dst == htonl(0x0a000001));
}

/* What the NIC receives for others is not steered. */
static void foreign_rules(void **state)
{
	static const char *const foreign[] = { "0.0.0.0", "198.51.100.7", "255.255.255.255", "224.0.0.1" };
	static const char *const foreign6[] = { "::", "2001:db8::7", "::ffff:198.51.100.7", "::ffff:0.0.0.0" };
	struct sockaddr_storage here = { 0 };
	struct sockaddr_in *a = (struct sockaddr_in *)&here;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&here;
	struct sockaddr_storage list[2];
	struct ethtool_rxnfc r;

	(void)state;
	for (int i = 0; i < 4; i++) {
		a->sin_family = AF_INET;
		a->sin_port = htons(5432);
		assert_int_equal(inet_pton(AF_INET, foreign[i], &a->sin_addr), 1);
		assert_int_equal(dv_ethtool_rule_make(&r, &here, NULL, 1), -EADDRNOTAVAIL);
	}
	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &a->sin_addr), 1);
	assert_int_equal(dv_ethtool_rule_make(&r, &here, NULL, 1), 0);
	assert_int_equal(dv_netif_addresses("lo", AF_INET, list, 2), 1);
	assert_true(((struct sockaddr_in *)list)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	for (int i = 0; i < 4; i++) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(5432);
		assert_int_equal(inet_pton(AF_INET6, foreign6[i], &six->sin6_addr), 1);
		assert_int_equal(dv_ethtool_rule_make(&r, &here, NULL, 1), -EADDRNOTAVAIL);
	}
}

/* As the kernel writes them: the binding is a number, not a nest. */
static void queues(void **state)
{
	struct { uint16_t len, type; uint32_t value; } a[4] = { { 8, 1, 3 }, { 8, 2, 7 }, { 8, 3, 0 }, { 8, 5, 42 } };
	struct dv_netqueue q;

	(void)state;
	dv_netqueue_parse(a, sizeof(a), &q);
	assert_true(q.known && q.dmabuf == 42 && !q.other);
	dv_netqueue_parse(a, 3 * sizeof(a[0]), &q);
	assert_true(q.known && !q.dmabuf && !q.other);
	a[3].type = 7; /* AF_XDP */
	dv_netqueue_parse(a, sizeof(a), &q);
	assert_true(q.known && !q.dmabuf && q.other);
	dv_netqueue_parse(a, 0, &q);
	assert_false(q.known || q.dmabuf || q.other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(tokens),
		cmocka_unit_test(borrowed),
		cmocka_unit_test(buffers), cmocka_unit_test(buffers_refused),
		cmocka_unit_test(waiting),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(journal_text),
		cmocka_unit_test(journal_file),
		cmocka_unit_test(rss),
		cmocka_unit_test(rules), cmocka_unit_test(foreign_rules),
		cmocka_unit_test(queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
