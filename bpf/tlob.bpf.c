// SPDX-License-Identifier: GPL-2.0-only
/*
 * Engine bpf, kernel side: one object, because all programs share its maps.
 *
 *	kernel.h	what is known of the kernel's own structures
 *	maps.h		who has which slot
 *	history.h	who ran, and who woke whom
 *	interrupts.h	what interrupts took
 *	raise.h		an interrupt at will
 *	stacks.h	where threads are
 *	switch.h	thread clocks
 *	emit.h		records
 *	transit.h	windows of no thread
 *	expiry.h	deadlines
 *	chosen.h	whom probes look at
 *	life.h		registration, exit, exec
 *	transit_kick.h	calls about windows of no thread
 *	shared_kick.h	windows that another process may end
 *	kick.h		calls of measured threads
 *	probe.h		windows of programs that were not made for it
 *	samples.h	where windows spend their CPU time
 *	passage.h	windows of such programs that cross threads, and chains
 *	agent.h		calls of the agent
 *	look.h		the agent wants to know where a thread is
 */
#include "kick.h"
#include "agent.h"
#include "samples.h"
#include "look.h"
#include "passage.h"

char LICENSE[] SEC("license") = "GPL";
