/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only code that knows how a field lies on the wire. schemac turns
 * gateway/wire/schema into one struct and one table of fields a message
 * ("wire/messages.h", generated); these functions serve all of them.
 * Format: https://kafka.apache.org/protocol (KIP-482 for flexible versions).
 *
 * Arrays are { T *v; int32_t n; } with n == -1 for null; strings and bytes are
 * struct slice (data NULL for null) that point into the frame; records are
 * struct records; a nullable struct is a pointer.
 *
 * Ownership: what is decoded lives in the arena given, and its slices in the
 * frame's block, which the arena holds (arena_hold by the caller).
 * Thread: any; the tables are constant.
 * Bounds: each array's count times its smallest encoded element must fit in
 * what remains; everything decoded is charged to the arena's cap; tagged
 * fields are at most CODEC_TAGS_MAX an object; nesting is the schema's.
 */
#ifndef WEIR_WIRE_CODEC_H
#define WEIR_WIRE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/block.h"
#include "gateway/base/error.h"
#include "gateway/base/slice.h"

enum {
	CODEC_TAGS_MAX = 64,		/* CVE-2026-111115 */
	CODEC_ARENA_FACTOR = 8,		/* arena cap = factor * frame + 4096 */
};

enum field_type {
	FIELD_BOOL, FIELD_INT8, FIELD_INT16, FIELD_UINT16, FIELD_INT32,
	FIELD_UINT32, FIELD_INT64, FIELD_FLOAT64, FIELD_STRING, FIELD_BYTES,
	FIELD_RECORDS, FIELD_UUID, FIELD_STRUCT,
};

/* What a string, bytes, uuid or broker id field means: written @so in the
 * schema, where every such field must say one. */
enum field_meaning {
	MEANING_NONE,			/* numbers and structs */
#define X(name, text) MEANING_##name,
#include "gateway/wire/meanings.def"
#undef X
	MEANING_COUNT
};

struct message;

struct field {
	const char		*name;
	uint8_t			 type;		/* enum field_type */
	uint8_t			 meaning;	/* enum field_meaning */
	bool			 array;
	bool			 ignorable;	/* dropped, not an error, when
						 * the version lacks it */
	int16_t			 since, until;	/* versions that have it */
	int16_t			 null_since;	/* null allowed; -1: never */
	int16_t			 tag;		/* -1: not tagged */
	int16_t			 tag_since;	/* tagged from this version */
	uint32_t		 offset;	/* in the parent struct */
	uint32_t		 size;		/* of one element in memory */
	const struct message	*element;	/* of structs */
	int64_t			 dflt;		/* numbers; strings: see .c */
	const char		*dflt_text;	/* strings; NULL: "" or null */
	bool			 dflt_null;
	const char		*meaning_arg;	/* the field it depends on */
	uint32_t		 arg_offset;	/* of it, in the same struct */
};

struct message {
	const char		*name;		/* "metadata_response" */
	int16_t			 api_key;	/* -1: not a request/response */
	int16_t			 since, until;
	int16_t			 flexible_since; /* until + 1: never */
	uint32_t		 size;		/* of the struct */
	uint16_t		 field_count;
	uint16_t		 tag_count;	/* tagged ones among them */
	const struct field	*fields;
	const void		*defaults;	/* a struct; NULL: all zero */
};

struct api_schema {
	int16_t			 key;
	const char		*name;		/* "find_coordinator" */
	int16_t			 since, until;
	int16_t			 flexible_since;
	const struct message	*request, *response;
};

/* Input. Sticky: after the first fault everything reads as zero and `fault`
 * says what was wrong (a constant string), so callers check once. */
struct reader {
	const uint8_t	*p, *end;
	struct block	*block;		/* what p points into; may be NULL */
	const char	*fault;
	uint32_t	 unknown_tags;	/* dropped so far */
};

void	 reader_init(struct reader *r, const uint8_t *p, size_t len,
	    struct block *block);
