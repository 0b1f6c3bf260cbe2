/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of places in files, without waiting for the files to be read: what is not known is asked of a process of its own
 * (../why/reader.h), for a short while its answer is waited for, and if that does not do, who wants the names comes back.
 *
 * There are two of these processes. A question first goes to the one that gets little time for each; what takes longer goes to
 * the other one, so that large files are only in each other's way. Whose files have taken least time comes first.
 */
#ifndef TLOBCTL_NAMES_H
#define TLOBCTL_NAMES_H

#include <tlob/ctl.h>

#include "../why/symbolize.h"

struct tlobctl;
struct tlobctl_names;

/* Starts the processes: before there is anything that they could inherit. Puts it into @ctl. */
int tlobctl_names_open(struct tlobctl *ctl);
/* They are waited for from now on. 0, or a negative errno with tlobctl_error() set. */
int tlobctl_names_serve(struct tlobctl *ctl);
void tlobctl_names_close(struct tlobctl *ctl);

/* A record is looked into. Strings of frames handed out before are no longer valid. */
void tlobctl_names_begin(struct tlobctl *ctl);
/* A place that is going to be named; @tgid: whose it is. False: not known yet. */
bool tlobctl_names_want(struct tlobctl *ctl, uint32_t tgid, const struct why_object *object,
			uint64_t offset, bool call);
/* The same for the code of the file at @address of @tgid: whether why_code_is_known() in ctl->stacks.codes. */
bool tlobctl_names_want_code(struct tlobctl *ctl, uint32_t tgid, const struct why_object *object,
			     uint64_t address);
/* Waits a little for what has been wanted since tlobctl_names_begin(). True: it is all known. */
bool tlobctl_names_wait(struct tlobctl *ctl);
/* The same, until @end_ns. */
bool tlobctl_names_wait_until(struct tlobctl *ctl, uint64_t end_ns);
/* As why_symbolize(): what is not known has no names. */
size_t tlobctl_names_of(struct tlobctl *ctl, const struct why_object *object, uint64_t offset,
			bool call, struct tlobctl_frame *frames, size_t room);

/* Grows with each answer: those who wait need not ask again before. */
uint64_t tlobctl_names_answers(const struct tlobctl *ctl);
/* CPU time that reading has taken. */
uint64_t tlobctl_names_cpu_ns(const struct tlobctl *ctl);
/* Files that could not be read, "" if there are none. */
const char *tlobctl_names_note(const struct tlobctl *ctl);

#endif
