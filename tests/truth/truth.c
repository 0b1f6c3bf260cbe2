/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does tlob name the right cause? Each case is run, and what the closing record says is compared with what is known. With
 * TLOB_TRUTH_TABLE=FILE the answers are also written there, as the table of docs/truth.md.
 */
#include "truth.h"

#include <sys/wait.h>

#define ATTEMPTS \
	4 /* others on this machine may take the CPU, or the disk, in the middle of a case: then they are to blame */

/* The last group is for a session that has interrupts in its history. */
static const struct truth_case *const groups[] = {
	truth_cpu, truth_sleep, truth_chain, truth_where, truth_uninterrupted, truth_interrupt};
#define GROUPS (sizeof(groups) / sizeof(*groups))

struct verdict {
	const struct truth_case *test;
	bool seen;
	char said[512];
	char wrong[128]; /* empty: right */
};

static int run_case(void);
static int storm(void);
const struct conf_subject conf_subjects[] = {{"case", run_case}, {"storm", storm}, {NULL, NULL}};

static int run_case(void)
{
	sem_init(&truth_ready, 0, 0);
	sem_init(&truth_go, 0, 0);
	for (size_t g = 0; g < GROUPS; g++)
		for (const struct truth_case *t = groups[g]; t->name; t++)
			if (conf_argument && !strcmp(t->name, conf_argument))
				return t->fn();
	return 124;
}

/* ---- what was said */

static const char *comm(const struct tlobctl_why *why, uint32_t who)
{
	return who < why->nwho ? why->who[who].comm : "";
}

static size_t put_cause(char *buf, size_t size, const struct tlobctl_why *why,
			enum tlobctl_cause cause, uint32_t who)
{
	static const char *const words[] = {[TLOBCTL_CAUSE_UNKNOWN] = "unknown",
					    [TLOBCTL_CAUSE_RUNNING] = "running",
					    [TLOBCTL_CAUSE_BEHIND] = "waiting behind",
					    [TLOBCTL_CAUSE_THROTTLED] = "throttled",
					    [TLOBCTL_CAUSE_IDLE] = "waiting, CPU idle",
					    [TLOBCTL_CAUSE_WOKEN] = "sleeping until woken by",
					    [TLOBCTL_CAUSE_INTERRUPT] =
						    "sleeping until an interrupt",
					    [TLOBCTL_CAUSE_STOPPED] = "stopped, let go on by",
					    [TLOBCTL_CAUSE_ASLEEP] = "sleeping",
					    [TLOBCTL_CAUSE_INTERRUPTED] = "interrupted by"};
	int n = snprintf(buf, size, "%s%s%s", words[cause], who < why->nwho ? " " : "",
			 comm(why, who));

	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

static bool is_who(const struct tlobctl_why *why, uint32_t who, const char *name)
{
	if (!name)
		return who == TLOBCTL_NOBODY;
	if (who >= why->nwho)
		return false;
	return strcmp(name, "(kernel)") ? !strcmp(why->who[who].comm, name) : why->who[who].kernel;
}

static uint64_t sum(const struct tlobctl_why *why, enum tlobctl_cause cause, const char *name)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < why->nculprits; i++)
		if (why->culprits[i].cause == cause && is_who(why, why->culprits[i].who, name))
			ns += why->culprits[i].ns;
	return ns;
}

static void describe(const struct tlobctl_why *why, char *buf, size_t size)
{
	const struct tlobctl_culprit *c = &why->culprits[why->blame];
	const char *who = c->who < why->nwho ? comm(why, c->who) : NULL;
	size_t n = put_cause(buf, size, why, c->cause, c->who);

	n += (size_t)snprintf(buf + n, size - n, "%s%s%s %.1f ms", *c->syscall ? " in " : "",
			      c->syscall, c->disk ? " (disk)" : "",
			      (double)sum(why, c->cause, who) / 1e6);
	for (size_t i = 0; i < c->nlinks && n + 80 < size; i++) {
		n += (size_t)snprintf(buf + n, size - n, "; %s: ", comm(why, c->links[i].who));
		n += put_cause(buf + n, size - n, why, c->links[i].cause, c->links[i].other);
	}
	for (size_t i = 0; i < why->nculprits && n + 80 < size; i++) {
		const struct tlobctl_culprit *other = &why->culprits[i];

		if (other == c || other->cause == c->cause || other->ns < c->ns / 2)
			continue;
		n += (size_t)snprintf(buf + n, size - n, "; and ");
		n += put_cause(buf + n, size - n, why, other->cause, other->who);
		n += (size_t)snprintf(buf + n, size - n, " %.1f ms", (double)other->ns / 1e6);
	}
}

