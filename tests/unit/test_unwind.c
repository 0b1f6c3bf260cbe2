/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unwinding of copied stacks: real ones of code without frame pointers, and such as nobody could have. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#include <cmocka.h>

#include <dwarf.h>

#include "capture.h"
#include "why/code.h"
#include "why/image.h"
#include "why/machine.h"

#ifdef __aarch64__ /* and with signed return addresses, where the CPU can */
#define NOT_FRAMED \
	__attribute__((noinline, noclone, optimize("omit-frame-pointer", "O2"), \
		       target("branch-protection=standard")))
#else
#define NOT_FRAMED __attribute__((noinline, noclone, optimize("omit-frame-pointer", "O2")))
#endif

/* A stack of this process, as an engine would have captured it. */
struct taken {
	unsigned long long raw[TLOB_CAPTURE_REGS];
	unsigned char bytes[TLOB_CAPTURE_BYTES];
	struct why_copy copy;
};

static struct taken taken;
static uintptr_t stack_end; /* nothing above is read */
static struct why_symbolizer *symbolizer;
static struct why_codes codes;
static volatile unsigned long sink;

#if defined(__x86_64__)

/* By place in struct pt_regs. */
static const int greg_of[] = {REG_R15, REG_R14, REG_R13, REG_R12,    REG_RBP, REG_RBX, REG_R11,
			      REG_R10, REG_R9,	REG_R8,	 REG_RAX,    REG_RCX, REG_RDX, REG_RSI,
			      REG_RDI, REG_RAX, REG_RIP, REG_CSGSFS, REG_EFL, REG_RSP};
#define SP_PLACE 19
#define PC_PLACE 16
#define FP_PLACE 4

static void registers_of(struct taken *t, const ucontext_t *u)
{
	for (size_t i = 0; i < sizeof(greg_of) / sizeof(*greg_of); i++)
		t->raw[i] = (unsigned long long)u->uc_mcontext.gregs[greg_of[i]];
	t->raw[17] = 0x33;
}

/* A call leaves its mark at the top of the stack. */
static void called_from(unsigned long long *raw, uint64_t *stack, uint64_t address)
{
	(void)raw;
	stack[0] = address;
}

static void set_bits(unsigned long long *raw, int bits)
{
	raw[17] = bits == 64 ? 0x33 : 0x23;
}

#elif defined(__aarch64__)

#define SP_PLACE 31
#define PC_PLACE 32
#define FP_PLACE 29
#define LR_PLACE 30

/* struct user_pt_regs */
static void registers_of(struct taken *t, const ucontext_t *u)
{
	for (size_t i = 0; i < 31; i++)
		t->raw[i] = u->uc_mcontext.regs[i];
	t->raw[SP_PLACE] = u->uc_mcontext.sp;
	t->raw[PC_PLACE] = u->uc_mcontext.pc;
	t->raw[33] = 0;
}

static void called_from(unsigned long long *raw, uint64_t *stack, uint64_t address)
{
	(void)stack;
	raw[LR_PLACE] = address;
}

static void set_bits(unsigned long long *raw, int bits)
{
	raw[33] = bits == 64 ? 0 : 0x10;
}

#else
#error "tests/unit/test_unwind.c: where are this architecture's registers in a ucontext_t?"
#endif

/* In a signal handler too. It reads what a sanitizer keeps others from. */
__attribute__((no_sanitize_address)) static void take(struct taken *t, const ucontext_t *u)
{
	uintptr_t start;

	registers_of(t, u);
	start = (uintptr_t)t->raw[SP_PLACE] - TLOB_CAPTURE_BELOW;
	t->copy.start = start;
	t->copy.bytes = t->bytes;
	t->copy.size = stack_end - start < sizeof(t->bytes) ? stack_end - start : sizeof(t->bytes);
	for (size_t i = 0; i < t->copy.size; i++)
		t->bytes[i] = ((volatile unsigned char *)start)[i];
}

/* ---- what this process has mapped */

static struct {
	uint64_t start, end, offset;
	const struct why_object *object;
} mappings[64];
static size_t nmappings;

