/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/inquiry.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/mem.h"
#include "gateway/gateway.h"

/* Shared by control and the workers asked; the last one out frees it. */
struct inquiry {
	pthread_mutex_t	 lock;
	pthread_cond_t	 answered;
	int		 refs, missing;
	json_t		*workers;	/* their answers, in no order */
};

struct question {
	struct inquiry	*inquiry;
	struct worker	*worker;
	json_t		*(*answer)(struct worker *w);
};

static void
inquiry_leave(struct inquiry *q)
{
	bool last;

	pthread_mutex_lock(&q->lock);
	last = --q->refs == 0;
	pthread_mutex_unlock(&q->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->answered);
	json_decref(q->workers);
	free(q);
}

static void
answer_one(void *arg)
{
	struct question *question = arg;
	struct inquiry *q = question->inquiry;
	json_t *j = question->answer(question->worker);

	pthread_mutex_lock(&q->lock);
	json_array_append_new(q->workers, j);
	q->missing--;
	pthread_cond_signal(&q->answered);
	pthread_mutex_unlock(&q->lock);
	inquiry_leave(q);
	free(question);
}

json_t *
inquiry(struct gateway *g, json_t *(*answer)(struct worker *w))
{
	struct inquiry *q = mem_zalloc(sizeof(*q));
	struct timespec until;
	json_t *copy;

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->answered, NULL);
	q->workers = json_array();
	q->refs = g->worker_count + 1;
	q->missing = g->worker_count;
	for (int i = 0; i < g->worker_count; i++) {
		struct question *question = mem_zalloc(sizeof(*question));

		question->inquiry = q;
		question->worker = g->workers[i];
		question->answer = answer;
		loop_post(g->workers[i]->loop, answer_one, question);
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += INQUIRY_WAIT_MS / 1000;
	pthread_mutex_lock(&q->lock);
	while (q->missing > 0 && pthread_cond_timedwait(&q->answered, &q->lock,
	    &until) == 0)
		;
	copy = json_deep_copy(q->workers);
	pthread_mutex_unlock(&q->lock);
	inquiry_leave(q);
	return copy;
}
