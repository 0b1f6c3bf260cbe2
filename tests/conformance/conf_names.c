/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of code take time to read: that of a program with much debug information must not delay what is told of others, nor
 * of itself. An overrun is told while it happens, with places at least; the end of its window has the names.
 */
#include "harness.h"

#include <dlfcn.h>
#include <sys/stat.h>

#define MS 1000000ULL
#define ENTRIES 2000000u /* of debug information, 17 bytes each */
#define FRAMES \
	2000000u /* of call frame information, 24 bytes each, without a table: it is searched from the start */
#define LATE_NS \
	(400 * MS) /* what a live line may take on a busy machine; to read the file takes seconds */
#define NOBODY 65534
#define WINDOWS 30

TLOB_REGION(slow, "slow", TLOB_MS(2));
TLOB_REGION(honest, "honest", TLOB_MS(2));

static char lab[64] = "/tmp/tlob-names.XXXXXX";

/* ---- the file: one function, and millions that are not there */

static const char code[] = "__attribute__((noinline)) void slow_place(unsigned long n)\n"
			   "{ for (volatile unsigned long i = 0; i < n; i++); }\n";

static const char debug[] = ".section .debug_abbrev,\"\",@progbits\n"
			    "abbrevs:\n"
			    ".byte 1,0x11,1, 0x11,1, 0x12,7, 0,0\n"
			    ".byte 2,0x2e,0, 0x11,1, 0x12,7, 0,0\n"
			    ".byte 3,0x2e,0, 0x03,8, 0x11,1, 0x12,7, 0,0\n"
			    ".byte 0\n"
			    ".section .debug_info,\"\",@progbits\n"
			    ".long end-begin\n"
			    "begin: .short 4\n"
			    ".long abbrevs\n"
			    ".byte 8, 1\n"
			    ".quad slow_place, 64\n"
			    ".byte 3\n"
			    ".string \"named_place\"\n"
			    ".quad slow_place, 64\n"
			    ".incbin \"entries\"\n"
			    ".byte 0\n"
			    "end:\n"
			    ".section .eh_frame,\"a\",@progbits\n"
			    ".incbin \"frames\"\n"
			    ".section .note.GNU-stack,\"\",@progbits\n";

static FILE *create(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", lab, name);
	return fopen(path, "we");
}

static bool put(const char *name, const char *text)
{
	FILE *f = create(name);

	return f && fputs(text, f) >= 0 && !fclose(f);
}

static bool put_entries(void)
{
	FILE *f = create("entries");
	unsigned char entry[17] = {2};

	for (uint64_t i = 0; f && i < ENTRIES; i++) {
		uint64_t range[2] = {(1ULL << 40) + i * 16, 16};

		memcpy(entry + 1, range, sizeof(range));
		fwrite(entry, sizeof(entry), 1, f);
	}
	return f && !fclose(f);
}

/* Of functions that are not there either. */
static bool put_frames(void)
{
	static const unsigned char common[24] = {20, 0, 0,    0,  0, 0,	   0,  0, 1, 'z',  'R',
						 0,  1, 0x78, 16, 1, 0x1b, 12, 7, 8, 0x90, 1};
	struct {
		uint32_t bytes, back, begin, length;
		unsigned char none[8];
	} frame = {.bytes = 20, .begin = 0x70000000, .length = 16};
	FILE *f = create("frames");

	if (f)
		fwrite(common, sizeof(common), 1, f);
	for (uint32_t i = 0; f && i < FRAMES; i++) {
		frame.back = (uint32_t)sizeof(common) + i * (uint32_t)sizeof(frame) + 4;
		fwrite(&frame, sizeof(frame), 1, f);
	}
	return f && !fclose(f);
}

/* Of another user: it is read, not mapped. */
static bool make_file(void)
{
	char command[512];

	if (!mkdtemp(lab) || !put("slow.c", code) || !put("debug.s", debug) || !put_entries() ||
	    !put_frames())
		return false;
	snprintf(command, sizeof(command),
		 "cd %s && cc -O1 -shared -fPIC -Wl,--build-id slow.c debug.s -o slow.so && "
		 "rm entries frames && chmod 755 . slow.so && chown %d slow.so",
		 lab, NOBODY);
	return !system(command);
}

static void remove_file(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", lab);
	if (system(command))
		tap_note("cannot remove %s", lab);
}

/* ---- subjects */