static int read_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char *line = NULL, path[512];
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0 && nmappings < 64) {
		unsigned long start, end, offset;

		if (sscanf(line, "%lx-%lx r-xp %lx %*s %*u %511[^\n]", &start, &end, &offset,
			   path) != 4)
			continue;
		mappings[nmappings].start = start;
		mappings[nmappings].end = end;
		mappings[nmappings].offset = path[0] == '/' ? offset : 0;
		mappings[nmappings++].object = why_object_of(symbolizer, path, "", NULL, 0);
	}
	free(line);
	return f ? fclose(f) : -1;
}

static bool is_code(uint64_t address, size_t *found)
{
	for (*found = 0; *found < nmappings; (*found)++)
		if (address >= mappings[*found].start && address < mappings[*found].end)
			return true;
	return false;
}

static bool find_code(void *arg, uint64_t pc, struct why_code *out)
{
	size_t i;

	*out = (struct why_code){0};
	if (!is_code(pc, &i))
		return false;
	if (!why_code_is_known(&codes, mappings[i].object))
		why_code_add(&codes, mappings[i].object, why_image_make(mappings[i].object, NULL));
	why_code_of(&codes, mappings[i].object, pc - mappings[i].start + mappings[i].offset, pc,
		    out);
	return true;
}

static size_t unwind(const struct taken *t, struct why_pc *pcs, size_t room, bool *cut)
{
	struct why_regs regs;

	assert_true(why_regs_init(&regs, t->raw));
	return why_unwind(&regs, &t->copy, find_code, NULL, pcs, room, cut);
}

static bool has(const struct why_pc *pcs, size_t n, const void *address)
{
	for (size_t i = 0; i < n; i++)
		if (pcs[i].address == (uintptr_t)address)
			return true;
	return false;
}

/* ---- functions without frame pointers, that say where they return to */

static void *returns[4];
static uintptr_t entry; /* the stack pointer at middle()'s first instruction */

static NOT_FRAMED void innermost(void)
{
	ucontext_t u;

	returns[0] = __builtin_return_address(0);
	getcontext(&u);
	take(&taken, &u);
	sink++;
}

/* Something on the stack, and saved registers. */
static NOT_FRAMED unsigned long middle(unsigned long n)
{
	volatile char room[333];
	unsigned long a = sink + 1, b = a * n, c = b ^ a;

	returns[1] = __builtin_return_address(0);
	entry = (uintptr_t)__builtin_dwarf_cfa() - CALL_TAKES;
	room[n % sizeof(room)] = 1;
	innermost();
	return a + b + c + (unsigned char)room[0];
}

/* Its frame is of a size that only a register knows. */
static NOT_FRAMED unsigned long outer(unsigned long n)
{
	volatile char *room = __builtin_alloca(n * 16 + 16);

	returns[2] = __builtin_return_address(0);
	room[n] = 1;
	return middle(n) + (unsigned char)room[n];
}

/* Its frame is moved to where a vector may be. */
static NOT_FRAMED unsigned long aligned(unsigned long n)
{
	volatile char room[64] __attribute__((aligned(256)));

	returns[3] = __builtin_return_address(0);
	room[n % 64] = 3;
	return outer(n) + (unsigned char)room[n % 64];
}

static void check_own_stack(void)
{
	struct why_pc pcs[64];
	bool cut;
	size_t n = unwind(&taken, pcs, 64, &cut);

	assert_true(n > 5);
	assert_false(cut);
	assert_false(pcs[0].call);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pcs[i + 1].address, (uintptr_t)returns[i]);
		assert_true(pcs[i + 1].call);
	}
}

static void test_own_stack(void **state)
{
	sink += aligned(7);
	check_own_stack();
}

