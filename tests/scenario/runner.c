/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays scenarios, each in a process of its own.
 *
 *	runner [-v] [--segment N] [--cut] FILE|FOLDER...
 *
 * --segment N: weir reads and writes at most N bytes at once.
 * --cut: each scenario once for each step that does something, and each way to
 * end: it is played so far, then all clients or all brokers close or reset
 * their connections. Every request must be answered or its client be closed,
 * and nothing be left behind.
 */
#include <sys/wait.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "tests/scenario/play.h"

/* How a scenario is cut short. */
enum cut {
	CUT_NONE, CUT_CLIENTS_CLOSE, CUT_CLIENTS_RESET, CUT_BROKERS_CLOSE,
	CUT_BROKERS_RESET, CUT_COUNT,
};

/* Longer than weir waits for any broker. */
enum { PATIENCE_MS = 120 * 1000 };

static const char *const cut_names[] = { "", "clients close",
	"clients reset", "brokers close", "brokers reset" };

static bool verbose;

static void
cut_clients(struct world *w, bool reset)
{
	for (int i = 0; i < w->client_count; i++)
		if (reset)
			peer_reset(&w->clients[i].peer);
		else
			peer_close(&w->clients[i].peer);
	world_settle(w);
}

static bool
all_answered(const struct world *w)
{
	for (int i = 0; i < w->client_count; i++)
		if (w->clients[i].peer.open && w->clients[i].peer.reading &&
		    w->clients[i].rest_len == 0 &&
		    w->clients[i].awaited_count > 0)
			return false;
	return true;
}

/* Replies in the order of their requests; those to ApiVersions that was too new
 * have another form than world_reply takes them for. */
static bool
take_replies(struct world *w, struct error *err)
{
	for (int i = 0; i < w->client_count; i++) {
		struct world_client *c = &w->clients[i];
		const uint8_t *data;
		size_t len;

		while (c->peer.reading && peer_frame(&c->peer, &data, &len)) {
			const struct world_awaited *a = &c->awaited[c->first];
			struct world_awaited got;
			int version = c->awaited_count > 0 &&
			    a->version > a->api->until ? 0 : -1;

			if (world_reply(w, c, version, &got, err) == NULL)
				return false;
		}
	}
	return true;
}

static bool
cut_brokers(struct world *w, bool reset, struct error *err)
{
	for (int i = 0; i < w->broker_count; i++)
		w->brokers[i].answer = NET_REFUSES;
	for (int i = 0; i < w->conn_count; i++)
		if (reset)
			peer_reset(&w->conns[i].peer);
		else
			peer_close(&w->conns[i].peer);
	world_settle(w);
	if (!take_replies(w, err))
		return false;
	for (int64_t ms = 0; ms < PATIENCE_MS && !all_answered(w); ms += 1000) {
		world_wait(w, 1000);
		if (!take_replies(w, err))
			return false;
	}
	return all_answered(w) ? true : error_set(err,
	    "a client got neither reply nor close");
}

static bool
end_so(struct world *w, enum cut how, struct error *err)
{
	switch (how) {
	case CUT_CLIENTS_CLOSE:
	case CUT_CLIENTS_RESET:
		cut_clients(w, how == CUT_CLIENTS_RESET);
		return true;
	case CUT_BROKERS_CLOSE:
	case CUT_BROKERS_RESET:
		return cut_brokers(w, how == CUT_BROKERS_RESET, err);
	default:
		return true;
	}
}

/* Plays the first `steps`; then it ends so. */
static bool
play_some(struct play *p, int steps, enum cut how)
{
	struct error err = { "" };
	bool ok = true, left;

	p->trace = verbose && how == CUT_NONE ? stderr : NULL;
	p->world = world_new();
	for (int i = 0; ok && i < steps; i++)
		ok = play_step(p, &p->steps[i]);
	if (ok && how == CUT_NONE)
		ok = play_finished(p);
	else if (ok && p->world->worker != NULL)
		ok = end_so(p->world, how, &p->err);
	left = world_free(p->world, &err);
	if (!ok)
		fprintf(stderr, "%s\n", p->err.text);
	else if (!left)
		fprintf(stderr, "%s: at its end %s\n", p->path, err.text);
	return ok && left;
}

