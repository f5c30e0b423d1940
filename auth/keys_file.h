/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing the key file (auth/keys.h): opened, changed in memory, and written
 * as a whole beside it, flushed and renamed, so that whoever reads it sees the
 * old keys or the new. A lock (FILE.lock) holds off others who change it.
 *
 * Ownership: the caller's; keys_file_close drops the lock, and what was not
 * saved. Thread: the caller's.
 */
#ifndef WEIR_AUTH_KEYS_FILE_H
#define WEIR_AUTH_KEYS_FILE_H

#include "auth/keys.h"
#include "gateway/base/error.h"

struct keys_file;

enum keys_file_mode {
	KEYS_FILE_READ,			/* no lock; must be there */
	KEYS_FILE_CHANGE,		/* waits for the lock; must be there */
	KEYS_FILE_CREATE,		/* as CHANGE, but it may be missing */
};

/* All keys are opened, so that a wrong master key is noticed before anything
 * is written. NULL and all faults, behind the file's name. */
struct keys_file *keys_file_open(const char *path, const struct seal *seal,
		    enum keys_file_mode mode, struct error_list *errs);
void		 keys_file_close(struct keys_file *f);
/* What it held when it was opened. */
const struct keys *keys_file_keys(const struct keys_file *f);

/* Draws a key for the user; false when it has two enabled ones already.
 * keys_key_fini(to) is due when it was made. */
bool		 keys_file_add(struct keys_file *f, struct slice user,
		    int64_t now_s, struct key *to, struct error *err)
		    MUST_CHECK;
/* Enables or disables, or takes it away; false: no such key, or the user would
 * have too many. */
bool		 keys_file_disable(struct keys_file *f, struct slice id,
		    bool disabled, struct error *err) MUST_CHECK;
bool		 keys_file_delete(struct keys_file *f, struct slice id,
		    struct error *err) MUST_CHECK;
/* Seals what stands under an older master key anew; returns how many. */
uint32_t	 keys_file_reseal(struct keys_file *f);
bool		 keys_file_save(struct keys_file *f, struct error *err)
		    MUST_CHECK;

#endif
