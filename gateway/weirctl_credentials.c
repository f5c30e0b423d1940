/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl credentials issue: temporary credentials, as AWS's STS prints them
 * for the setting credential_process (AWS's page "Sourcing credentials with an
 * external process"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "auth/credentials.h"
#include "auth/file.h"
#include "auth/identities.h"
#include "auth/seal.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/weirctl_auth.h"

enum { POLICY_FILE_MAX = 64 * 1024 };

struct work {
	const char	*role, *session, *ttl, *policy, *format;
	const char	*tags[WEIRCTL_LIST_MAX], *groups[WEIRCTL_LIST_MAX];
	uint32_t	 tag_count, group_count;
};

static int
usage(FILE *f)
{
	fprintf(f, "usage: weirctl credentials issue --role ROLE [options]\n\n"
	    "  --session NAME           who takes the role (default weirctl)\n"
	    "  --ttl TIME               15m, 1h ... (default 1h, at most what "
	    "the role allows)\n"
	    "  --policy FILE            a document that must allow as well\n"
	    "  --tag KEY=VALUE          aws:PrincipalTag/KEY; may be repeated\n"
	    "  --group GROUP            a group of the session; may be "
	    "repeated\n"
	    "  --format json|env        as credential_process wants it, or "
	    "lines for a shell\n"
	    "  -c, --config FILE        weir's configuration, which names the "
	    "files\n"
	    "  --master-key-file FILE   what the token is sealed under, or\n"
	    "  --master-key-env NAME    the same from the environment\n"
	    "  --identities-file FILE   where the role is looked up\n"
	    "  --policies-dir FOLDER    its policies\n");
	return f == stdout ? WEIRCTL_OK : WEIRCTL_USAGE;
}

/* Without blanks, since the token carries it; what is no JSON is left as it
 * is, for its faults to be named. The caller frees. */
static char *
read_policy(const char *path, struct error *err)
{
	size_t len;
	char *text = file_read(path, POLICY_FILE_MAX, false, &len, err),
	    *compact;
	json_t *v;

	if (text == NULL) {
		error_prefix(err, "%s", path);
		return NULL;
	}
	v = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (v == NULL)
		return text;
	compact = json_dumps(v, JSON_COMPACT);
	json_decref(v);
	free(text);
	return compact;
}

/* Where there are identities, the role must be one of them. */
static bool
check_role(const struct weirctl_files *files,
    const struct credentials_request *r)
{
	struct error_list errs = { NULL, 0 };
	struct identities *ids;
	const struct identity *role;
	bool ok = false;

	if (files->identities_file == NULL)
		return true;
	ids = identities_load(files->identities_file, files->policies_dir,
	    &errs);
	if (ids == NULL) {
		weirctl_refuse_all(&errs);
		return false;
	}
	role = identities_find(ids, IDENTITY_ROLE, r->role);
	if (role == NULL)
		fprintf(stderr, "weirctl: there is no role %.*s in %s\n",
		    SLICE_FMT(r->role), files->identities_file);
	else if (r->ttl_s > role->max_ttl_s)
		fprintf(stderr, "weirctl: role %.*s is for at most %u seconds "
		    "(max_ttl)\n", SLICE_FMT(r->role), role->max_ttl_s);
	else
		ok = true;
	identities_unref(ids);
	return ok;
}

static void
print(const struct credentials *c, bool env)
{
	char until[32];
	time_t t = (time_t)(c->expires_ms / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	/* Nothing in them means anything to a shell or to JSON. */
	if (env)
		printf("export AWS_ACCESS_KEY_ID=%s\n"
		    "export AWS_SECRET_ACCESS_KEY=%s\n"
		    "export AWS_SESSION_TOKEN=%s\n"
		    "export AWS_CREDENTIAL_EXPIRATION=%s\n", c->key_id,
		    c->secret, c->token, until);
	else
		printf("{\n  \"Version\": 1,\n  \"AccessKeyId\": \"%s\",\n"
		    "  \"SecretAccessKey\": \"%s\",\n"
		    "  \"SessionToken\": \"%s\",\n"
		    "  \"Expiration\": \"%s\"\n}\n", c->key_id, c->secret,
		    c->token, until);
}

static int
issue(const struct work *w, const struct weirctl_files *files,
    const struct credentials_request *r)
{
	struct seal *seal = weirctl_seal(files);
	struct credentials c;
	struct error err;
	int code = WEIRCTL_REFUSED;

	if (seal == NULL || !check_role(files, r)) {
		seal_unref(seal);
		return code;
	}
	if (credentials_issue(seal, r, clock_wall_ms(), &c, &err)) {
		print(&c, strcmp(w->format, "env") == 0);
		code = WEIRCTL_OK;
	} else {
		weirctl_refuse(err.text);
	}
	credentials_fini(&c);
	seal_unref(seal);
	return code;
}

/* "key=value" each; false: one has no '='. The keys are the caller's to
 * free. */
static bool
split_tags(const struct work *w, struct principal_tag *to)
{
	for (uint32_t i = 0; i < w->tag_count; i++) {
		char *eq;

		to[i].key = mem_strdup(w->tags[i]);
		eq = strchr(to[i].key, '=');
		if (eq == NULL)
			return false;
		*eq = '\0';
		to[i].value = eq + 1;
	}
	return true;
}

static int
run(const struct work *w, const struct weirctl_places *places)
{
	struct principal_tag tags[WEIRCTL_LIST_MAX] = { { NULL, NULL } };
	struct credentials_request r = {
		.role = slice_of(w->role), .session = slice_of(w->session),
		.tags = tags, .tag_count = w->tag_count,
		.groups = (char *const *)(uintptr_t)w->groups,
		.group_count = w->group_count,
	};
	struct weirctl_files files = { NULL, NULL, NULL, NULL };
	struct error err;
	char *policy = NULL;
	int code = WEIRCTL_REFUSED;

	if (!identities_duration(w->ttl, &r.ttl_s))
		weirctl_refuse("--ttl must be a time such as 15m or 1h");
	else if (!split_tags(w, tags))
		weirctl_refuse("--tag must be KEY=VALUE");
	else if (w->policy != NULL &&
	    (policy = read_policy(w->policy, &err)) == NULL)
		weirctl_refuse(err.text);
	else if (weirctl_files_read(places, &files)) {
		r.policy = slice_of(policy);
		code = issue(w, &files, &r);
	}
	for (uint32_t i = 0; i < w->tag_count; i++)
		free(tags[i].key);
	free(policy);
	weirctl_files_fini(&files);
	return code;
}

int
weirctl_credentials(int argc, char **argv)
{
	struct work w = { .session = "weirctl", .ttl = "1h",
	    .format = "json" };
	struct weirctl_places places = { .config = NULL };
	struct weirctl_words words = { .n = 0 };
	const struct weirctl_argument arguments[] = {
		{ "--role", .to = &w.role },
		{ "--session", .to = &w.session },
		{ "--ttl", .to = &w.ttl },
		{ "--policy", .to = &w.policy },
		{ "--format", .to = &w.format },
		{ "--tag", .list = w.tags, .list_count = &w.tag_count },
		{ "--group", .list = w.groups, .list_count = &w.group_count },
	};

	if (!weirctl_read(arguments, sizeof(arguments) / sizeof(arguments[0]),
	    &places, argc, argv, &words))
		return usage(stderr);
	if (words.help)
		return usage(stdout);
	if (words.n != 1 || strcmp(words.v[0], "issue") != 0 ||
	    w.role == NULL || (strcmp(w.format, "json") != 0 &&
	    strcmp(w.format, "env") != 0))
		return usage(stderr);
	return run(&w, &places);
}
