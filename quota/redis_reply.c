/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/redis_reply.h"

#include <assert.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>
#include <openssl/crypto.h>

#include "gateway/base/mem.h"

struct redis_reader {
	redisReader	*in;
	struct arena	 memory;	/* of the reply that is being read */
	uint32_t	 elements;	/* of it */
	size_t		 bytes;		/* not yet part of a whole reply */
	bool		 open;		/* memory is in use */
};

/* ---- what hiredis calls; NULL ends the reading ---- */

/* In its parent's place. hiredis gives indexes below what it announced. */
static void *
put(const redisReadTask *task, struct redis_reply *r)
{
	struct redis_reply *parent;

	if (task->parent == NULL)
		return r;
	parent = task->parent->obj;
	assert(parent->kind == REDIS_LIST && task->idx >= 0 &&
	    (uint32_t)task->idx < parent->n);
	parent->v[task->idx] = r;
	return r;
}

static struct redis_reply *
make(const redisReadTask *task, enum redis_kind kind)
{
	struct redis_reader *reader = task->privdata;
	struct redis_reply *r = arena_try(&reader->memory, sizeof(*r));

	if (r != NULL)
		r->kind = kind;
	return r;
}

static void *
create_string(const redisReadTask *task, char *text, size_t len)
{
	struct redis_reader *reader = task->privdata;
	struct redis_reply *r = make(task, task->type == REDIS_REPLY_ERROR ?
	    REDIS_ERROR : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS :
	    REDIS_TEXT);
	uint8_t *to;

	if (r == NULL || len > REDIS_REPLY_BYTES_MAX)
		return NULL;
	to = arena_try(&reader->memory, len + 1);
	if (to == NULL)
		return NULL;
	memcpy(to, text, len);
	r->text = (struct slice){ to, (uint32_t)len };
	return put(task, r);
}

static void *
create_array(const redisReadTask *task, int n)
{
	struct redis_reader *reader = task->privdata;
	struct redis_reply *r = make(task, REDIS_LIST);

	if (r == NULL || n < 0 || (uint32_t)n > REDIS_REPLY_ELEMENTS_MAX -
	    reader->elements)
		return NULL;
	reader->elements += (uint32_t)n;
	r->n = (uint32_t)n;
	r->v = arena_try(&reader->memory, (size_t)n * sizeof(*r->v));
	return r->v != NULL ? put(task, r) : NULL;
}

static void *
create_integer(const redisReadTask *task, long long value)
{
	struct redis_reply *r = make(task, REDIS_INTEGER);

	if (r == NULL)
		return NULL;
	r->integer = value;
	return put(task, r);
}

static void *
create_nil(const redisReadTask *task)
{
	struct redis_reply *r = make(task, REDIS_NIL);

	return r != NULL ? put(task, r) : NULL;
}

/* All of it goes with the arena. */
static void
free_object(void *object)
{
	(void)object;
}

static redisReplyObjectFunctions functions = {
	.createString = create_string,
	.createArray = create_array,
	.createInteger = create_integer,
	.createNil = create_nil,
	.freeObject = free_object,
};

/* ---- the reader ---- */

struct redis_reader *
redis_reader_new(void)
{
	struct redis_reader *r = mem_zalloc(sizeof(*r));

	r->in = redisReaderCreateWithFunctions(&functions);
	if (r->in == NULL)
		abort();	/* out of memory */
	r->in->privdata = r;
	return r;
}

void
redis_reader_free(struct redis_reader *r)
{
	if (r == NULL)
		return;
	redisReaderFree(r->in);
	if (r->open)
		arena_fini(&r->memory);
	free(r);
}

bool
redis_reader_feed(struct redis_reader *r, const uint8_t *data, size_t len,
    struct error *err)
{
	if (len > REDIS_REPLY_BYTES_MAX ||
	    r->bytes > REDIS_REPLY_BYTES_MAX - len)
		return error_set(err, "a reply is longer than %d bytes",
		    REDIS_REPLY_BYTES_MAX);
	r->bytes += len;
	if (redisReaderFeed(r->in, (const char *)data, len) != REDIS_OK)
		return error_set(err, "the reply cannot be read: %s",
		    r->in->errstr);
	return true;
}

bool
redis_reader_next(struct redis_reader *r, struct redis_reply **to,
    struct arena *memory, struct error *err)
{
	void *reply = NULL;

	*to = NULL;
	if (!r->open) {
		arena_init(&r->memory, REDIS_REPLY_MEMORY_MAX);
		r->open = true;
		r->elements = 0;
	}
	if (redisReaderGetReply(r->in, &reply) != REDIS_OK)
		return r->in->err == REDIS_ERR_OOM ?
		    error_set(err, "the reply has more in it than is taken") :
		    error_set(err, "the reply cannot be read: %s",
		    r->in->errstr);
	if (reply == NULL)
		return true;
	*to = reply;
	*memory = r->memory;
	r->open = false;
	r->bytes = r->in->len - r->in->pos;
	return true;
}

/* ---- replies ---- */

const struct redis_reply *
redis_reply_at(const struct redis_reply *r, uint32_t i)
{
	return r != NULL && r->kind == REDIS_LIST && i < r->n ? r->v[i] : NULL;
}

struct slice
redis_reply_text(const struct redis_reply *r)
{
	return r != NULL && (r->kind == REDIS_TEXT || r->kind == REDIS_STATUS) ?
	    r->text : SLICE_NULL;
}

bool
redis_reply_integer(const struct redis_reply *r, int64_t *to)
{
	if (r == NULL || r->kind != REDIS_INTEGER)
		return false;
	*to = r->integer;
	return true;
}

bool
redis_reply_is_error(const struct redis_reply *r, const char *word)
{
	size_t n = strlen(word);

	return r != NULL && r->kind == REDIS_ERROR && r->text.len >= n &&
	    memcmp(r->text.data, word, n) == 0 &&
	    (r->text.len == n || r->text.data[n] == ' ');
}

/* ---- commands ---- */

char *
redis_command_format(uint32_t argc, const struct slice *argv, size_t *len)
{
	const char **texts = mem_alloc(argc * sizeof(*texts));
	size_t *lens = mem_alloc(argc * sizeof(*lens));
	char *to = NULL;
	int n;

	for (uint32_t i = 0; i < argc; i++) {
		texts[i] = argv[i].len > 0 ? (const char *)argv[i].data : "";
		lens[i] = argv[i].len;
	}
	n = redisFormatCommandArgv(&to, (int)argc, texts, lens);
	if (n < 0)
		abort();	/* out of memory */
	*len = (size_t)n;
	free(texts);
	free(lens);
	return to;
}

void
redis_command_free(char *command, size_t len)
{
	OPENSSL_cleanse(command, len);
	redisFreeCommand(command);
}
