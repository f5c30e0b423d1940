/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl limits, weirctl explain: what is limited, and who was held up why. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/weirctl_auth.h"
#include "gateway/weirctl_http.h"

struct asking {
	const char	*tenant, *principal, *topic, *partition;
	const char	*admin, *token_file;
	bool		 json, why;
};

enum { USERS_TOLD = 5 };

static int
usage(FILE *f, bool why)
{
	fprintf(f, "usage: weirctl %s [options]\n\n"
	    "%s\n\n"
	    "  --tenant T          whose; without it clients that have "
	    "no tenant\n"
	    "  --principal ARN     of that one only\n"
	    "  --topic T           partitions of that topic, as the tenant "
	    "says it\n"
	    "  --partition N       of it, that partition\n"
	    "  --admin HOST:PORT   the weir to ask (default 127.0.0.1:9640)\n"
	    "  --token-file FILE   the token that admin.token_file holds\n"
	    "  --json              for a program\n",
	    why ? "explain" : "limits", why ?
	    "Which limits have held somebody up: since when, how often, how "
	    "long, who uses\nthem most, and what is left now." :
	    "Each limit: its value, what is used of it by all the fleet as far "
	    "as this node\nknows, through this node (here), what is left, and "
	    "the most that was used here.");
	return f == stdout ? WEIRCTL_OK : WEIRCTL_USAGE;
}

static const char *
text(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s != NULL ? s : "";
}

static long long
number(const json_t *v, const char *key)
{
	return (long long)json_integer_value(json_object_get(v, key));
}

static double
real(const json_t *v, const char *key)
{
	return json_number_value(json_object_get(v, key));
}

/* 12300000: "12.3 M". */
static const char *
short_number(long long n, char *to, size_t size)
{
	static const char units[] = " kMGTPE";
	double v = (double)n;
	int u = 0;

	while (fabs(v) >= 1000 && units[u + 1] != '\0') {
		v /= 1000;
		u++;
	}
	snprintf(to, size, u == 0 ? "%.0f" : "%.3g %c", v, units[u]);
	return to;
}

/* Whose it is beside the tenant. */
static void
print_whose(const json_t *row)
{
	if (*text(row, "topic") != '\0')
		printf("  partition %lld of %s", number(row, "partition"),
		    text(row, "topic"));
	if (*text(row, "principal") != '\0')
		printf("  %s", text(row, "principal"));
	if (*text(row, "client_id") != '\0')
		printf("  client id %s", text(row, "client_id"));
}

/* ---- limits ---- */

static void
print_limit(const json_t *row)
{
	char value[32], use[32], here[32], left[32], peak[32];
	bool counted = number(row, "use") >= 0;

	printf("%-26s %-9s %-8s %10s %10s %10s %10s %10s",
	    text(row, "dimension"), text(row, "scope"), text(row, "mode"),
	    short_number(number(row, "value"), value, sizeof(value)),
	    counted ? short_number(number(row, "use"), use, sizeof(use)) : "-",
	    counted ? short_number(number(row, "here"), here, sizeof(here)) :
	    "-",
	    short_number(number(row, "headroom"), left, sizeof(left)),
	    counted ? short_number(number(row, "peak"), peak, sizeof(peak)) :
	    "-");
	print_whose(row);
	putchar('\n');
}

static void
print_limits(const json_t *v)
{
	const json_t *row;
	size_t i;

	printf("profile %s\n", text(v, "profile"));
	if (!json_is_true(json_object_get(v, "seen"))) {
		puts("none of its clients has been here yet");
		return;
	}
	if (json_array_size(json_object_get(v, "limits")) == 0) {
		puts("nothing is limited");
		return;
	}
	printf("%-26s %-9s %-8s %10s %10s %10s %10s %10s\n", "LIMIT", "SCOPE",
	    "MODE", "VALUE", "USE", "HERE", "HEADROOM", "PEAK");
	json_array_foreach(json_object_get(v, "limits"), i, row)
		print_limit(row);
}

/* ---- explain ---- */

/* Which figure of users says who uses it; NULL: none does. */
static const char *
use_key(const char *dimension)
{
	static const char *const keys[][2] = {
		{ "ingress_bytes", "produced_per_s" },
		{ "egress_bytes", "fetched_per_s" },
		{ "requests", "requests_per_s" },
		{ "partition_ingress_bytes", "produced_per_s" },
		{ "partition_egress_bytes", "fetched_per_s" },
		{ "connections", "sessions" },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(dimension, keys[i][0]) == 0)
			return keys[i][1];
	return NULL;
}

/* Who comes after `last` (NULL: the first one) by that figure; NULL: nobody
 * who uses any. */
static const json_t *
next_user(const json_t *v, const char *key, const json_t *last)
{
	const json_t *users = json_object_get(v, "users"), *user, *best = NULL;
	bool passed = last == NULL;
	size_t i;

	json_array_foreach(users, i, user) {
		long long n = number(user, key);
		bool after = last == NULL || n < number(last, key) ||
		    (n == number(last, key) && passed);

		if (user == last)
			passed = true;
		else if (n > 0 && after && (best == NULL ||
		    n > number(best, key)))
			best = user;
	}
	return best;
}

