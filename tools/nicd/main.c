/* SPDX-License-Identifier: MIT */
/* devio-nicd: sets NICs up for programs without CAP_NET_ADMIN. */
#include "config.h"
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/args.h"
#include "common/opts.h"
#include "nicd.h"

static const struct argp_option options[] = {
	{ "socket", 's', "PATH", 0, "Path of the socket (" DV_NICD_SOCKET ")", 1 },
	{ "group", 'g', "GROUP", 0,
	  "Group of the socket: its members are served, besides the user who starts devio-nicd", 1 },
	{ "mode", 'm', "OCTAL", 0, "Permissions of the socket (660 with --group, else 600); 666 allows everybody", 1 },
	{ "users", 'u', "LIST", 0, "Serve only these users: names or numbers, separated by commas", 1 },
	{ "run-as", 'U', "USER", 0, "Run as this user, if root starts it (devio-nicd, or one that nobody is)", 2 },
	{ "rss", 'r', NULL, 0,
	  "Also allow steering by RSS and by the client: payload of others gets into the client's memory", 2 },
	{ "queues", 'q', "N", 0, "Limit of queues for each client (1)", 2 },
	{ "clients", 'c', "N", 0, "Limit of clients, at most 256 (64); no user but root gets more than half of it", 3 },
	{ "rate", 'R', "N", 0, "Limit of connections of a user in a minute, but for root (240)", 3 },
	{ "timeout", 'w', "SECONDS", 0, "Close connections that send no request for this long (10)", 3 },
	{ "verbose", 'v', NULL, 0, "Log clients and their ends", 4 },
	{ 0 }
};

static const char doc[] =
	"Sets these interfaces up to receive into device memory, for programs without CAP_NET_ADMIN: "
	"devio_nic_open(3) connects "
	"to its socket. An interface is restored when the program closes it or ends, in whatever way.\v"
	"Needs CAP_NET_ADMIN; all other capabilities are dropped.\n\n"
	"Exit status: 0 ended by SIGINT or SIGTERM, and everything is restored; 1 failed, also if an interface does "
	"not exist; "
	"2 wrong usage.";

/* ------------------------------------------------------------------------- options */

static void parse_users(struct argp_state *state, struct nicd *d, char *list)
{
	for (char *save, *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		const struct passwd *pw = getpwnam(name);
		unsigned int uid;

		if (!pw && opt_count(name, 0, UINT32_MAX - 1, &uid))
			argp_error(state, "--users: no such user '%s'", name);
		if (d->nr_users == NICD_USERS)
			argp_error(state, "--users: more than %u", NICD_USERS);
		d->user[d->nr_users++] = pw ? pw->pw_uid : uid;
	}
	if (!d->nr_users)
		argp_error(state, "--users: the list is empty");
}

static void parse_interface(struct argp_state *state, struct nicd *d, const char *name)
{
	if (!*name || strlen(name) >= sizeof(d->ifname[0]) || strchr(name, '/'))
		argp_error(state, "'%s': not a name of an interface", name);
	if (d->nr_ifnames == NICD_INTERFACES)
		argp_error(state, "more than %u interfaces", NICD_INTERFACES);
	snprintf(d->ifname[d->nr_ifnames++], sizeof(d->ifname[0]), "%s", name);
}

