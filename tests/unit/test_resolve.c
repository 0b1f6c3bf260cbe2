// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbols and points, against programs built here and against the machine's own libraries. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>

#include "lab.h"

#include "ctl/suggest.h"

static const char main_c[] =
	"#include <unistd.h>\n"
	"int shared_data = 7;\n"
	"__attribute__((noinline, noclone)) int work(int x)\n"
	"{ __asm__ volatile(\"\" ::: \"memory\"); return x * 3 + shared_data; }\n"
	"int work_alias(int) __attribute__((alias(\"work\")));\n"
	"__attribute__((noinline, noclone)) static int twice(int x)\n"
	"{ __asm__ volatile(\"\" ::: \"memory\"); return x * 2 + shared_data; }\n"
	"__attribute__((noinline, noclone)) int __indirect_plain(int x) { return twice(x); }\n"
	"static int (*pick(void))(int) { return __indirect_plain; }\n"
	"int indirect(int) __attribute__((ifunc(\"pick\")));\n"
	"int other(int);\n"
	"__attribute__((noinline)) void work_cold_place(void) __asm__(\"work.cold\");\n"
	"void work_cold_place(void) { __asm__ volatile(\"\"); }\n"
	"int main(void) { pause(); return work(1) + other(2) + indirect(3); }\n";
static const char other_c[] =
	"extern int shared_data;\n"
	"__attribute__((noinline, noclone)) static int twice(int x)\n"
	"{ __asm__ volatile(\"\" ::: \"memory\"); return x * 2 - shared_data; }\n"
	"int other(int x) { return twice(x); }\n";

/* Functions of which every byte is known; the last one has no size. */
static const char known_s[] =
	".text\n"
	".macro function name\n"
	".globl \\name\n"
	".type \\name, %function\n"
	"\\name:\n"
	".endm\n"
#ifdef __x86_64__
	"function nopped\n"
	".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n ret\n .size nopped, . - nopped\n"
	"function pushed\n"
	"push %rbp\n mov %rsp, %rbp\n pop %rbp\n ret\n .size pushed, . - pushed\n"
	"function unprobed\n"
	"vpxor %xmm0, %xmm0, %xmm0\n ret\n .size unprobed, . - unprobed\n"
	"function sizeless\n"
	"mov %edi, %eax\n ret\n"
	"function behind\n ret\n .size behind, . - behind\n"
#endif
	".section .note.GNU-stack, \"\", %progbits\n";

static int make_lab(void **state)
{
	if (lab_make(state))
		return -1;
	lab_write("main.c", main_c, strlen(main_c));
	lab_write("other.c", other_c, strlen(other_c));
	lab_write("known.s", known_s, strlen(known_s));
	lab_run("cc -O1 -o prog main.c other.c known.s");
	lab_run("cc -O1 -no-pie -Wl,-z,noseparate-code -o fixed main.c other.c known.s");
	lab_run("strip -o stripped prog");
	return 0;
}

#ifdef __x86_64__
static void read_at(const char *path, uint64_t offset, void *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, buf, size, (off_t)offset), size);
	close(fd);
}
#endif

static void names_and_forms(void **state)
{
	struct tlobctl_site *s = lab_site(0, lab_spec("prog", "work"));
	char text[256];

	assert_string_equal(s->name, "work");
	assert_string_equal(s->start, "work");
	assert_null(s->stop);
	assert_true(s->to_return);
	assert_int_equal(s->stop_kind, TLOBCTL_PROBE_NONE);
	snprintf(text, sizeof(text), "%s/prog", lab);
	assert_string_equal(s->path, text);
	tlobctl_sites_free(s, 1);

	s = lab_site(0, lab_spec("prog", "work..other"));
	assert_string_equal(s->name, "work..other");
	assert_string_equal(s->stop, "other");
	assert_false(s->to_return);
	assert_int_not_equal(s->start_offset, s->stop_offset);
	assert_int_not_equal(s->stop_kind, TLOBCTL_PROBE_NONE);
	tlobctl_sites_free(s, 1);

	snprintf(text, sizeof(text), "mine=%s/prog:work", lab);
	s = lab_site(0, text);
	assert_string_equal(s->name, "mine");
	tlobctl_sites_free(s, 1);
}

