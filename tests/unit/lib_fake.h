/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An agent for tests of libtlob: it speaks the protocol, or breaks it in one way, in a thread of
 * its own.
 */
#ifndef TLOB_TESTS_LIB_FAKE_H
#define TLOB_TESTS_LIB_FAKE_H

#include <linux/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "core/hist.h"
#include "core/ring.h"
#include "lib_subject.h"

enum fake_manner {
	FAKE_HONEST,
	FAKE_BPF, /* real maps, and a kick program that does nothing but return */
	FAKE_SLOW, /* answers after 50 ms */
	FAKE_SILENT,
	FAKE_CLOSES,
	FAKE_REFUSES,
	FAKE_GARBAGE,
	FAKE_EMPTY,
	FAKE_SHORT,
	FAKE_LONG,
	FAKE_MAGIC,
	FAKE_VERSION,
	FAKE_ENGINE, /* of a kind that is none */
	FAKE_NO_FDS,
	FAKE_MANY_FDS,
	FAKE_TINY, /* ledger of one page */
	FAKE_UNSEALED,
	FAKE_FILE, /* ledger on disk */
	FAKE_HUGE, /* ledger of huge pages, which there need not be */
	FAKE_DIRECTORY,
	FAKE_FD_TOO_MANY,
	FAKE_NO_MAP, /* engine bpf with a memfd as the arena */
	FAKE_NO_PROGRAM, /* engine bpf with a map as the program */
	FAKE_WRONG_MAP, /* engine bpf with a map of another shape */
	FAKE_OVERRIDES, /* four thousand million of them, names without end */
	FAKE_MANNERS
};

#define FAKE_CLIENTS 128 /* all share one ledger */

struct fake {
	enum fake_manner manner;
	char name[64]; /* for TLOB_AGENT */
	int listener, quit;
	int clients[FAKE_CLIENTS], client; /* all of them, and the one that is being served */
	pthread_t thread;
	int hellos, grows, wakes; /* atomic */
	int ledger_fd;
	struct tlob_ledger *ledger;
	/* FAKE_BPF */
	int verdict; /* what each kick returns */
	int kick_fd, verdict_fd;
	int narenas;
	union tlob_arena_entry *arenas[256];
	int max_arenas;
	struct tlob_override overrides[2]; /* sent if named */
};

/* ---- what it hands out */

static inline int fake_memfd(size_t bytes, bool seal, unsigned int flags)
{
	int fd = memfd_create("fake-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd >= 0 &&
	    (ftruncate(fd, (off_t)bytes) || (seal && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)))) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline struct tlob_ring *fake_ring(struct fake *f)
{
	return (struct tlob_ring *)((char *)f->ledger + TLOB_LEDGER_RING_OFFSET);
}

static inline struct tlob_ring_cell *fake_cells(struct fake *f)
{
	return (struct tlob_ring_cell *)(fake_ring(f) + 1);
}

static inline void fake_make_ledger(struct fake *f)
{
	f->ledger_fd = fake_memfd(TLOB_LEDGER_BYTES, true, 0);
	f->ledger =
		mmap(NULL, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f->ledger_fd, 0);
	assert_ptr_not_equal(f->ledger, MAP_FAILED);
	tlob_ring_init(fake_ring(f), fake_cells(f), TLOB_LEDGER_RING_CAPACITY);
}

static inline int fake_map(uint32_t type, uint32_t value_bytes, uint32_t entries, uint32_t flags)
{
	union bpf_attr attr = {.map_type = type, .key_size = 4, .value_size = value_bytes};

	attr.max_entries = entries;
	attr.map_flags = flags;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static inline int fake_arena(struct fake *f)
{
	union tlob_arena_entry *arena;
	int fd = fake_map(BPF_MAP_TYPE_ARRAY, sizeof(union tlob_arena_entry), TLOB_ARENA_SLOTS,
			  BPF_F_MMAPABLE);

	if (fd < 0)
		return fd;
	arena = mmap(NULL, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (arena == MAP_FAILED)
		return -1;
	arena->head.magic = TLOB_ABI_MAGIC;
	arena->head.version = TLOB_ABI_VERSION;
	arena->head.next_wake_ns = TLOB_NEVER;
	f->arenas[f->narenas] = arena;
	__atomic_store_n(&f->narenas, f->narenas + 1, __ATOMIC_RELEASE);
	return fd;
}

/* r0 = verdict, out of an array of one: the kick program of an engine that only has opinions. */
static inline int fake_program(int verdict_fd)
{
	struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4, .imm = 0},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = verdict_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_0, .off = 2, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SYSCALL,
			       .insn_cnt = sizeof(insns) / sizeof(*insns)};

	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	attr.prog_flags = BPF_F_SLEEPABLE;
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static inline void fake_verdict(struct fake *f, int verdict)
{
	uint32_t key = 0;
	union bpf_attr attr = {.map_fd = (uint32_t)f->verdict_fd};

	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&verdict;
	assert_int_equal(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)), 0);
}

