// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens when a model is violated, besides its tracepoints. A reactor is one entry of the table below.
 */
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "rv.h"

static bool reacting = true;

static unsigned int react_signal = SIGUSR1;
module_param(react_signal, uint, 0644);
MODULE_PARM_DESC(react_signal, "Signal sent to the task by the reactor 'signal' (10, SIGUSR1)");

static void react_printk(struct rv_reaction *reaction)
{
	pr_alert("rv: %s\n", reaction->text);
}

static void react_panic(struct rv_reaction *reaction)
{
	panic("rv: %s\n", reaction->text);
}

static void react_by_signal(struct rv_reaction *reaction)
{
	unsigned int sig = READ_ONCE(react_signal);

	if (reaction->task && valid_signal(sig) && sig != 0)
		send_sig(sig, reaction->task, 1);
}

static const struct rv_reactor reactor_nop = {"nop", "do nothing", NULL};
static const struct rv_reactor reactor_printk = {"printk", "a line in the kernel's log",
						 react_printk};
static const struct rv_reactor reactor_panic = {"panic", "stop the machine", react_panic};
static const struct rv_reactor reactor_signal = {"signal", "send react_signal to the task",
						 react_by_signal};

/* The first one is a new monitor's. */
const struct rv_reactor *const rv_reactors[] = {
	&reactor_nop, &reactor_printk, &reactor_panic, &reactor_signal, NULL,
};

const struct rv_reactor *rv_reactor_find(const char *name)
{
	unsigned int i;

	for (i = 0; rv_reactors[i]; i++)
		if (strcmp(rv_reactors[i]->name, name) == 0)
			return rv_reactors[i];
	return NULL;
}

bool rv_reacting_on(void)
{
	return READ_ONCE(reacting);
}

void rv_reacting_set(bool on)
{
	WRITE_ONCE(reacting, on);
}

static void run(struct irq_work *work)
{
	struct rv_reaction *reaction = container_of(work, struct rv_reaction, work);

	reaction->reactor->react(reaction);
	atomic_set_release(&reaction->busy, 0);
}

void rv_reaction_init(struct rv_reaction *reaction, struct task_struct *task)
{
	/* not a hard one: on a real-time kernel it runs in a thread, where signals' locks may sleep */
	init_irq_work(&reaction->work, run);
	reaction->task = task;
	atomic_set(&reaction->busy, 0);
}

void rv_reaction_sync(struct rv_reaction *reaction)
{
	irq_work_sync(&reaction->work);
}

void rv_react(struct rv_monitor *mon, struct rv_reaction *reaction, const char *fmt, ...)
{
	const struct rv_reactor *reactor = READ_ONCE(mon->reactor);
	va_list ap;
	int n;

	if (!rv_reacting_on() || !reactor->react || atomic_cmpxchg(&reaction->busy, 0, 1) != 0)
		return;
	reaction->reactor = reactor;
	n = scnprintf(reaction->text, sizeof(reaction->text), "monitor %s: ", mon->name);
	va_start(ap, fmt);
	vscnprintf(reaction->text + n, sizeof(reaction->text) - n, fmt, ap);
	va_end(ap);
	irq_work_queue(&reaction->work);
}
