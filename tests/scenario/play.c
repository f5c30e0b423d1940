/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/play.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/net/conn.h"
#include "gateway/session.h"
#include "routing/shape.h"
#include "wire/messages.h"

enum { SOURCE_MAX = 256 * 1024, SHOWN_MAX = 4096, VALUE_MAX = 1024 };

/* ---- reading ---- */

/* How many brackets a line leaves open. */
static int
depth_of(const char *line)
{
	int depth = 0;
	bool quoted = false;

	for (; *line != '\0'; line++) {
		if (*line == '\\' && quoted && line[1] != '\0')
			line++;
		else if (*line == '"')
			quoted = !quoted;
		else if (!quoted && strchr("{[(", *line) != NULL)
			depth++;
		else if (!quoted && strchr("}])", *line) != NULL)
			depth--;
	}
	return depth;
}

static bool
is_blank(const char *line)
{
	while (isspace((unsigned char)*line))
		line++;
	return *line == '\0' || *line == '#';
}

static void
add_step(struct play *p, int line, char *text)
{
	p->steps = mem_realloc(p->steps, (size_t)(p->count + 1) *
	    sizeof(*p->steps));
	p->steps[p->count++] = (struct step){ line, text };
}

/* A step goes on while brackets are open; its lines become one. */
static bool
split(struct play *p, struct error *err)
{
	char *step = NULL, *next;
	int number = 0, first = 0, depth = 0;

	for (char *line = p->source; line != NULL && *line; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		number++;
		if (is_blank(line)) {
			memset(line, ' ', strlen(line));
			line[strlen(line)] = depth > 0 ? ' ' : '\0';
			continue;
		}
		if (depth == 0) {
			step = line;
			first = number;
		}
		depth += depth_of(line);
		if (depth < 0)
			return error_set(err, "%s:%d: a bracket too many",
			    p->path, number);
		if (depth == 0)
			add_step(p, first, step);
		else if (next != NULL)
			next[-1] = ' ';
	}
	return depth == 0 ? true : error_set(err, "%s:%d: a bracket is not "
	    "closed", p->path, first);
}

bool
play_read(struct play *p, const char *path, struct error *err)
{
	FILE *f = fopen(path, "re");
	size_t n;

	memset(p, 0, sizeof(*p));
	p->path = path;
	if (f == NULL)
		return error_set(err, "%s cannot be opened", path);
	p->source = mem_zalloc(SOURCE_MAX);
	n = fread(p->source, 1, SOURCE_MAX - 1, f);
	fclose(f);
	if (n == SOURCE_MAX - 1)
		return error_set(err, "%s is too long", path);
	return split(p, err);
}

void
play_free(struct play *p)
{
	free(p->source);
	free(p->steps);
}

/* ---- what steps have in common ---- */

static bool
bad(struct play *p, const char *what)
{
	return error_set(&p->err, "%s is wanted at: %.60s", what, p->text.p);
}

static bool
number(struct play *p, int64_t *to)
{
	return text_number(&p->text, to) ? true : bad(p, "a number");
}

static bool
word(struct play *p, char to[TEXT_WORD])
{
	return text_word(&p->text, to) ? true : bad(p, "a word");
}

/* "produce v9" */
static bool
api_version(struct play *p, const struct api_schema **api, int *version)
{
	char name[TEXT_WORD];
	const struct api_schema *s = api_schemas;

	if (!word(p, name))
		return false;
	while (s->request != NULL && strcmp(s->name, name) != 0)
		s++;
	if (s->request == NULL)
		return error_set(&p->err, "there is no API \"%s\"", name);
	*api = s;
	*version = -1;
	if (p->text.p[0] == ' ' && p->text.p[1] == 'v' &&
	    isdigit((unsigned char)p->text.p[2])) {
		text_word(&p->text, name);
		*version = (int)strtol(name + 1, NULL, 10);
	}
	return true;
}

/* What came, whole, below what was wanted of it. */
static bool
mismatch(struct play *p, const struct message *m, int version, const void *is)
{
	char *shown = mem_alloc(SHOWN_MAX);

	codec_print(m, version, is, shown, SHOWN_MAX);
	fprintf(stderr, "%s: %s\ncame:\n%s", p->path, p->err.text, shown);
	free(shown);
	return false;
}

