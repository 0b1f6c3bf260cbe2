// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A small perception pipeline: capture -> detect -> plan, one thread each, joined by queues, one frame every 10 ms.
 * detect contains decode and infer, so their windows are nested in its own. When detect says that it is late, the
 * frame is not planned any more: a program can act on its own budgets.
 *
 * It can be told to suffer, about once a second each way:
 *	spin	a cluttered frame: infer computes for long (running)
 *	sleep	decode waits for a slow exposure (sleeping)
 *	lock	plan needs the map while the loader thread holds it (sleeping)
 *	hog	a more urgent thread takes detect's CPU in the middle of infer (waiting)
 *
 * Try: tlob run -- build/examples/pipeline --suffer=all
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tlob/tlob.h>

#define WIDTH 160
#define HEIGHT 120
#define QUEUE_FRAMES 4
#define TROUBLE_NS TLOB_MS(20) /* longer than any budget here */

TLOB_REGION(capture_region, "capture", TLOB_MS(5));
TLOB_REGION(detect_region, "detect", TLOB_MS(8));
TLOB_REGION(decode_region, "decode", TLOB_MS(4));
TLOB_REGION(infer_region, "infer", TLOB_MS(6));
TLOB_REGION(plan_region, "plan", TLOB_MS(5));

enum {
	SPIN = 1,
	SLEEP = 2,
	LOCK = 4,
	HOG = 8
};

struct frame {
	unsigned int number;
	int object; /* where the brightest spot is: y * WIDTH + x */
	unsigned char pixels[HEIGHT][WIDTH];
};

/* Bounded queue of frames. A full one drops the new frame: late data is worth nothing to a planner. */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct frame frames[QUEUE_FRAMES];
	unsigned int head, tail, dropped;
	bool closed;
};

static struct queue captured = {.lock = PTHREAD_MUTEX_INITIALIZER,
				.filled = PTHREAD_COND_INITIALIZER};
static struct queue detected = {.lock = PTHREAD_MUTEX_INITIALIZER,
				.filled = PTHREAD_COND_INITIALIZER};
static pthread_mutex_t map_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned short map[HEIGHT][WIDTH]; /* cost of the way to the object, under map_lock */
static sem_t hog_wanted;

static unsigned int suffer, rate = 100, frames, late, planned;
static double seconds = 3;
static bool ending; /* atomic */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
			     .tv_nsec = (long)(ns % 1000000000u)};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void queue_push(struct queue *q, const struct frame *f)
{
	pthread_mutex_lock(&q->lock);
	if (q->head - q->tail == QUEUE_FRAMES)
		q->dropped++;
	else
		q->frames[q->head++ % QUEUE_FRAMES] = *f;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

static void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

/* False: closed and empty. */
static bool queue_pop(struct queue *q, struct frame *f)
{
	bool any;

	pthread_mutex_lock(&q->lock);
	while (q->head == q->tail && !q->closed)
		pthread_cond_wait(&q->filled, &q->lock);
	any = q->head != q->tail;
	if (any)
		*f = q->frames[q->tail++ % QUEUE_FRAMES];
	pthread_mutex_unlock(&q->lock);
	return any;
}

/* Is it the turn of @how? Each way has its own place among the frames of a second. */
static bool suffers(unsigned int how, const struct frame *f)
{
	unsigned int place = how == SPIN ? 1 : how == SLEEP ? 2 : 3;

	return (suffer & how) && f->number % rate == rate * place / 4;
}

/* ---- the stages */

/* A bright square that wanders over noise, each row coded as differences. */
static void expose(struct frame *f)
{
	unsigned int noise = f->number * 2654435761u + 1, x0 = f->number % (WIDTH - 16);

	for (unsigned int y = 0; y < HEIGHT; y++) {
		unsigned char last = 0;

		for (unsigned int x = 0; x < WIDTH; x++) {
			bool bright = x - x0 < 16 && y - 50 < 16;
			unsigned char value;

			noise = noise * 1664525u + 1013904223u;
			value = (unsigned char)((noise >> 24 & 63) + (bright ? 190 : 0));
			f->pixels[y][x] = (unsigned char)(value - last);
			last = value;
		}
	}
}

static void wait_for_exposure(void)
{
	sleep_ns(TROUBLE_NS);
}

static void decode(struct frame *f)
{
	TLOB_SCOPE(decode_region, f->number);

	if (suffers(SLEEP, f))
		wait_for_exposure();
	for (unsigned int y = 0; y < HEIGHT; y++)
		for (unsigned int x = 1; x < WIDTH; x++)
			f->pixels[y][x] = (unsigned char)(f->pixels[y][x] + f->pixels[y][x - 1]);
}

/* Where the sum over a square of @size is greatest. */
static int brightest(const struct frame *f, unsigned int size)
{
	unsigned int best = 0;
	int where = 0;

	for (unsigned int y = 0; y + size <= HEIGHT; y++)
		for (unsigned int x = 0; x + size <= WIDTH; x++) {
			unsigned int sum = 0;

			for (unsigned int i = 0; i < size * size; i++)
				sum += f->pixels[y + i / size][x + i % size];
			if (sum > best) {
				best = sum;
				where = (int)(y * WIDTH + x);
			}
		}
	return where;
}

static void __attribute__((noinline)) refine_cluttered_frame(struct frame *f)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + TROUBLE_NS;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		f->object = brightest(f, 4);
}

