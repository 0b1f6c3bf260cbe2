// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From (object, offset) to functions and lines: programs built here, whose source says what is where. A label in
 * assembly marks the instruction that is asked about.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "asking.h"

#include "why/kallsyms.h"
#include "why/spans.h"

static const char main_c[] =
	"void visible(int);\n"
	"int main(int argc, char **argv) { (void)argv; visible(argc); return 0; }\n";
static const char cpp[] = "volatile int sink;\n"
			  "namespace zoo {\n"
			  "template <class T> struct cage {\n"
			  "	__attribute__((noinline)) void feed(T x)\n"
			  "	{ sink = x; __asm__ volatile(\"in_feed: nop\"); }\n"
			  "};\n"
			  "}\n"
			  "void keeper(int x) { zoo::cage<int>().feed(x); }\n";

static int make_lab(void **state)
{
	if (lab_make(state))
		return -1;
	lab_write("plain.c", plain_c, strlen(plain_c));
	lab_write("main.c", main_c, strlen(main_c));
	lab_write("zoo.cc", cpp, strlen(cpp));
	lab_run("cc -O2 -g -no-pie -o fixed plain.c main.c && cc -O2 -g -pie -fPIE -o pie plain.c main.c");
	lab_run("cc -O2 -g -shared -fPIC -o plain.so plain.c && cc -O2 -shared -fPIC -o nodebug.so plain.c");
	lab_run("objcopy --only-keep-debug plain.so whole.debug && strip -o bare.so plain.so");
	lab_run("strip --strip-debug -o symbols.so plain.so");
	return 0;
}

static void is_frame(const struct tlobctl_frame *f, const char *function, const char *file,
		     uint32_t line, bool inlined)
{
	const char *slash = strrchr(f->file, '/');

	assert_string_equal(f->function, function);
	assert_string_equal(slash ? slash + 1 : f->file, file);
	assert_int_equal(f->line, line);
	assert_int_equal(f->inlined, inlined);
	assert_false(f->kernel);
}

/* The whole chain that the source says. */
static void has_debug(const char *binary, const char *from)
{
	struct answer a = {.count = 0};

	ask(&a, binary, from, "in_leaf");
	assert_int_equal(a.count, 3);
	is_frame(&a.frames[0], "leaf", "plain.c", 5, true);
	is_frame(&a.frames[1], "middle", "plain.c", 12, true);
	is_frame(&a.frames[2], "hidden", "plain.c", 17, false);
	ask(&a, binary, from, "in_hidden");
	assert_int_equal(a.count, 1);
	is_frame(&a.frames[0], "hidden", "plain.c", 18, false);
	ask(&a, binary, from, "in_visible");
	assert_int_equal(a.count, 1);
	is_frame(&a.frames[0], "visible", "plain.c", 23, false);
	why_symbolizer_free(a.symbolizer);
}

static void has_names(const char *binary, const char *from, const char *hidden)
{
	struct answer a = {.count = 0};

	ask(&a, binary, from, "in_leaf");
	assert_int_equal(a.count, 1);
	is_frame(&a.frames[0], hidden, "", 0, false);
	ask(&a, binary, from, "in_visible");
	is_frame(&a.frames[0], "visible", "", 0, false);
	why_symbolizer_free(a.symbolizer);
}

/* A function without a name is called after where it begins, as a region may be. */
static void has_start(const char *binary)
{
	char text[64];

	snprintf(text, sizeof(text), "%s:0x%llx", binary,
		 (unsigned long long)offset_of("plain.so", "hidden"));
	has_names(binary, "plain.so", text);
}

/* ---- programs and libraries */

static void with_debug_information(void **state)
{
	has_debug("fixed", "fixed");
	has_debug("pie", "pie");
	has_debug("plain.so", "plain.so");
}

static void by_clang(void **state)
{
	if (system("clang-14 --version >/dev/null 2>&1"))
		skip();
	/* no .debug_aranges; addresses that are not file offsets */
	lab_run("clang-14 -O2 -g -shared -fPIC -o clang.so plain.c");
	has_debug("clang.so", "clang.so");
	lab_run("clang-14 -O2 -g -shared -fPIC -fuse-ld=lld -o lld.so plain.c");
	has_debug("lld.so", "lld.so");
}

