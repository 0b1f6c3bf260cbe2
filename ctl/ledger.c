// SPDX-License-Identifier: GPL-2.0-or-later
/* See ledger.h. */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "hist.h"
#include "program.h"
#include "ring.h"

static struct tlob_ring *ring_of(struct tlob_ledger *ledger)
{
	return (struct tlob_ring *)((char *)ledger + TLOB_LEDGER_RING_OFFSET);
}

static struct tlob_ring_cell *cells_of(struct tlob_ledger *ledger)
{
	return (struct tlob_ring_cell *)(ring_of(ledger) + 1);
}

static int make_file(void)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("tlob-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return tlobctl_fail(-errno, "cannot make a ledger (memfd_create): %m");
	if (!ftruncate(fd, (off_t)TLOB_LEDGER_BYTES) && !fcntl(fd, F_ADD_SEALS, seals))
		return fd;
	err = tlobctl_fail(-errno, "cannot size and seal a ledger of %llu bytes: %m",
			   TLOB_LEDGER_BYTES);
	close(fd);
	return err;
}

int tlobctl_ledger_new(int *fd, struct tlob_ledger **ledger)
{
	struct tlob_ledger *l;
	int file = make_file(), err;

	if (file < 0)
		return file;
	l = mmap(NULL, TLOB_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (l == MAP_FAILED) {
		err = tlobctl_fail(-errno, "cannot map a ledger of %llu bytes: %m",
				   TLOB_LEDGER_BYTES);
		close(file);
		return err;
	}
	l->magic = TLOB_ABI_MAGIC;
	l->version = TLOB_ABI_VERSION;
	l->ring_capacity = TLOB_LEDGER_RING_CAPACITY;
	tlob_ring_init(ring_of(l), cells_of(l), TLOB_LEDGER_RING_CAPACITY);
	*fd = file;
	*ledger = l;
	return 0;
}

void tlobctl_ledger_free(struct tlob_ledger *ledger)
{
	if (ledger)
		munmap(ledger, TLOB_LEDGER_BYTES);
}

bool tlobctl_ledger_region(struct tlob_ledger *ledger, uint32_t index,
			   struct tlobctl_ledger_region *out)
{
	char name[TLOB_NAME_BYTES], file[TLOB_FILE_BYTES];
	struct tlob_ledger_region *r;

	if (index >= TLOB_MAX_REGIONS)
		return false;
	r = &ledger->regions[index];
	if (!tlob_load_acquire(&r->ready))
		return false;
	/* what is looked at must be what is taken: the program may write between the two */
	memcpy(name, r->name, sizeof(name));
	memcpy(file, r->file, sizeof(file));
	__asm__ volatile("" : : : "memory");
	tlobctl_printable(out->name, sizeof(out->name), name, sizeof(name));
	tlobctl_printable(out->file, sizeof(out->file), file, sizeof(file));
	out->line = tlob_load(&r->line);
	out->budget_ns = tlob_load(&r->budget_ns);
	out->overruns = tlob_load(&r->overruns);
	out->refused = tlob_load(&r->refused);
	out->cancelled = tlob_load(&r->cancelled);
	out->abandoned = tlob_load(&r->abandoned);
	out->nstages = tlob_load(&r->nstages);
	if (out->nstages > TLOB_MAX_STAGES)
		out->nstages = 0;
	for (uint32_t i = 0; i < TLOB_MAX_STAGES; i++)
		out->stages[i] = tlob_load(&r->stages[i]);
	return true;
}

/* Is there anything between @from and @to that was ever written? */
static bool has_data(int fd, off_t from, off_t to)
{
	off_t at = lseek(fd, from, SEEK_DATA);

	return at >= 0 ? at < to : errno != ENXIO;
}

void tlobctl_ledger_hist(int fd, uint32_t index, struct tlob_hist *into)
{
	const off_t end = (off_t)TLOB_LEDGER_HIST(index, TLOB_HIST_SHARDS);
	struct tlob_hist hist;

	if (!has_data(fd, (off_t)TLOB_LEDGER_HIST(index, 0), end))
		return;
	for (uint32_t shard = 0; shard < TLOB_HIST_SHARDS; shard++) {
		off_t at = (off_t)TLOB_LEDGER_HIST(index, shard);

		if (pread(fd, &hist, sizeof(hist), at) != sizeof(hist))
			continue;
		/* once more, after the counts, as it is written before them */
		(void)!pread(fd, &hist.max_ns, sizeof(hist.max_ns),
			     at + (off_t)offsetof(struct tlob_hist, max_ns));
		tlob_hist_merge(into, &hist);
	}
}

#define MAX_TRIES 8 /* the program may write there at the same time, and as often as it likes */

void tlobctl_ledger_ended(struct tlob_ledger *ledger, uint32_t index, uint64_t elapsed_ns,
			  bool over)
{
	struct tlob_hist *hist;
	uint64_t max;

	if (index >= TLOB_MAX_REGIONS)
		return;
	hist = (struct tlob_hist *)((char *)ledger + TLOB_LEDGER_HIST(index, TLOB_HIST_SHARDS - 1));
	max = tlob_load(&hist->max_ns);
	for (int i = 0; i < MAX_TRIES && elapsed_ns > max; i++) {
		uint64_t was = tlob_cmpxchg(&hist->max_ns, max, elapsed_ns);

		if (was == max)
			break;
		max = was;
	}
	tlob_add(&hist->count[tlob_hist_index(elapsed_ns)], 1);
	if (over)
		tlob_add(&ledger->regions[index].overruns, 1);
}

bool tlobctl_ledger_pop(struct tlob_ledger *ledger, struct tlob_record *record)
{
	return tlob_ring_pop(ring_of(ledger), cells_of(ledger), TLOB_LEDGER_RING_CAPACITY, record);
}

uint64_t tlobctl_ledger_dropped(struct tlob_ledger *ledger)
{
	return tlob_load(&ring_of(ledger)->dropped);
}

bool tlobctl_ledger_skip(struct tlob_ledger *ledger)
{
	return tlob_ring_skip(ring_of(ledger), cells_of(ledger), TLOB_LEDGER_RING_CAPACITY);
}
