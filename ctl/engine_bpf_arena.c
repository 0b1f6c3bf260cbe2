// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arenas of processes. Putting a map into the table of arenas waits for all programs that may be looking at it,
 * 8 ms or more, and a thread that asks for one waits in its first start: so there are always enough ready for
 * a thousand threads.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "engine_bpf.h"
#include "error.h"
#include "tlob.skel.h"
#include "window.h"

#define BATCH 32
#define LOW 16
#define ARENAS_OF_USER ((TLOB_BPF_ARENAS - 1) / 4) /* root excepted */
/* In each of the arenas it has. The library asks ahead, and some of its threads are then still about to register. */
#define THREADS_TO_GROW 16

int tlobctl_bpf_arena_new(struct tlobctl_bpf_arena *arena, uint32_t pieces)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	size_t bytes = pieces * TLOB_ARENA_BYTES;
	void *entries;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tlob_arena", sizeof(uint32_t),
				sizeof(union tlob_arena_entry), pieces * TLOB_ARENA_SLOTS, &opts);

	if (fd < 0)
		return tlobctl_fail(-errno, "cannot make an arena of %zu bytes: %m", bytes);
	entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (entries == MAP_FAILED) {
		int err = tlobctl_fail(-errno, "cannot map an arena of %zu bytes: %m", bytes);

		close(fd);
		return err;
	}
	*arena = (struct tlobctl_bpf_arena){TLOBCTL_ARENA_READY, entries, fd};
	return 0;
}

static void cancel_windows(struct tlob_slot *slot)
{
	for (uint32_t i = 0; i < TLOB_MAX_DEPTH; i++) {
		uint64_t state = tlob_load(&slot->windows[i].state);

		if (TLOB_WINDOW_STATE(state) == TLOB_ARMED)
			tlob_window_take(&slot->windows[i], state, TLOB_CANCELLED);
	}
}

void tlobctl_bpf_arena_free(struct tlobctl_bpf_arena *arena, uint32_t pieces)
{
	if (!arena->entries)
		return;
	for (uint32_t i = 0; i < pieces * TLOB_ARENA_SLOTS; i++) {
		if (i % TLOB_ARENA_SLOTS == 0)
			tlob_arena_close(&arena->entries[i].head);
		else
			cancel_windows(&arena->entries[i].slot);
	}
	munmap(arena->entries, pieces * TLOB_ARENA_BYTES);
	if (arena->state == TLOBCTL_ARENA_READY)
		close(arena->fd);
	*arena = (struct tlobctl_bpf_arena){0};
}

/* Put @n new arenas, whose numbers are in @keys, where programs find them. */
static int publish(struct tlobctl_bpf *bpf, const uint32_t *keys, const int *fds, uint32_t n)
{
	int map = bpf_map__fd(bpf->skel->maps.arenas);
	uint32_t done = n;

	/* at once, so that the kernel waits once; Linux before 5.15 wants them one by one */
	if (!bpf_map_update_batch(map, keys, fds, &done, NULL))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(map, &keys[i], &fds[i], BPF_ANY))
			return tlobctl_fail(-errno,
					    "cannot add an arena to those of engine bpf: %m");
	return 0;
}

static int refill(struct tlobctl_bpf *bpf)
{
	uint32_t keys[BATCH], n = 0;
	int fds[BATCH], r = 0;

	for (uint32_t i = 1; i < TLOB_BPF_ARENAS && n < BATCH; i++) {
		if (bpf->arenas[i].state != TLOBCTL_ARENA_VOID)
			continue;
		r = tlobctl_bpf_arena_new(&bpf->arenas[i], 1);
		if (r)
			break;
		keys[n] = i;
		fds[n++] = bpf->arenas[i].fd;
	}
	if (n)
		r = publish(bpf, keys, fds, n);
	for (uint32_t i = 0; r && i < n; i++)
		tlobctl_bpf_arena_free(&bpf->arenas[keys[i]], 1);
	if (r)
		return r;
	bpf->nready += n;
	return 0;
}

void tlobctl_bpf_prepare(struct tlobctl *ctl)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);

	if (ctl->opts.socket && bpf->nready < LOW)
		refill(bpf); /* if it fails now, whoever asks will hear of it */
}

static uint32_t find_ready(struct tlobctl_bpf *bpf)
{
	for (uint32_t i = 1; i < TLOB_BPF_ARENAS; i++)
		if (bpf->arenas[i].state == TLOBCTL_ARENA_READY)
			return i;
	return 0;
}

static int make_cookie(__u64 *cookie)
{
	do {
		if (getrandom(cookie, sizeof(*cookie), 0) != sizeof(*cookie))
			return tlobctl_fail(-errno, "cannot get random bytes: %m");
	} while (!*cookie);
	return 0;
}

static size_t arenas_of(const struct tlobctl_agent *agent, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < TLOBCTL_MAX_CLIENTS; i++)
		if (agent->clients[i] && agent->clients[i]->uid == uid)
			n += agent->clients[i]->narenas;
	return n;
}