static bool
match(struct play *p, const struct message *m, int version, const void *is)
{
	p->text.version = version;
	return text_match(&p->text, m, is) ? true :
	    mismatch(p, m, version, is);
}

/* ---- the cluster ---- */

static bool
step_broker(struct play *p)
{
	int64_t id;

	if (!number(p, &id))
		return false;
	if (text_is(&p->text, "gone"))
		world_broker_gone(p->world, (int)id);
	else
		world_broker(p->world, (int)id);
	return true;
}

/* topic t leaders 1 2 none; topic t id 7; topic t epoch 3; topic t gone */
static bool
step_topic(struct play *p)
{
	char name[TEXT_WORD], what[TEXT_WORD];
	struct world_topic *t;
	int64_t n;

	if (!word(p, name))
		return false;
	if (text_is(&p->text, "gone")) {
		world_topic_gone(p->world, name);
		return true;
	}
	t = world_topic(p->world, name);
	while (text_word(&p->text, what)) {
		if (strcmp(what, "leaders") == 0) {
			t->count = 0;
			while (t->count < WORLD_PARTITIONS) {
				if (text_is(&p->text, "none"))
					n = -1;
				else if (!text_number(&p->text, &n))
					break;
				t->leaders[t->count++] = (int)n;
			}
		} else if (strcmp(what, "id") == 0 && number(p, &n)) {
			memset(&t->id, 0, sizeof(t->id));
			t->id.b[15] = (uint8_t)n;
		} else if (strcmp(what, "epoch") == 0 && number(p, &n)) {
			t->epoch = (int)n;
		} else {
			return bad(p, "leaders, id, epoch or gone");
		}
	}
	return true;
}

static bool
coordinator(struct play *p, int kind)
{
	char key[TEXT_WORD];
	int64_t n = -1;

	if (!word(p, key))
		return false;
	if (!text_is(&p->text, "nowhere") &&
	    (!text_is(&p->text, "at") || !number(p, &n)))
		return bad(p, "at N or nowhere");
	world_coordinator(p->world, kind, key, (int)n);
	return true;
}

static bool
step_group(struct play *p)
{
	return coordinator(p, 0);
}

static bool
step_txn(struct play *p)
{
	return coordinator(p, 1);
}

/* offer produce 3 9; offer at 2 produce 3 9; offer produce none */
static bool
step_offer(struct play *p)
{
	const struct api_schema *api;
	int64_t at = -1, min = 0, max = -1;
	int unused;

	if (text_is(&p->text, "at") && !number(p, &at))
		return false;
	if (!api_version(p, &api, &unused))
		return false;
	if (!text_is(&p->text, "none") && (!number(p, &min) ||
	    !number(p, &max)))
		return false;
	for (int i = 0; i < p->world->broker_count; i++)
		if (at < 0 || p->world->brokers[i].id == at)
			p->world->brokers[i].apis[api->key] =
			    (struct api_range){ (int16_t)min, (int16_t)max };
	return true;
}

static bool
step_by_hand(struct play *p)
{
	const struct api_schema *api;
	int unused;

	if (!api_version(p, &api, &unused))
		return false;
	p->world->by_hand[api->key] = true;
	return true;
}

static bool
step_set(struct play *p)
{
	char path[TEXT_WORD], json[VALUE_MAX];

	if (!word(p, path))
		return false;
	while (isspace((unsigned char)*p->text.p))
		p->text.p++;
	snprintf(json, sizeof(json), "%s", p->text.p);
	p->text.p += strlen(p->text.p);
	return world_set(p->world, path, json, &p->err);
}

static bool
step_watch(struct play *p)
{
	p->world->watching = true;
	return true;
}

static bool
step_snapshot(struct play *p)
{
	world_snapshot(p->world);
	return true;
}

static bool
wish(struct play *p, bool wanted)
{
	uint64_t now = metric_total(METRIC_REFRESH_WISHES);
	bool any = now > p->world->wishes_seen;

	p->world->wishes_seen = now;
	return any == wanted ? true : error_set(&p->err, any ?
	    "weir wished for a snapshot" : "weir wished for no snapshot");
}

static bool
step_wish(struct play *p)
{
	return wish(p, true);
}

static bool
step_no_wish(struct play *p)
{
	return wish(p, false);
}

static bool
step_start(struct play *p)
{
	world_start(p->world);
	return true;
}

