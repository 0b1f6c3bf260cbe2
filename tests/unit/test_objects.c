// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What was mapped where, told of real programs long after: libraries that have been closed, programs that have called exec,
 * processes that have ended, and such as were there before. Skipped where the kernel does not tell.
 */
#include "lab.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ctl/objects.h"
#include "ctl/objects_maps.h"
#include "ctl/session.h"

static const char library[] = "int %s(int n) { return n + 1; }\n";

/* Says what it does, and when: "NAME TIME ADDRESS" on standard output. */
static const char actor[] =
	"#define _GNU_SOURCE\n"
	"#include <dlfcn.h>\n#include <pthread.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
	"#include <string.h>\n#include <sys/wait.h>\n#include <time.h>\n#include <unistd.h>\n"
	"int at_home(int n) { return n; }\n"
	"static void say(const char *name, void *address)\n"
	"{\n"
	"	struct timespec t;\n"
	"	clock_gettime(CLOCK_MONOTONIC, &t);\n"
	"	printf(\"%s %d %lld %p\\n\", name, (int)getpid(), t.tv_sec * 1000000000LL + t.tv_nsec, address);\n"
	"	fflush(stdout);\n"
	"}\n"
	"static void load(const char *path, const char *symbol, const char *name)\n"
	"{\n"
	"	void *l = dlopen(path, RTLD_NOW);\n"
	"	if (!l)\n"
	"		exit(3);\n"
	"	say(name, dlsym(l, symbol));\n"
	"	dlclose(l);\n"
	"}\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	if (argc > 1 && !strcmp(argv[1], \"second\")) {\n"
	"		say(\"second\", at_home);\n"
	"		return 0;\n"
	"	}\n"
	"	say(\"first\", at_home);\n"
	"	for (int i = 0; i < 3; i++) {\n"
	"		load(\"./one.so\", \"one\", \"one\");\n"
	"		load(\"./two.so\", \"two\", \"two\");\n"
	"	}\n"
	"	if (argc > 1 && !strcmp(argv[1], \"wait\"))\n"
	"		getchar();\n"
	"	if (!fork()) {\n"
	"		load(\"./one.so\", \"one\", \"one\");\n"
	"		say(\"first\", at_home);\n"
	"		_exit(0);\n"
	"	}\n"
	"	wait(NULL);\n"
	"	execl(\"./other\", \"other\", \"second\", NULL);\n"
	"	return 4;\n"
	"}\n";

struct said {
	char name[16];
	int pid;
	uint64_t time_ns, address;
};

static int build(void **state)
{
	char text[128];

	if (lab_make(state))
		return -1;
	lab_write("actor.c", actor, sizeof(actor) - 1);
	snprintf(text, sizeof(text), library, "one");
	lab_write("one.c", text, strlen(text));
	snprintf(text, sizeof(text), library, "two");
	lab_write("two.c", text, strlen(text));
	lab_run("gcc -O0 -shared -fPIC one.c -o one.so && gcc -O0 -shared -fPIC two.c -o two.so &&"
		"gcc -O0 actor.c -o actor && gcc -O1 -no-pie actor.c -o other");
	return 0;
}

static struct tlobctl *open_session(void)
{
	struct tlobctl_opts opts = {
		.size = sizeof(opts), .engine = TLOBCTL_ENGINE_BPF, .why = TLOBCTL_WHY_STACKS};
	struct tlobctl *ctl;

	if (tlobctl_open(&opts, &ctl) < 0) {
		print_message("%s\n", tlobctl_error());
		skip();
	}
	if (!ctl->objects || *tlobctl_objects_note(ctl)) {
		print_message("%s\n", tlobctl_objects_note(ctl));
		tlobctl_close(ctl);
		skip();
	}
	return ctl;
}

static FILE *start(const char *command)
{
	char text[256];
	FILE *f;

	snprintf(text, sizeof(text), "cd %s && exec %s", lab, command);
	f = popen(text, "r");
	assert_non_null(f);
	return f;
}

static size_t listen_to(FILE *f, struct said *said, size_t room, size_t until)
{
	size_t n = 0;

	while (n < room && n < until &&
	       fscanf(f, "%15s %d %" SCNu64 " %" SCNx64, said[n].name, &said[n].pid,
		      &said[n].time_ns, &said[n].address) == 4)
		n++;
	return n;
}

static void check(struct tlobctl *ctl, const struct said *said)
{
	static const char *const files[][3] = {
		{"first", "actor", "at_home"},
		{"second", "other", "at_home"},
		{"one", "one.so", "one"},
		{"two", "two.so", "two"},
	};
	const struct why_object *object;
	struct tlobctl_frame frame;
	uint64_t offset;
	size_t i = 0;

	while (strcmp(files[i][0], said->name))
		i++;
	if (!tlobctl_place_of(ctl, (uint32_t)said->pid, said->time_ns, said->address, false,
			      &object, &offset))
		fail_msg("%s of %d: nothing is there", said->name, said->pid);
	assert_non_null(object);
	assert_string_equal(strrchr(object->path, '/') + 1, files[i][1]);
	assert_int_equal(object->build_id_bytes, 20);
	assert_int_equal(why_symbolize(tlobctl_symbolizer(ctl), object, offset, false, &frame, 1),
			 1);
	assert_string_equal(frame.function, files[i][2]);
}