/* False where maps and programs may not be made. */
static inline bool fake_make_bpf(struct fake *f)
{
	f->verdict_fd = fake_map(BPF_MAP_TYPE_ARRAY, 4, 1, 0);
	f->kick_fd = f->verdict_fd < 0 ? -1 : fake_program(f->verdict_fd);
	return f->kick_fd >= 0;
}

/* ---- talking */

static inline void fake_send(int fd, const void *bytes, size_t n, const int *fds, size_t nfds)
{
	char control[CMSG_SPACE(sizeof(int) * 64)] = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nfds) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	(void)sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static inline struct tlob_msg fake_head(int type)
{
	return (struct tlob_msg){TLOB_ABI_MAGIC, TLOB_ABI_VERSION, (uint16_t)type};
}

static inline void fake_welcome(struct fake *f)
{
	struct tlob_msg_welcome w = {.head = fake_head(TLOB_MSG_WELCOME),
				     .engine = TLOB_ENGINE_USER};
	struct tlob_msg refused = fake_head(TLOB_MSG_REFUSED);
	int fds[64] = {f->ledger_fd}, made = -1;
	size_t bytes = sizeof(w), nfds = 1;
	char garbage[5000];

	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (char)(i * 37 + 11);
	w.arena.head = fake_head(TLOB_MSG_ARENA);
	w.arena.cookie = 77;
	for (int i = 0; i < 2 && f->overrides[i].name[0]; i++)
		w.overrides[w.noverrides++] = f->overrides[i];
	switch (f->manner) {
	case FAKE_SLOW:
		usleep(50000);
		break;
	case FAKE_SILENT:
		return;
	case FAKE_CLOSES:
		shutdown(f->client, SHUT_RDWR);
		return;
	case FAKE_REFUSES:
		fake_send(f->client, &refused, sizeof(refused), NULL, 0);
		return;
	case FAKE_GARBAGE:
		fake_send(f->client, garbage, sizeof(w), fds, nfds);
		return;
	case FAKE_EMPTY:
		fake_send(f->client, garbage, 0, fds, nfds);
		return;
	case FAKE_SHORT:
		bytes = 20;
		break;
	case FAKE_LONG:
		memcpy(garbage, &w, sizeof(w));
		fake_send(f->client, garbage, sizeof(garbage), fds, nfds);
		return;
	case FAKE_MAGIC:
		w.head.magic++;
		break;
	case FAKE_VERSION:
		w.head.version++;
		break;
	case FAKE_ENGINE:
		w.engine = 99;
		break;
	case FAKE_NO_FDS:
		nfds = 0;
		break;
	case FAKE_MANY_FDS:
		for (nfds = 0; nfds < 40; nfds++)
			fds[nfds] = nfds % 2 ? f->quit : f->ledger_fd;
		break;
	case FAKE_TINY:
		fds[0] = made = fake_memfd(4096, true, 0);
		break;
	case FAKE_UNSEALED:
		fds[0] = made = fake_memfd(TLOB_LEDGER_BYTES, false, 0);
		break;
	case FAKE_FILE:
		fds[0] = made = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (made < 0 || ftruncate(made, (off_t)TLOB_LEDGER_BYTES))
			return;
		break;
	case FAKE_HUGE:
		fds[0] = made = fake_memfd((TLOB_LEDGER_BYTES | 0x3fffffff) + 1, true, MFD_HUGETLB);
		nfds = made < 0 ? 0 : nfds;
		break;
	case FAKE_DIRECTORY:
		fds[0] = made = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		break;
	case FAKE_FD_TOO_MANY:
		fds[1] = f->quit;
		nfds = 2;
		break;
	case FAKE_NO_MAP:
	case FAKE_NO_PROGRAM:
	case FAKE_WRONG_MAP:
	case FAKE_BPF:
		w.engine = TLOB_ENGINE_BPF;
		fds[1] = f->manner == FAKE_NO_PROGRAM ? f->verdict_fd : f->kick_fd;
		fds[2] = made = f->manner == FAKE_NO_MAP ?
					fake_memfd(TLOB_ARENA_BYTES, true, 0) :
				f->manner == FAKE_WRONG_MAP ?
					fake_map(BPF_MAP_TYPE_ARRAY, 8, 64, BPF_F_MMAPABLE) :
					fake_arena(f);
		nfds = 3;
		break;
	case FAKE_OVERRIDES:
		w.noverrides = 0xffffffffu;
		for (int i = 0; i < TLOB_MAX_OVERRIDES; i++) {
			memset(w.overrides[i].name, 'x', TLOB_NAME_BYTES);
			w.overrides[i].budget_ns = 0;
		}
		break;
	default:
		break;
	}
	fake_send(f->client, &w, bytes, fds, nfds);
	if (made >= 0)
		close(made);
}

static inline void fake_grow(struct fake *f)
{
	struct tlob_msg_arena a = {.head = fake_head(TLOB_MSG_ARENA),
				   .arena = (uint32_t)f->narenas};
	struct tlob_msg refused = fake_head(TLOB_MSG_REFUSED);
	int fd = f->narenas < f->max_arenas ? fake_arena(f) : -1;

	if (fd < 0) {
		fake_send(f->client, &refused, sizeof(refused), NULL, 0);
		return;
	}
	fake_send(f->client, &a, sizeof(a), &fd, 1);
	close(fd);
}

