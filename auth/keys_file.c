/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys_file.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "auth/base64url.h"
#include "auth/file.h"
#include "auth/principal.h"
#include "auth/seal.h"
#include "gateway/base/mem.h"

enum { SEALED_MAX = 1024 };

struct keys_file {
	char			*path;
	const struct seal	*seal;		/* borrowed */
	struct keys		*keys;		/* as it was */
	json_t			*doc, *list;	/* as it will be */
	int			 lock;		/* or -1 */
};

static char *
beside(const char *path, const char *suffix)
{
	size_t size = strlen(path) + strlen(suffix) + 1;
	char *p = mem_alloc(size);

	snprintf(p, size, "%s%s", path, suffix);
	return p;
}

/* ---- opened ---- */

static bool
lock(struct keys_file *f, struct error_list *errs)
{
	char *path = beside(f->path, ".lock");

	f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (f->lock >= 0 && flock(f->lock, LOCK_EX) != 0) {
		if (errno == EINTR)
			continue;
		close(f->lock);
		f->lock = -1;
	}
	if (f->lock < 0)
		error_list_add(errs, "", "%s cannot be locked: %s", path,
		    strerror(errno));
	free(path);
	return f->lock >= 0;
}

static void
read_text(struct keys_file *f, const char *text, size_t len,
    struct error_list *errs)
{
	f->keys = keys_parse(text, len, f->seal, errs);
	if (f->keys == NULL)
		return;
	f->doc = json_loadb(text, len, 0, NULL);
	f->list = json_object_get(f->doc, "keys");
}

static void
read_file(struct keys_file *f, enum keys_file_mode mode,
    struct error_list *errs)
{
	static const char empty[] = "{\"version\": 1, \"keys\": []}";
	struct error err;
	size_t len;
	char *text;

	if (mode == KEYS_FILE_CREATE && access(f->path, F_OK) != 0 &&
	    errno == ENOENT) {
		read_text(f, empty, sizeof(empty) - 1, errs);
		return;
	}
	text = file_read(f->path, KEYS_FILE_MAX, true, &len, &err);
	if (text == NULL)
		error_list_add(errs, "", "%s", err.text);
	else
		read_text(f, text, len, errs);
	free(text);
}

struct keys_file *
keys_file_open(const char *path, const struct seal *seal,
    enum keys_file_mode mode, struct error_list *errs)
{
	struct keys_file *f = mem_zalloc(sizeof(*f));
	struct error_list own = { NULL, 0 };

	/* The file itself is replaced, not a link to it. */
	f->path = realpath(path, NULL);
	if (f->path == NULL)
		f->path = mem_strdup(path);
	f->seal = seal;
	f->lock = -1;
	if (mode == KEYS_FILE_READ || lock(f, &own))
		read_file(f, mode, &own);
	file_faults(errs, &own, path);
	if (f->keys != NULL)
		return f;
	keys_file_close(f);
	return NULL;
}

void
keys_file_close(struct keys_file *f)
{
	if (f == NULL)
		return;
	json_decref(f->doc);
	keys_unref(f->keys);
	if (f->lock >= 0)
		close(f->lock);
	free(f->path);
	free(f);
}

const struct keys *
keys_file_keys(const struct keys_file *f)
{
	return f->keys;
}

/* ---- changed ---- */

static bool
text_is(const json_t *v, const char *name, struct slice text)
{
	return slice_is(text, json_string_value(json_object_get(v, name)));
}

static json_t *
find(const struct keys_file *f, struct slice id, size_t *at,
    struct error *err)
{
	json_t *v;
	size_t i;

	json_array_foreach(f->list, i, v) {
		*at = i;
		if (text_is(v, "id", id))
			return v;
	}
	error_set(err, "there is no key %.*s", SLICE_FMT(id));
	return NULL;
}

/* Whether the user may have one enabled key more. */
static bool
has_room(const struct keys_file *f, struct slice user, struct error *err)
{
	int live = 0;
	json_t *v;
	size_t i;

	json_array_foreach(f->list, i, v) {
		live += text_is(v, "user", user) &&
		    !json_is_true(json_object_get(v, "disabled"));
	}
	if (live < KEYS_LIVE_MAX)
		return true;
	return error_set(err, "%.*s has %d enabled keys already: disable or "
	    "delete one first", SLICE_FMT(user), live);
}

bool
keys_file_add(struct keys_file *f, struct slice user, int64_t now_s,
    struct key *to, struct error *err)
{
	struct slice secret = { (uint8_t *)to->secret, KEYS_SECRET_LEN };