/* Those of the tenant's principals who take most of it now. What they take of a
 * partition is not counted, so for that all that they take is told. */
static void
print_users(const json_t *v, const json_t *row)
{
	const char *key = use_key(text(row, "dimension"));
	bool part = strcmp(text(row, "scope"), "partition") == 0;
	const json_t *user = NULL;
	bool sessions;
	char n[32];

	if (key == NULL || (!part && strcmp(text(row, "scope"), "tenant") != 0))
		return;
	sessions = strcmp(key, "sessions") == 0;
	for (int i = 0; i < USERS_TOLD &&
	    (user = next_user(v, key, user)) != NULL; i++)
		printf("    %s %s: %s %s%s\n", part ?
		    "all topics are used by" : "used by",
		    *text(user, "principal") != '\0' ? text(user,
		    "principal") : "clients without a login",
		    short_number(number(user, key), n, sizeof(n)), sessions ?
		    "connections" : text(row, "unit"), sessions ? "" :
		    " a second");
}

static void
print_reason(const json_t *v, const json_t *row)
{
	const json_t *h = json_object_get(row, "held_up");
	const char *per = text(row, "per");
	bool shadow = strcmp(text(row, "mode"), "shadow") == 0;

	printf("%s of the %s, %lld %s%s", text(row, "dimension"),
	    text(row, "scope"), number(row, "value"), text(row, "unit"),
	    strcmp(per, "second") == 0 ? " a second" : *per != '\0' ?
	    " in 5 minutes" : "");
	print_whose(row);
	printf("\n    %s %lld times, ", shadow ? "would have held up" :
	    "held up", number(h, "times"));
	if (shadow)
		printf("%lld %s over it, ", number(h, "over"),
		    text(row, "unit"));
	printf("%.1f s in all, at most %.1f s; %s since %.0f s, "
	    "last %.1f s ago\n",
	    real(h, "seconds"), real(h, "longest_s"),
	    json_is_true(json_object_get(h, "now")) ? "goes on" : "was on",
	    real(h, "since_s"), real(h, "last_s"));
	printf("    now: %lld %s %s", llabs(number(row, "headroom")),
	    text(row, "unit"), number(row, "headroom") < 0 ?
	    "of debt" : "of headroom");
	if (number(row, "use") >= 0)
		printf(", %lld in use", number(row, "use"));
	if (json_is_true(json_object_get(row, "fleet")))
		printf(" by the fleet, %lld here", number(row, "here"));
	putchar('\n');
	print_users(v, row);
}

static void
print_reasons(const json_t *v)
{
	const json_t *row;
	size_t i, n = 0;

	json_array_foreach(json_object_get(v, "limits"), i, row) {
		if (!json_is_object(json_object_get(row, "held_up")))
			continue;
		print_reason(v, row);
		n++;
	}
	if (n == 0)
		puts("no limit has held anybody up");
}

/* ---- both ---- */

static int
show(const struct asking *a)
{
	const struct http_pair pairs[] = {
		{ "tenant", a->tenant }, { "principal", a->principal },
		{ "topic", a->topic }, { "partition", a->partition },
	};
	char *path = http_path("/limits", pairs, sizeof(pairs) /
	    sizeof(pairs[0]));
	int code = WEIRCTL_REFUSED;
	json_t *v = http_ask(a->admin, a->token_file, "GET", path, &code);
	const char *fault;

	free(path);
	if (v == NULL)
		return code;
	fault = json_string_value(json_object_get(v, "error"));
	code = WEIRCTL_OK;
	if (fault != NULL) {
		code = weirctl_refuse(fault);
	} else if (a->json) {
		json_dumpf(v, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (a->why) {
		print_reasons(v);
	} else {
		print_limits(v);
	}
	json_decref(v);
	return code;
}

static int
run(int argc, char **argv, bool why)
{
	struct asking a = { .admin = "127.0.0.1:9640", .why = why };
	struct weirctl_places places = { .keys_file = NULL };
	struct weirctl_words words = { .n = 0 };
	const struct weirctl_argument arguments[] = {
		{ "--tenant", .to = &a.tenant },
		{ "--principal", .to = &a.principal },
		{ "--topic", .to = &a.topic },
		{ "--partition", .to = &a.partition },
		{ "--admin", .to = &a.admin },
		{ "--token-file", .to = &a.token_file },
		{ "--json", .flag = &a.json },
	};

	if (!weirctl_read(arguments, sizeof(arguments) / sizeof(arguments[0]),
	    &places, argc, argv, &words))
		return usage(stderr, why);
	if (words.help)
		return usage(stdout, why);
	if (words.n != 0 || (a.partition != NULL && a.topic == NULL))
		return usage(stderr, why);
	return show(&a);
}

int
weirctl_limits(int argc, char **argv)
{
	return run(argc, argv, false);
}

int
weirctl_why(int argc, char **argv)
{
	return run(argc, argv, true);
}