/* The innermost functions of each stack. */
static void describe_where(const struct tlobctl_why *why, char *buf, size_t size)
{
	size_t n = strlen(buf);

	for (size_t i = 0; i < why->nsnapshots; i++) {
		const struct tlobctl_snapshot *s = &why->snapshots[i];
		size_t shown = 0;

		if (n + 20 < size)
			n += (size_t)snprintf(buf + n, size - n, "%s",
					      s->asleep ? "; slept" : "; late");
		for (size_t k = 0; k < s->stack.nframes && shown < 4; k++) {
			const struct tlobctl_frame *f = &s->stack.frames[k];

			if (f->kernel || n + strlen(f->function) + 8 >= size)
				continue;
			n += (size_t)snprintf(buf + n, size - n, " %s %s", shown++ ? "<" : "in",
					      f->function);
		}
	}
}

/* ---- whether it is right */

static bool is_sleep(enum tlobctl_cause cause)
{
	return cause == TLOBCTL_CAUSE_WOKEN || cause == TLOBCTL_CAUSE_INTERRUPT;
}

static const char *chain_wrong(const struct truth_case *t, const struct tlobctl_why *why,
			       const struct tlobctl_culprit *c)
{
	for (size_t i = 0; i < 3 && t->links[i].cause; i++) {
		const struct truth_link *want = &t->links[i];

		if (i >= c->nlinks)
			return "the chain is too short";
		if (c->links[i].cause != want->cause)
			return "the waker did something else";
		if (!is_who(why, c->links[i].who, want->who))
			return "another waker";
		if (want->other && !is_who(why, c->links[i].other, want->other))
			return "the waker was kept by somebody else";
	}
	return NULL;
}

static const struct tlobctl_frame *find_frame(const struct truth_case *t,
					      const struct tlobctl_why *why)
{
	for (size_t i = 0; i < why->nsnapshots; i++) {
		const struct tlobctl_snapshot *s = &why->snapshots[i];

		for (size_t k = 0; s->asleep == t->where_asleep && k < s->stack.nframes; k++)
			if (!s->stack.frames[k].kernel &&
			    !strcmp(s->stack.frames[k].function, t->where))
				return &s->stack.frames[k];
	}
	return NULL;
}

static const char *where_wrong(const struct truth_case *t, const struct tlobctl_why *why)
{
	const struct tlobctl_frame *f = find_frame(t, why);

	if (!f)
		return why->nsnapshots ? "other functions" : "no stack";
	if (f->inlined != t->where_inlined)
		return "inlined or not";
	return *f->file && f->line && *f->object && f->offset ? NULL : "without a place";
}

static const char *wrong(const struct truth_case *t, const struct tlobctl_why *why)
{
	const struct tlobctl_culprit *c = &why->culprits[why->blame];

	if (!why->complete)
		return "the history does not reach back";
	if (t->crowded)
		return sum(why, t->cause, t->who) < t->least_ns ? "less time than it took" : NULL;
	if (t->cause ? c->cause != t->cause : !is_sleep(c->cause))
		return "another cause";
	if (t->cause && !is_who(why, c->who, t->who))
		return "somebody else";
	if (t->syscall && strcmp(c->syscall, t->syscall))
		return "another system call";
	if (t->disk && !c->disk)
		return "no word of the disk";
	if ((t->cause ? sum(why, t->cause, t->who) : c->ns) < t->least_ns)
		return "less time than it took";
	if (t->also && sum(why, t->also, t->also_who) < t->also_least_ns)
		return "the second cause is missing";
	if (t->where && where_wrong(t, why))
		return where_wrong(t, why);
	return chain_wrong(t, why, c);
}

/* Windows of one case: all must have the right answer. */
static void judge(const struct tlobctl_event *e, void *arg)
{
	struct verdict *v = arg;
	const char *bad;

	if (!v->test || e->record->type != TLOB_REC_CLOSE || !e->record->tag || v->wrong[0])
		return;
	v->seen = true;
	if (!e->why) {
		snprintf(v->wrong, sizeof(v->wrong), "no answer");
		return;
	}
	describe(e->why, v->said, sizeof(v->said));
	if (v->test->where)
		describe_where(e->why, v->said, sizeof(v->said));
	bad = wrong(v->test, e->why);
	if (bad)
		snprintf(v->wrong, sizeof(v->wrong), "%s", bad);
}