	if (!principal_name_valid(user))
		return error_set(err, "a user's name has 1 to %d printable "
		    "characters, without * ? $ / and :", PRINCIPAL_NAME_MAX);
	if (json_array_size(f->list) >= KEYS_MAX)
		return error_set(err, "the file has %d keys, which is the "
		    "most", KEYS_MAX);
	if (!has_room(f, user, err))
		return false;
	memset(to, 0, sizeof(*to));
	do
		keys_draw_id(KEYS_PREFIX, to->id);
	while (keys_find(f->keys, slice_of(to->id)) != NULL);
	keys_draw_secret(to->secret);
	to->user = mem_strndup(user.data, user.len);
	to->created_s = now_s;
	to->rounds = KEYS_ROUNDS;
	keys_scram_derive(256, secret, to->rounds, &to->sha256);
	keys_scram_derive(512, secret, to->rounds, &to->sha512);
	json_array_append_new(f->list, keys_to_json(to, f->seal));
	return true;
}

bool
keys_file_disable(struct keys_file *f, struct slice id, bool disabled,
    struct error *err)
{
	size_t at;
	json_t *v = find(f, id, &at, err);

	if (v == NULL)
		return false;
	if (!disabled && json_is_true(json_object_get(v, "disabled")) &&
	    !has_room(f, slice_of(json_string_value(json_object_get(v,
	    "user"))), err))
		return false;
	json_object_set_new(v, "disabled", json_boolean(disabled));
	return true;
}

bool
keys_file_delete(struct keys_file *f, struct slice id, struct error *err)
{
	size_t at;

	if (find(f, id, &at, err) == NULL)
		return false;
	json_array_remove(f->list, at);
	return true;
}

static bool
is_current(const struct keys_file *f, const json_t *v)
{
	uint8_t sealed[SEALED_MAX];
	size_t len;

	return base64url_decode(slice_of(json_string_value(
	    json_object_get(v, "sealed"))), sealed, sizeof(sealed), &len) &&
	    seal_is_current(f->seal, (struct slice){ sealed, (uint32_t)len });
}

uint32_t
keys_file_reseal(struct keys_file *f)
{
	struct error_list errs = { NULL, 0 };
	uint32_t n = 0;
	struct key k;
	json_t *v;
	size_t i;

	json_array_foreach(f->list, i, v) {
		if (is_current(f, v))
			continue;
		/* It could be opened before, so it can be now. */
		if (keys_from_json(v, f->seal, "", &k, &errs)) {
			json_array_set_new(f->list, i,
			    keys_to_json(&k, f->seal));
			n++;
		}
		keys_key_fini(&k);
	}
	error_list_free(&errs);
	return n;
}

/* ---- saved ---- */

static bool
failed(struct error *err, const char *path)
{
	return error_set(err, "%s cannot be written: %s", path,
	    strerror(errno));
}

static bool
write_text(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0;
}

/* Makes the new name itself last through a loss of power. */
static void
sync_folder(const char *path)
{
	char *copy = mem_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		/* Some file systems cannot; the file is whole in any case. */
		(void)!fsync(fd);
		close(fd);
	}
	free(copy);
}

/* Root may change a file that weir's own user reads. */
static bool
keep_owner(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT;
	return (st.st_uid == geteuid() && st.st_gid == getegid()) ||
	    fchown(fd, st.st_uid, st.st_gid) == 0;
}

static bool
replace(const struct keys_file *f, const char *temporary, const char *text,
    struct error *err)
{
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	bool ok;

	if (fd < 0)
		return failed(err, temporary);
	ok = keep_owner(fd, f->path) && write_text(fd, text, strlen(text));
	ok = close(fd) == 0 && ok && rename(temporary, f->path) == 0;
	if (!ok) {
		failed(err, f->path);
		unlink(temporary);
		return false;
	}
	sync_folder(f->path);
	return true;
}

bool
keys_file_save(struct keys_file *f, struct error *err)
{
	char *temporary = beside(f->path, ".new"), *text;
	bool ok;

	if (f->lock < 0) {
		free(temporary);
		return error_set(err, "%s was opened to be read", f->path);
	}
	text = json_dumps(f->doc, JSON_INDENT(1));
	/* Nobody else has the lock: a rest of one who died. */
	unlink(temporary);
	ok = text != NULL ? replace(f, temporary, text, err) :
	    error_set(err, "%s is too large", f->path);
	free(text);
	free(temporary);
	return ok;
}