static void infer(struct frame *f)
{
	TLOB_SCOPE(infer_region, f->number);

	if (suffers(HOG, f))
		sem_post(&hog_wanted);
	f->object = brightest(f, 6);
	if (suffers(SPIN, f))
		refine_cluttered_frame(f);
}

/* Spread the distance from the object over the map, forth and back. */
static void plan(const struct frame *f)
{
	TLOB_SCOPE(plan_region, f->number);
	unsigned short *cells = &map[0][0];
	int n = WIDTH * HEIGHT;

	pthread_mutex_lock(&map_lock);
	memset(map, 0x3f, sizeof(map));
	cells[f->object] = 0;
	for (int i = WIDTH; i < n; i++) {
		unsigned short via = cells[i - 1] < cells[i - WIDTH] ? cells[i - 1] :
								       cells[i - WIDTH];

		cells[i] = cells[i] < via + 1 ? cells[i] : (unsigned short)(via + 1);
	}
	for (int i = n - WIDTH - 1; i >= 0; i--) {
		unsigned short via = cells[i + 1] < cells[i + WIDTH] ? cells[i + 1] :
								       cells[i + WIDTH];

		cells[i] = cells[i] < via + 1 ? cells[i] : (unsigned short)(via + 1);
	}
	pthread_mutex_unlock(&map_lock);
}

/* ---- the threads */

static void *capture_thread(void *arg)
{
	uint64_t period = 1000000000u / rate, next = clock_ns(CLOCK_MONOTONIC),
		 end = next + (uint64_t)(seconds * 1e9);
	struct frame f = {0};

	for (; next < end; next += period) {
		struct timespec t = {.tv_sec = (time_t)(next / 1000000000u),
				     .tv_nsec = (long)(next % 1000000000u)};
		tlob_window_t window;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		f.number++;
		window = tlob_start(&capture_region, f.number);
		expose(&f);
		queue_push(&captured, &f);
		tlob_stop(window);
	}
	frames = f.number;
	queue_close(&captured);
	return arg;
}

static void *detect_thread(void *arg)
{
	struct frame f;

	while (queue_pop(&captured, &f)) {
		tlob_window_t window = tlob_start(&detect_region, f.number);

		decode(&f);
		infer(&f);
		if (tlob_stop(window) == -EOVERFLOW)
			late++;
		else
			queue_push(&detected, &f);
	}
	queue_close(&detected);
	return arg;
}

static void *plan_thread(void *arg)
{
	struct frame f;

	while (queue_pop(&detected, &f)) {
		plan(&f);
		planned++;
	}
	return arg;
}

/* Reads a new map from a slow disk, about once a second, and holds the lock meanwhile. */
static void *loader_thread(void *arg)
{
	sleep_ns(100000000u);
	while (!__atomic_load_n(&ending, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&map_lock);
		sleep_ns(TROUBLE_NS);
		pthread_mutex_unlock(&map_lock);
		for (int i = 0; i < 10 && !__atomic_load_n(&ending, __ATOMIC_RELAXED); i++)
			sleep_ns(100000000u);
	}
	return arg;
}