static void by_other_tools(void **state)
{
	/* functions in a file of their own; old and compressed */
	lab_run("cc -O2 -g -gsplit-dwarf -shared -fPIC -o split.so plain.c");
	has_debug("split.so", "split.so");
	lab_run("cc -O2 -gdwarf-4 -gz -shared -fPIC -o four.so plain.c");
	has_debug("four.so", "four.so");
}

static void symbols_only(void **state)
{
	struct answer a = {.count = 0};

	has_names("nodebug.so", "nodebug.so", "hidden");
	has_names("symbols.so", "plain.so", "hidden");
	/* between exported functions: where it begins, rather than the one before */
	has_start("bare.so");
	lab_run("printf '\\001\\033\\003\\073\\0\\0\\0\\0\\377\\377\\377\\037' > table && "
		"objcopy --update-section .eh_frame_hdr=table bare.so broken.so");
	has_names("broken.so", "plain.so", "");
	lab_run("printf '\\001\\033\\003\\073\\0\\0\\0\\0\\001\\0\\0\\0\\0\\0\\0\\200\\0\\0\\0\\177' > table && "
		"objcopy --update-section .eh_frame_hdr=table bare.so broken.so");
	has_names("broken.so", "plain.so", "");

	/* a label of assembly code, without a size, reaches to the next */
	lab_run("printf '.globl one, two\\n.type two,@function\\none: nop\\nin_one: nop\\n"
		"two: nop\\nin_two: nop\\n.size two,.-two\\n' > x.s && cc -shared -o asm.so x.s");
	ask(&a, "asm.so", "asm.so", "one");
	assert_string_equal(a.frames[0].function, "one");
	ask(&a, "asm.so", "asm.so", "in_two");
	assert_string_equal(a.frames[0].function, "two");
	why_symbolizer_free(a.symbolizer);
}

/* The way to a function of a library is no part of the label in front of it, _init. */
static void calls_of_libraries(void **state)
{
	struct answer a = {.count = 0};
	unsigned long offset = 0;
	FILE *file;

	(void)state;
	lab_run("printf 'int puts(const char *); int main(void) { return puts(\"\"); }' > calls.c && "
		"cc -O1 -o calls calls.c && readelf -SW calls | "
		"sed -n 's/.* [.]plt  *PROGBITS  *[0-9a-f]*  *\\([0-9a-f]*\\) .*/\\1/p' > plt");
	file = fopen(in_lab("plt"), "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lx", &offset), 1);
	fclose(file);
	ask_root(&a, "", in_lab("calls"), NULL, 0, offset + 4, false);
	assert_string_equal(a.frames[0].function, "[plt]");
	why_symbolizer_free(a.symbolizer);
}

static void debug_files(void **state)
{
	unsigned char id[WHY_BUILD_ID_BYTES];
	struct answer a = {.count = 0};
	char hex[41], root[300];
	size_t n;

	lab_run("cp bare.so linked.so && cp whole.debug linked.debug && "
		"objcopy --add-gnu-debuglink=linked.debug linked.so");
	has_debug("linked.so", "plain.so");
	/* one of another build, made to look right by its checksum */
	lab_run("cc -O1 -g -shared -fPIC -DOTHER -o other.so plain.c && "
		"objcopy --only-keep-debug other.so linked.debug && cp bare.so wrong.so && "
		"objcopy --add-gnu-debuglink=linked.debug wrong.so");
	has_start("wrong.so");
	lab_run("objcopy -g whole.debug mini && xz -k mini && "
		"objcopy --add-section .gnu_debugdata=mini.xz bare.so packed.so");
	has_names("packed.so", "plain.so", "hidden");

	/* by build-id, below the root of the process */
	n = build_id_of("plain.so", id);
	assert_int_equal(n, 20);
	for (size_t i = 0; i < n; i++)
		sprintf(hex + 2 * i, "%02x", id[i]);
	lab_run("mkdir -p root/opt root/usr/lib/debug/.build-id/%.2s && cp bare.so root/opt/x.so && "
		"cp whole.debug root/usr/lib/debug/.build-id/%.2s/%s.debug",
		hex, hex, hex + 2);
	snprintf(root, sizeof(root), "%s", in_lab("root"));
	ask_root(&a, root, "/opt/x.so", id, n, offset_of("plain.so", "in_leaf"), false);
	assert_int_equal(a.count, 3);
	is_frame(&a.frames[2], "hidden", "plain.c", 17, false);
	why_symbolizer_free(a.symbolizer);

	/* and if the file itself has gone; objcopy has wiped out where its segments were */
	a.symbolizer = NULL;
	lab_run("rm root/opt/x.so");
	ask_root(&a, root, "/opt/x.so", id, n, offset_of("plain.so", "in_leaf"), false);
	assert_int_equal(a.count, 3);
	is_frame(&a.frames[0], "leaf", "plain.c", 5, true);
	is_frame(&a.frames[2], "hidden", "plain.c", 17, false);
	why_symbolizer_free(a.symbolizer);
}

