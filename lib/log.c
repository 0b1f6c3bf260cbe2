// SPDX-License-Identifier: LGPL-2.1-or-later
/* See log.h. */
#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "descriptor.h"
#include "format.h"
#include "text.h"

static struct tlob_descriptor target = {.fd = -1};
static __u32 dropped;

static int number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text && !*end && n >= 0 && n < 1 << 20 ? (int)n : -1;
}

/*
 * The program's own descriptor is duplicated, so that it may close it. A pipe without a reader must
 * hold nobody up: hence O_NONBLOCK on what is opened here, and poll() before each line.
 */
void tlob_log_open(const char *where)
{
	int fd = !strcmp(where, "stderr") ? STDERR_FILENO : number(where);

	if (target.fd >= 0)
		return;
	fd = fd >= 0 ?
		     fcntl(fd, F_DUPFD_CLOEXEC, 3) :
		     open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			  0666);
	if (fd >= 0)
		(void)tlob_descriptor_adopt(fd, &target);
}

bool tlob_log_is_open(void)
{
	return target.fd >= 0;
}

static void add_number(struct tlob_text *t, const char *label, __u64 value)
{
	tlob_text_string(t, label);
	tlob_text_decimal(t, value, 0, 0);
}

static void add_duration(struct tlob_text *t, const char *label, __u64 ns)
{
	char text[TLOB_DURATION_BYTES];

	tlob_duration_print(text, sizeof(text), ns);
	tlob_text_string(t, label);
	tlob_text_string(t, text);
}

/* Names may hold anything; a line stays a line. */
static void add_name(struct tlob_text *t, const char *name, size_t bytes)
{
	for (size_t i = 0; i < bytes && name[i]; i++)
		tlob_text_char(t, (unsigned char)name[i] < ' ' ? '?' : name[i]);
}

static void add_place(struct tlob_text *t, const struct tlob_ledger_region *region)
{
	if (!region->file[0])
		return;
	tlob_text_char(t, ' ');
	add_name(t, region->file, sizeof(region->file));
	add_number(t, ":", region->line);
}

static void add_split(struct tlob_text *t, const struct tlob_record *r)
{
	static const char *const states[] = {"running", "waiting", "sleeping"};

	add_duration(t, " running=", r->running_ns);
	add_duration(t, " waiting=", r->waiting_ns);
	add_duration(t, " sleeping=", r->sleeping_ns);
	if (r->flags & TLOB_F_ESTIMATED)
		add_duration(t, " uncertain=", r->uncertain_ns);
	add_number(t, " switches=", r->switches);
	tlob_text_string(t, " state=");
	tlob_text_string(t, states[r->state <= TLOB_SLEEPING ? r->state : 0]);
	add_number(t, " cpu=", r->cpu);
}

static size_t print(char *buf, size_t size, const struct tlob_record *r,
		    const struct tlob_ledger_region *region)
{
	struct tlob_text t = {.buf = buf, .size = size};

	tlob_text_string(&t, r->type == TLOB_REC_OVERRUN ? "tlob: overrun " : "tlob: end of ");
	add_name(&t, region->name, sizeof(region->name));
	add_number(&t, " tag=", r->tag);
	add_duration(&t, " budget=", r->budget_ns);
	add_duration(&t, " elapsed=", r->elapsed_ns);
	if (!(r->flags & TLOB_F_TRANSIT))
		add_split(&t, r);
	add_number(&t, " tid=", r->tid);
	tlob_text_string(&t, " comm=");
	add_name(&t, r->comm, sizeof(r->comm));
	if (r->flags & TLOB_F_TRANSIT && r->type == TLOB_REC_CLOSE)
		add_number(&t, " ended-by=", r->end_tid);
	add_place(&t, region);
	if (r->flags & TLOB_F_AT_STOP)
		tlob_text_string(&t, " at-stop");
	if (r->flags & TLOB_F_ABANDONED)
		tlob_text_string(&t, " abandoned");
	if (tlob_load(&dropped))
		add_number(&t, " lines-dropped=", tlob_load(&dropped));
	return tlob_text_end(&t);
}

void tlob_log_record(const struct tlob_record *r, const struct tlob_ledger_region *region)
{
	char line[768];
	size_t length = print(line, sizeof(line), r, region);
	struct pollfd p = {.fd = target.fd, .events = POLLOUT};

	if (length > sizeof(line) - 1)
		length = sizeof(line) - 1;
	line[length++] = '\n';
	if (!tlob_descriptor_ours(&target) || poll(&p, 1, 0) != 1 ||
	    write(target.fd, line, length) != (ssize_t)length)
		tlob_add(&dropped, 1);
}
