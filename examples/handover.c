// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request goes from thread to thread: one takes it in, one decodes it, one answers it, and between
 * them there are queues. Each stage is quick; now and then the last thread is away for a while, and
 * what waits for it is late although no stage was slow. A chain over the three stages shows that:
 *
 *	tlob run -- handover [-n REQUESTS]
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tlob/tlob.h>

TLOB_REGION(request, "request", TLOB_MS(16)); /* the whole, from the first stage to the last */
TLOB_REGION(take, "take", TLOB_MS(5));
TLOB_REGION(decode, "decode", TLOB_MS(5));
TLOB_REGION(answer, "answer", TLOB_MS(5));

static struct tlob_region *const stages[] = {&take, &decode, &answer};

#define QUEUE 16

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t requests[QUEUE];
	int n;
};

static struct queue to_decode = {.lock = PTHREAD_MUTEX_INITIALIZER,
				 .changed = PTHREAD_COND_INITIALIZER};
static struct queue to_answer = {.lock = PTHREAD_MUTEX_INITIALIZER,
				 .changed = PTHREAD_COND_INITIALIZER};

static void put(struct queue *q, uint64_t number)
{
	pthread_mutex_lock(&q->lock);
	while (q->n == QUEUE)
		pthread_cond_wait(&q->changed, &q->lock);
	q->requests[q->n++] = number;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static uint64_t get(struct queue *q)
{
	uint64_t number;

	pthread_mutex_lock(&q->lock);
	while (!q->n)
		pthread_cond_wait(&q->changed, &q->lock);
	number = q->requests[0];
	memmove(q->requests, q->requests + 1, (size_t)--q->n * sizeof(number));
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	return number;
}

static void pass_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void *decoder(void *arg)
{
	uint64_t number;

	(void)arg;
	while ((number = get(&to_decode))) {
		tlob_begin(&decode, number);
		pass_ms(1);
		tlob_end(&decode, number);
		put(&to_answer, number);
	}
	put(&to_answer, 0);
	return NULL;
}

static void *answerer(void *arg)
{
	uint64_t number;
	int late = 0;

	(void)arg;
	while ((number = get(&to_answer))) {
		if (number % 20 == 0)
			pass_ms(30); /* away: nobody works on this request now */
		tlob_begin(&answer, number);
		pass_ms(1);
		if (tlob_end(&answer, number) == -EOVERFLOW)
			late++;
	}
	printf("%d requests were late\n", late);
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t requests = 40;
	pthread_t threads[2];

	if (argc == 3 && !strcmp(argv[1], "-n"))
		requests = strtoull(argv[2], NULL, 10);
	else if (argc > 1)
		return fprintf(stderr, "usage: %s [-n REQUESTS]\n", argv[0]), 64;
	tlob_chain(&request, stages, sizeof(stages) / sizeof(*stages));
	if (pthread_create(&threads[0], NULL, decoder, NULL) ||
	    pthread_create(&threads[1], NULL, answerer, NULL))
		return 1;
	for (uint64_t number = 1; number <= requests; number++) {
		tlob_begin(&take, number); /* the number is the tag: it comes along */
		pass_ms(1);
		tlob_end(&take, number);
		put(&to_decode, number);
		pass_ms(4);
	}
	put(&to_decode, 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