static void cplusplus(void **state)
{
	struct answer a = {.count = 0};

	lab_run("c++ -O2 -g -shared -fPIC -o zoo.so zoo.cc && strip -g -o zoo-symbols.so zoo.so");
	ask(&a, "zoo.so", "zoo.so", "in_feed");
	is_frame(&a.frames[0], "zoo::cage<int>::feed", "zoo.cc", 5, false);
	ask(&a, "zoo-symbols.so", "zoo.so", "in_feed");
	is_frame(&a.frames[0], "zoo::cage<int>::feed", "", 0, false);
	why_symbolizer_free(a.symbolizer);
}

/* As libraries have it: a function under another name inside of them. */
static void aliases(void **state)
{
	static const char source[] =
		"int lock(void) __asm__(\"__internal_lock\");\n"
		"int lock(void) { __asm__ volatile(\"in_lock: nop\"); return 1; }\n"
		"extern int __try(void), try(void) __attribute__((alias(\"__try\")));\n"
		"int __try(void) { __asm__ volatile(\"in_try: nop\"); return 2; }\n";
	struct answer a = {.count = 0};

	lab_write("alias.c", source, strlen(source));
	lab_run("cc -O1 -g -shared -fPIC -o alias.so alias.c && strip -g -o alias-symbols.so alias.so");
	ask(&a, "alias.so", "alias.so", "in_lock");
	assert_string_equal(a.frames[0].function, "lock");
	ask(&a, "alias-symbols.so", "alias.so", "in_try");
	assert_string_equal(a.frames[0].function, "try");
	why_symbolizer_free(a.symbolizer);
}

static void return_address(void **state)
{
	static const char source[] =
		"__attribute__((noreturn)) void out(void);\n"
		"void first(void) { out(); }\n" /* ends with the call */
		"__asm__(\"second: nop; .type second,@function; .size second,1\");\n"
		"void out(void) { __builtin_trap(); }\n";
	unsigned char id[WHY_BUILD_ID_BYTES];
	struct answer a = {.count = 0};
	uint64_t second;
	size_t n;

	lab_write("noreturn.c", source, strlen(source));
	lab_run("cc -O0 -g -fno-toplevel-reorder -falign-functions=1 -shared -fPIC -o noreturn.so noreturn.c");
	n = build_id_of("noreturn.so", id);
	second = offset_of("noreturn.so", "second");
	ask_root(&a, "", in_lab("noreturn.so"), id, n, second, false);
	assert_string_equal(a.frames[0].function, "second");
	ask_root(&a, "", in_lab("noreturn.so"), id, n, second, true);
	is_frame(&a.frames[0], "first", "noreturn.c", 2, false);
	why_symbolizer_free(a.symbolizer);
}

static void replaced(void **state)
{
	unsigned char id[WHY_BUILD_ID_BYTES];
	struct answer a = {.count = 0};
	uint64_t at = offset_of("plain.so", "in_visible");
	size_t n = build_id_of("plain.so", id);

	lab_run("cp plain.so victim.so");
	ask_root(&a, "", in_lab("victim.so"), id, n, at, false);
	assert_string_equal(a.frames[0].function, "visible");
	why_symbolizer_free(a.symbolizer);
	a.symbolizer = NULL;

	lab_run("cp other.so victim.so");
	ask_root(&a, "", in_lab("victim.so"), id, n, at, false);
	assert_int_equal(a.count, 1);
	is_frame(&a.frames[0], "", "", 0, false);
	assert_string_equal(a.frames[0].object, in_lab("victim.so"));
	/* a build-id that nobody knows cannot be wrong */
	at = offset_of("other.so", "in_visible");
	ask_root(&a, "", in_lab("victim.so"), NULL, 0, at, false);
	assert_string_equal(a.frames[0].function, "visible");

	ask_root(&a, "", in_lab("absent.so"), id, n, at, false);
	is_frame(&a.frames[0], "", "", 0, false);
	ask_root(&a, "", "", NULL, 0, at, false);
	is_frame(&a.frames[0], "", "", 0, false);
	/* no code there, and none anywhere */
	ask_root(&a, "", in_lab("other.so"), NULL, 0, UINT64_MAX, false);
	is_frame(&a.frames[0], "", "", 0, false);
	ask_root(&a, "", in_lab("plain.c"), NULL, 0, 16, true);
	is_frame(&a.frames[0], "", "", 0, false);
	ask_root(&a, "", in_lab("plain.c"), NULL, 0, 0, true);
	why_symbolizer_free(a.symbolizer);
}

