/* SPDX-License-Identifier: MIT */
/* Output that fits the terminal: its width, wrapped text, the progress line. */
#include "config.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "opts.h"
#include "term.h"

#define DEFAULT_WIDTH 80
#define MIN_WIDTH 20                /* narrower ones get lines of this */
#define MIN_TEXT 15                 /* columns next to a head; else the text starts on the next line */
#define PROGRESS_S 0.2

static unsigned int asked_width(int fd)
{
	struct winsize w = { .ws_col = 0 };
	unsigned int n;

	if (!opt_count(getenv("COLUMNS"), 1, 100000, &n))
		return n;
	return ioctl(fd, TIOCGWINSZ, &w) ? 0 : w.ws_col;
}

char *term_plain(char *text)
{
	for (unsigned char *s = (unsigned char *)text; *s; s++)
		if (*s < 0x20 || *s == 0x7f)
			*s = '?';
		else if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
			s[0] = s[1] = '?';
	return text;
}

unsigned int term_width(FILE *out)
{
	unsigned int n = asked_width(fileno(out));

	return !n ? DEFAULT_WIDTH : n < MIN_WIDTH ? MIN_WIDTH : n;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

unsigned int term_columns(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += !continues(*text);
	return n;
}

/* Whether a line may end behind text[at] within a word: in paths and lists, not in "MiB/s" or PCI addresses. */
static bool breaks_after(const char *text, size_t at)
{
	if (text[at] == ':')
		return at && isalpha((unsigned char)text[at - 1]) && isalpha((unsigned char)text[at + 1]) &&
		       text[at + 2] && text[at + 2] != ' ';
	return strchr("/,+", text[at]) && strcspn(text + at + 1, " ") >= 4;
}

size_t term_word(const char *text)
{
	size_t at = 0;

	while (text[at] && text[at] != ' ' && !breaks_after(text, at))
		at++;
	return at + (text[at] && text[at] != ' ');
}

size_t term_fit(const char *text, unsigned int width)
{
	size_t at = 0, space = 0, mark = 0;

	for (unsigned int n = 0; text[at]; at++) {
		if (!continues(text[at]) && n++ == width)
			break;
		if (text[at] == ' ')
			space = at;
		else if (breaks_after(text, at))
			mark = at + 1;
	}
	if (!text[at] || text[at] == ' ')
		return at;
	return space > mark ? space : mark ? mark : space ? space : at;
}

/* head, then text; lines after the first are indented. */
static void wrap(FILE *out, const char *head, unsigned int indent, const char *text)
{
	unsigned int width = term_width(out), used = term_columns(head);

	fputs(head, out);
	if (used + MIN_TEXT > width && used + term_columns(text) > width) {
		used = indent = 4;
		fprintf(out, "\n%*s", (int)indent, "");
	}
	for (;; used = indent) {
		size_t n = term_fit(text, width - used);

		fprintf(out, "%.*s\n", (int)n, text);
		text += n + strspn(text + n, " ");
		if (!*text)
			break;
		fprintf(out, "%*s", (int)indent, "");
	}
}

static void wrap_plain(FILE *out, const char *head, unsigned int indent, const char *text)
{
	char *plain_head = strdup(head), *plain = strdup(text);

	if (plain_head && plain)
		wrap(out, term_plain(plain_head), indent, term_plain(plain));
	free(plain_head);
	free(plain);
}

void term_wrap(FILE *out, const char *head, const char *text)
{
	wrap_plain(out, head, term_columns(head), text);
}

void term_hang(FILE *out, const char *text)
{
	wrap_plain(out, "  ", 6, text);
}

void term_item(FILE *out, const char *head, const char *text)
{
	if (isatty(fileno(out)))
		term_wrap(out, head, text);
	else
		fprintf(out, "%s%s\n", head, text);   /* for programs: as it is */
}

bool progress_due(struct progress *p, double elapsed)
{
	if (!p->on || elapsed - p->shown < PROGRESS_S)
		return false;
	p->shown = elapsed;
	return true;
}

/* A line that the terminal wraps could not be replaced: it is cut off. */
void progress_print(const char *fmt, ...)
{
	unsigned int width = asked_width(STDERR_FILENO);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (width > 1 && width - 1 < sizeof(text))
		text[width - 1] = '\0';
	fprintf(stderr, "\r%s\033[K", text);
	fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (p->shown > 0)
		fputs("\r\033[K", stderr);
	p->shown = 0;
}
