/* SPDX-License-Identifier: MIT */
/*
 * Sections and keys of a job file, in the form of fio: [section] lines, key=value
 * or a key alone, "include FILE", and comments from a ; or # to the end of the line.
 */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "bench/bench.h"

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = 0;
	return s;
}

static int wrong(struct bench_ini *ini, const char *error)
{
	ini->error = error;
	return -EINVAL;
}

static void cut_comment(char *line)
{
	line[strcspn(line, ";#")] = 0;
}

/* The last ] of the line ends the name: it may have brackets, and before the first one ; and #. */
static int begin_section(char *line, const char **section, struct bench_ini *ini)
{
	char *end = strchr(line, ']');

	if (ini->inside)
		return wrong(ini, "an included file must not have sections");
	if (end)
		cut_comment(end);
	line = trim(line);
	end = strrchr(line, ']');
	if (!end || end[1])
		return wrong(ini, "text after the ] of a section, or no ]");
	*end = 0;
	line = trim(line + 1);
	if (!*line)
		return wrong(ini, "section without a name");
	*section = line;
	return ini->fn(ini->arg, line, NULL, NULL, ini->line);
}

static int one_line(char *line, const char **section, struct bench_ini *ini)
{
	char *value;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return begin_section(line, section, ini);
	cut_comment(line);
	if (!*section)
		return wrong(ini, "option before the first [section]");
	value = strncmp(line, "include", 7) || !isspace((unsigned char)line[7]) ? strchr(line, '=') : line + 7;
	if (value) {
		*value = 0;
		value = trim(value + 1);
	}
	line = trim(line);
	if (!*line)
		return wrong(ini, "value without an option");
	return ini->fn(ini->arg, *section, line, value, ini->line);
}

int bench_ini_parse(char *text, struct bench_ini *ini)
{
	const char *section = ini->inside;
	int rc = 0;

	ini->line = 0;
	ini->error = NULL;
	while (*text && !rc) {
		char *next = strchr(text, '\n');

		if (next)
			*next++ = 0;
		ini->line++;
		rc = one_line(text, &section, ini);
		text = next ? next : text + strlen(text);
	}
	return rc;
}