/* Slots of @arena that a thread sits in, as the kernel says. */
static size_t registered(struct tlobctl_bpf *bpf, uint32_t arena)
{
	static const struct tlob_bpf_owner nobody;
	struct tlob_bpf_owner owners[TLOB_ARENA_SLOTS];
	uint32_t keys[TLOB_ARENA_SLOTS], n = TLOB_ARENA_SLOTS, next;
	uint32_t before = arena * TLOB_ARENA_SLOTS - 1; /* a batch begins after this key */
	size_t taken = 0;

	if (bpf_map_lookup_batch(bpf_map__fd(bpf->skel->maps.owners), &before, &next, keys, owners,
				 &n, NULL))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		taken += memcmp(&owners[i], &nobody, sizeof(nobody)) != 0;
	return taken;
}

/* Arenas are few, and asking is cheap: who asks for more must have threads for those it has. */
static int check_user(struct tlobctl *ctl, const struct tlobctl_client *client)
{
	if (!client->uid || arenas_of(&ctl->agent, client->uid) < ARENAS_OF_USER)
		return 0;
	return tlobctl_fail(-EDQUOT, "user %u has %d of %d arenas, more than its share",
			    (unsigned int)client->uid, ARENAS_OF_USER, TLOB_BPF_ARENAS - 1);
}

static int check_share(struct tlobctl *ctl, const struct tlobctl_client *client)
{
	size_t threads = 0;
	int r = check_user(ctl, client);

	if (r)
		return r;
	for (size_t i = 0; i < client->narenas; i++)
		threads += registered(tlobctl_bpf_of(ctl), client->arenas[i]);
	if (threads >= (client->narenas - client->ntransits) * THREADS_TO_GROW)
		return 0;
	return tlobctl_fail(-EAGAIN, "process %d has %zu arenas for %zu threads, which is enough",
			    (int)client->pid, client->narenas - client->ntransits, threads);
}

static int grant(struct tlobctl *ctl, struct tlobctl_client *client, bool transit,
		 struct tlob_msg_arena *msg, int *arena)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);
	struct tlob_bpf_agent call = {
		.op = TLOB_BPF_OPEN, .client = client->id, .transit = transit};
	int r = 0;

	if (!bpf->nready)
		r = refill(bpf);
	if (r)
		return r;
	call.arena = find_ready(bpf);
	if (!call.arena)
		return tlobctl_fail(-ENOSPC, "all %d arenas are taken", TLOB_BPF_ARENAS - 1);
	r = make_cookie(&call.cookie);
	if (!r)
		r = tlobctl_bpf_call(bpf, &call);
	if (r)
		return tlobctl_fail(r, "cannot open arena %u: %s", call.arena, strerror(-r));
	msg->arena = call.arena;
	msg->transit = transit;
	msg->cookie = call.cookie;
	*arena = bpf->arenas[call.arena].fd;
	bpf->arenas[call.arena].fd = -1;
	bpf->arenas[call.arena].state = TLOBCTL_ARENA_TAKEN;
	bpf->nready--;
	client->arenas[client->narenas++] = call.arena;
	return 0;
}

int tlobctl_bpf_grow(struct tlobctl *ctl, struct tlobctl_client *client, struct tlob_msg_arena *msg,
		     int *arena)
{
	int r = check_share(ctl, client);

	return r ? r : grant(ctl, client, false, msg, arena);
}

int tlobctl_bpf_join(struct tlobctl *ctl, struct tlobctl_client *client, struct tlob_msg_arena *msg,
		     int *kick, int *arena)
{
	*kick = bpf_program__fd(tlobctl_bpf_of(ctl)->skel->progs.kick);
	return tlobctl_bpf_grow(ctl, client, msg, arena);
}

/* The few that a process may have; more of them would be of no use. */
int tlobctl_bpf_transit(struct tlobctl *ctl, struct tlobctl_client *client,
			struct tlob_msg_arena *msg, int *arena)
{
	int r = check_user(ctl, client);

	if (!r && client->ntransits == TLOB_TRANSIT_ARENAS)
		r = tlobctl_fail(-ENOSPC, "process %d has all arenas that windows of no thread get",
				 (int)client->pid);
	if (!r)
		r = grant(ctl, client, true, msg, arena);
	if (!r)
		client->transits[client->ntransits++] = msg->arena;
	return r;
}

void tlobctl_bpf_leave(struct tlobctl *ctl, struct tlobctl_client *client)
{
	struct tlobctl_bpf *bpf = tlobctl_bpf_of(ctl);

	tlobctl_bpf_drain(ctl);
	tlobctl_bpf_transit_leave(ctl, client);
	for (size_t i = 0; i < client->narenas; i++) {
		struct tlob_bpf_agent call = {.op = TLOB_BPF_CLOSE, .arena = client->arenas[i]};

		tlobctl_bpf_call(bpf, &call);
		tlobctl_bpf_arena_free(&bpf->arenas[client->arenas[i]], 1);
	}
	client->narenas = 0;
	client->ntransits = 0;
}

void tlobctl_bpf_arenas_deinit(struct tlobctl_bpf *bpf)
{
	tlobctl_bpf_arena_free(&bpf->arenas[0], bpf->pieces);
	for (uint32_t i = 1; i < TLOB_BPF_ARENAS; i++)
		tlobctl_bpf_arena_free(&bpf->arenas[i], 1);
}