/* A probe on the return of middle() has the address that it returns to, and has put another one in its place. */
static void test_probed_return(void **state)
{
	struct tlob_capture_return probed[TLOB_CAPTURE_RETURNS] = {0};
	const uint64_t other = 0x7ffff0000000;
	int found = 0;

	sink += aligned(7);
	for (size_t at = 0; at + sizeof(other) <= taken.copy.size; at += sizeof(other)) {
		if (memcmp(taken.bytes + at, &returns[1], sizeof(other)))
			continue;
		memcpy(taken.bytes + at, &other, sizeof(other));
		found++;
	}
	assert_true(found > 0);
	probed[1].at = entry;
	probed[1].address = (uintptr_t)returns[1];
	taken.copy.returns = probed;
	check_own_stack();
	taken.copy.returns = NULL;
}

static void test_room(void **state)
{
	struct why_pc pcs[2];
	bool cut;

	sink += aligned(3);
	assert_int_equal(unwind(&taken, pcs, 2, &cut), 2);
	assert_true(cut);
	assert_int_equal(unwind(&taken, pcs, 0, &cut), 0);
}

/* ---- wherever a thread may be interrupted: in prologues, epilogues, the C library */

#define INTERRUPTIONS 200

static struct taken *interruptions;
static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t working;

static void on_profile(int signal, siginfo_t *info, void *context)
{
	if (working && interrupted < INTERRUPTIONS)
		take(&interruptions[interrupted++], context);
}

static NOT_FRAMED int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static NOT_FRAMED void work(void)
{
	int numbers[64];
	char text[64];

	for (int i = 0; i < 64; i++)
		numbers[i] = (i * 7919) % 64;
	qsort(numbers, 64, sizeof(int), compare);
	snprintf(text, sizeof(text), "%d %f", numbers[3], (double)numbers[5]);
	sink += strlen(text);
}

static NOT_FRAMED void work_on(void **back)
{
	*back = __builtin_return_address(0);
	working = 1;
	while (interrupted < INTERRUPTIONS)
		work();
	working = 0;
}

static void tell(const struct taken *t, size_t n, bool cut)
{
	size_t i = 0;
	uint64_t pc = t->raw[PC_PLACE];
	bool known = is_code(pc, &i);

	print_message("%zu frames%s of %s at 0x%llx\n", n, cut ? ", cut" : "",
		      known ? mappings[i].object->path : "nowhere",
		      (unsigned long long)(known ? pc - mappings[i].start + mappings[i].offset :
						   pc));
}