int8_t	 reader_int8(struct reader *r);
int16_t	 reader_int16(struct reader *r);
int32_t	 reader_int32(struct reader *r);
int64_t	 reader_int64(struct reader *r);
uint32_t reader_uvarint(struct reader *r);
/* A slice of the input; len may come from a peer. */
struct slice reader_bytes(struct reader *r, uint32_t len);
/* int16-length nullable string (request headers, non-flexible). */
struct slice reader_string(struct reader *r);
/* Skips a tagged-field section. */
void	 reader_skip_tags(struct reader *r);

/* Output: appends to a chain, copying small values into its own blocks and
 * passing records by reference. writer_finish closes the last piece. */
struct writer {
	struct chain	*out;
	struct block	*block;		/* being filled */
	uint8_t		*start, *p, *end;
	size_t		 bytes;		/* written before `start` */
};

void	 writer_init(struct writer *w, struct chain *out);
void	 writer_int8(struct writer *w, int8_t v);
void	 writer_int16(struct writer *w, int16_t v);
void	 writer_int32(struct writer *w, int32_t v);
void	 writer_int64(struct writer *w, int64_t v);
void	 writer_uvarint(struct writer *w, uint32_t v);
void	 writer_bytes(struct writer *w, const void *p, size_t len);
void	 writer_string(struct writer *w, struct slice s);  /* int16 length */
/* Four bytes that are set later (a frame's length); valid until finish. */
uint8_t	*writer_reserve4(struct writer *w);
size_t	 writer_size(const struct writer *w);	/* bytes since writer_init */
void	 writer_finish(struct writer *w);

/* The schema of an API key, or NULL when weir does not speak it. */
const struct api_schema	*api_schema_find(int16_t key);
/* All of them, ordered by key; ends with request == NULL. */
extern const struct api_schema api_schemas[];

/* Decodes one message into the arena. NULL on a fault, with r->fault set.
 * Bytes that are left over are a fault for the caller to judge. */
void	*codec_decode(struct reader *r, const struct message *m, int version,
	    struct arena *a) MUST_CHECK;
/* Encodes; false when a field which the version lacks is set and not
 * ignorable, or a null stands where none may (the error names the field). */
bool	 codec_encode(struct writer *w, const struct message *m, int version,
	    const void *obj, struct error *err) MUST_CHECK;
/* Sets defaults as the schema says (arena_get zeroes; this is for structs
 * which are built rather than decoded). */
void	 codec_defaults(const struct message *m, void *obj);
/* A new struct in the arena with its defaults. */
void	*codec_new(const struct message *m, struct arena *a);
/* n of them, for an array field: x->v = codec_array(f, a, x->n = n). */
void	*codec_array(const struct message *element, struct arena *a, int32_t n);
/* The fewest bytes that a struct can take on the wire in that version. */
size_t	 codec_min_size(const struct message *m, int version);

enum codec_walk { CODEC_KEEP, CODEC_DROP };

/* The value of the field that f's meaning depends on, when it is an int8 (a
 * resource or coordinator type); parent as in codec_visit_cb. */
static inline int8_t
codec_arg_int8(const struct field *f, const void *parent)
{
	return *((const int8_t *)parent + f->arg_offset);
}

/* Called for each value that has a meaning (string, bytes, uuid, broker id,
 * port), that the version has and that is not null, and for each struct element
 * of an array (f->type == FIELD_STRUCT, value is the element) after its fields.
 * DROP removes the array element, of structs or of values; elsewhere it means
 * nothing. `parent` is the struct that holds the value or the array. Text is
 * replaced by writing *(struct slice *)value. */
typedef enum codec_walk codec_visit_cb(void *arg, const struct field *f,
    void *value, void *parent);
void	 codec_walk(const struct message *m, int version, void *obj,
	    codec_visit_cb *visit, void *arg);

/* For --trace and test failures: text, one line a field, secrets and records
 * shown as lengths only. Returns bytes that the whole text has; writes at most
 * size - 1 of them and a NUL. */
size_t	 codec_print(const struct message *m, int version, const void *obj,
	    char *to, size_t size);

#endif
