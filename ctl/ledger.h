/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's end of a program's ledger. The program may write anything into it at any time: what is read here
 * is copied once, bounded, and made printable.
 */
#ifndef TLOBCTL_LEDGER_H
#define TLOBCTL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <tlob/abi.h>

struct tlobctl_ledger_region {
	char name[TLOB_NAME_BYTES];
	char file[TLOB_FILE_BYTES];
	uint32_t line;
	uint64_t budget_ns;
	uint64_t overruns;
	uint64_t refused;
	uint64_t cancelled;
	uint64_t abandoned;
	uint32_t nstages; /* of a chain */
	uint8_t stages[TLOB_MAX_STAGES];
};

/* A new file, sealed, and its mapping. 0 or negative errno, with tlobctl_error() set. */
int tlobctl_ledger_new(int *fd, struct tlob_ledger **ledger);
void tlobctl_ledger_free(struct tlob_ledger *ledger);
/* False if the program has not defined region @index. */
bool tlobctl_ledger_region(struct tlob_ledger *ledger, uint32_t index,
			   struct tlobctl_ledger_region *out);
/* Adds all shards of region @index in file @fd to @into. Not from the mapping: there, looking at a hole fills it. */
void tlobctl_ledger_hist(int fd, uint32_t index, struct tlob_hist *into);
/* A window that began there has been ended by another process: count it as the program does. */
void tlobctl_ledger_ended(struct tlob_ledger *ledger, uint32_t index, uint64_t elapsed_ns,
			  bool over);
/* The oldest record of the ring; false if there is none. */
bool tlobctl_ledger_pop(struct tlob_ledger *ledger, struct tlob_record *record);
/* Once the program is dead: pass over a record it did not finish. False if there is none. */
bool tlobctl_ledger_skip(struct tlob_ledger *ledger);
/* Records that found the ring full, as the program says. */
uint64_t tlobctl_ledger_dropped(struct tlob_ledger *ledger);

#endif