/* All is asked for when the process has long gone. */
static void test_after_the_end(void **state)
{
	struct tlobctl *ctl = open_session();
	FILE *f = start("./actor");
	struct said said[16];
	size_t n = listen_to(f, said, 16, 16);

	assert_int_equal(pclose(f), 0);
	assert_int_equal(n, 10);
	for (size_t i = 0; i < n; i++)
		check(ctl, &said[i]);
	assert_int_equal(tlobctl_objects_sync(ctl)->asked.no_mapping, 0);
	tlobctl_close(ctl);
}

/* It was there before the session, and is asked for while it lives: what it has now is known. */
static void test_older_than_the_session(void **state)
{
	FILE *f = start("sh -c 'mkfifo go && ./actor wait <>go'"), *go;
	struct said said[16];
	size_t n = listen_to(f, said, 16, 7), all;
	struct tlobctl *ctl = open_session();
	char path[64];

	assert_int_equal(n, 7);
	said[0].time_ns = tlobctl_objects_sync(ctl)->done_ns + 1; /* as if it were just now */
	check(ctl, &said[0]);
	snprintf(path, sizeof(path), "%s/go", lab);
	go = fopen(path, "we");
	assert_non_null(go);
	fputc('\n', go);
	fclose(go);
	all = listen_to(f, said, 16, 16);
	pclose(f);
	assert_int_equal(all, 3);
	for (size_t i = 0; i < all; i++)
		check(ctl, &said[i]);
	tlobctl_close(ctl);
}

/* What has ended is not kept for ever. */
static void test_released(void **state)
{
	struct tlobctl *ctl = open_session();
	struct why_spaces *spaces = &tlobctl_objects_sync(ctl)->spaces;
	size_t most = 0, before;
	struct said said[16];

	for (int i = 0; i < 20; i++) {
		FILE *f = start("./actor");

		listen_to(f, said, 16, 16);
		pclose(f);
		tlobctl_objects_pass(ctl);
		most = spaces->count > most ? spaces->count : most;
	}
	before = spaces->count;
	assert_true(before > 0);
	for (int i = 0; i < 12; i++)
		tlobctl_poll(ctl, 100, NULL, NULL);
	print_message("%zu address spaces, then %zu; %zu mappings\n", most, spaces->count,
		      spaces->nmappings);
	assert_null(why_spaces_find(spaces, (uint32_t)said[0].pid, said[0].time_ns));
	tlobctl_close(ctl);
}

static void test_kernel(void **state)
{
	struct tlobctl *ctl = open_session();
	const struct why_object *object;
	uint64_t offset, start = why_symbolizer_kernel_start(tlobctl_symbolizer(ctl));

	assert_true(tlobctl_place_of(ctl, 1, 1, start + 0x1234, false, &object, &offset));
	assert_string_equal(object->path, "[kernel]");
	assert_int_equal(offset, 0x1234);
	tlobctl_close(ctl);
}

static void test_nothing_there(void **state)
{
	struct tlobctl *ctl = open_session();
	const struct why_object *object = NULL;
	uint64_t offset = 77;

	assert_false(tlobctl_place_of(ctl, (uint32_t)getpid(), 1, 16, false, &object, &offset));
	assert_false(tlobctl_place_of(ctl, 0x3fffffff, 1, 16, false, &object, &offset));
	assert_null(object);
	assert_int_equal(offset, 77);
	assert_int_equal(tlobctl_objects_sync(ctl)->asked.no_mapping, 1);
	assert_int_equal(tlobctl_objects_sync(ctl)->asked.no_space, 1);
	tlobctl_close(ctl);
}

/* A program cuts a file short that it has mapped, while its build-id is read. */
static void test_cut_short(void **state)
{
	struct why_symbolizer *symbolizer;
	struct tlobctl_files files;
	struct tlobctl_file file = {.tgid = (uint32_t)getpid()};
	char path[64];
	pid_t cutter;

	lab_run("cp one.so cut.so");
	snprintf(path, sizeof(path), "%s/cut.so", lab);
	file.path = path;
	assert_int_equal(why_symbolizer_new(&symbolizer), 0);
	assert_non_null(tlobctl_files_init(&files, symbolizer));
	cutter = fork();
	for (struct stat st; !cutter && !stat(path, &st);)
		if (truncate(path, 64) || truncate(path, 16384))
			_exit(1);
	if (!cutter)
		_exit(0);
	for (int i = 0; i < 20000; i++)
		assert_non_null(tlobctl_files_object(&files, &file));
	kill(cutter, SIGKILL);
	waitpid(cutter, NULL, 0);
	tlobctl_files_deinit(&files);
	why_symbolizer_free(symbolizer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_the_end), cmocka_unit_test(test_older_than_the_session),
		cmocka_unit_test(test_released),      cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_nothing_there), cmocka_unit_test(test_cut_short),
	};

	return cmocka_run_group_tests(tests, build, lab_remove);
}
