/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"

static bool
acceptable(const char *path, const struct stat *st, size_t max, bool own,
    struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, "it is no file");
	if (own && (st->st_mode & 077) != 0)
		return error_set(err, "its mode is 0%03o, so that others may "
		    "read it: chmod 600 %s", (unsigned)st->st_mode & 0777,
		    path);
	if ((size_t)st->st_size > max)
		return error_set(err, "it has %lld bytes; %zu are the most",
		    (long long)st->st_size, max);
	return true;
}

static bool
read_whole(int fd, char *to, size_t size, struct error *err)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, to + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, "it cannot be read: %s",
			    strerror(errno));
		if (n == 0)
			return error_set(err, "it became shorter while it was "
			    "read: try again");
		have += (size_t)n;
	}
	return true;
}

char *
file_read(const char *path, size_t max, bool own, size_t *len,
    struct error *err)
{
	/* Not blocking: a pipe of that name must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;

	if (fd < 0 || fstat(fd, &st) != 0) {
		error_set(err, "it cannot be opened: %s", strerror(errno));
	} else if (acceptable(path, &st, max, own, err)) {
		*len = (size_t)st.st_size;
		text = mem_alloc(*len + 1);
		text[*len] = '\0';
		if (!read_whole(fd, text, *len, err)) {
			free(text);
			text = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

void
file_faults(struct error_list *to, struct error_list *from, const char *path)
{
	for (uint32_t i = 0; i < from->n; i++) {
		const struct fault *f = &from->v[i];
		size_t size = strlen(path) + strlen(f->path) + 3;
		char *where = mem_alloc(size);

		snprintf(where, size, "%s%s%s", path,
		    f->path[0] == '\0' ? "" : ": ", f->path);
		error_list_add(to, where, "%s", f->reason);
		free(where);
	}
	error_list_free(from);
}