static bool
step_wait(struct play *p)
{
	int64_t ms;

	if (!number(p, &ms))
		return false;
	world_wait(p->world, ms);
	return true;
}

static bool
step_drain(struct play *p)
{
	worker_drain(p->world->worker);
	return true;
}

static bool
counted(struct play *p, const char *what, uint32_t is)
{
	int64_t n;

	if (!number(p, &n))
		return false;
	return is == n ? true : error_set(&p->err, "%s: there are %u", what,
	    is);
}

static bool
step_sessions(struct play *p)
{
	return counted(p, "sessions", p->world->worker->session_count);
}

static bool
step_legs(struct play *p)
{
	return counted(p, "legs", p->world->worker->legs_in_flight);
}

static bool
step_fetch_sessions(struct play *p)
{
	return counted(p, "fetch sessions", p->world->worker->fetch_sessions);
}

/* ---- clients ---- */

/* client c connects [as "software" "version"] [id "client-id"] [room N] */
static bool
step_client(struct play *p)
{
	char name[TEXT_WORD];
	struct slice software = SLICE_NULL, version, id = SLICE_NULL;
	struct world_client *c;
	struct world_awaited a;
	int64_t room = 0;

	if (!word(p, name) || !text_is(&p->text, "connects"))
		return bad(p, "connects");
	for (;;) {
		if (text_is(&p->text, "as")) {
			if (!text_string(&p->text, &software) ||
			    !text_string(&p->text, &version))
				return bad(p, "a name and a version");
		} else if (text_is(&p->text, "id")) {
			if (!text_string(&p->text, &id))
				return bad(p, "a client id");
		} else if (text_is(&p->text, "room")) {
			if (!number(p, &room))
				return false;
		} else {
			break;
		}
	}
	c = world_connect(p->world, name, (int)room);
	snprintf(c->client_id, sizeof(c->client_id), "%.*s", SLICE_FMT(id));
	if (software.data == NULL)
		return true;
	struct api_versions_request q = { software, version };
	struct chain out = world_encode(p->world, c,
	    api_schema_find(API_API_VERSIONS), 3, &q, false, &p->err);

	world_send(c, &out, 0);
	world_settle(p->world);
	return world_reply(p->world, c, -1, &a, &p->err) != NULL;
}

/* The version that the frame's header says is another one than its body's. */
static void
claim(struct world_client *c, struct chain *out, int version)
{
	size_t len = out->bytes;
	uint8_t *data = mem_alloc(len);

	chain_copy_out(out, data);
	data[6] = (uint8_t)(version >> 8);
	data[7] = (uint8_t)version;
	chain_fini(out);
	chain_add_copy(out, data, len);
	free(data);
	c->awaited[c->first + c->awaited_count - 1].version = (int16_t)version;
}

/* c sends [silent] API vN {...}; c sends first N bytes of API vN {...};
 * c sends claiming N API vN {...} */
static bool
client_sends(struct play *p, struct world_client *c)
{
	const struct api_schema *api;
	bool silent = false;
	int64_t most = 0, claimed = -1;
	struct chain out;
	struct slice raw;
	int version;
	void *body;

	if (text_is(&p->text, "rest")) {
		world_send_rest(c);
		return true;
	}
	if (text_is(&p->text, "text")) {
		if (!text_string(&p->text, &raw))
			return bad(p, "a \"text\"");
		peer_send(&c->peer, raw.data, raw.len);
		return true;
	}
	if (text_is(&p->text, "silent"))
		silent = true;
	else if (text_is(&p->text, "claiming") && !number(p, &claimed))
		return false;
	else if (text_is(&p->text, "first") && (!number(p, &most) ||
	    !text_is(&p->text, "bytes") || !text_is(&p->text, "of")))
		return bad(p, "N bytes of");
	if (!api_version(p, &api, &version))
		return false;
	if (version < 0)
		return bad(p, "a version");
	p->text.version = version;
	body = text_parse(&p->text, api->request);
	if (body == NULL)
		return false;
	out = world_encode(p->world, c, api, version, body, silent, &p->err);
	if (out.bytes == 0)
		return false;
	if (claimed >= 0)
		claim(c, &out, (int)claimed);
	world_send(c, &out, (size_t)most);
	return true;
}

