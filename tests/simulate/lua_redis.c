/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulate/lua_redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"

enum kind { STRING, HASH, ZSET };
enum { SCRIPTS = 8, ARGS_TEXT = 16 };

struct member {
	double	 score;
	char	*name;
};

struct value {
	enum kind	 kind;
	int64_t		 expires_us;	/* 0: never */
	char		*text;
	size_t		 len;		/* of it */
	struct htab	*fields;	/* HASH: to text; ZSET: to member */
	struct member	**order;	/* ZSET, by score and name */
	uint32_t	 n, room;
};

struct lua_redis {
	lua_State	*lua;
	struct htab	*values;
	int64_t		 now_us;
	uint64_t	 commands;
	struct {
		const struct store_script	*script;
		int				 ref;
	} loaded[SCRIPTS];
	int		 scripts;
	char		 numbers[ARGS_TEXT][32];
};

/* ---- values ---- */

static void
free_value(void *p)
{
	struct value *v = p;

	for (uint32_t i = 0; i < v->n; i++) {
		free(v->order[i]->name);
		free(v->order[i]);
	}
	if (v->fields != NULL)
		htab_free(v->fields, v->kind == HASH ? free : NULL);
	free(v->order);
	free(v->text);
	free(v);
}

static void
drop(struct lua_redis *r, const char *key)
{
	struct value *v = htab_take(r->values, slice_of(key));

	if (v != NULL)
		free_value(v);
}

static struct value *
find(struct lua_redis *r, const char *key, enum kind kind)
{
	struct value *v = htab_get(r->values, slice_of(key));

	if (v != NULL && v->expires_us != 0 && v->expires_us <= r->now_us) {
		drop(r, key);
		return NULL;
	}
	if (v != NULL && v->kind != kind)
		luaL_error(r->lua, "WRONGTYPE %s", key);
	return v;
}

static struct value *
make(struct lua_redis *r, const char *key, enum kind kind)
{
	struct value *v = find(r, key, kind);

	if (v != NULL)
		return v;
	v = mem_zalloc(sizeof(*v));
	v->kind = kind;
	if (kind != STRING)
		v->fields = htab_new();
	htab_set(r->values, slice_of(key), v);
	return v;
}

/* Redis has no empty ones. */
static void
drop_empty(struct lua_redis *r, const char *key, struct value *v)
{
	if (v != NULL && htab_count(v->fields) == 0)
		drop(r, key);
}

/* The first that is not before this score and name. */
static uint32_t
place(const struct value *v, double score, const char *name)
{
	uint32_t a = 0, b = v->n;

	while (a < b) {
		uint32_t m = (a + b) / 2;
		const struct member *e = v->order[m];

		if (e->score < score || (e->score == score &&
		    strcmp(e->name, name) < 0))
			a = m + 1;
		else
			b = m;
	}
	return a;
}

static void
cut(struct value *v, uint32_t i)
{
	v->n--;
	memmove(v->order + i, v->order + i + 1,
	    (v->n - i) * sizeof(*v->order));
}

static void
insert(struct value *v, struct member *e)
{
	uint32_t i = place(v, e->score, e->name);

	if (v->n == v->room) {
		v->room = v->room * 2 + 16;
		v->order = mem_realloc(v->order, v->room * sizeof(*v->order));
	}
	memmove(v->order + i + 1, v->order + i,
	    (v->n - i) * sizeof(*v->order));
	v->order[i] = e;
	v->n++;
}

static bool
zset_remove(struct value *v, const char *name)
{
	struct member *e = htab_take(v->fields, slice_of(name));

	if (e == NULL)
		return false;
	cut(v, place(v, e->score, e->name));
	free(e->name);
	free(e);
	return true;
}

/* ---- commands: arguments as text, results on the Lua stack ---- */

struct args {
	struct lua_redis	*r;
	lua_State		*lua;
	int			 n;
};

static const char *
arg(const struct args *a, int i)
{
	char *number;

	luaL_argcheck(a->lua, i < a->n, i, "missing");
	if (lua_type(a->lua, i + 1) == LUA_TNUMBER && i < ARGS_TEXT) {
		/* As Redis does, and not as Lua 5.1 would. */
		number = a->r->numbers[i];
		snprintf(number, sizeof(a->r->numbers[i]), "%.17g",
		    lua_tonumber(a->lua, i + 1));
		return number;
	}
	return luaL_checkstring(a->lua, i + 1);
}

static void
push_text(const struct args *a, const char *text)
{
	if (text == NULL)
		lua_pushboolean(a->lua, 0);
	else
		lua_pushstring(a->lua, text);
}