/* Sleeps until infer is under way, so that detect is what it takes the CPU from. */
static void *hog_thread(void *arg)
{
	for (;;) {
		uint64_t end;

		while (sem_wait(&hog_wanted))
			;
		if (__atomic_load_n(&ending, __ATOMIC_RELAXED))
			return arg;
		end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + TROUBLE_NS;
		while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
			;
	}
}

/* Both threads on the last CPU we may use, the hog the more urgent one: real-time if we may, otherwise detect becomes
 * the least urgent. Unlike a difference in nice values, both hold at once and not only at the next tick. */
static void set_hog_on(pthread_t hog, pthread_t detect)
{
	struct sched_param real_time = {.sched_priority = 1}, idle = {0};
	cpu_set_t allowed, one;
	int cpu = CPU_SETSIZE - 1;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	while (cpu > 0 && !CPU_ISSET(cpu, &allowed))
		cpu--;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	pthread_setaffinity_np(hog, sizeof(one), &one);
	pthread_setaffinity_np(detect, sizeof(one), &one);
	if (pthread_setschedparam(hog, SCHED_FIFO, &real_time))
		pthread_setschedparam(detect, SCHED_IDLE, &idle);
}

struct thread {
	const char *name;
	void *(*run)(void *);
	unsigned int only_with; /* a way of suffering; 0: always */
	pthread_t id;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	return t->run(NULL);
}

static void thread_start(struct thread *t)
{
	if (pthread_create(&t->id, NULL, thread_main, t)) {
		fprintf(stderr, "pipeline: cannot start the %s thread\n", t->name);
		exit(1);
	}
}

static int run(void)
{
	/* consumers before producers; the first three end by themselves, in reverse order */
	struct thread threads[] = {
		{.name = "plan", .run = plan_thread},
		{.name = "detect", .run = detect_thread},
		{.name = "capture", .run = capture_thread},
		{.name = "loader", .run = loader_thread, .only_with = LOCK},
		{.name = "hog", .run = hog_thread, .only_with = HOG},
	};
	struct thread *detect = &threads[1], *capture = &threads[2], *hog = &threads[4];
	size_t n = sizeof(threads) / sizeof(*threads);

	sem_init(&hog_wanted, 0, 0);
	for (size_t i = 0; i < n; i++)
		if (&threads[i] != capture &&
		    (!threads[i].only_with || (suffer & threads[i].only_with)))
			thread_start(&threads[i]);
	if (suffer & HOG)
		set_hog_on(hog->id, detect->id);
	thread_start(capture);

	for (int i = 2; i >= 0; i--)
		pthread_join(threads[i].id, NULL);
	__atomic_store_n(&ending, true, __ATOMIC_RELAXED);
	sem_post(&hog_wanted);
	for (size_t i = 3; i < n; i++)
		if (threads[i].id)
			pthread_join(threads[i].id, NULL);
	printf("pipeline: %u frames, %u planned, %u given up because detect was late, %u dropped\n",
	       frames, planned, late, captured.dropped + detected.dropped);
	return 0;
}

static int parse_suffer(const char *list)
{
	static const char *const names[] = {"spin", "sleep", "lock", "hog"};

	while (*list) {
		size_t length = strcspn(list, ","), i;

		for (i = 0;
		     i < 4 && (strlen(names[i]) != length || strncmp(list, names[i], length)); i++)
			;
		if (i < 4)
			suffer |= 1u << i;
		else if (length == 3 && !strncmp(list, "all", 3))
			suffer |= SPIN | SLEEP | LOCK | HOG;
		else
			return -1;
		list += length + (list[length] == ',');
	}
	return 0;
}

static int usage(void)
{
	fputs("usage: pipeline [-d SECONDS] [-r FRAMES_PER_SECOND] [--suffer=spin,sleep,lock,hog|all]\n",
	      stderr);
	return 64;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"suffer", required_argument, NULL, 's'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "d:r:", options, NULL)) != -1) {
		char *end = "";

		if (option == 'd')
			seconds = strtod(optarg, &end);
		else if (option == 'r')
			rate = (unsigned int)strtoul(optarg, &end, 10);
		else if (option != 's' || parse_suffer(optarg))
			return usage();
		if (*end)
			return usage();
	}
	if (optind < argc || !(seconds > 0 && seconds < 1e6) || rate < 4 || rate > 1000)
		return usage();
	return run();
}
