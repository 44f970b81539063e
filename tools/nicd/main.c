/* SPDX-License-Identifier: MIT */
/* devio-nicd: sets NICs up for programs that have no right to. */
#include "config.h"
#include <argp.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "nicd.h"
#include "common/opts.h"

volatile sig_atomic_t nicd_stop;

static const struct argp_option options[] = {
	{ "socket", 's', "PATH", 0, "Listen there (" DV_NICD_SOCKET ")", 1 },
	{ "group", 'g', "GROUP", 0, "The socket is this group's: who belongs to it is served, besides this user", 1 },
	{ "mode", 'm', "OCTAL", 0, "Permissions of the socket (660 with --group, else 600); 666 is everybody", 1 },
	{ "users", 'u', "LIST", 0, "Serve only these, names or numbers with commas between them", 1 },
	{ "rss", 'r', NULL, 0, "Offer steering by RSS and by the client, too: others' payload gets into the client's memory", 2 },
	{ "queues", 'q', "N", 0, "Offer so many queues to each client (1)", 2 },
	{ "clients", 'c', "N", 0, "Have so many at once, at most 256 (64), and no more than half of them of one user but root", 3 },
	{ "timeout", 'w', "SECONDS", 0, "End connections that have asked for nothing for so long (10)", 3 },
	{ "verbose", 'v', NULL, 0, "Tell of clients and their ends", 4 },
	{ 0 }
};

static const char doc[] =
	"Sets these interfaces up to receive into device memory, for programs that have no right to: devio_nic_open(3) finds it "
	"at its socket. What is set up is put back when the program ends, in whatever way, or closes it.\v"
	"Takes CAP_NET_ADMIN; other rights are given up.\n\n"
	"Exit status: 0 ended by SIGINT or SIGTERM, and all is put back; 1 failed; 2 wrong usage.";

static void vtell(const char *fmt, va_list ap)
{
	char text[700];

	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "devio-nicd: %s\n", text);
}

void nicd_tell(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vtell(fmt, ap);
	va_end(ap);
}

void nicd_say(const struct nicd *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (d->verbose)
		vtell(fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------------------------- options */

static void parse_users(struct argp_state *state, struct nicd *d, char *list)
{
	for (char *save, *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		const struct passwd *pw = getpwnam(name);
		unsigned int uid;

		if (!pw && opt_count(name, 0, UINT32_MAX - 1, &uid))
			argp_error(state, "--users: there is no user '%s'", name);
		if (d->nr_users == NICD_USERS)
			argp_error(state, "--users: more than %u", NICD_USERS);
		d->user[d->nr_users++] = pw ? pw->pw_uid : uid;
	}
	if (!d->nr_users)
		argp_error(state, "--users: nobody is named");
}

static void parse_interface(struct argp_state *state, struct nicd *d, const char *name)
{
	if (!*name || strlen(name) >= sizeof(d->ifname[0]) || strchr(name, '/'))
		argp_error(state, "'%s': no name of an interface", name);
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
		if (opt_count(arg, 1, DV_NICD_QUEUES_MAX, &d->queues))
			argp_error(state, "--queues=%s: not a number from 1 to %u", arg, DV_NICD_QUEUES_MAX);
		return 0;
	case 'c':
		if (opt_count(arg, 1, NICD_CLIENTS, &d->clients))
			argp_error(state, "--clients=%s: not a number from 1 to %u", arg, NICD_CLIENTS);
		return 0;
	case 'w':
		d->timeout = strtod(arg, &end);
		if (end == arg || *end || !(d->timeout >= 0.001 && d->timeout <= 1e6))
			argp_error(state, "--timeout=%s: not a number of seconds from 0.001 to 1000000", arg);
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
	case 'r':
		d->rss = true;
		return 0;
	case 'v':
		d->verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		parse_interface(state, d, arg);
		return 0;
	case ARGP_KEY_END:
		if (!d->nr_ifnames)
			argp_error(state, "an INTERFACE is needed");
		return 0;
	default:
		return parse_value(key, arg, state, d);
	}
}

static const struct argp argp = { .options = options, .parser = parse_opt, .args_doc = "INTERFACE...", .doc = doc };

static void print_version(FILE *out, struct argp_state *state)
{
	(void)state;
	fprintf(out, "devio-nicd (libdevio) %s\n", devio_version());
}

/* -------------------------------------------------------------------------- socket */

static int fail(const char *what, const char *why)
{
	nicd_tell("%s: %s", what, why);
	return -1;
}

/* A socket that a dead one left is taken away, nothing else. */
static int clear_away(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) && errno == ECONNREFUSED;
	struct stat st;

	if (fd >= 0)
		close(fd);
	if (!dead)
		return fail(a->sun_path, "somebody listens there, or it is another kind of socket");
	if (lstat(a->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return fail(a->sun_path, "it is no socket");
	return unlink(a->sun_path) ? fail(a->sun_path, strerror(errno)) : 0;
}

/* Nobody can connect before owner and permissions are right. */
static int bind_at(const struct nicd *d, const struct sockaddr_un *a)
{
	const struct group *g = d->group ? getgrnam(d->group) : NULL;
	mode_t mode = d->mode >= 0 ? (mode_t)d->mode : g ? 0660 : 0600, old;
	int rc;

	if (d->group && !g)
		return fail(d->group, "there is no such group");
	old = umask(0777);
	rc = bind(d->listener, (const struct sockaddr *)a, sizeof(*a));
	if (rc && errno == EADDRINUSE)
		rc = clear_away(a) ? 1 : bind(d->listener, (const struct sockaddr *)a, sizeof(*a));
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

	if (!*d->path || strlen(d->path) >= sizeof(a.sun_path))
		return fail(d->path, "no path for a socket: at most 107 bytes");
	memcpy(a.sun_path, d->path, strlen(d->path));
	/* The library keeps its journals there, too. */
	if (!strcmp(d->path, DV_NICD_SOCKET))
		(void)mkdir("/run/devio", 0755);
	d->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->listener < 0)
		return fail("socket", strerror(errno));
	return bind_at(d, &a);
}

/* ------------------------------------------------------------------------- signals */

static void on_signal(int sig)
{
	if (sig != SIGCHLD)
		nicd_stop = sig;
}

/* Blocked but while it waits, so that none comes between the look and the waiting. */
static void catch_signals(sigset_t *open)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGCHLD };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		sigaddset(&set, ours[i]);
		sigaction(ours[i], &sa, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, open);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigdelset(open, ours[i]);
}

int main(int argc, char **argv)
{
	static struct nicd d = { .path = DV_NICD_SOCKET, .mode = -1, .timeout = 10, .clients = 64, .queues = 1, .listener = -1 };
	int rc;

	argp_err_exit_status = 2;
	argp_program_version_hook = print_version;
	argp_parse(&argp, argc, argv, 0, NULL, &d);
	catch_signals(&d.open);
	if (open_socket(&d))
		return 1;
	if (!nicd_rights())
		nicd_tell("there is no CAP_NET_ADMIN: every client will be refused");
	nicd_restore(&d);
	nicd_tell("%s%s at %s", d.ifname[0], d.nr_ifnames > 1 ? " and others" : "", d.path);
	rc = nicd_run(&d);
	(void)unlink(d.path);
	return rc ? 1 : 0;
}