static void aliases_are_one(void **state)
{
	struct tlobctl_site *a = lab_site(0, lab_spec("prog", "work"));
	struct tlobctl_site *b = lab_site(0, lab_spec("prog", "work_alias"));

	assert_int_equal(a->start_offset, b->start_offset);
	assert_string_equal(b->name, "work_alias");
	lab_refuses(0, lab_spec("prog", "work..work_alias"), -EINVAL, "same address", NULL);
	tlobctl_sites_free(a, 1);
	tlobctl_sites_free(b, 1);
}

/* Position-independent or not, and with code in a segment of its own or not: the bytes are the proof. */
static void offsets_are_true(void **state)
{
#ifdef __x86_64__
	static const char *const programs[] = {"prog", "fixed"};
	static const uint8_t nopped[] = {0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3};
	static const uint8_t pushed[] = {0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3};

	for (int i = 0; i < 2; i++) {
		struct tlobctl_site *s = lab_site(0, lab_spec(programs[i], "nopped..pushed+0x4"));
		uint8_t code[6];

		read_at(s->path, s->start_offset, code, 6);
		assert_memory_equal(code, nopped, 6);
		read_at(s->path, s->stop_offset - 4, code, 6);
		assert_memory_equal(code, pushed, 6);
		assert_string_equal(s->stop, "pushed+0x4");
		assert_int_equal(s->start_kind, TLOBCTL_PROBE_NOP5);
		assert_int_equal(s->stop_kind, TLOBCTL_PROBE_STEPPED); /* pop */
		tlobctl_sites_free(s, 1);
	}
#else
	skip();
#endif
}

static void points_that_spoil_are_refused(void **state)
{
#ifdef __x86_64__
	struct tlobctl_site *s = lab_site(0, lab_spec("prog", "pushed"));
	char text[64];

	assert_int_equal(s->start_kind, TLOBCTL_PROBE_EMULATED);
	lab_refuses(0, lab_spec("prog", "pushed+0x2..other"), -EINVAL, "inside an instruction",
		    "pushed+0x1 and pushed+0x4", NULL);
	snprintf(text, sizeof(text), "0x%llx..other", (unsigned long long)s->start_offset + 3);
	lab_refuses(0, lab_spec("prog", text), -EINVAL, "inside an instruction", "pushed+0x4",
		    NULL);
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)s->start_offset + 1);
	lab_refuses(0, lab_spec("prog", text), -EINVAL, "not the entry", "give pushed", NULL);
	lab_refuses(0, lab_spec("prog", "pushed+0x6..other"), -ERANGE, "outside", "0x6 bytes",
		    NULL);
	lab_refuses(0, lab_spec("prog", "sizeless+0x3..other"), -ERANGE, "outside", "0x3 bytes",
		    NULL);
	lab_refuses(0, lab_spec("prog", "unprobed"), -ENOTSUP, "unprobed", "c5 f9 ef c0",
		    "unprobed+0x4", NULL);
	tlobctl_sites_free(s, 1);
#endif
	lab_refuses(0, lab_spec("prog", "_start"), -ENOTSUP, "where the program starts", NULL);
	lab_refuses(0, lab_spec("prog", "work.cold"), -ENOTSUP, "cold part", NULL);
	tlobctl_sites_free(lab_site(0, lab_spec("prog", "work.cold..other")), 1);
}

static void file_offsets(void **state)
{
	struct tlobctl_site *a = lab_site(0, lab_spec("fixed", "work")), *b;
	char text[64];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)a->start_offset);
	b = lab_site(0, lab_spec("fixed", text));
	assert_int_equal(b->start_offset, a->start_offset);
	assert_int_equal(b->start_kind, a->start_kind);
	assert_string_equal(b->name, text);
	tlobctl_sites_free(b, 1);

	lab_refuses(0, lab_spec("fixed", "0x7fffffff"), -ERANGE, "no code at", "code is at 0x",
		    NULL);
	lab_refuses(0, lab_spec("fixed", "0xffffffffffffffff"), -ERANGE, "no code at", NULL);
#ifdef __x86_64__ /* where programs of fixed address start at 0x400000 */
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)a->start_offset + 0x400000);
	lab_refuses(0, lab_spec("fixed", text), -ERANGE, "as an address it would be file offset",
		    NULL);
