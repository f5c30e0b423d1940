/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tenants_file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "auth/file.h"
#include "gateway/base/mem.h"
#include "gateway/tenants.h"

static const char member[] = "\"suspended\"";

/* ---- the text ---- */

static const char *
skip_blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* Behind the string that begins at p. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"' && *p != '\0'; p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return *p == '"' ? p + 1 : p;
}

/* Where the member's value is in the outermost object, and its length; NULL: it
 * has no such member. The text is known to be right. */
static const char *
find_value(const char *text, size_t *len)
{
	int depth = 0;

	for (const char *p = text, *next; *p != '\0'; p = next) {
		next = p + 1;
		if (*p == '{' || *p == '[')
			depth++;
		else if (*p == '}' || *p == ']')
			depth--;
		if (*p != '"')
			continue;
		next = skip_string(p);
		if (depth != 1 || (size_t)(next - p) != sizeof(member) - 1 ||
		    memcmp(p, member, sizeof(member) - 1) != 0 ||
		    *skip_blanks(next) != ':')
			continue;
		p = skip_blanks(skip_blanks(next) + 1);
		*len = *p == '"' ? (size_t)(skip_string(p) - p) :
		    strcspn(p, " \t\r\n,}");
		return p;
	}
	return NULL;
}

/* The text with `value` where the old one was, or as a first member. */
static char *
with_value(const char *text, const char *value)
{
	size_t old = 0, size = strlen(text) + strlen(value) + 40;
	const char *at = find_value(text, &old), *brace;
	char *to = mem_alloc(size);

	if (at != NULL) {
		snprintf(to, size, "%.*s%s%s", (int)(at - text), text, value,
		    at + old);
		return to;
	}
	brace = strchr(text, '{');
	snprintf(to, size, "%.*s\n  %s: %s%s%s", (int)(brace - text) + 1, text,
	    member, value, *skip_blanks(brace + 1) == '}' ? "\n" : ",",
	    brace + 1);
	return to;
}

/* Whether it says the same as before but for the member: an odd way to write
 * that one must not go wrong in silence. */
static bool
says(const char *text, json_t *before, const char *why)
{
	json_t *after = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool ok;

	json_object_set_new(before, "suspended", why != NULL ?
	    json_string(why) : json_null());
	ok = after != NULL && json_equal(after, before);
	json_decref(after);
	return ok;
}

char *
tenants_file_edit(const char *text, const char *why, struct error *err)
{
	json_error_t e;
	json_t *was = json_loads(text, JSON_REJECT_DUPLICATES, &e);
	json_t *value = why != NULL ? json_string(why) : json_null();
	char *said = value != NULL ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
	char *to = NULL;

	if (was == NULL || !json_is_object(was)) {
		error_set(err, "it is no tenant's file: line %d: %s",
		    was == NULL ? e.line : 1, was == NULL ? e.text :
		    "it is no object");
	} else if (said == NULL) {
		error_set(err, "the reason is no UTF-8");
	} else if (why == NULL && json_object_get(was, "suspended") == NULL) {
		to = mem_strdup(text);
	} else {
		to = with_value(text, said);
		if (!says(to, was, why)) {
			error_set(err, "its member suspended cannot be found: "
			    "change it by hand");
			free(to);
			to = NULL;
		}
	}
	free(said);
	json_decref(value);
	json_decref(was);
	return to;
}

/* ---- the file ---- */

static bool
write_all(int fd, const char *text, const struct stat *like)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	/* Another owner's file stays as readable as it was, if that may be. */
	if (fchown(fd, like->st_uid, like->st_gid) != 0)
		errno = 0;
	return fchmod(fd, like->st_mode & 07777) == 0 && fsync(fd) == 0;
}

static void
sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

void
tenants_file_look(const char *path, struct tenants_file_seen *to)
{
	struct stat st;

	*to = (struct tenants_file_seen){ .there = lstat(path, &st) == 0 };
	if (!to->there)
		return;
	to->inode = (uint64_t)st.st_ino;
	to->size = (uint64_t)st.st_size;
	to->seconds = (int64_t)st.st_mtim.tv_sec;
	to->nanoseconds = (int64_t)st.st_mtim.tv_nsec;
}