static void test_interrupted(void **state)
{
	const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {0};
	struct sigaction action = {.sa_sigaction = on_profile, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct why_pc pcs[64];
	int whole = 0;
	void *back;

	interruptions = calloc(INTERRUPTIONS, sizeof(*interruptions));
	assert_non_null(interruptions);
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	work_on(&back);
	setitimer(ITIMER_PROF, &never, NULL);
	for (int i = 0; i < INTERRUPTIONS; i++) {
		bool cut;
		size_t n = unwind(&interruptions[i], pcs, 64, &cut);

		if (has(pcs, n, back) && !cut)
			whole++;
		else
			tell(&interruptions[i], n, cut);
	}
	free(interruptions);
	assert_int_equal(whole, INTERRUPTIONS);
}

/* ---- through a signal frame */

static void on_signal(int signal)
{
	innermost();
	sink++;
}

static NOT_FRAMED void raise_here(void **back)
{
	*back = __builtin_return_address(0);
	raise(SIGUSR1);
	sink++;
}

static void test_signal_frame(void **state)
{
	struct why_pc pcs[64];
	void *back;
	bool cut, exact = false;
	size_t n;

	signal(SIGUSR1, on_signal);
	raise_here(&back);
	n = unwind(&taken, pcs, 64, &cut);
	assert_true(has(pcs, n, back));
	assert_false(cut);
	for (size_t i = 1; i < n; i++)
		exact |= !pcs[i].call; /* where the signal came is no call */
	assert_true(exact);
}

/* ---- what a program that means ill may have there */

/* Whatever is said must be code, and there is an end. */
static void check_sane(const struct taken *t)
{
	struct why_pc pcs[64];
	size_t place;
	bool cut;
	size_t n = unwind(t, pcs, 64, &cut);

	assert_in_range(n, 1, 64);
	for (size_t i = 1; i < n; i++)
		assert_true(is_code(pcs[i].address - pcs[i].call, &place));
}

static void test_cut_copies(void **state)
{
	struct taken whole;

	sink += aligned(5);
	whole = taken;
	for (size_t size = 0; size < whole.copy.size; size += size < 1024 ? 1 : 97) {
		struct taken *t = malloc(sizeof(*t));
		unsigned char *bytes =
			malloc(size ? size : 1); /* a sanitizer sees every byte beyond */

		assert_non_null(t);
		assert_non_null(bytes);
		*t = whole;
		memcpy(bytes, whole.bytes, size);
		t->copy.bytes = bytes;
		t->copy.size = size;
		check_sane(t);
		free(bytes);
		free(t);
	}
}

static void test_garbage(void **state)
{
	unsigned int seed = 1;

	for (int round = 0; round < 3000; round++) {
		sink += aligned(4);
		taken.copy.bytes = taken.bytes;
		for (int i = 0; i < (round % 40) + 1; i++) {
			size_t at = (size_t)rand_r(&seed) % (taken.copy.size - 8);
			uint64_t word = (uint64_t)rand_r(&seed) << 32 | (uint64_t)rand_r(&seed);

			if (round % 3 == 1) /* addresses on the stack itself */
				word = taken.copy.start + word % taken.copy.size;
			if (round % 3 == 2) /* addresses of code */
				word = (uintptr_t)aligned + word % 256;
			memcpy(taken.bytes + (at & ~7UL), &word, sizeof(word));
		}
		if (round % 5 == 0)
			taken.raw[rand_r(&seed) % 20] = (unsigned long long)rand_r(&seed) * 4096;
		set_bits(taken.raw, 64);
		check_sane(&taken);
	}
}

/* Frame pointers that lead to themselves, back and forth, or out of the copy; in code without frame information. */
static bool find_bare_code(void *arg, uint64_t pc, struct why_code *out)
{
	*out = (struct why_code){0};
	return pc >= 0x1000 && pc < 0x2000;
}

static void test_frame_pointers(void **state)
{
	const uint64_t base = 0x7fff0000;
	uint64_t stack[16] = {0};
	struct why_copy copy = {base, (unsigned char *)stack, sizeof(stack), NULL};
	struct why_regs regs;
	unsigned long long raw[TLOB_CAPTURE_REGS] = {0};
	struct why_pc pcs[64];
	bool cut;

	raw[PC_PLACE] = 0x1100;
	raw[SP_PLACE] = base;
	raw[FP_PLACE] = base + 16;
	stack[2] = base + 48;
	stack[3] = 0x1200;
	stack[6] = base + 80;
	stack[7] = 0x1300;
	assert_true(why_regs_init(&regs, raw));
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 3);
	assert_false(cut); /* the last one returns to 0 */
	assert_int_equal(pcs[1].address, 0x1200);
	assert_int_equal(pcs[2].address, 0x1300);

	stack[6] = base + 16; /* back */
	stack[7] = 0x1300;
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 3);
	assert_true(cut);
	stack[2] = base + 16; /* itself */
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 2);
	stack[2] = base + 47; /* odd */
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 2);
	stack[2] = ~0ULL - 3; /* beyond every end */
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 2);
	stack[3] = 0x9999; /* no code */
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 1);
	raw[FP_PLACE] = 0; /* a function without a frame */
	called_from(raw, stack, 0x1500);
	assert_true(why_regs_init(&regs, raw));
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 2);
	assert_int_equal(pcs[1].address, 0x1500);
	raw[PC_PLACE] = 0; /* a call of nothing */
	called_from(raw, stack, 0x1400);
	assert_true(why_regs_init(&regs, raw));
	assert_int_equal(why_unwind(&regs, &copy, find_bare_code, NULL, pcs, 64, &cut), 2);
	assert_int_equal(pcs[1].address, 0x1400);
}

static void test_other_machine(void **state)
{
	unsigned long long raw[TLOB_CAPTURE_REGS] = {0};
	struct why_regs regs;

	set_bits(raw, 32);
	assert_false(why_regs_init(&regs, raw));
}