static void
do_time(const struct args *a)
{
	char text[32];

	lua_newtable(a->lua);
	snprintf(text, sizeof(text), "%lld",
	    (long long)(a->r->now_us / 1000000));
	lua_pushstring(a->lua, text);
	lua_rawseti(a->lua, -2, 1);
	snprintf(text, sizeof(text), "%lld",
	    (long long)(a->r->now_us % 1000000));
	lua_pushstring(a->lua, text);
	lua_rawseti(a->lua, -2, 2);
}

static void
do_del(const struct args *a)
{
	for (int i = 1; i < a->n; i++)
		drop(a->r, arg(a, i));
	lua_pushnumber(a->lua, a->n - 1);
}

static void
do_mget(const struct args *a)
{
	lua_newtable(a->lua);
	for (int i = 1; i < a->n; i++) {
		struct value *v = find(a->r, arg(a, i), STRING);

		if (v != NULL)
			lua_pushlstring(a->lua, v->text, v->len);
		else
			lua_pushboolean(a->lua, 0);
		lua_rawseti(a->lua, -2, i);
	}
}

static void
do_set(const struct args *a)
{
	struct value *v = make(a->r, arg(a, 1), STRING);
	const char *text = luaL_checklstring(a->lua, 3, &v->len);

	free(v->text);
	v->text = mem_strndup(text, v->len);
	v->expires_us = 0;
	if (a->n > 3) {
		luaL_argcheck(a->lua, strcmp(arg(a, 3), "PX") == 0, 4, "PX");
		v->expires_us = a->r->now_us +
		    strtoll(arg(a, 4), NULL, 10) * 1000;
	}
	lua_pushstring(a->lua, "OK");
}

static void
do_pexpire(const struct args *a)
{
	struct value *v = htab_get(a->r->values, slice_of(arg(a, 1)));

	if (v != NULL)
		v->expires_us = a->r->now_us +
		    strtoll(arg(a, 2), NULL, 10) * 1000;
	lua_pushnumber(a->lua, v != NULL);
}

static void
do_hset(const struct args *a)
{
	struct value *v = make(a->r, arg(a, 1), HASH);

	for (int i = 2; i + 1 < a->n; i += 2)
		free(htab_set(v->fields, slice_of(arg(a, i)),
		    mem_strdup(arg(a, i + 1))));
	lua_pushnumber(a->lua, 0);
}

static void
do_hmget(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), HASH);

	lua_newtable(a->lua);
	for (int i = 2; i < a->n; i++) {
		push_text(a, v == NULL ? NULL :
		    htab_get(v->fields, slice_of(arg(a, i))));
		lua_rawseti(a->lua, -2, i - 1);
	}
}

static bool
push_field(void *p, struct slice key, void *value)
{
	const struct args *a = p;
	int n = (int)lua_objlen(a->lua, -1);

	lua_pushlstring(a->lua, (const char *)key.data, key.len);
	lua_rawseti(a->lua, -2, n + 1);
	lua_pushstring(a->lua, value);
	lua_rawseti(a->lua, -2, n + 2);
	return true;
}

static void
do_hgetall(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), HASH);
	struct args copy = *a;

	lua_newtable(a->lua);
	if (v != NULL)
		htab_each(v->fields, push_field, &copy);
}

static void
do_hdel(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), HASH);

	for (int i = 2; v != NULL && i < a->n; i++)
		free(htab_take(v->fields, slice_of(arg(a, i))));
	drop_empty(a->r, arg(a, 1), v);
	lua_pushnumber(a->lua, 0);
}

static void
do_zadd(const struct args *a)
{
	struct value *v = make(a->r, arg(a, 1), ZSET);
	double score = strtod(arg(a, 2), NULL);
	const char *name = arg(a, 3);
	struct member *e = htab_get(v->fields, slice_of(name));

	lua_pushnumber(a->lua, e == NULL);
	if (e == NULL) {
		e = mem_alloc(sizeof(*e));
		e->name = mem_strdup(name);
		htab_set(v->fields, slice_of(name), e);
	} else {
		cut(v, place(v, e->score, e->name));
	}
	e->score = score;
	insert(v, e);
}

static void
do_zrem(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), ZSET);

	lua_pushnumber(a->lua, v != NULL && zset_remove(v, arg(a, 2)));
	drop_empty(a->r, arg(a, 1), v);
}

static void
do_zcard(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), ZSET);

	lua_pushnumber(a->lua, v != NULL ? v->n : 0);
}

