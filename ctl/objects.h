/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files programs have mapped, now and a while ago: what an address of a stack means is told by (object, offset),
 * also when the process has exited, called exec, or closed the library meanwhile. The kernel tells of each mapping of code, each
 * exec, fork and exit on the machine, through one perf event per CPU; what was there before is read from /proc/PID/maps when it is
 * first asked for.
 *
 * The buffers are read in passes, see ../why/sync.h: those of the perf events, the ring with CPU samples if there is one, and
 * the ring with records, which feeds nothing but names addresses.
 */
#ifndef TLOBCTL_OBJECTS_H
#define TLOBCTL_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "../why/symbolize.h"
#include "../why/sync.h"

struct tlobctl;
struct tlobctl_objects;

/* Puts it into @ctl. 0, or a negative errno with tlobctl_error() set. */
int tlobctl_objects_open(struct tlobctl *ctl);
void tlobctl_objects_close(struct tlobctl *ctl);

/*
 * What is at @address of process @tgid (as this process sees it, not as in records where it is in a pid namespace of its own) at @time_ns: kernel or user. @call: it is a return
 * address. False: not known, or there are no objects in this session.
 */
bool tlobctl_place_of(struct tlobctl *ctl, uint32_t tgid, uint64_t time_ns, uint64_t address,
		      bool call, const struct why_object **object, uint64_t *offset);
/* Turns places into frames. NULL: no objects in this session. */
struct why_symbolizer *tlobctl_symbolizer(struct tlobctl *ctl);

/* ---- for the rings that take part in passes */

/* The ring of records is emptied from here on, and has been. Without objects: nothing. */
void tlobctl_objects_begin(struct tlobctl *ctl);
void tlobctl_objects_end(struct tlobctl *ctl);
/* @read pushes what is in the ring of samples; @fn gets the stream. */
void tlobctl_objects_feed(struct tlobctl *ctl, void (*read)(struct tlobctl *ctl), why_event_fn *fn);
struct why_sync *tlobctl_objects_sync(struct tlobctl *ctl);
/* @tgid is about to be asked for: look at its mappings if they are not known. True: they will be by the next pass. */
bool tlobctl_objects_know(struct tlobctl *ctl, uint32_t tgid);
/* One pass over all buffers but that of records. What happened before the last but one began is then known. */
void tlobctl_objects_pass(struct tlobctl *ctl);
/* Passes until everything before @time_ns, which is past, is known. */
void tlobctl_objects_settle(struct tlobctl *ctl, uint64_t time_ns);

/* Why mappings are not followed, and what is lost by that; "" if they are. */
const char *tlobctl_objects_note(const struct tlobctl *ctl);

#endif
