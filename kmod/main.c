// SPDX-License-Identifier: GPL-2.0-only
/* tlob.ko: a small runtime-verification core, its monitors, and /dev/rv. */
#include <linux/module.h>

#include <ring/ring.h>
#include <rv/ring.h>
#include <rv/rv.h>
#include <timerlat/timerlat.h>

#include "monitors/tlob/tlob.h"
#include "monitors/wwnr/wwnr.h"

static struct rvc_monitor *const monitors[] = {
	&tlob_monitor,
	&wwnr_monitor,
};

static void unregister_first(unsigned int n)
{
	while (n > 0)
		rvc_monitor_unregister(monitors[--n]);
}

static int __init tlob_init(void)
{
	unsigned int n;
	int ret;

	ret = rvc_ring_init();
	if (ret)
		return ret;
	ret = tlob_tasks_init();
	if (ret)
		goto ring;
	ret = rvc_core_init();
	if (ret)
		goto tasks;
	ret = pring_init();
	if (ret)
		goto core;
	for (n = 0; n < ARRAY_SIZE(monitors); n++) {
		ret = rvc_monitor_register(monitors[n]);
		if (ret)
			goto monitors;
	}
	ret = tlob_device_register();
	if (ret)
		goto monitors;
	ret = timerlat_init(rvc_core_dir());
	if (ret == 0)
		return 0;
	tlob_device_unregister();
monitors:
	unregister_first(n);
	pring_exit();
core:
	rvc_core_exit();
tasks:
	tlob_tasks_exit();
ring:
	rvc_ring_exit();
	return ret;
}

static void __exit tlob_exit(void)
{
	timerlat_exit();
	tlob_device_unregister();
	unregister_first(ARRAY_SIZE(monitors));
	pring_exit();
	rvc_core_exit();
	tlob_tasks_exit();
	rvc_ring_exit();
}

module_init(tlob_init);
module_exit(tlob_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Runtime verification for kernels without it: task latency over budget, /dev/rv");
MODULE_VERSION("0.1.0");