static int attempt(struct conf *c, const struct truth_case *t, struct verdict *v)
{
	*v = (struct verdict){.test = t};
	CONF_RUN(c, "case", t->name);
	v->test = NULL;
	if (!v->seen)
		snprintf(v->wrong, sizeof(v->wrong), "no window was late");
	return WIFEXITED(c->status) ? WEXITSTATUS(c->status) : 128;
}

static void check_case(struct conf *c, const struct truth_case *t, struct verdict *v, FILE *table)
{
	int status = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		status = attempt(c, t, v);
		if (status == 77) {
			tap_skip(1, "%s: cannot be done on this machine", t->name);
			if (table)
				fprintf(table, "| %s | %s | | not possible here |\n", t->name,
					t->what);
			return;
		}
		if (!status && !v->wrong[0])
			break;
		tap_note("%s: %s%s%s", t->name, v->wrong, *v->said ? ": " : "", v->said);
	}
	tap_ok(!status && !v->wrong[0], "%s: %s", t->name, t->what);
	tap_note("%s", v->said);
	if (table)
		fprintf(table, "| %s | %s | %s | %s |\n", t->name, t->what, v->said,
			!status && !v->wrong[0] ? "yes" : v->wrong);
}

/* ---- a storm */

#define STORM_NS (1500 * MS)

static int storm(void)
{
	TLOB_REGION(tiny, "tiny", TLOB_US(1));
	uint64_t end = now_ns() + STORM_NS;

	while (now_ns() < end) {
		tlob_window_t w = tlob_start(&tiny, 1);

		spin_ns(1200);
		tlob_stop(w);
	}
	return 0;
}

/* Answers are bounded, the rest is counted, and the agent stays small. */
static void check_storm(struct conf *c)
{
	struct tlobctl_why_stat before, after;
	struct tlobctl_stat s = {0};
	uint64_t begun = now_ns(), cpu, wall;

	tlobctl_why_stats(c->ctl, &before);
	CONF_RUN(c, "storm");
	tlobctl_why_stats(c->ctl, &after);
	wall = now_ns() - begun;
	cpu = after.agent_cpu_ns - before.agent_cpu_ns;
	conf_stat(c, "tiny", &s);
	tap_note("%lu overruns, %lu answers, %lu left out; %.1f %% of one CPU",
		 (unsigned long)s.overruns, (unsigned long)(after.analyses - before.analyses),
		 (unsigned long)(after.skipped - before.skipped), (double)cpu * 100 / (double)wall);
	tap_ok(after.analyses > before.analyses && after.skipped > before.skipped &&
		       after.analyses - before.analyses <= 1000 * (wall / 1000000000u + 2),
	       "storm: some are looked into, the rest is counted");
	tap_ok(cpu < wall / 5, "storm: the agent takes less than 20 %% of one CPU");
}

/* TLOB_TRUTH_CASES: names of those that shall run, without the storm; not set: all. */
static bool is_wanted(const char *name)
{
	const char *wanted = getenv("TLOB_TRUTH_CASES");
	size_t n = strlen(name);

	for (const char *at = wanted; at && *at; at += strcspn(at, " "), at += *at == ' ')
		if (!strncmp(at, name, n) && (!at[n] || at[n] == ' '))
			return true;
	return !wanted;
}

static int count_wanted(void)
{
	int n = is_wanted("storm") ? 2 : 0;

	for (size_t g = 0; g < GROUPS; g++)
		for (const struct truth_case *t = groups[g]; t->name; t++)
			n += is_wanted(t->name);
	return n;
}

static void check_group(struct conf *c, const struct truth_case *group, struct verdict *v,
			FILE *table)
{
	for (const struct truth_case *t = group; t->name; t++)
		if (is_wanted(t->name))
			check_case(c, t, v, table);
}

int conf_main(struct conf *c)
{
	const char *path = getenv("TLOB_TRUTH_TABLE");
	FILE *table = path ? fopen(path, "we") : NULL;
	struct verdict v = {0};

	tap_plan(count_wanted());
	c->why = TLOBCTL_WHY_STACKS;
	c->hook = judge;
	c->hook_arg = &v;
	conf_open(c);
	if (table)
		fprintf(table,
			"| case | what happens | tlob says | right |\n| --- | --- | --- | --- |\n");
	for (size_t g = 0; g < GROUPS - 1; g++)
		check_group(c, groups[g], &v, table);
	c->hook = NULL;
	if (is_wanted("storm"))
		check_storm(c);
	conf_close(c);
	c->interrupts = true;
	c->hook = judge;
	conf_open(c);
	check_group(c, groups[GROUPS - 1], &v, table);
	conf_close(c);
	if (table)
		fclose(table);
	return tap_done();
}