/* A file reached through a process stays known when that process has gone; a new process gives another try. */
static void other_roots(void **state)
{
	unsigned char id[WHY_BUILD_ID_BYTES];
	struct answer a = {.count = 0};
	uint64_t at = offset_of("plain.so", "in_visible");
	size_t n = build_id_of("plain.so", id);
	char gone[300], here[300];

	lab_run("mkdir -p there/opt here/opt && cp plain.so there/opt/y.so && cp plain.so here/opt/z.so");
	snprintf(gone, sizeof(gone), "%s", in_lab("there"));
	snprintf(here, sizeof(here), "%s", in_lab("here"));
	assert_int_equal(why_symbolizer_new(&a.symbolizer), 0);
	why_object_of(a.symbolizer, "/opt/y.so", gone, id, n);
	lab_run("rm -r there");
	ask_root(&a, gone, "/opt/y.so", id, n, at, false);
	assert_string_equal(a.frames[0].function, "visible");

	ask_root(&a, gone, "/opt/z.so", id, n, at, false);
	assert_string_equal(a.frames[0].function, "");
	ask_root(&a, here, "/opt/z.so", id, n, at + 1, false);
	assert_string_equal(a.frames[0].function, "visible");
	why_symbolizer_free(a.symbolizer);
}

static size_t descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void many_files(void **state)
{
	unsigned char id[WHY_BUILD_ID_BYTES];
	struct answer a = {.count = 0};
	uint64_t leaf = offset_of("plain.so", "in_leaf"), at = offset_of("plain.so", "in_visible");
	size_t n = build_id_of("plain.so", id), before = descriptors();
	char name[32];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "many-%d.so", i);
		lab_run("ln plain.so %s", name);
		ask_root(&a, "", in_lab(name), id, n, leaf, false);
		is_frame(&a.frames[0], "leaf", "plain.c", 5, true);
	}
	assert_in_range(descriptors(), before + 1, before + 64);
	/* the first was closed long ago: what was asked is kept, the rest is found again */
	for (int i = 0; i < 2; i++) {
		ask_root(&a, "", in_lab("many-0.so"), id, n, i ? at : leaf, false);
		assert_string_equal(a.frames[a.count - 1].function, i ? "visible" : "hidden");
	}
	why_symbolizer_free(a.symbolizer);
	assert_int_equal(descriptors(), before);
}

/* ---- kernel and vdso */

static void kernel(void **state)
{
	struct answer a = {.count = 0};
	unsigned long long address = 0;
	uint64_t start;
	char line[512];
	FILE *f = fopen("/proc/kallsyms", "re");

	assert_non_null(f);
	while (!address && fgets(line, sizeof(line), f))
		if (strstr(line, " T wake_up_process\n"))
			address = strtoull(line, NULL, 16);
	fclose(f);
	assert_int_equal(why_symbolizer_new(&a.symbolizer), 0);
	start = why_symbolizer_kernel_start(a.symbolizer);
	if (!address || !start) {
		assert_string_not_equal(why_symbolizer_note(a.symbolizer), "");
		why_symbolizer_free(a.symbolizer);
		skip();
	}
	ask_root(&a, "", "[kernel]", NULL, 0, address - start + 4, false);
	assert_int_equal(a.count, 1);
	assert_string_equal(a.frames[0].function, "wake_up_process");
	assert_string_equal(a.frames[0].object, "[kernel]");
	assert_true(a.frames[0].kernel);
	ask_root(&a, "", "[kernel]", NULL, 0, address - start, true);
	assert_string_not_equal(a.frames[0].function, "wake_up_process");
	assert_string_equal(why_symbolizer_note(a.symbolizer), "");
	why_symbolizer_free(a.symbolizer);
}