/* ---- processes: weir keeps some things as long as it lives ---- */

struct job {
	pid_t		 pid;
	const struct play *play;
	int		 steps;
	enum cut	 how;
};

enum { JOBS = 2 };

static struct job jobs[JOBS];
static int running, passed, failed;

static void
say_failed(const struct job *j)
{
	const struct play *p = j->play;

	fprintf(stderr, "%s FAILED", p->path);
	if (j->how != CUT_NONE)
		fprintf(stderr, " when %s before line %d", cut_names[j->how],
		    j->steps < p->count ? p->steps[j->steps].line : -1);
	fprintf(stderr, "\n");
}

/* Waits until at most `most` are running. */
static void
reap(int most)
{
	while (running > most) {
		int status, i = 0;
		pid_t pid = wait(&status);

		while (i < running && jobs[i].pid != pid)
			i++;
		if (i == running)
			abort();
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			passed++;
		} else {
			failed++;
			say_failed(&jobs[i]);
		}
		jobs[i] = jobs[--running];
	}
}

static void
in_child(struct play *p, int steps, enum cut how)
{
	struct job *j;

	reap(JOBS - 1);
	fflush(stdout);
	fflush(stderr);
	j = &jobs[running++];
	*j = (struct job){ fork(), p, steps, how };
	if (j->pid < 0)
		abort();
	if (j->pid == 0) {
		bool ok;

		/* A loop that does not end is a failure too. */
		alarm(120);
		ok = play_some(p, steps, how);
		play_free(p);
		exit(ok ? 0 : 1);
	}
}

/* Whether weir may stand elsewhere after it than before. */
static bool
does_something(const struct step *s)
{
	static const char *const looks[] = { "wish", "no-wish", "sessions",
		"legs", "fetch-sessions" };
	char first[32] = "", second[32] = "";

	sscanf(s->text, "%31s %31s", first, second);
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
		if (strcmp(first, looks[i]) == 0)
			return false;
	return strcmp(second, "gets") != 0 && strcmp(second, "has") != 0;
}

/* With this step weir starts. */
static bool
starts(const struct step *s)
{
	return strncmp(s->text, "client ", 7) == 0 ||
	    strcmp(s->text, "start") == 0;
}

static void
run_cuts(struct play *p)
{
	int steps = 0;

	while (steps < p->count && !starts(&p->steps[steps]))
		steps++;
	for (; steps < p->count; steps++) {
		if (!does_something(&p->steps[steps]))
			continue;
		for (int how = CUT_NONE + 1; how < CUT_COUNT; how++)
			in_child(p, steps + 1, (enum cut)how);
	}
}

static bool
run_file(const char *path, bool cut)
{
	struct error err = { "" };
	struct play p;

	if (!play_read(&p, path, &err)) {
		fprintf(stderr, "%s\n", err.text);
		play_free(&p);
		return false;
	}
	if (cut)
		run_cuts(&p);
	else
		in_child(&p, p.count, CUT_NONE);
	reap(0);
	play_free(&p);
	return true;
}

/* A file, or all of a folder. */
static void
run_path(const char *path, bool cut)
{
	char pattern[4096];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*.scn", path);
	if (glob(pattern, 0, NULL, &found) != 0) {
		failed += !run_file(path, cut);
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		failed += !run_file(found.gl_pathv[i], cut);
	globfree(&found);
}

int
main(int argc, char **argv)
{
	int i = 1;
	bool cut = false;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-v") == 0)
			verbose = true;
		else if (strcmp(argv[i], "--cut") == 0)
			cut = true;
		else if (strcmp(argv[i], "--segment") == 0 && i + 1 < argc)
			net_segment((size_t)strtol(argv[++i], NULL, 10));
		else
			break;
	}
	if (i == argc || argv[i][0] == '-') {
		fprintf(stderr, "runner [-v] [--segment N] [--cut] "
		    "FILE|FOLDER...\n");
		return 2;
	}
	if (!verbose)
		log_to_file("/dev/null");
	else
		log_setup(LOG_DEBUG, LOG_TEXT);
	for (; i < argc; i++)
		run_path(argv[i], cut);
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0 || passed == 0;
}
