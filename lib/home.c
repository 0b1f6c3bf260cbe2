// SPDX-License-Identifier: LGPL-2.1-or-later
/* See home.h. */
#include "home.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine.h"
#include "engine_kernel.h"
#include "ledger.h"
#include "pool.h"

struct tlob_home *tlob_home_new(void)
{
	struct tlob_home *home = mmap(NULL, sizeof(*home), PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (home == MAP_FAILED)
		return NULL;
	home->socket = home->kick = home->ledger_file = TLOB_NO_DESCRIPTOR;
	return home;
}

static void close_descriptors(struct tlob_home *home)
{
	tlob_descriptor_drop(&home->socket);
	tlob_descriptor_drop(&home->kick);
	tlob_descriptor_drop(&home->ledger_file);
}

void tlob_home_free(struct tlob_home *home)
{
	close_descriptors(home);
	tlob_arena_free_all(home);
	tlob_pool_free(home);
	tlob_ledger_unmap(home);
	munmap(home, sizeof(*home));
}

static void sign(struct tlob_ledger *ledger)
{
	ledger->magic = TLOB_ABI_MAGIC;
	ledger->version = TLOB_ABI_VERSION;
	ledger->pid = (__u32)getpid();
}

int tlob_home_make_local(struct tlob_home *home)
{
	home->engine = &tlob_engine_user;
	if (tlob_ledger_map_own(home))
		return -ENOMEM;
	sign(home->ledger);
	return 0;
}

int tlob_home_make_kernel(struct tlob_home *home)
{
	int fd = tlob_kernel_open(), r;

	if (fd < 0)
		return fd;
	r = tlob_descriptor_adopt(fd, &home->kick);
	if (r)
		return r;
	home->engine = &tlob_engine_kernel;
	if (tlob_ledger_map_own(home))
		return -ENOMEM;
	sign(home->ledger);
	return tlob_kernel_grow(home, 0);
}

static bool is_kick_program(int fd)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {0};

	attr.info.bpf_fd = (__u32)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (__u64)(uintptr_t)&info;
	return !syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) &&
	       info.type == BPF_PROG_TYPE_SYSCALL;
}

/* Takes the descriptor out of @fds: whoever leaves it there has it closed. */
static int adopt(int *fd, struct tlob_descriptor *into)
{
	int r = tlob_descriptor_adopt(*fd, into);

	*fd = -1;
	return r;
}

static int make_bpf(struct tlob_home *home, int *fds)
{
	int r;

	if (tlob_is_filtered())
		return -ENOTSUP;
	if (!is_kick_program(fds[1]))
		return -EPROTO;
	r = adopt(&fds[1], &home->kick);
	if (r)
		return r;
	home->engine = &tlob_engine_bpf;
	return tlob_arena_add(home, fds[2], &home->welcome.arena);
}

static bool is_device(int fd)
{
	char path[32], target[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	return n == sizeof("/dev/rv") - 1 && !memcmp(target, "/dev/rv", (size_t)n);
}

static int make_module(struct tlob_home *home, int *fds)
{
	int r;

	if (!is_device(fds[1]))
		return -EPROTO;
	r = adopt(&fds[1], &home->kick);
	if (r)
		return r;
	home->engine = &tlob_engine_kernel;
	return tlob_kernel_grow(home, 0);
}

static int make_guest(struct tlob_home *home, int *fds, int nfds)
{
	int wanted = home->welcome.engine == TLOB_ENGINE_BPF	? 3 :
		     home->welcome.engine == TLOB_ENGINE_KERNEL ? 3 :
		     home->welcome.engine == TLOB_ENGINE_USER	? 1 :
								  -1;
	int r;

	if (nfds != wanted)
		return -EPROTO;
	r = tlob_ledger_map(home, fds[0]);
	fds[0] = -1;
	if (r)
		return r;
	sign(home->ledger);
	home->agent = true;
	home->engine = &tlob_engine_user;
	if (home->welcome.engine == TLOB_ENGINE_BPF)
		return make_bpf(home, fds);
	return home->welcome.engine == TLOB_ENGINE_KERNEL ? make_module(home, fds) : 0;
}

int tlob_home_make_guest(struct tlob_home *home, int *fds, int nfds)
{
	int r = make_guest(home, fds, nfds);

	for (int i = 0; i < nfds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return r;
}

/* Threads may be in the middle of a start or a stop here, so the addresses stay good. */
void tlob_home_bury(struct tlob_home *home)
{
	struct tlob_arena *arena;

	tlob_store(&home->dead, 1u);
	if (tlob_descriptor_ours(&home->socket))
		shutdown(home->socket.fd, SHUT_RDWR);
	tlob_ledger_blank(home);
	if (home->engine->clocked)
		tlob_pool_keep(home);
	for (__u32 i = 0; home->engine->clocked && (arena = tlob_arena_at(home, i)); i++)
		(void)mmap(arena->entries, TLOB_ARENA_BYTES, PROT_READ | PROT_WRITE,
			   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void tlob_home_close(struct tlob_home *home)
{
	close_descriptors(home);
}

void tlob_home_forget(struct tlob_home *home)
{
	struct tlob_arena *arena;

	close_descriptors(home);
	for (__u32 i = 0; !home->engine->clocked && (arena = tlob_arena_at(home, i)); i++)
		for (__u32 k = 1; k < TLOB_ARENA_SLOTS; k++)
			if ((arena->taken & 1ULL << k) && arena->seats[k].books.fd >= 0)
				tlob_descriptor_drop(&arena->seats[k].books);
}