/* c gets nothing; c gets closed REASON; c gets [vN] {...} */
static bool
client_gets(struct play *p, struct world_client *c)
{
	struct world_awaited a;
	char text[TEXT_WORD];
	int64_t version = -1;
	void *body;

	if (text_is(&p->text, "nothing")) {
		if (!c->peer.open)
			return error_set(&p->err, "it was closed");
		return c->peer.in_len == 0 ? true :
		    error_set(&p->err, "%s got %zu bytes", c->name,
		    c->peer.in_len);
	}
	if (text_is(&p->text, "closed")) {
		if (c->peer.in_len > 0)
			return error_set(&p->err, "%s got a reply", c->name);
		if (c->peer.open)
			return error_set(&p->err, "%s is open", c->name);
		/* As a client does; weir may wait for it. */
		peer_close(&c->peer);
		world_settle(p->world);
		c->told = true;
		if (!word(p, text))
			return false;
		for (int i = 0; i < CONN_REASON_COUNT; i++)
			if (strcmp(conn_reason_label((enum conn_reason)i),
			    text) == 0 && world_closed(p->world,
			    (enum conn_reason)i))
				return true;
		for (int i = 0; i < CONN_REASON_COUNT; i++)
			if (world_closed(p->world, (enum conn_reason)i))
				return error_set(&p->err, "the reason is %s",
				    conn_reason_label((enum conn_reason)i));
		return error_set(&p->err, "closed for no reason");
	}
	if (text_is(&p->text, "version") && !number(p, &version))
		return false;
	body = world_reply(p->world, c, (int)version, &a, &p->err);
	return body != NULL && match(p, a.api->response, a.version, body);
}

static bool
client_step(struct play *p, const char *name)
{
	struct world_client *c = world_client(p->world, name);
	char verb[TEXT_WORD];

	if (c == NULL)
		return error_set(&p->err, "\"%s\" is neither a step nor a "
		    "client", name);
	if (!word(p, verb))
		return false;
	if (strcmp(verb, "sends") == 0)
		return client_sends(p, c);
	if (strcmp(verb, "gets") == 0)
		return client_gets(p, c);
	c->told |= strcmp(verb, "closes") == 0 || strcmp(verb, "resets") == 0;
	if (strcmp(verb, "closes") == 0)
		peer_close(&c->peer);
	else if (strcmp(verb, "resets") == 0)
		peer_reset(&c->peer);
	else if (strcmp(verb, "stops") == 0)
		c->peer.reading = false;
	else if (strcmp(verb, "reads") == 0)
		c->peer.reading = true;
	else
		return error_set(&p->err, "a client does not \"%s\"", verb);
	return true;
}

/* ---- brokers ---- */

static bool
is_first_unseen(const struct world *w, int at)
{
	for (int i = 0; i < at; i++)
		if (!w->requests[i].seen &&
		    w->requests[i].conn == w->requests[at].conn)
			return false;
	return true;
}

/* The oldest one of that API that no step has seen; of one connection none is
 * passed over. */
static struct world_request *
next_request(struct play *p, int broker, const struct api_schema *api)
{
	struct world *w = p->world;
	const char *other = NULL;

	for (int i = 0; i < w->request_count; i++) {
		struct world_request *q = &w->requests[i];

		if (q->seen || q->conn->broker != broker)
			continue;
		if (q->head.schema == api && is_first_unseen(w, i))
			return q;
		if (other == NULL)
			other = q->head.schema->name;
	}
	error_set(&p->err, "broker %d got no %s%s%s", broker, api->name,
	    other ? " but " : "", other ? other : "");
	return NULL;
}

/* N gets API [vN] [as LABEL] {...}; N gets nothing */
static bool
broker_gets(struct play *p, int broker)
{
	const struct api_schema *api;
	struct world_request *q;
	char label[TEXT_WORD] = "";
	int version;

	if (text_is(&p->text, "nothing")) {
		for (int i = 0; i < p->world->request_count; i++) {
			q = &p->world->requests[i];
			if (!q->seen && q->conn->broker == broker)
				return error_set(&p->err, "broker %d got %s",
				    broker, q->head.schema->name);
		}
		return true;
	}
	if (!api_version(p, &api, &version))
		return false;
	q = next_request(p, broker, api);
	if (q == NULL)
		return false;
	if (version >= 0 && q->head.version != version)
		return error_set(&p->err, "it is version %d", q->head.version);
	if (text_is(&p->text, "as") && !word(p, label))
		return false;
	snprintf(q->label, sizeof(q->label), "%.63s", label);
	q->seen = true;
	return match(p, api->request, q->head.version, q->body);
}