/* A window in time: if the agent is not there at once, the library goes on without, and looks again a little later. */
static void join(struct tlob_region *region)
{
	(void)tlob_stop(tlob_start(region, 0));
	sleep_ns(50 * MS);
	(void)tlob_stop(tlob_start(region, 0));
	sleep_ns(50 * MS);
}

static int subject_slow(void)
{
	void *library = conf_argument ? dlopen(conf_argument, RTLD_NOW) : NULL;
	void (*place)(unsigned long) = library ? dlsym(library, "slow_place") : NULL;

	if (!place)
		return 1;
	join(&slow);
	for (uint64_t tag = 1; tag <= 3; tag++) {
		tlob_window_t w = tlob_start(&slow, tag);
		uint64_t end = now_ns() + 50 * MS;

		while (now_ns() < end)
			place(1000000);
		(void)tlob_stop(w);
		sleep_ns(10 * MS);
	}
	return 0;
}

static int subject_honest(void)
{
	join(&honest);
	for (uint64_t tag = 1; tag <= WINDOWS; tag++) {
		tlob_window_t w = tlob_start(&honest, tag);

		sleep_ns(20 * MS);
		(void)tlob_stop(w);
		sleep_ns(30 * MS);
	}
	return 0;
}

const struct conf_subject conf_subjects[] = {
	{"slow", subject_slow},
	{"honest", subject_honest},
	{NULL, NULL},
};

/* ---- what is told */

struct seen {
	uint64_t latest_ns; /* the largest delay of an overrun */
	size_t overruns, ends, ends_before;
	size_t named_ends; /* of region slow */
	size_t places; /* overruns of slow that say at least where */
};

static void look(const struct tlobctl_event *e, void *arg)
{
	struct seen *s = arg;
	uint64_t delay = now_ns() - e->record->time_ns;
	const struct tlobctl_why *why = e->why;
	bool named = false, place = false;

	for (size_t i = 0; why && i < why->nsnapshots; i++)
		for (size_t k = 0; k < why->snapshots[i].stack.nframes; k++) {
			const struct tlobctl_frame *f = &why->snapshots[i].stack.frames[k];

			named |= !strcmp(f->function, "named_place");
			place |= strstr(f->object, "slow.so") && f->offset;
		}
	if (getenv("TLOB_SHOW"))
		tap_note("%s %s tag %lu after %lu us: %zu stacks, %s", e->region,
			 e->record->type == TLOB_REC_CLOSE ? "end" : "overrun",
			 (unsigned long)e->record->tag, (unsigned long)delay / 1000,
			 why ? why->nsnapshots : 0,
			 named ? "named" :
			 place ? "a place" :
				 "nothing");
	if (e->record->type == TLOB_REC_OVERRUN) {
		s->overruns++;
		s->latest_ns = delay > s->latest_ns ? delay : s->latest_ns;
		s->places += !strcmp(e->region, "slow") && place;
		return;
	}
	s->ends++;
	s->ends_before += s->ends > s->overruns;
	s->named_ends += !strcmp(e->region, "slow") && named;
}

static void check_live(struct conf *c)
{
	char path[128];
	struct seen seen = {0};
	struct conf other;

	c->hook = look;
	c->hook_arg = &seen;
	other = *c;
	memset(&other.events, 0, sizeof(other) - offsetof(struct conf, events));
	other.truth_fd = other.command_fd = -1;
	conf_reset(c);
	snprintf(path, sizeof(path), "%s/slow.so", lab);
	CONF_SPAWN(&other, "slow", path);
	CONF_SPAWN(c, "honest");
	conf_pump(c, 30000, NULL);
	conf_pump(&other, 30000, NULL);
	tap_ok(seen.overruns == WINDOWS + 3 && seen.ends == WINDOWS + 3,
	       "every overrun and every end is told (%zu, %zu)", seen.overruns, seen.ends);
	tap_ok(seen.latest_ns < LATE_NS, "none of the overruns is told late: the last after %lu ms",
	       (unsigned long)(seen.latest_ns / MS));
	tap_ok(seen.places == 3, "they say where they are (%zu)", seen.places);
	tap_ok(seen.named_ends == 3, "and the ends have the names (%zu)", seen.named_ends);
}

int conf_main(struct conf *c)
{
	tap_plan(4);
	if (!make_file())
		tap_give_up("cannot make a file with much debug information in %s", lab);
	c->why = TLOBCTL_WHY_STACKS;
	conf_open(c);
	check_live(c);
	conf_close(c);
	remove_file();
	return tap_done();
}