static void is_kernel(struct why_kallsyms *k, uint64_t address, const char *function,
		      const char *in)
{
	const char *name = NULL, *module = NULL;
	bool known = why_kallsyms_find(k, address, &name, &module);

	assert_int_equal(known, function != NULL);
	if (!function)
		return;
	assert_string_equal(name, function);
	assert_string_equal(module, in);
}

static void kernel_modules(void **state)
{
	static const char list[] = "0000000000000000 A fixed_percpu_data\n"
				   "ffffffff81000000 T _text\n"
				   "ffffffff81000000 T _stext\n"
				   "ffffffff81000000 t __first\n"
				   "ffffffff81000100 T schedule\n"
				   "ffffffff81000100 t __alias\n"
				   "ffffffff81000200 D not_code\n"
				   "ffffffff81400000 T _etext\n"
				   "ffffffffc0000000 t probe\t[veth]\n"
				   "ffffffffc0000100 t xmit\t[veth]\n"
				   "ffffffffc0400000 t bpf_prog_1f2e_tick\t[bpf]\n"
				   "garbage\n\n";
	struct why_kallsyms *k;

	lab_write("kallsyms", list, strlen(list));
	assert_int_equal(why_kallsyms_new(in_lab("kallsyms"), &k), 0);
	assert_string_equal(why_kallsyms_note(k), "");
	assert_int_equal(why_kallsyms_start(k), 0xffffffff81000000);
	is_kernel(k, 0xffffffff81000010, "__first", "");
	is_kernel(k, 0xffffffff81000110, "schedule", "");
	is_kernel(k, 0xffffffff813fffff, "schedule", "");
	is_kernel(k, 0xffffffffc0000010, "probe", "veth");
	is_kernel(k, 0xffffffffc0000110, "xmit", "veth");
	is_kernel(k, 0xffffffffc0400000, "bpf_prog_1f2e_tick", "bpf");
	is_kernel(k, 0xffffffffc0410000, NULL, NULL); /* too far behind */
	is_kernel(k, 0x1000, NULL, NULL);
	why_kallsyms_free(k);
}

static void kernel_hidden(void **state)
{
	static const char list[] = "0000000000000000 T _stext\n0000000000000000 T schedule\n";
	struct why_kallsyms *k;

	lab_write("kallsyms", list, strlen(list));
	assert_int_equal(why_kallsyms_new(in_lab("kallsyms"), &k), 0);
	is_kernel(k, 0, NULL, NULL);
	assert_non_null(strstr(why_kallsyms_note(k), "kptr_restrict"));
	why_kallsyms_free(k);
	assert_int_equal(why_kallsyms_new(in_lab("no-such-file"), &k), 0);
	is_kernel(k, 0, NULL, NULL);
	assert_non_null(strstr(why_kallsyms_note(k), "No such file"));
	why_kallsyms_free(k);
}

static void vdso(void **state)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	unsigned char id[WHY_BUILD_ID_BYTES], other[WHY_BUILD_ID_BYTES] = {1};
	struct answer a = {.count = 0};
	Elf64_Ehdr head;
	uint64_t at;
	size_t n;

	if (!image)
		skip();
	memcpy(&head, image, sizeof(head));
	lab_write("vdso", image, head.e_shoff + (size_t)head.e_shnum * head.e_shentsize);
	n = build_id_of("vdso", id);
	at = offset_of("vdso",
#ifdef __aarch64__
		       "__kernel_clock_gettime"
#else
		       "__vdso_clock_gettime"
#endif
	);
	ask_root(&a, "", "[vdso]", id, n, at + 4, false);
	assert_non_null(strstr(a.frames[0].function, "clock_gettime"));
	assert_string_equal(a.frames[0].object, "[vdso]");
	/* of another kernel */
	ask_root(&a, "", "[vdso]", other, sizeof(other), at + 4, false);
	assert_string_equal(a.frames[0].function, "");
	why_symbolizer_free(a.symbolizer);
}

/* ---- damaged files */

static char whole[1 << 17], spoilt[sizeof(whole)];

/* Any answer will do, as long as there is one. */
static void try_damaged(const char *data, size_t size, uint64_t first)
{
	struct answer a = {.count = 0};

	lab_write("damaged", data, size);
	for (uint64_t at = first; at < first + 128; at += 16)
		ask_root(&a, "", in_lab("damaged"), NULL, 0, at, at & 1);
	why_symbolizer_free(a.symbolizer);
}

