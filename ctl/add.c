// SPDX-License-Identifier: GPL-2.0-or-later
/* Regions of a session: from a specification to probes that are attached, or to a budget that programs are told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate.h"
#include "error.h"
#include "now.h"
#include "parse.h"
#include "resolve.h"
#include "session.h"

static int fail_parse(int err, const char *text, const struct tlob_parse_error *why)
{
	if (!text[why->at])
		return tlobctl_fail(err, "cannot understand region '%s': %s", text, why->why);
	return tlobctl_fail(err, "cannot understand region '%s': %s, at '%s'", text, why->why,
			    text + why->at);
}

static int add_override(struct tlobctl *ctl, const struct tlob_region_spec *spec,
			tlobctl_region_fn *fn, void *arg)
{
	struct tlobctl_regions *r = &ctl->regions;
	struct tlobctl_region region = {.name = spec->name, .budget_ns = spec->budget_ns};
	size_t i = 0;

	while (i < r->noverrides && strcmp(r->overrides[i].name, spec->name))
		i++;
	if (i == TLOB_MAX_OVERRIDES)
		return tlobctl_fail(
			-ENOSPC,
			"cannot add region '%s': a session tells programs at most %d budgets",
			spec->name, TLOB_MAX_OVERRIDES);
	if (i == r->noverrides)
		r->noverrides++;
	memcpy(r->overrides[i].name, spec->name, sizeof(r->overrides[i].name));
	r->overrides[i].budget_ns = spec->budget_ns;
	if (fn)
		fn(&region, arg);
	return 1;
}

/* Room for @n more, so that nothing can fail once they are attached. */
static int reserve(struct tlobctl *ctl, size_t n)
{
	struct tlobctl_regions *r = &ctl->regions;
	struct tlobctl_binding **bindings;

	if (r->nbindings + n >= TLOBCTL_CALIBRATION_ID)
		return tlobctl_fail(-ENOSPC,
				    "cannot probe %zu more regions: a session has at most %d", n,
				    TLOBCTL_CALIBRATION_ID - 1);
	bindings = reallocarray(r->bindings, r->nbindings + n, sizeof(*bindings));
	if (!bindings)
		return tlobctl_fail(-ENOMEM, "out of memory for %zu regions", n);
	r->bindings = bindings;
	return 0;
}

static int make_bindings(struct tlobctl *ctl, struct tlobctl_site *sites, size_t n,
			 uint64_t budget_ns)
{
	struct tlobctl_regions *r = &ctl->regions;
	int err = reserve(ctl, n);

	for (size_t i = 0; i < n && !err; i++) {
		struct tlobctl_binding *b = tlobctl_binding_new(&sites[i], budget_ns);

		r->bindings[r->nbindings + i] = b;
		if (b) {
			b->id = (uint32_t)(r->nbindings + i + 1);
			continue;
		}
		while (i)
			tlobctl_binding_free(r->bindings[r->nbindings + --i]);
		err = tlobctl_fail(-ENOMEM, "out of memory for %zu regions", n);
	}
	return err;
}

static void tell(const struct tlobctl_binding *b, tlobctl_region_fn *fn, void *arg)
{
	struct tlobctl_region region = {.id = b->id,
					.name = b->name,
					.budget_ns = b->budget_ns,
					.path = b->path,
					.start = b->start,
					.stop = b->stop,
					.start_kind = b->start_kind,
					.stop_kind = b->stop_kind,
					.cost_ns = b->cost_ns,
					.onward = b->onward};

	fn(&region, arg);
}

static int attach(struct tlobctl *ctl, struct tlobctl_site *sites, size_t n,
		  const struct tlob_region_spec *spec)
{
	struct tlobctl_binding **fresh;
	int err = make_bindings(ctl, sites, n, spec->budget_ns);

	if (err)
		return err;
	fresh = ctl->regions.bindings + ctl->regions.nbindings;
	err = ctl->engine->attach(ctl, fresh, n);
	for (size_t i = 0; i < n; i++) {
		if (err)
			tlobctl_binding_free(fresh[i]);
		else
			fresh[i]->cost_ns = tlobctl_calibrate_binding(ctl, fresh[i]);
	}
	if (!err)
		ctl->regions.nbindings += n;
	return err;
}

static int add_probes(struct tlobctl *ctl, const struct tlob_region_spec *spec,
		      tlobctl_region_fn *fn, void *arg)
{
	/* a child that has yet to become the program is no help in finding its libraries */
	pid_t pid = ctl->opts.children ? 0 : ctl->opts.pid;
	struct tlobctl_site *sites;
	size_t n, first = ctl->regions.nbindings;
	int err;

	if (!ctl->engine->attach)
		return tlobctl_fail(
			-ENOTSUP,
			"cannot probe '%s': engine %s only measures programs that link libtlob; probes need engine bpf or kernel%s%s",
			spec->path, ctl->engine->name, *ctl->note ? ", but " : "", ctl->note);
	err = tlobctl_resolve(spec, pid, &sites, &n);
	if (err)
		return err;
	err = attach(ctl, sites, n, spec);
	tlobctl_sites_free(sites, n);
	if (err)
		return err;
	for (size_t i = 0; fn && i < n; i++)
		tell(ctl->regions.bindings[first + i], fn, arg);
	return (int)n;
}

int tlobctl_add(struct tlobctl *ctl, const char *text, tlobctl_region_fn *fn, void *arg)
{
	struct tlob_parse_error why;
	struct tlob_region_spec *spec = malloc(sizeof(*spec)); /* too large for a stack */
	uint64_t since_ns = tlobctl_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r;

	if (!spec)
		return tlobctl_fail(-ENOMEM, "out of memory for a region");
	r = tlob_region_parse(text, spec, &why);
	if (r)
		fail_parse(r, text, &why);
	else if (!*spec->path)
		r = add_override(ctl, spec, fn, arg);
	else
		r = add_probes(ctl, spec, fn, arg);
	free(spec);
	tlobctl_why_discount(ctl, since_ns);
	if (r < 0)
		errno = -r;
	return r;
}
