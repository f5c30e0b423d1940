/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/weirctl_status.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

enum { CELL_MAX = 48, COLUMNS_MAX = 10 };

enum shape { PLAIN, SECONDS, BYTES };

/* A column of a table of objects: its head, and the member that it shows. */
struct column {
	const char	*head, *member;
	enum shape	 shape;
};

static const struct column broker_columns[] = {
	{ "BROKER", "id", PLAIN }, { "ADDRESS", "address", PLAIN },
	{ "RACK", "rack", PLAIN }, { "LEASED", "leased", PLAIN },
	{ "IDLE", "idle", PLAIN }, { "CONNECTING", "connecting", PLAIN },
};

static const struct column session_columns[] = {
	{ "SESSION", "id", PLAIN }, { "PEER", "peer", PLAIN },
	{ "LISTENER", "listener", PLAIN }, { "CLIENT", "client_id", PLAIN },
	{ "SOFTWARE", "software", PLAIN }, { "V", "virtual_brokers", PLAIN },
	{ "IN FLIGHT", "in_flight", PLAIN }, { "AGE", "age_seconds", SECONDS },
	{ "IDLE", "idle_seconds", SECONDS },
};

struct cell {
	char	text[CELL_MAX];
};

static void
shape_seconds(double s, struct cell *to)
{
	unsigned long n = s < 0 ? 0 : (unsigned long)s;

	if (s < 60)
		snprintf(to->text, CELL_MAX, "%.1fs", s < 0 ? 0 : s);
	else if (n < 3600)
		snprintf(to->text, CELL_MAX, "%lum%lus", n / 60, n % 60);
	else if (n < 86400)
		snprintf(to->text, CELL_MAX, "%luh%lum", n / 3600,
		    n / 60 % 60);
	else
		snprintf(to->text, CELL_MAX, "%lud%luh", n / 86400,
		    n / 3600 % 24);
}

static void
shape_bytes(double n, struct cell *to)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	int i = 0;

	for (; n >= 1024 && i < 4; i++)
		n /= 1024;
	snprintf(to->text, CELL_MAX, "%.*f %s", i == 0 ? 0 : 1, n, units[i]);
}

static struct cell
cell_of(const json_t *v, enum shape shape)
{
	struct cell c;

	if (json_is_string(v))
		snprintf(c.text, CELL_MAX, "%s", json_string_value(v));
	else if (json_is_number(v) && shape == SECONDS)
		shape_seconds(json_number_value(v), &c);
	else if (json_is_number(v) && shape == BYTES)
		shape_bytes(json_number_value(v), &c);
	else if (json_is_integer(v))
		snprintf(c.text, CELL_MAX, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(v));
	else if (json_is_boolean(v))
		snprintf(c.text, CELL_MAX, json_is_true(v) ? "yes" : "no");
	else
		snprintf(c.text, CELL_MAX, "-");
	if (c.text[0] == '\0')
		snprintf(c.text, CELL_MAX, "-");
	for (char *p = c.text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	}
	return c;
}

/* The member at "a.b" of an object. */
static struct cell
at(const json_t *v, const char *path, enum shape shape)
{
	char name[64];
	size_t n;

	for (; v != NULL && *path != '\0'; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		v = json_object_get(v, name);
	}
	return cell_of(v, shape);
}

static void
print_cell(const char *text, size_t width, bool last, FILE *f)
{
	if (last)
		fprintf(f, "%s\n", text);
	else
		fprintf(f, "%-*s  ", (int)width, text);
}

static void
print_table(const json_t *rows, const struct column *columns, size_t n,
    FILE *f)
{
	size_t width[COLUMNS_MAX], i, len;
	json_t *row;

	for (size_t c = 0; c < n; c++) {
		width[c] = strlen(columns[c].head);
		json_array_foreach(rows, i, row) {
			len = strlen(at(row, columns[c].member,
			    columns[c].shape).text);
			width[c] = len > width[c] ? len : width[c];
		}
	}
	fputc('\n', f);
	for (size_t c = 0; c < n; c++)
		print_cell(columns[c].head, width[c], c + 1 == n, f);
	json_array_foreach(rows, i, row) {
		for (size_t c = 0; c < n; c++)
			print_cell(at(row, columns[c].member,
			    columns[c].shape).text, width[c], c + 1 == n, f);
	}
}

static void
print_head(const json_t *s, FILE *f)
{
	bool ready = json_is_true(json_object_get(s, "ready"));
	bool drains = json_is_true(json_object_get(s, "draining"));

	fprintf(f, "weir %s, up %s, %s\n", at(s, "version", PLAIN).text,
	    at(s, "uptime_seconds", SECONDS).text,
	    drains ? "draining" : ready ? "ready" : "NOT READY");
	fprintf(f, "cluster    %s, %s brokers, %s topics, %s partitions, "
	    "picture %s (%s old)\n", at(s, "cluster.state", PLAIN).text,
	    at(s, "cluster.broker_count", PLAIN).text,
	    at(s, "cluster.topics", PLAIN).text,
	    at(s, "cluster.partitions", PLAIN).text,
	    at(s, "cluster.generation", PLAIN).text,
	    at(s, "cluster.age_seconds", SECONDS).text);
	fprintf(f, "node       %s sessions, %s requests in flight, %s legs, "
	    "%s of %s buffered\n", at(s, "node.sessions", PLAIN).text,
	    at(s, "node.in_flight", PLAIN).text,
	    at(s, "node.legs", PLAIN).text,
	    at(s, "node.buffered_bytes", BYTES).text,
	    at(s, "node.buffered_max", BYTES).text);
	fprintf(f, "upstreams  %s leased, %s idle, %s connecting\n",
	    at(s, "upstreams.leased", PLAIN).text,
	    at(s, "upstreams.idle", PLAIN).text,
	    at(s, "upstreams.connecting", PLAIN).text);
	if (json_is_integer(json_object_get(s, "tenants")))
		fprintf(f, "tenants    %s\n", at(s, "tenants", PLAIN).text);
}

void
weirctl_print_status(const struct json_t *s, FILE *f)
{
	const json_t *brokers = json_object_get(json_object_get(s, "cluster"),
	    "brokers");
	const json_t *sessions = json_object_get(s, "sessions");

	print_head(s, f);
	if (json_array_size(brokers) > 0)
		print_table(brokers, broker_columns,
		    sizeof(broker_columns) / sizeof(broker_columns[0]), f);
	if (json_array_size(sessions) > 0)
		print_table(sessions, session_columns,
		    sizeof(session_columns) / sizeof(session_columns[0]), f);
	if (json_integer_value(json_object_get(s, "sessions_omitted")) > 0)
		fprintf(f, "... and %s more sessions\n",
		    at(s, "sessions_omitted", PLAIN).text);
}