static void
do_zscore(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), ZSET);
	struct member *e = v == NULL ? NULL :
	    htab_get(v->fields, slice_of(arg(a, 2)));
	char text[32];

	if (e != NULL)
		snprintf(text, sizeof(text), "%.17g", e->score);
	push_text(a, e != NULL ? text : NULL);
}

static void
push_range(const struct args *a, const struct value *v, uint32_t from,
    uint32_t to, bool scores)
{
	char text[32];
	int n = 0;

	lua_newtable(a->lua);
	for (uint32_t i = from; v != NULL && i < to && i < v->n; i++) {
		lua_pushstring(a->lua, v->order[i]->name);
		lua_rawseti(a->lua, -2, ++n);
		if (!scores)
			continue;
		snprintf(text, sizeof(text), "%.17g", v->order[i]->score);
		lua_pushstring(a->lua, text);
		lua_rawseti(a->lua, -2, ++n);
	}
}

static void
do_zrange(const struct args *a)
{
	push_range(a, find(a->r, arg(a, 1), ZSET),
	    (uint32_t)strtoul(arg(a, 2), NULL, 10),
	    (uint32_t)strtoul(arg(a, 3), NULL, 10) + 1, a->n > 4);
}

/* The index where scores from this bound begin, or those up to it end. */
static uint32_t
bound(const struct value *v, const char *text, bool end)
{
	bool open = *text == '(';
	double score;
	uint32_t i;

	if (strcmp(text, "-inf") == 0)
		return 0;
	if (strcmp(text, "+inf") == 0)
		return v->n;
	score = strtod(text + open, NULL);
	i = place(v, score, "");
	while (open != end && i < v->n && v->order[i]->score == score)
		i++;
	return i;
}

static void
do_zrangebyscore(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), ZSET);
	uint32_t from = 0, to = 0, most;
	bool scores = false;

	if (v != NULL) {
		from = bound(v, arg(a, 2), false);
		to = bound(v, arg(a, 3), true);
	}
	for (int i = 4; i < a->n; i++) {
		if (strcmp(arg(a, i), "WITHSCORES") == 0) {
			scores = true;
			continue;
		}
		luaL_argcheck(a->lua, strcmp(arg(a, i), "LIMIT") == 0, i,
		    "LIMIT");
		from += (uint32_t)strtoul(arg(a, i + 1), NULL, 10);
		most = (uint32_t)strtoul(arg(a, i + 2), NULL, 10);
		if (to > from + most)
			to = from + most;
		i += 2;
	}
	push_range(a, v, from, to, scores);
}

static void
do_zremrangebyscore(const struct args *a)
{
	struct value *v = find(a->r, arg(a, 1), ZSET);
	uint32_t from, to, n = 0;

	if (v != NULL) {
		from = bound(v, arg(a, 2), false);
		to = bound(v, arg(a, 3), true);
		for (n = to > from ? to - from : 0; to > from; to--)
			zset_remove(v, v->order[from]->name);
	}
	drop_empty(a->r, arg(a, 1), v);
	lua_pushnumber(a->lua, n);
}

static const struct {
	const char	*name;
	void		(*run)(const struct args *a);
} commands[] = {
	{ "TIME", do_time }, { "DEL", do_del }, { "MGET", do_mget },
	{ "SET", do_set }, { "PEXPIRE", do_pexpire }, { "HSET", do_hset },
	{ "HMGET", do_hmget }, { "HGETALL", do_hgetall }, { "HDEL", do_hdel },
	{ "ZADD", do_zadd }, { "ZREM", do_zrem }, { "ZCARD", do_zcard },
	{ "ZSCORE", do_zscore }, { "ZRANGE", do_zrange },
	{ "ZRANGEBYSCORE", do_zrangebyscore },
	{ "ZREMRANGEBYSCORE", do_zremrangebyscore },
};

static int
redis_call(lua_State *lua)
{
	struct lua_redis *r = lua_touserdata(lua, lua_upvalueindex(1));
	struct args a = { .r = r, .lua = lua, .n = lua_gettop(lua) };
	const char *name = luaL_checkstring(lua, 1);

	r->commands++;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(&a);
			return 1;
		}
	return luaL_error(lua, "no such command: %s", name);
}

/* ---- Redis's struct library, as far as it is used ---- */

static int
doubles_of(lua_State *lua)
{
	const char *form = luaL_checkstring(lua, 1);
	int n = (int)strlen(form) - 1;

	luaL_argcheck(lua, form[0] == '<' &&
	    (int)strspn(form + 1, "d") == n && n <= 32, 1, "<ddd");
	return n;
}