/* Another writer's change, a suspension perhaps, must not be undone. */
static bool
is_as_seen(const char *path, const struct tenants_file_seen *seen)
{
	struct tenants_file_seen now;

	tenants_file_look(path, &now);
	return now.there == seen->there && now.inode == seen->inode &&
	    now.size == seen->size && now.seconds == seen->seconds &&
	    now.nanoseconds == seen->nanoseconds;
}

/* True: the new file has the name; false, and why. */
static bool
rename_over(const char *new, const char *path,
    const struct tenants_file_seen *seen, struct error *err)
{
	if (!is_as_seen(path, seen))
		return error_set(err, "%s has changed: ask again", path);
	return rename(new, path) == 0 || error_set(err, "%s cannot be "
	    "written: %s", path, strerror(errno));
}

/* A name that no node reads, then the old one's. */
static bool
replace(const char *path, const char *text, const struct stat *like,
    const struct tenants_file_seen *seen, struct error *err)
{
	static const char suffix[] = ".new-XXXXXX";
	size_t size = strlen(path) + sizeof(suffix);
	char *new = mem_alloc(size);
	bool ok;
	int fd;

	snprintf(new, size, "%s%s", path, suffix);
	fd = mkostemp(new, O_CLOEXEC);
	ok = fd >= 0 && write_all(fd, text, like);
	if (!ok)
		error_set(err, "%s cannot be written: %s", path,
		    strerror(errno));
	ok = ok && rename_over(new, path, seen, err);
	if (!ok && fd >= 0)
		unlink(new);
	if (fd >= 0)
		close(fd);
	free(new);
	return ok;
}

static bool
change(const char *folder, const char *path, const char *why,
    struct error *err)
{
	char *text = NULL, *new = NULL;
	struct tenants_file_seen seen;
	struct stat st;
	size_t len;
	bool ok = false;

	tenants_file_look(path, &seen);
	if (lstat(path, &st) != 0)
		error_set(err, "it cannot be read: %s", strerror(errno));
	else if (S_ISLNK(st.st_mode))
		error_set(err, "it is a symbolic link: change what it leads "
		    "to");
	else
		text = file_read(path, TENANT_FILE_MAX, false, &len, err);
	if (text != NULL && strlen(text) != len)
		error_set(err, "it has a zero byte");
	else if (text != NULL)
		new = tenants_file_edit(text, why, err);
	if (new == NULL)
		error_prefix(err, "%s", path);
	else
		ok = strcmp(new, text) == 0 || replace(path, new, &st, &seen,
		    err);
	if (ok)
		sync_folder(folder);
	free(new);
	free(text);
	return ok;
}

/* Malloc'd; NULL and why: it is no id. */
static char *
path_in(const char *folder, const char *id, struct error *err)
{
	size_t size = strlen(folder) + TENANT_ID_MAX + 7;
	char *path;

	if (!tenant_id_valid(slice_of(id))) {
		error_set(err, "%.80s is no tenant's name", id);
		return NULL;
	}
	path = mem_alloc(size);
	snprintf(path, size, "%s/%s.json", folder, id);
	return path;
}

bool
tenants_file_write(const char *folder, const char *id, const char *text,
    const struct tenants_file_seen *seen, struct error *err)
{
	/* There are no secrets in it, and other nodes may read the folder. */
	struct stat like = { .st_mode = 0644, .st_uid = (uid_t)-1,
		.st_gid = (gid_t)-1 };
	char *path = path_in(folder, id, err);
	bool ok = path != NULL;

	if (!ok)
		return false;
	if (lstat(path, &like) != 0)
		ok = errno == ENOENT || error_set(err, "%s cannot be read: %s",
		    path, strerror(errno));
	else if (S_ISLNK(like.st_mode))
		ok = error_set(err, "%s is a symbolic link: change what it "
		    "leads to", path);
	ok = ok && replace(path, text, &like, seen, err);
	if (ok)
		sync_folder(folder);
	free(path);
	return ok;
}

static bool
good_reason(const char *why)
{
	size_t n = strlen(why);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)why[i] < ' ' || why[i] == 0x7f)
			return false;
	return n > 0 && n <= TENANT_REASON_MAX;
}

bool
tenants_file_suspend(const char *folder, const char *id, const char *why,
    struct error *err)
{
	char *path;
	bool ok;

	if (why != NULL && !good_reason(why))
		return error_set(err, "the reason must have 1 to %d "
		    "characters, all printable", TENANT_REASON_MAX);
	path = path_in(folder, id, err);
	ok = path != NULL && change(folder, path, why, err);
	free(path);
	return ok;
}
