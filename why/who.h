/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of those who are named in an answer. */
#ifndef TLOB_WHY_WHO_H
#define TLOB_WHY_WHO_H

#include "culprit.h"

#define WHY_MAX_WHO 1024 /* the last one stands for all that do not fit */

/* Index of thread @tid, which @e names (NULL: nothing does). @n: how many there are. */
uint32_t why_who(struct why_answer *answer, size_t *n, uint32_t tid,
		 const struct tlob_history_entry *e);
/* Index of the thread that @wake is due to. */
uint32_t why_who_woke(struct why_answer *answer, size_t *n, const struct why_stream *stream,
		      const struct tlob_history_entry *wake);
/* Index of the interrupts that @e is about. */
uint32_t why_who_interrupted(struct why_answer *answer, size_t *n,
			     const struct tlob_history_entry *e);
/* Not by the thread that was on the CPU then, but by an interrupt. */
bool why_by_interrupt(const struct tlob_history_entry *wake);

#endif