/* ---- expressions */

static bool evaluate(const Dwarf_Op *ops, size_t n, uint64_t *result, bool *is_value)
{
	static const uint64_t words[2] = {0x1234, 0x5678};
	const struct why_copy copy = {0x8000, (const unsigned char *)words, sizeof(words), NULL};
	struct why_regs regs = {.known = 1u << 7 | 1u << 16};
	const struct why_frame frame = {&regs, &copy, 0x9000, true};

	regs.value[7] = 0x8000;
	regs.value[16] = 0x40102b;
	return why_evaluate(&frame, ops, n, result, is_value);
}

static void test_expressions(void **state)
{
	/* what linkers write for procedure linkage tables */
	const Dwarf_Op plt[] = {{.atom = DW_OP_breg7, .number = 8},
				{.atom = DW_OP_breg16},
				{.atom = DW_OP_lit15},
				{.atom = DW_OP_and},
				{.atom = DW_OP_lit11},
				{.atom = DW_OP_ge},
				{.atom = DW_OP_lit3},
				{.atom = DW_OP_shl},
				{.atom = DW_OP_plus}};
	const Dwarf_Op deref[] = {{.atom = DW_OP_breg7, .number = 8}, {.atom = DW_OP_deref}};
	const Dwarf_Op beyond[] = {{.atom = DW_OP_breg7, .number = 9}, {.atom = DW_OP_deref}};
	const Dwarf_Op value[] = {{.atom = DW_OP_call_frame_cfa},
				  {.atom = DW_OP_plus_uconst, .number = 16},
				  {.atom = DW_OP_stack_value}};
	const Dwarf_Op unknown_register[] = {{.atom = DW_OP_breg3}};
	const Dwarf_Op no_such_register[] = {{.atom = DW_OP_bregx, .number = 1u << 20}};
	const Dwarf_Op underflow[] = {{.atom = DW_OP_lit1}, {.atom = DW_OP_plus}};
	const Dwarf_Op dropped[] = {
		{.atom = DW_OP_lit1}, {.atom = DW_OP_drop}, {.atom = DW_OP_deref}};
	const Dwarf_Op jump[] = {{.atom = DW_OP_lit1}, {.atom = DW_OP_skip}};
	Dwarf_Op deep[100];
	bool is_value;
	uint64_t v;

	assert_true(evaluate(plt, 9, &v, &is_value));
	assert_int_equal(v, 0x8000 + 8 + 8);
	assert_false(is_value);
	assert_true(evaluate(deref, 2, &v, &is_value));
	assert_int_equal(v, 0x5678);
	assert_false(evaluate(beyond, 2, &v, &is_value));
	assert_true(evaluate(value, 3, &v, &is_value));
	assert_int_equal(v, 0x9010);
	assert_true(is_value);
	assert_false(evaluate(unknown_register, 1, &v, &is_value));
	assert_false(evaluate(no_such_register, 1, &v, &is_value));
	assert_false(evaluate(underflow, 2, &v, &is_value));
	assert_false(evaluate(dropped, 3, &v, &is_value));
	assert_false(evaluate(jump, 2, &v, &is_value));
	assert_false(evaluate(jump, 0, &v, &is_value));
	for (size_t i = 0; i < 100; i++)
		deep[i] = (Dwarf_Op){.atom = DW_OP_lit1};
	assert_false(evaluate(deep, 100, &v, &is_value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_stack),     cmocka_unit_test(test_probed_return),
		cmocka_unit_test(test_room),	      cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_signal_frame),  cmocka_unit_test(test_cut_copies),
		cmocka_unit_test(test_garbage),	      cmocka_unit_test(test_frame_pointers),
		cmocka_unit_test(test_other_machine), cmocka_unit_test(test_expressions),
	};
	int failed;

	stack_end = (uintptr_t)environ; /* above the first frame */
	if (why_symbolizer_new(&symbolizer) || read_mappings())
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	why_codes_deinit(&codes);
	why_symbolizer_free(symbolizer);
	return failed;
}