static struct world_request *
unanswered(struct play *p, int broker, const char *label)
{
	for (int i = 0; i < p->world->request_count; i++) {
		struct world_request *q = &p->world->requests[i];

		if (q->seen && !q->answered && q->conn->broker == broker &&
		    q->conn->peer.open &&
		    (label[0] == '\0' || strcmp(label, q->label) == 0))
			return q;
	}
	error_set(&p->err, "broker %d has nothing to answer", broker);
	return NULL;
}

static bool
answer_text(struct play *p, struct world_request *q)
{
	uint8_t head[8] = { 0 };
	struct slice raw;
	uint32_t id = (uint32_t)q->head.correlation_id;

	if (!text_string(&p->text, &raw))
		return bad(p, "a \"text\"");
	for (int i = 0; i < 4; i++) {
		head[i] = (uint8_t)((raw.len + 4) >> 8 * (3 - i));
		head[4 + i] = (uint8_t)(id >> 8 * (3 - i));
	}
	peer_send(&q->conn->peer, head, sizeof(head));
	peer_send(&q->conn->peer, raw.data, raw.len);
	return true;
}

static void *
answer_body(struct play *p, const struct world_request *q)
{
	char name[TEXT_WORD];
	int64_t code;

	p->text.version = q->head.version;
	if (!text_is(&p->text, "error"))
		return text_parse(&p->text, q->head.schema->response);
	/* Wherever the API has room for it. */
	if (!word(p, name) || !text_error(name, &code)) {
		bad(p, "an error");
		return NULL;
	}
	return shape_error(q->head.schema, q->head.version, q->body,
	    (int16_t)code, p->text.arena);
}

/* N answers [to LABEL] [half|again|wrongly] {...} | error NAME | text "..." */
static bool
broker_answers(struct play *p, int broker)
{
	char label[TEXT_WORD] = "";
	struct world_request *q;
	bool half = false, again = false, wrongly = false;
	struct chain out;
	void *body;

	if (text_is(&p->text, "to") && !word(p, label))
		return false;
	q = unanswered(p, broker, label);
	if (q == NULL)
		return false;
	if (text_is(&p->text, "half"))
		half = true;
	else if (text_is(&p->text, "again"))
		again = true;
	else if (text_is(&p->text, "wrongly"))
		wrongly = true;
	q->answered = !again;
	if (text_is(&p->text, "text"))
		return answer_text(p, q);
	body = answer_body(p, q);
	if (body == NULL)
		return false;
	out = world_answer(q, body, wrongly, &p->err);
	if (out.bytes == 0)
		return false;
	world_conn_send(q->conn, &out, half ? out.bytes / 2 : 0);
	return true;
}

/* The connection of the request with that label, or all. */
static void
end_conns(struct play *p, int broker, const char *label, bool reset)
{
	struct world_conn *only = NULL;

	for (int i = 0; i < p->world->request_count; i++)
		if (label[0] != '\0' &&
		    strcmp(p->world->requests[i].label, label) == 0)
			only = p->world->requests[i].conn;
	for (int i = 0; i < p->world->conn_count; i++) {
		struct world_conn *c = &p->world->conns[i];

		if (c->broker != broker || (only != NULL && c != only))
			continue;
		if (reset)
			peer_reset(&c->peer);
		else
			peer_close(&c->peer);
	}
}

static void
send_rests(struct play *p, int broker)
{
	for (int i = 0; i < p->world->conn_count; i++) {
		struct world_conn *c = &p->world->conns[i];

		if (c->broker != broker || c->rest_len == 0)
			continue;
		peer_send(&c->peer, c->rest, c->rest_len);
		c->rest_len = 0;
	}
}

static void
accept_all(struct play *p, int broker)
{
	for (int i = 0; i < p->world->conn_count; i++)
		if (p->world->conns[i].broker == broker)
			peer_accept(&p->world->conns[i].peer);
}

static bool
broker_has(struct play *p, int broker)
{
	int64_t n;
	int is = world_conns(p->world, broker);

	if (!number(p, &n))
		return false;
	(void)(text_is(&p->text, "connections") ||
	    text_is(&p->text, "connection"));
	return is == n ? true : error_set(&p->err, "it has %d", is);
}

