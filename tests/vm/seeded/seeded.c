// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One fault each, by name: for tests/vm/seeded-check, which looks whether a debug kernel complains. A checker that is
 * configured and does not work would otherwise look like a module without faults.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static char *bug = "";
module_param(bug, charp, 0444);

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);
static DEFINE_RAW_SPINLOCK(raw);
static int __rcu *pointer;
static int shared;
static volatile int zero; /* that the compiler does not know */
static int few[4];

static void use_after_free(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	pr_info("seeded: %d\n", READ_ONCE(p[3]));
}

static void sleep_in_atomic(void)
{
	raw_spin_lock(&raw);
	might_sleep();
	raw_spin_unlock(&raw);
}

static void lock_order(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);
	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
}

/* Sleeps on a real-time kernel. */
static void wait_context(void)
{
	raw_spin_lock(&raw);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	raw_spin_unlock(&raw);
}

static enum hrtimer_restart never(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static void armed_timer_freed(void)
{
	struct hrtimer *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	hrtimer_setup(timer, never, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer_start(timer, ms_to_ktime(3600 * 1000), HRTIMER_MODE_REL);
	kfree(timer);
}

static void rcu_without_lock(void)
{
	pr_info("seeded: %p\n", rcu_dereference(pointer));
}

static void out_of_bounds(void)
{
	few[4 + zero] = 1;
}

static void leak(void)
{
	int i;

	for (i = 0; i < 16; i++)
		memset(kmalloc(777, GFP_KERNEL), i, 777);
}

static int racer(void *arg)
{
	while (!kthread_should_stop()) {
		shared++;
		barrier();
		if (shared % 4096 == 0)
			cond_resched();
	}
	return 0;
}

static void race(void)
{
	struct task_struct *a = kthread_run(racer, NULL, "seeded/a"),
			   *b = kthread_run(racer, NULL, "seeded/b");

	msleep(2000);
	kthread_stop(a);
	kthread_stop(b);
}

static const struct {
	const char *name;
	void (*run)(void);
} bugs[] = {
	{"use_after_free", use_after_free},
	{"sleep_in_atomic", sleep_in_atomic},
	{"lock_order", lock_order},
	{"wait_context", wait_context},
	{"armed_timer_freed", armed_timer_freed},
	{"rcu_without_lock", rcu_without_lock},
	{"out_of_bounds", out_of_bounds},
	{"leak", leak},
	{"race", race},
};

static int __init seeded_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (strcmp(bugs[i].name, bug) != 0)
			continue;
		bugs[i].run();
		return 0;
	}
	return -EINVAL;
}

static void __exit seeded_exit(void)
{
}

module_init(seeded_init);
module_exit(seeded_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Faults that the checkers of a debug kernel have to find");