static int
struct_pack(lua_State *lua)
{
	double v[32];
	int n = doubles_of(lua);

	for (int i = 0; i < n; i++)
		v[i] = luaL_checknumber(lua, i + 2);
	lua_pushlstring(lua, (const char *)v, (size_t)n * sizeof(v[0]));
	return 1;
}

static int
struct_unpack(lua_State *lua)
{
	double v[32];
	int n = doubles_of(lua);
	size_t len;
	const char *text = luaL_checklstring(lua, 2, &len);

	luaL_argcheck(lua, len >= (size_t)n * sizeof(v[0]), 2, "too short");
	memcpy(v, text, (size_t)n * sizeof(v[0]));
	for (int i = 0; i < n; i++)
		lua_pushnumber(lua, v[i]);
	lua_pushnumber(lua, n * (int)sizeof(v[0]) + 1);
	return n + 1;
}

/* ---- scripts ---- */

/* Redis has none but its own either. */
static int
no_globals(lua_State *lua)
{
	return luaL_error(lua, "a global variable: %s",
	    lua_tostring(lua, 2));
}

struct lua_redis *
lua_redis_new(void)
{
	struct lua_redis *r = mem_zalloc(sizeof(*r));
	lua_State *lua = luaL_newstate();

	assert(lua != NULL);
	r->lua = lua;
	r->values = htab_new();
	luaL_openlibs(lua);
	lua_newtable(lua);
	lua_pushlightuserdata(lua, r);
	lua_pushcclosure(lua, redis_call, 1);
	lua_setfield(lua, -2, "call");
	lua_setglobal(lua, "redis");
	lua_newtable(lua);
	lua_pushcfunction(lua, struct_pack);
	lua_setfield(lua, -2, "pack");
	lua_pushcfunction(lua, struct_unpack);
	lua_setfield(lua, -2, "unpack");
	lua_setglobal(lua, "struct");
	lua_newtable(lua);
	lua_pushcfunction(lua, no_globals);
	lua_setfield(lua, -2, "__newindex");
	lua_pushcfunction(lua, no_globals);
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, LUA_GLOBALSINDEX);
	return r;
}

void
lua_redis_free(struct lua_redis *r)
{
	lua_close(r->lua);
	htab_free(r->values, free_value);
	free(r);
}

static void
load(struct lua_redis *r, const struct store_script *script)
{
	for (int i = 0; i < r->scripts; i++)
		if (r->loaded[i].script == script) {
			lua_rawgeti(r->lua, LUA_REGISTRYINDEX,
			    r->loaded[i].ref);
			return;
		}
	assert(r->scripts < SCRIPTS);
	if (luaL_loadbuffer(r->lua, script->text, script->len,
	    script->name) != 0) {
		fprintf(stderr, "%s\n", lua_tostring(r->lua, -1));
		abort();
	}
	lua_pushvalue(r->lua, -1);
	r->loaded[r->scripts].script = script;
	r->loaded[r->scripts++].ref = luaL_ref(r->lua, LUA_REGISTRYINDEX);
}

static void
set_list(lua_State *lua, const char *name, const struct slice *v, uint32_t n)
{
	lua_pushstring(lua, name);
	lua_createtable(lua, (int)n, 0);
	for (uint32_t i = 0; i < n; i++) {
		lua_pushlstring(lua, (const char *)v[i].data, v[i].len);
		lua_rawseti(lua, -2, (int)i + 1);
	}
	lua_rawset(lua, LUA_GLOBALSINDEX);
}

bool
lua_redis_run(struct lua_redis *r, const struct store_script *script,
    const struct slice *keys, uint32_t key_count, const struct slice *args,
    uint32_t arg_count, int64_t time_us, struct slice *answer)
{
	lua_State *lua = r->lua;
	bool ok;
	size_t len;

	lua_settop(lua, 0);
	r->now_us = time_us;
	set_list(lua, "KEYS", keys, key_count);
	set_list(lua, "ARGV", args, arg_count);
	load(r, script);
	ok = lua_pcall(lua, 0, 1, 0) == 0;
	if (ok && lua_type(lua, -1) != LUA_TSTRING) {
		ok = false;
		lua_pushstring(lua, "the script returned no string");
	}
	answer->data = (const uint8_t *)lua_tolstring(lua, -1, &len);
	answer->len = (uint32_t)len;
	return ok;
}

void
lua_redis_flush(struct lua_redis *r)
{
	htab_free(r->values, free_value);
	r->values = htab_new();
}

uint32_t
lua_redis_keys(struct lua_redis *r)
{
	return (uint32_t)htab_count(r->values);
}

uint64_t
lua_redis_commands(const struct lua_redis *r)
{
	return r->commands;
}