static inline void fake_serve(struct fake *f)
{
	union {
		struct tlob_msg head;
		struct tlob_msg_hello hello;
		char bytes[256];
	} m = {0};
	ssize_t n = recv(f->client, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0)
		return;
	if (n == 0) {
		for (int i = 0; i < FAKE_CLIENTS; i++)
			if (f->clients[i] == f->client)
				f->clients[i] = -1;
		close(f->client);
	} else if (m.head.type == TLOB_MSG_HELLO && n == sizeof(m.hello)) {
		__atomic_add_fetch(&f->hellos, 1, __ATOMIC_SEQ_CST);
		fake_welcome(f);
	} else if (m.head.type == TLOB_MSG_GROW && n == sizeof(m.head)) {
		__atomic_add_fetch(&f->grows, 1, __ATOMIC_SEQ_CST);
		fake_grow(f);
	} else if (m.head.type == TLOB_MSG_WAKE && n == sizeof(m.head)) {
		__atomic_add_fetch(&f->wakes, 1, __ATOMIC_SEQ_CST);
	}
}

static inline void *fake_thread(void *arg)
{
	struct fake *f = arg;

	for (;;) {
		struct pollfd p[2 + FAKE_CLIENTS] = {{.fd = f->quit, .events = POLLIN},
						     {.fd = f->listener, .events = POLLIN}};

		for (int i = 0; i < FAKE_CLIENTS; i++)
			p[2 + i] = (struct pollfd){.fd = f->clients[i], .events = POLLIN};
		poll(p, 2 + FAKE_CLIENTS, -1);
		if (p[0].revents)
			return NULL;
		for (int i = 0; i < FAKE_CLIENTS; i++) {
			f->client = f->clients[i];
			if (f->client >= 0 && p[2 + i].revents)
				fake_serve(f);
		}
		for (int i = 0; i < FAKE_CLIENTS && p[1].revents; i++) {
			if (f->clients[i] < 0) {
				f->clients[i] = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
				break;
			}
		}
	}
}

/* ---- life */

/* Opens it at @name; NULL: at a new abstract one. */
static inline void fake_open(struct fake *f, enum fake_manner manner, const char *name)
{
	static int serial;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t bytes;

	f->manner = manner;
	for (int i = 0; i < FAKE_CLIENTS; i++)
		f->clients[i] = -1;
	f->quit = eventfd(0, EFD_CLOEXEC);
	if (!f->max_arenas)
		f->max_arenas = 256;
	if (name)
		snprintf(f->name, sizeof(f->name), "%s", name);
	else
		snprintf(f->name, sizeof(f->name), "@tlob-fake-%d-%d", getpid(), serial++);
	fake_make_ledger(f);
	memcpy(a.sun_path, f->name, strlen(f->name));
	bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(f->name) +
			    (f->name[0] != '@'));
	if (f->name[0] == '@')
		a.sun_path[0] = '\0';
	f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&a, bytes), 0);
	assert_int_equal(listen(f->listener, 16), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, fake_thread, f), 0);
}

/* Gone at once, as if killed; what it shared stays readable. */
static inline void fake_kill(struct fake *f)
{
	uint64_t one = 1;

	if (f->listener < 0)
		return;
	assert_int_equal(write(f->quit, &one, 8), 8);
	pthread_join(f->thread, NULL);
	close(f->listener);
	for (int i = 0; i < FAKE_CLIENTS; i++)
		if (f->clients[i] >= 0)
			close(f->clients[i]);
	f->listener = -1;
	if (f->name[0] != '@')
		unlink(f->name);
}

static inline void fake_close(struct fake *f)
{
	fake_kill(f);
	close(f->quit);
	munmap(f->ledger, TLOB_LEDGER_BYTES);
	close(f->ledger_fd);
	if (f->kick_fd > 0)
		close(f->kick_fd);
	if (f->verdict_fd > 0)
		close(f->verdict_fd);
	for (int i = 0; i < f->narenas; i++)
		munmap(f->arenas[i], TLOB_ARENA_BYTES);
}

/* ---- what it learns */

static inline int fake_region(struct fake *f, const char *name)
{
	for (int i = 0; i < TLOB_MAX_REGIONS; i++)
		if (f->ledger->regions[i].ready && !strcmp(f->ledger->regions[i].name, name))
			return i;
	return -1;
}

static inline uint64_t fake_windows(struct fake *f, const char *name)
{
	int region = fake_region(f, name);
	uint64_t n = 0;

	for (int shard = 0; region >= 0 && shard < TLOB_HIST_SHARDS; shard++)
		n += tlob_hist_count((void *)((char *)f->ledger + TLOB_LEDGER_HIST(region, shard)));
	return n;
}

static inline bool fake_pop(struct fake *f, struct tlob_record *r)
{
	return tlob_ring_pop(fake_ring(f), fake_cells(f), TLOB_LEDGER_RING_CAPACITY, r);
}

#endif
