/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "gateway/net/loop_private.h"
#include "gateway/net/watchdog.h"

enum { LIMIT_MS = 5000, LOOK_MS = 100 };

struct world {
	struct loop	*l[3];
	struct watchdog	*w;
	int64_t		 now_us;
};

static int
setup(void **state)
{
	struct world *o = mem_zalloc(sizeof(*o));

	o->w = watchdog_new(LIMIT_MS * 1000);
	o->now_us = 1000000;
	for (int i = 0; i < 3; i++) {
		o->l[i] = loop_new();
		watchdog_add(o->w, o->l[i], pthread_self());
	}
	*state = o;
	return 0;
}

static int
teardown(void **state)
{
	struct world *o = *state;

	for (int i = 0; i < 3; i++)
		loop_free(o->l[i]);
	watchdog_free(o->w);
	free(o);
	return 0;
}

static int
look_after(struct world *o, int64_t ms)
{
	o->now_us += ms * 1000;
	return watchdog_look(o->w, o->now_us);
}

static void
test_idle(void **state)
{
	for (int i = 0; i < 1000; i++)
		assert_int_equal(look_after(*state, LOOK_MS), -1);
}

static void
test_turns_that_end(void **state)
{
	struct world *o = *state;

	for (int i = 0; i < 300; i++) {
		loop_enter(o->l[i % 3]);
		for (int k = 0; k < 40; k++)
			assert_int_equal(look_after(o, LOOK_MS), -1);
		loop_leave(o->l[i % 3]);
		/* The next one begins before anybody looks. */
	}
}

static void
test_hang(void **state)
{
	struct world *o = *state;
	int looks = 0;

	look_after(o, LOOK_MS);
	loop_enter(o->l[1]);
	while (look_after(o, LOOK_MS) < 0)
		assert_true(++looks < 1000);
	assert_in_range(looks, LIMIT_MS / LOOK_MS - 1, LIMIT_MS / LOOK_MS + 1);
	assert_int_equal(look_after(o, LOOK_MS), 1);
	loop_leave(o->l[1]);
	assert_int_equal(look_after(o, LOOK_MS), -1);
}

/* A nested turn is the same turn. */
static void
test_nested(void **state)
{
	struct world *o = *state;

	loop_enter(o->l[2]);
	for (int i = 0; i < 30; i++) {
		loop_enter(o->l[2]);
		assert_int_equal(look_after(o, LOOK_MS), -1);
		loop_leave(o->l[2]);
	}
	for (int i = 0; i < 30; i++)
		look_after(o, LOOK_MS);
	assert_int_equal(look_after(o, LOOK_MS), 2);
	loop_leave(o->l[2]);
}

/* Stopped for 20 s in the middle of a turn, again and again. */
static void
test_sleep_is_no_hang(void **state)
{
	struct world *o = *state;

	for (int i = 0; i < 10; i++) {
		loop_enter(o->l[0]);
		assert_int_equal(look_after(o, LOOK_MS), -1);
		for (int k = 0; k < 10; k++)
			assert_int_equal(look_after(o, 20000), -1);
		assert_int_equal(look_after(o, LOOK_MS), -1);
		loop_leave(o->l[0]);
	}
	assert_int_equal(look_after(o, 3600 * 1000), -1);
}

/* ---- real processes ---- */

static void
hang(void *arg)
{
	(void)arg;
	for (;;)
		poll(NULL, 0, 10);
}

static void *
run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* A loop on a thread of its own, watched by this one until `until` is readable
 * or it hangs. */
static void
watch(int64_t limit_us, void (*fn)(void *arg), int until)
{
	struct loop *l = loop_new();
	struct watchdog *w = watchdog_new(limit_us);
	struct pollfd p = { .fd = until, .events = POLLIN };
	pthread_t t;
	int which;

	watchdog_show_aborts();
	if (pthread_create(&t, NULL, run_loop, l) != 0)
		_exit(3);
	watchdog_add(w, l, t);
	loop_post(l, fn, l);
	while (poll(&p, 1, (int)(limit_us / WATCHDOG_STEPS / 2000)) == 0) {
		which = watchdog_look(w, clock_now_us());
		if (which >= 0)
			watchdog_bark(w, which);
	}
	_exit(0);
}

struct child {
	pid_t	pid;
	int	says, until;
};

static void
start(struct child *c, int64_t limit_us, void (*fn)(void *arg))
{
	int says[2], until[2];

	assert_int_equal(pipe(says), 0);
	assert_int_equal(pipe(until), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		dup2(says[1], STDERR_FILENO);
		close(until[1]);
		watch(limit_us, fn, until[0]);
	}
	close(says[1]);
	close(until[0]);
	c->says = says[0];
	c->until = until[1];
}

static int
end(struct child *c, char *text, size_t size)
{
	size_t have = 0;
	ssize_t n;
	int status;

	while (have < size - 1 && (n = read(c->says, text + have,
	    size - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = '\0';
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	close(c->says);
	return status;
}

static void
test_abort_with_backtrace(void **state)
{
	char text[16384];
	struct child c;
	int status;

	(void)state;
	start(&c, 200 * 1000, hang);
	status = end(&c, text, sizeof(text));
	close(c.until);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(text, "weir: worker 0 has been in one turn for "
	    "over 200 ms"));
	assert_non_null(strstr(text, "weir: aborted here:\n"));
	/* The frames of the thread that hangs. */
	assert_non_null(strstr(text, "test_watchdog("));
	assert_non_null(strstr(text, "poll"));
}

/* Turns of 100 ms without end; each makes the next. */
static void
work(void *arg)
{
	poll(NULL, 0, 100);
	loop_post(arg, work, arg);
}

/* Stopped for longer than the limit, most likely inside a turn. */
static void
test_stopped_process_goes_on(void **state)
{
	char text[1024];
	struct child c;
	int status;

	(void)state;
	start(&c, 2000 * 1000, work);
	poll(NULL, 0, 300);
	assert_int_equal(kill(c.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(c.pid, &status, WUNTRACED), c.pid);
	assert_true(WIFSTOPPED(status));
	poll(NULL, 0, 4000);
	assert_int_equal(kill(c.pid, SIGCONT), 0);
	poll(NULL, 0, 500);
	close(c.until);
	status = end(&c, text, sizeof(text));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_string_equal(text, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_idle),
		TEST(test_turns_that_end),
		TEST(test_hang),
		TEST(test_nested),
		TEST(test_sleep_is_no_hang),
		cmocka_unit_test(test_abort_with_backtrace),
		cmocka_unit_test(test_stopped_process_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
