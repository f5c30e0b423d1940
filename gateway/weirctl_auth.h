/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weirctl's commands about keys, credentials, rights and tenants, which work on
 * files: keys, credentials, token, explain-access and tenants (which can also
 * ask a weir), and adopt, which asks one. Each takes its own arguments (argv[0]
 * is the command's name) and returns how to exit.
 *
 * weirctl_files.c has what they share: where the files are, reading them,
 * complaining.
 */
#ifndef WEIR_WEIRCTL_AUTH_H
#define WEIR_WEIRCTL_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error_list;
struct seal;

enum weirctl_exit {
	WEIRCTL_OK, WEIRCTL_REFUSED, WEIRCTL_USAGE, WEIRCTL_NO_REPLY,
};

int	 weirctl_keys(int argc, char **argv);
int	 weirctl_credentials(int argc, char **argv);
int	 weirctl_token(int argc, char **argv);
int	 weirctl_explain(int argc, char **argv);
int	 weirctl_limits(int argc, char **argv);
int	 weirctl_why(int argc, char **argv);
int	 weirctl_tenants(int argc, char **argv);
int	 weirctl_adopt(int argc, char **argv);

/* ---- weirctl_files.c ---- */

/* The group auth of a configuration, as far as it is about these files, with
 * what the arguments say instead. */
struct weirctl_files {
	char	*keys_file, *master_key, *identities_file, *policies_dir;
};

/* What the arguments say; NULL: nothing. Borrowed from argv. */
struct weirctl_places {
	const char	*config, *keys_file, *master_key_file, *master_key_env;
	const char	*identities_file, *policies_dir;
};

/* One argument, "--name VALUE" or "--name=VALUE": where its value goes, or
 * where it is collected (room for WEIRCTL_LIST_MAX), or the flag that it sets.
 */
struct weirctl_argument {
	const char	*name;		/* "--user" */
	const char	**to;
	const char	**list;
	uint32_t	*list_count;
	bool		*flag;
};
enum { WEIRCTL_LIST_MAX = 100, WEIRCTL_WORDS_MAX = 2 };

struct weirctl_words {
	const char	*v[WEIRCTL_WORDS_MAX];
	uint32_t	 n;
	bool		 help;
};

/* Reads them, and the places that all commands have (p may be NULL). What is
 * no argument is a word. False: the usage is due. */
bool	 weirctl_read(const struct weirctl_argument *arguments, size_t n,
	    struct weirctl_places *p, int argc, char **argv,
	    struct weirctl_words *words);

/* Reads the files' places and the master key. False: it was said on stderr.
 * weirctl_files_fini is due in any case. */
bool	 weirctl_files_read(const struct weirctl_places *p,
	    struct weirctl_files *to);
void	 weirctl_files_fini(struct weirctl_files *f);
/* The master key's; NULL: it was said. */
struct seal *weirctl_seal(const struct weirctl_files *f);
/* A line on stderr; WEIRCTL_REFUSED. */
int	 weirctl_refuse(const char *text);
int	 weirctl_refuse_all(struct error_list *errs);

#endif
