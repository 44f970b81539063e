/* SPDX-License-Identifier: MIT */
/* Unpacks trees that are written down as text. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tree.h"

static int make_dirs(char *path, size_t from, int last_too)
{
	for (char *p = path + from; (p = strchr(p + 1, '/'));) {
		*p = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			return -1;
		*p = '/';
	}
	return last_too && mkdir(path, 0755) && errno != EEXIST ? -1 : 0;
}

static int put_bytes(FILE *f, const char *line, size_t size)
{
	unsigned long off;
	unsigned int byte;
	int n;

	if (sscanf(line, "%lx%n", &off, &n) != 1)
		return -1;
	for (line += n; *line == ' '; line++)
		;
	for (; off < size && sscanf(line, "%2x%n", &byte, &n) == 1; line += n) {
		if (fseek(f, off++, SEEK_SET) || fputc(byte, f) == EOF)
			return -1;
	}
	return *line && *line != '\n' ? -1 : 0;
}

struct unpack {
	const char *dir;
	FILE *open;      /* a text or hex in the making */
	size_t hex;      /* its size, 0: text */
};

static int begin(struct unpack *u, const char *word, char *path, const char *rest)
{
	char full[PATH_MAX];
	FILE *f;

	if (snprintf(full, sizeof(full), "%s/%s", u->dir, path) >= (int)sizeof(full) ||
	    make_dirs(full, strlen(u->dir), !strcmp(word, "dir")))
		return -1;
	if (!strcmp(word, "dir"))
		return 0;
	if (!strcmp(word, "link"))
		return symlink(rest, full);
	f = fopen(full, "w");
	if (!f)
		return -1;
	if (!strcmp(word, "file"))
		return fprintf(f, "%s\n", rest) < 0 || fclose(f) ? -1 : 0;
	u->open = f;
	u->hex = strcmp(word, "hex") ? 0 : strtoul(rest, NULL, 10);
	return u->hex ? ftruncate(fileno(f), u->hex) : 0;
}

static int end(struct unpack *u)
{
	int rc = u->open ? fclose(u->open) : 0;

	u->open = NULL;
	return rc;
}

static int unpack_line(struct unpack *u, char *line)
{
	char *word, *path, *save = NULL;

	if (line[0] == '\t' && u->open)
		return u->hex ? put_bytes(u->open, line + 1, u->hex) : fprintf(u->open, "%s\n", line + 1) < 0;
	if (end(u))
		return -1;
	if (!line[0] || line[0] == '#')
		return 0;
	word = strtok_r(line, " ", &save);
	path = strtok_r(NULL, " ", &save);
	if (!path || !strstr("dir link file text hex", word))
		return -1;
	return begin(u, word, path, save ? save : "");
}

int tree_unpack(const char *manifest, const char *dir)
{
	struct unpack u = { .dir = dir };
	char *line = NULL;
	size_t room = 0;
	int nr = 0, rc = 0;
	FILE *f = fopen(manifest, "r");
	ssize_t n;

	if (!f || (mkdir(dir, 0755) && errno != EEXIST)) {
		fprintf(stderr, "# %s: %s\n", f ? dir : manifest, strerror(errno));
		return -1;
	}
	while (!rc && (n = getline(&line, &room, f)) > 0) {
		nr++;
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		rc = unpack_line(&u, line);
	}
	if (end(&u) || rc)
		fprintf(stderr, "# %s: line %d: %s\n", manifest, nr, strerror(errno));
	free(line);
	fclose(f);
	return rc ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tree_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *tree_probe_args(const char *manifest)
{
	static const char key[] = "# probe: ";
	char *line = NULL, *args = NULL;
	size_t room = 0;
	FILE *f = fopen(manifest, "r");

	while (f && !args && getline(&line, &room, f) > 0) {
		if (strncmp(line, key, sizeof(key) - 1))
			continue;
		line[strcspn(line, "\n")] = 0;
		args = strdup(line + sizeof(key) - 1);
	}
	free(line);
	if (f)
		fclose(f);
	return args ? args : strdup("");
}