static void damaged(void **state)
{
	uint64_t first = offset_of("plain.so", "in_leaf") & ~15ULL;
	Elf64_Ehdr head;
	ssize_t n;
	int fd = open(in_lab("plain.so"), O_RDONLY);

	n = read(fd, whole, sizeof(whole));
	close(fd);
	assert_in_range(n, 4096, sizeof(whole) - 1);
	for (ssize_t size = 1; size < n; size += 1 + n / 97)
		try_damaged(whole, (size_t)size, first);
	memcpy(&head, whole, sizeof(head));
	srandom(3);
	for (int i = 0; i < 600; i++) {
		memcpy(spoilt, whole, sizeof(whole));
		for (int k = 0; k < 4; k++) {
			size_t in_headers = 16 + (size_t)random() % 600;
			/* sections and what lies before them: debug information, symbols */
			size_t late = head.e_shoff / 2 +
				      (size_t)random() % ((size_t)n - head.e_shoff / 2);
			size_t anywhere = (size_t)random() % (size_t)n;
			long where = random() % 4;

			spoilt[where == 0 ? in_headers :
			       where == 1 ? anywhere :
					    late] = (char)random();
		}
		try_damaged(spoilt, (size_t)n, first);
	}
}

/* ---- ranges */

static void ranges(void **state)
{
	struct why_spans s = {.count = 0};

	assert_null(why_spans_find(&s, 5));
	assert_int_equal(why_spans_add(&s, 10, 100, 1, 0), 0);
	assert_int_equal(why_spans_add(&s, 20, 30, 2, 0), 0);
	assert_int_equal(why_spans_add(&s, 20, 30, 3, 1), 0);
	assert_int_equal(why_spans_add(&s, 40, 40, 4, 0), 0);
	assert_int_equal(why_spans_add(&s, 200, UINT64_MAX, 5, 0), 0);
	why_spans_sort(&s);
	assert_null(why_spans_find(&s, 9));
	assert_int_equal(why_spans_find(&s, 10)->what, 1);
	assert_int_equal(why_spans_find(&s, 20)->what, 3);
	assert_int_equal(why_spans_find(&s, 30)->what, 1);
	assert_int_equal(why_spans_find(&s, 40)->what, 1);
	assert_null(why_spans_find(&s, 100));
	assert_int_equal(why_spans_find(&s, 1000)->what, 5);
	why_spans_deinit(&s);
}

/* A long one, and then so many in it that end early that looking at each would take minutes. */
static void many_ranges(void **state)
{
	const uint64_t many = 300000;
	struct why_spans s = {.count = 0};

	assert_int_equal(why_spans_add(&s, 0, 4 * many, 7, 0), 0);
	for (uint64_t i = 1; i <= many; i++)
		assert_int_equal(why_spans_add(&s, i, i + 2, 8, 0), 0);
	alarm(20);
	why_spans_sort(&s);
	for (uint64_t at = 3 * many; at < 4 * many; at++)
		assert_int_equal(why_spans_find(&s, at)->what, 7);
	alarm(0);
	assert_int_equal(why_spans_find(&s, many)->what, 8);
	assert_int_equal(why_spans_find(&s, many + 1)->what, 8);
	assert_int_equal(why_spans_find(&s, many + 2)->what, 7);
	assert_null(why_spans_find(&s, 4 * many));
	why_spans_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_debug_information),
		cmocka_unit_test(by_clang),
		cmocka_unit_test(by_other_tools),
		cmocka_unit_test(symbols_only),
		cmocka_unit_test(calls_of_libraries),
		cmocka_unit_test(debug_files),
		cmocka_unit_test(cplusplus),
		cmocka_unit_test(aliases),
		cmocka_unit_test(return_address),
		cmocka_unit_test(replaced),
		cmocka_unit_test(other_roots),
		cmocka_unit_test(many_files),
		cmocka_unit_test(kernel),
		cmocka_unit_test(kernel_modules),
		cmocka_unit_test(kernel_hidden),
		cmocka_unit_test(vdso),
		cmocka_unit_test(damaged),
		cmocka_unit_test(ranges),
		cmocka_unit_test(many_ranges),
	};

	return cmocka_run_group_tests(tests, make_lab, lab_remove);
}