static error_t parse_value(int key, const char *arg, struct argp_state *state, struct nicd *d)
{
	char *end;

	switch (key) {
	case 'm':
		d->mode = (int)strtol(arg, &end, 8);
		if (end == arg || *end || d->mode < 0 || d->mode > 0777)
			argp_error(state, "--mode=%s: not an octal number up to 777", arg);
		return 0;
	case 'q':
		d->queues = args_count(state, "queues", arg, DV_NICD_QUEUES_MAX);
		return 0;
	case 'c':
		d->clients = args_count(state, "clients", arg, NICD_CLIENTS);
		return 0;
	case 'R':
		d->rate = args_count(state, "rate", arg, 1000000);
		return 0;
	case 'w':
		d->timeout = args_seconds(state, "timeout", arg, 1e6);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_opt(int key, char *arg, struct argp_state *state)
{
	struct nicd *d = state->input;

	switch (key) {
	case 's':
		d->path = arg;
		return 0;
	case 'g':
		d->group = arg;
		return 0;
	case 'u':
		parse_users(state, d, arg);
		return 0;
	case 'U':
		d->as = arg;
		return 0;
	case 'r':
		d->rss = true;
		return 0;
	case 'v':
		tool_verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		parse_interface(state, d, arg);
		return 0;
	case ARGP_KEY_END:
		if (!d->nr_ifnames)
			argp_error(state, "INTERFACE is missing");
		return 0;
	default:
		return parse_value(key, arg, state, d);
	}
}

static int check_interfaces(const struct nicd *d)
{
	for (unsigned int i = 0; i < d->nr_ifnames; i++)
		if (!if_nametoindex(d->ifname[i])) {
			tool_msg("interface %s: %s", d->ifname[i], strerror(errno));
			return -1;
		}
	return 0;
}

/* -------------------------------------------------------------------------- socket */

static int fail(const char *what, const char *why)
{
	tool_msg("%s: %s", what, why);
	return -1;
}

static bool is_dead(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return dead;
}

/* Removes the socket of a process that is gone, nothing else. */
static int remove_stale(const struct sockaddr_un *a)
{
	bool dead = is_dead(a);
	struct stat st;

	/* The processes of a killed one end a little later. */
	for (int tries = 0; !dead && tries < 10; tries++, dead = is_dead(a))
		usleep(50000);
	if (!dead)
		return fail(a->sun_path, "already in use by another process, or not a socket of devio-nicd");
	if (lstat(a->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return fail(a->sun_path, "exists and is not a socket");
	return unlink(a->sun_path) ? fail(a->sun_path, strerror(errno)) : 0;
}

/* Nobody can connect before owner and permissions are set. */
static int bind_at(const struct nicd *d, const struct sockaddr_un *a)
{
	const struct group *g = d->group ? getgrnam(d->group) : NULL;
	mode_t mode = d->mode >= 0 ? (mode_t)d->mode : g ? 0660 : 0600, old;
	int rc;

	if (d->group && !g)
		return fail(d->group, "no such group");
	old = umask(0777);
	rc = bind(d->listener, (const struct sockaddr *)a, sizeof(*a));
	if (rc && errno == EADDRINUSE)
		rc = remove_stale(a) ? 1 : bind(d->listener, (const struct sockaddr *)a, sizeof(*a));
	umask(old);
	if (rc)
		return rc < 0 ? fail(d->path, strerror(errno)) : -1;
	if (g && chown(d->path, (uid_t)-1, g->gr_gid))
		return fail(d->path, strerror(errno));
	return chmod(d->path, mode) || listen(d->listener, 64) ? fail(d->path, strerror(errno)) : 0;
}

static int open_socket(struct nicd *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int inherited = nicd_inherit(d);

	/* The library has its journals there. */
	(void)mkdir("/run/devio", 0755);
	if (inherited)
		return inherited < 0 ? -1 : 0;
	if (!*d->path || strlen(d->path) >= sizeof(a.sun_path))
		return fail(d->path, "not a path of a socket (1 to 107 bytes)");
	memcpy(a.sun_path, d->path, strlen(d->path));
	d->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->listener < 0)
		return fail("socket", strerror(errno));
	return bind_at(d, &a);
}

static uint64_t own_netns(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t value = fd < 0 ? 0 : nicd_netns(fd);

	if (fd >= 0)
		close(fd);
	return value;
}

/* A process that keeps rights which it should not have serves nobody. */
static int confine(const struct nicd *d)
{
	bool able;

	if (nicd_become_user(d->as))
		return -1;
	if (nicd_drop_caps(&able))
		return fail("cannot drop capabilities", strerror(errno));
	if (nicd_seccomp())
		return fail("cannot install the filter of system calls", strerror(errno));
	if (!able)
		tool_msg("no CAP_NET_ADMIN: all requests will fail");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse_opt, .args_doc = "INTERFACE...", .doc = doc
	};
	static struct nicd d = {
		.path = DV_NICD_SOCKET, .mode = -1, .timeout = 10, .rate = 240, .clients = 64, .queues = 1,
		.listener = -1
	};
	int rc;

	tool_begin("devio-nicd");
	args_parse(&argp, argc, argv, &d);
	tool_block_signals(SIGCHLD, &d.open);
	if (check_interfaces(&d) || open_socket(&d))
		return TOOL_FAILED;
	if (confine(&d))
		return TOOL_FAILED;
	d.netns = own_netns();
	nicd_restore(&d);
	tool_msg("serving %s%s at %s", d.ifname[0], d.nr_ifnames > 1 ? " and others" : "", d.path);
	rc = nicd_run(&d);
	if (!d.inherited)
		(void)unlink(d.path);
	return rc ? TOOL_FAILED : TOOL_OK;
}