static bool
broker_step(struct play *p, int id)
{
	struct world_broker *b = world_broker(p->world, id);
	char verb[TEXT_WORD], label[TEXT_WORD] = "";

	if (!word(p, verb))
		return false;
	if (strcmp(verb, "gets") == 0)
		return broker_gets(p, id);
	if (strcmp(verb, "answers") == 0)
		return broker_answers(p, id);
	if (strcmp(verb, "has") == 0)
		return broker_has(p, id);
	text_word(&p->text, label);
	if (strcmp(verb, "refuses") == 0 || strcmp(verb, "dies") == 0)
		b->answer = NET_REFUSES;
	else if (strcmp(verb, "hangs") == 0)
		b->answer = NET_HANGS;
	else if (strcmp(verb, "accepts") == 0)
		b->answer = NET_ACCEPTS;
	if (strcmp(verb, "closes") == 0 || strcmp(verb, "dies") == 0)
		end_conns(p, id, label, false);
	else if (strcmp(verb, "resets") == 0)
		end_conns(p, id, label, true);
	else if (strcmp(verb, "finishes") == 0)
		send_rests(p, id);
	else if (strcmp(verb, "accepts") == 0)
		accept_all(p, id);
	else if (strcmp(verb, "refuses") != 0 && strcmp(verb, "hangs") != 0)
		return error_set(&p->err, "a broker does not \"%s\"", verb);
	return true;
}

/* ---- all of them ---- */

static const struct {
	const char	*word;
	bool		(*play)(struct play *p);
} verbs[] = {
	{ "broker", step_broker },
	{ "topic", step_topic },
	{ "group", step_group },
	{ "txn", step_txn },
	{ "offer", step_offer },
	{ "by-hand", step_by_hand },
	{ "set", step_set },
	{ "watch", step_watch },
	{ "start", step_start },
	{ "snapshot", step_snapshot },
	{ "wish", step_wish },
	{ "no-wish", step_no_wish },
	{ "wait", step_wait },
	{ "drain", step_drain },
	{ "sessions", step_sessions },
	{ "legs", step_legs },
	{ "fetch-sessions", step_fetch_sessions },
	{ "client", step_client },
};

static bool
play_verb(struct play *p)
{
	char first[TEXT_WORD];
	char *end;
	long id;

	if (!word(p, first))
		return false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].word, first) == 0)
			return verbs[i].play(p);
	id = strtol(first, &end, 10);
	return *end == '\0' ? broker_step(p, (int)id) : client_step(p, first);
}

bool
play_step(struct play *p, const struct step *s)
{
	struct error err;

	p->err.text[0] = '\0';
	p->text = (struct text){ s->text, &p->vars, &p->world->arena, 0,
		&p->err };
	if (p->trace != NULL)
		fprintf(p->trace, "%s:%d: %s\n", p->path, s->line, s->text);
	if (play_verb(p) && !text_end(&p->text))
		bad(p, "the end of the step");
	if (p->err.text[0] == '\0')
		world_settle(p->world);
	if (p->err.text[0] == '\0' && p->world->fault[0] != '\0')
		error_set(&p->err, "%s", p->world->fault);
	if (p->err.text[0] == '\0')
		return true;
	err = p->err;
	return error_set(&p->err, "%s:%d: %s", p->path, s->line, err.text);
}

static bool
finished(struct play *p)
{
	const struct world *w = p->world;

	for (int i = 0; i < w->client_count; i++) {
		const struct world_client *c = &w->clients[i];

		if (c->told)
			continue;
		if (c->peer.in_len > 0)
			return error_set(&p->err, "%s got %zu bytes that no "
			    "step looks at", c->name, c->peer.in_len);
		if (!c->peer.open)
			return error_set(&p->err, "%s was closed", c->name);
		if (c->awaited_count > 0)
			return error_set(&p->err, "%s still waits for %s",
			    c->name, c->awaited[c->first].api->name);
	}
	for (int i = 0; i < w->request_count; i++)
		if (!w->requests[i].seen)
			return error_set(&p->err, "broker %d got %s that no "
			    "step looks at", w->requests[i].conn->broker,
			    w->requests[i].head.schema->name);
	return true;
}

bool
play_finished(struct play *p)
{
	struct error err;

	if (finished(p))
		return true;
	err = p->err;
	return error_set(&p->err, "%s: at its end %s", p->path, err.text);
}
