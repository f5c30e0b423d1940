/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl token: what a client would send, signed with the credentials of the
 * environment, to try a login by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/sigv4_client.h"
#include "gateway/base/clock.h"
#include "gateway/weirctl_auth.h"

enum { ARENA_CAP = 1024 * 1024, EXPIRES_MAX_S = 900 };

struct work {
	const char	*host, *region, *mechanism, *expires;
};

static int
usage(FILE *f)
{
	fprintf(f, "usage: weirctl token --region REGION [options]\n\n"
	    "  --mechanism NAME   aws_msk_iam: the one message of it (default);"
	    " or\n"
	    "                     oauthbearer: the token\n"
	    "  --host HOST        the name that is dialled, without port; "
	    "oauthbearer does\n"
	    "                     without\n"
	    "  --expires SECONDS  1 to 900 (default 900)\n\n"
	    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN "
	    "are whose it is.\n");
	return f == stdout ? WEIRCTL_OK : WEIRCTL_USAGE;
}

/* Empty is as good as not set. */
static const char *
environment(const char *name)
{
	const char *v = getenv(name);

	return v == NULL || v[0] == '\0' ? NULL : v;
}

static int
print(const struct sigv4_client *who, bool oauth)
{
	struct auth_cache *cache = auth_cache_new();
	struct arena arena;
	struct slice text;
	struct error err;
	bool ok;

	arena_init(&arena, ARENA_CAP);
	ok = oauth ? sigv4_client_token(cache, who, clock_wall_ms(), &arena,
	    &text, &err) : sigv4_client_message(cache, who, clock_wall_ms(),
	    &arena, &text, &err);
	if (ok)
		printf("%.*s\n", SLICE_FMT(text));
	else
		weirctl_refuse(err.text);
	arena_fini(&arena);
	auth_cache_free(cache);
	return ok ? WEIRCTL_OK : WEIRCTL_REFUSED;
}

static bool
read_seconds(const char *text, uint32_t *to)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*to = (uint32_t)n;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= 1 &&
	    n <= EXPIRES_MAX_S;
}

int
weirctl_token(int argc, char **argv)
{
	struct work w = { NULL, NULL, "aws_msk_iam", "900" };
	struct weirctl_words words = { .n = 0 };
	const struct weirctl_argument arguments[] = {
		{ "--host", .to = &w.host },
		{ "--region", .to = &w.region },
		{ "--mechanism", .to = &w.mechanism },
		{ "--expires", .to = &w.expires },
	};
	struct sigv4_client who = {
		.key_id = environment("AWS_ACCESS_KEY_ID"),
		.secret = environment("AWS_SECRET_ACCESS_KEY"),
		.token = environment("AWS_SESSION_TOKEN"),
		.user_agent = "weirctl",
	};
	bool oauth;

	if (!weirctl_read(arguments, 4, NULL, argc, argv, &words))
		return usage(stderr);
	if (words.help)
		return usage(stdout);
	oauth = strcasecmp(w.mechanism, "oauthbearer") == 0;
	if (words.n != 0 || w.region == NULL || (w.host == NULL && !oauth) ||
	    (!oauth && strcasecmp(w.mechanism, "aws_msk_iam") != 0) ||
	    !read_seconds(w.expires, &who.expires_s))
		return usage(stderr);
	if (who.key_id == NULL || who.secret == NULL)
		return weirctl_refuse("set AWS_ACCESS_KEY_ID and "
		    "AWS_SECRET_ACCESS_KEY: weirctl keys create gives a key, "
		    "weirctl credentials issue --format env a temporary one");
	who.region = w.region;
	who.host = w.host;
	return print(&who, oauth);
}