#endif
	tlobctl_sites_free(a, 1);
}

static void symbols_that_are_not_one_function(void **state)
{
	lab_refuses(0, lab_spec("prog", "twice"), -EEXIST, "2 different functions", "0x", NULL);
	lab_refuses(0, lab_spec("prog", "shared_data"), -EINVAL, "data", NULL);
	lab_refuses(0, lab_spec("prog", "indirect"), -ENOTSUP, "indirect function",
		    "__indirect_plain", NULL);
	lab_refuses(0, lab_spec("prog", "pause"), -ENOENT, "only called from", "libc.so.6:pause",
		    NULL);
	lab_refuses(0, lab_spec("prog", "workk"), -ENOENT, "Did you mean work?", NULL);
	lab_refuses(0, lab_spec("prog", "no_such_thing_at_all"), -ENOENT, "has no function", NULL);
	lab_refuses(0, lab_spec("stripped", "work"), -ENOENT, "stripped", "-dbgsym", "0xOFFSET",
		    ".build-id/", NULL);
}

static void globs(void **state)
{
	struct tlobctl_site *s;
	char text[256];
	size_t n;

	/* work and its alias are one function, work.cold is none */
	assert_int_equal(lab_resolve(0, lab_spec("prog", "work*"), &s, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(s[0].name, "work");
	assert_true(s[0].to_return);
	tlobctl_sites_free(s, n);

	snprintf(text, sizeof(text), "all=%s/prog:[to]*", lab);
	assert_int_equal(lab_resolve(0, text, &s, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(s[0].name, "all/other");
	for (int i = 1; i < 3; i++) { /* two of a name are told apart by their offsets */
		struct tlobctl_site *same;

		snprintf(text, sizeof(text), "all/twice@0x%llx",
			 (unsigned long long)s[i].start_offset);
		assert_string_equal(s[i].name, text);
		assert_string_equal(s[i].start, text + 4);
		same = lab_site(0, lab_spec("prog", s[i].start));
		assert_int_equal(same->start_offset, s[i].start_offset);
		tlobctl_sites_free(same, 1);
	}
	tlobctl_sites_free(s, n);

	lab_refuses(0, lab_spec("prog", "twice@0x1"), -ENOENT, "twice@0x1", NULL);
	lab_refuses(0, lab_spec("prog", "zz*"), -ENOENT, "no function", "zz*", NULL);
	lab_refuses(0, lab_spec("prog", "*.cold"), -ENOTSUP, "cold part", NULL);
	lab_refuses(0, lab_spec("stripped", "wor*"), -ENOENT, "stripped", NULL);
	lab_refuses(0, "libc.so.6:*", -E2BIG, "256", "narrow", NULL);
}

/* Programs of C++ by what their source says. */
static void names_of_the_source(void **state)
{
	static const char source[] =
		"#include <string>\n"
		"#define KEEP __attribute__((noinline, noclone, used))\n"
		"namespace robot {\n"
		"struct Arm { int at; KEEP int plan(int n) { return at + n; }\n"
		"KEEP int plan(const std::string &s) const { return at + (int)s.size(); }\n"
		"KEEP Arm &operator+(int n) { at += n; return *this; }\n"
		"KEEP Arm &operator*(int n) { at *= n; return *this; } };\n"
		"template <class T> struct Filter { KEEP T step(T x) { return x * 2; } };\n"
		"template struct Filter<double>; template struct Filter<unsigned int>; }\n"
		"namespace { KEEP int hidden(char *) { return 3; } }\n"
		"KEEP int plain(int x) { return x + 1; }\n"
		"KEEP std::string label(int x) { return std::to_string(x); }\n" /* label[abi:cxx11](int) */
		"int main() { return hidden(nullptr) + robot::Arm().plan(3); }\n";
	struct tlobctl_site *s;
	size_t n;

	lab_write("arm.cpp", source, strlen(source));
	lab_run("c++ -O1 -fno-exceptions -o arm arm.cpp");
	s = lab_site(0, lab_spec("arm", "robot::Arm::plan(int)"));
	assert_string_equal(s->name, "robot::Arm::plan(int)");
	tlobctl_sites_free(s, 1);
	tlobctl_sites_free(lab_site(0, lab_spec("arm", "plain")), 1);
	tlobctl_sites_free(lab_site(0, lab_spec("arm", "plai?")), 1);
	s = lab_site(0, lab_spec("arm", "labe*"));
	assert_string_equal(s->name, "label");
	tlobctl_sites_free(s, 1);
	tlobctl_sites_free(lab_site(0, lab_spec("arm", "label")), 1);
	tlobctl_sites_free(lab_site(0, lab_spec("arm", "robot::Arm::operator+")), 1);
	tlobctl_sites_free(lab_site(0, lab_spec("arm", "robot::Arm::operator*")), 1);
	tlobctl_sites_free(lab_site(0, lab_spec("arm", "robot::Filter<unsigned int>::step")), 1);
	tlobctl_sites_free(lab_site(0, lab_spec("arm", "(anonymous namespace)::hidden(char*)")), 1);
	tlobctl_sites_free(
		lab_site(0, lab_spec("arm", "robot::Arm::plan(int)..robot::Arm::operator+(int)")),
		1);

	assert_int_equal(lab_resolve(0, lab_spec("arm", "robot::Arm::plan(*)"), &s, &n), 0);
	assert_int_equal(n, 2);
	assert_string_not_equal(s[0].name, s[1].name);
	tlobctl_sites_free(s, n);
	assert_int_equal(lab_resolve(0, lab_spec("arm", "robot::Filter<*>::step"), &s, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(s[0].name, "robot::Filter<double>::step");
	tlobctl_sites_free(s, n);

	lab_refuses(0, lab_spec("arm", "robot::Arm::plan"), -EEXIST, "2 different functions",
		    "'robot::Arm::plan(int)'", "'robot::Arm::plan(*)'", NULL);
	lab_refuses(0, lab_spec("arm", "robot::Arm::plan(long)"), -ENOENT, "but it has ",
		    "'robot::Arm::plan(int)'", NULL);
	lab_refuses(0, lab_spec("arm", "robot::Arm::plam"), -ENOENT,
		    "Did you mean robot::Arm::plan", NULL);
	lab_refuses(0, lab_spec("arm", "plan"), -ENOENT, "robot::Arm::plan", NULL);
}

static void relative_paths(void **state)
{
	char *here = getcwd(NULL, 0);
	struct tlobctl_site *s;
	char text[256];

	assert_non_null(here);
	assert_int_equal(chdir(lab), 0);
	s = lab_site(0, "./prog:work");
	snprintf(text, sizeof(text), "%s/prog", lab);
	assert_string_equal(s->path, text);
	tlobctl_sites_free(s, 1);
	snprintf(text, sizeof(text), "..%s/prog:work", strrchr(lab, '/'));
	tlobctl_sites_free(lab_site(0, text), 1);
	lab_refuses(0, "./none:work", -ENOENT, lab, NULL);
	assert_int_equal(chdir(here), 0);
	free(here);
}

static void versions(void **state)
{
	static const char source[] =
		"int old_f(void) { return 1; }\n"
		"int new_f(void) { return 2; }\n"
		"int ancient_g(void) { return 3; }\n"
		"__asm__(\".symver old_f,f@V1\"); __asm__(\".symver new_f,f@@V2\");\n"
		"__asm__(\".symver ancient_g,g@V1\");\n";
	static const char map[] = "V1 { global: f; g; local: *; }; V2 { global: f; } V1;\n";
	static const char *const libraries[] = {"libv.so", "libv-stripped.so"};

	lab_write("v.c", source, strlen(source));
	lab_write("v.map", map, strlen(map));
	lab_run("cc -O0 -fno-toplevel-reorder -shared -fPIC -o libv.so v.c -Wl,--version-script=v.map");
	lab_run("strip -o libv-stripped.so libv.so");
	for (int i = 0; i < 2; i++) {
		struct tlobctl_site *now = lab_site(0, lab_spec(libraries[i], "f"));
		struct tlobctl_site *two = lab_site(0, lab_spec(libraries[i], "f@V2"));
		struct tlobctl_site *old = lab_site(0, lab_spec(libraries[i], "f@V1"));

		assert_int_equal(now->start_offset, two->start_offset);
		assert_int_not_equal(now->start_offset, old->start_offset);
		/* the only version is meant, even if it is an old one */
		tlobctl_sites_free(lab_site(0, lab_spec(libraries[i], "g")), 1);
		lab_refuses(0, lab_spec(libraries[i], "f@V3"), -ENOENT, "f@V3", NULL);
		tlobctl_sites_free(now, 1);
		tlobctl_sites_free(two, 1);
		tlobctl_sites_free(old, 1);
	}
}

static void go_programs_keep_their_stacks(void **state)
{
	static const char source[] =
		"__attribute__((section(\".note.go.buildid\"), used)) static const char id[] = \"x\";\n";

	lab_write("go.c", source, strlen(source));
	lab_run("cc -O1 -o go main.c other.c go.c");
	lab_refuses(0, lab_spec("go", "work"), -ENOTSUP, "Go program", "START..STOP", NULL);
	tlobctl_sites_free(lab_site(0, lab_spec("go", "work..other")), 1);
}

static void system_libraries(void **state)
{
	struct tlobctl_site *s = lab_site(0, "libc.so:malloc");

	assert_non_null(strstr(s->path, "libc.so.6"));
	tlobctl_sites_free(s, 1);
	lab_refuses(0, "libc.so.6:setjmp", -ENOTSUP, "keeps its return address", NULL);
	lab_refuses(0, "libc.so.6:mallocc", -ENOENT, "Did you mean malloc", NULL);
#ifdef __x86_64__ /* there is a plain memcpy too, for programs of 2010 */
	lab_refuses(0, "libc.so.6:memcpy", -ENOTSUP, "indirect function", NULL);
	tlobctl_sites_free(lab_site(0, "libc.so.6:memcpy@GLIBC_2.2.5"), 1);
#endif
	if (access("/usr/lib/x86_64-linux-gnu/libsqlite3.so.0", R_OK))
		return;
	s = lab_site(0, "libsqlite3.so:sqlite3_step");
	assert_string_equal(s->name, "sqlite3_step");
	tlobctl_sites_free(s, 1);
	lab_refuses(0, "libsqlite3.so:sqlite_step", -ENOENT, "Did you mean sqlite3_step", NULL);
}

static void suggestions(void **state)
{
	static const char *const names[] = {"walk",  "worker", "work",	 "xwork_y",
					    "WORK2", "worxk",  "unlike", "work"};
	struct tlobctl_suggest s;
	char buf[512];

	tlobctl_suggest_init(&s, "worq");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tlobctl_suggest_offer(&s, names[i], strlen(names[i]));
	assert_string_equal(tlobctl_suggest_text(&s, buf, sizeof(buf)), " Did you mean work?");

	tlobctl_suggest_init(&s, "work");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tlobctl_suggest_offer(&s, names[i], strlen(names[i]));
	assert_string_equal(tlobctl_suggest_text(&s, buf, sizeof(buf)),
			    " Did you mean work, WORK2 or worxk?");
	assert_string_equal(tlobctl_suggest_text(&s, buf, 9), " Did you");

	tlobctl_suggest_init(&s, "nopepd"); /* neighbours swapped: one edit */
	tlobctl_suggest_offer(&s, "nopped", 6);
	assert_int_equal(s.best[0].distance, 1);

	tlobctl_suggest_init(&s, "quite_different");
	tlobctl_suggest_offer(&s, "work", 4);
	assert_string_equal(tlobctl_suggest_text(&s, buf, sizeof(buf)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_forms),
		cmocka_unit_test(aliases_are_one),
		cmocka_unit_test(offsets_are_true),
		cmocka_unit_test(points_that_spoil_are_refused),
		cmocka_unit_test(file_offsets),
		cmocka_unit_test(symbols_that_are_not_one_function),
		cmocka_unit_test(globs),
		cmocka_unit_test(names_of_the_source),
		cmocka_unit_test(relative_paths),
		cmocka_unit_test(versions),
		cmocka_unit_test(go_programs_keep_their_stacks),
		cmocka_unit_test(system_libraries),
		cmocka_unit_test(suggestions),
	};

	return cmocka_run_group_tests(tests, make_lab, lab_remove);
}
