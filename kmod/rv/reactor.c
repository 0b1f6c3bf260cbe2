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

static void react_printk(struct rvc_reaction *reaction)
{
	pr_alert("rv: %s\n", reaction->text);
}

static void react_panic(struct rvc_reaction *reaction)
{
	panic("rv: %s\n", reaction->text);
}

static void react_by_signal(struct rvc_reaction *reaction)
{
	unsigned int sig = READ_ONCE(react_signal);

	if (reaction->task && valid_signal(sig) && sig != 0)
		send_sig(sig, reaction->task, 1);
}

static const struct rvc_reactor reactor_nop = {"nop", "do nothing", NULL};
static const struct rvc_reactor reactor_printk = {"printk", "a line in the kernel's log",
						  react_printk};
static const struct rvc_reactor reactor_panic = {"panic", "stop the machine", react_panic};
static const struct rvc_reactor reactor_signal = {"signal", "send react_signal to the task",
						  react_by_signal};

/* The first one is a new monitor's. */
const struct rvc_reactor *const rvc_reactors[] = {
	&reactor_nop, &reactor_printk, &reactor_panic, &reactor_signal, NULL,
};

const struct rvc_reactor *rvc_reactor_find(const char *name)
{
	unsigned int i;

	for (i = 0; rvc_reactors[i]; i++)
		if (strcmp(rvc_reactors[i]->name, name) == 0)
			return rvc_reactors[i];
	return NULL;
}

bool rvc_reacting_on(void)
{
	return READ_ONCE(reacting);
}

void rvc_reacting_set(bool on)
{
	WRITE_ONCE(reacting, on);
}

static void run(struct irq_work *work)
{
	struct rvc_reaction *reaction = container_of(work, struct rvc_reaction, work);

	reaction->reactor->react(reaction);
	atomic_set_release(&reaction->busy, 0);
}

void rvc_reaction_init(struct rvc_reaction *reaction, struct task_struct *task)
{
	/* not a hard one: on a real-time kernel it runs in a thread, where signals' locks may sleep */
	init_irq_work(&reaction->work, run);
	reaction->task = task;
	atomic_set(&reaction->busy, 0);
}

void rvc_reaction_sync(struct rvc_reaction *reaction)
{
	irq_work_sync(&reaction->work);
}

void rvc_react(struct rvc_monitor *mon, struct rvc_reaction *reaction, const char *fmt, ...)
{
	const struct rvc_reactor *reactor = READ_ONCE(mon->reactor);
	va_list ap;
	int n;

	if (!rvc_reacting_on() || !reactor->react || atomic_cmpxchg(&reaction->busy, 0, 1) != 0)
		return;
	reaction->reactor = reactor;
	n = scnprintf(reaction->text, sizeof(reaction->text), "monitor %s: ", mon->name);
	va_start(ap, fmt);
	vscnprintf(reaction->text + n, sizeof(reaction->text) - n, fmt, ap);
	va_end(ap);
	irq_work_queue(&reaction->work);
}
