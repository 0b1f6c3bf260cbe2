// SPDX-License-Identifier: GPL-2.0-only
/* See probes.h. */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/path.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <rv/ring.h>

#include "binding.h"
#include "filter.h"
#include "probes.h"
#include "tally.h"

void tlob_probes_init(struct tlob_probes *p)
{
	mutex_init(&p->mutex);
	INIT_LIST_HEAD(&p->bindings);
}

void tlob_probes_deinit(struct tlob_probes *p)
{
	tlob_binding_free_all(&p->bindings);
	tlob_filter_free(p->filter);
}

static struct tlob_binding *probes_find(struct tlob_probes *p, u32 id)
{
	struct tlob_binding *b;

	list_for_each_entry(b, &p->bindings, list) if (b->id == id) return b;
	return NULL;
}

/* ---- bind ---- */

/* Of a file; the kernel's uprobes take a negative one for small. */
static bool is_offset(u64 offset)
{
	return offset <= LLONG_MAX;
}

static int check_args(const struct tlob_bind_args *args)
{
	bool exits = args->flags & TLOB_BIND_EXITS;

	if (args->flags & ~(TLOB_BIND_EXITS | TLOB_BIND_SELF))
		return -EINVAL;
	if (!is_offset(args->start))
		return -EINVAL;
	if (exits ? !args->nstops || args->nstops > TLOB_BIND_MAX_STOPS : args->nstops > 1)
		return -EINVAL;
	if (args->budget_ns < TLOB_BUDGET_MIN_NS || args->budget_ns > TLOB_BUDGET_MAX_NS)
		return -ERANGE;
	return 0;
}

static enum tlob_binding_form form_of(const struct tlob_bind_args *args)
{
	if (args->flags & TLOB_BIND_EXITS)
		return TLOB_BINDING_EXITS;
	return args->nstops ? TLOB_BINDING_PAIR : TLOB_BINDING_RETURN;
}

/* The file's path, with a reference. */
static int path_of(int fd, struct path *path)
{
	struct file *file = fget(fd);
	int ret = -EINVAL;

	if (!file)
		return -EBADF;
	if (S_ISREG(rvc_uprobe_inode(&file->f_path)->i_mode)) {
		*path = file->f_path;
		path_get(path);
		ret = 0;
	}
	fput(file);
	return ret;
}

static int bind(struct tlob_probes *p, struct rvc_ring *ring, const struct tlob_bind_args *args,
		const u64 *stops, const struct path *path)
{
	struct tlob_binding *b;
	LIST_HEAD(fresh);
	int ret = -ENOMEM;

	lockdep_assert_held(&p->mutex);
	if (probes_find(p, args->id))
		return -EEXIST;
	b = tlob_binding_new(path, args->nstops);
	if (!b)
		return -ENOMEM;
	list_add(&b->list, &fresh);
	b->form = form_of(args);
	b->framed = true;
	b->budget_ns = args->budget_ns;
	b->tag = args->tag;
	b->id = args->id;
	b->self = args->flags & TLOB_BIND_SELF;
	b->process = get_pid(task_tgid(current));
	b->filter = p->filter;
	b->ring = ring;
	b->tally = tlob_tally_new();
	if (b->tally)
		ret = tlob_binding_attach(b, args->start, stops);
	if (ret) {
		tlob_binding_free_all(&fresh);
		return ret;
	}
	list_splice_tail(&fresh, &p->bindings);
	p->filtered = true;
	return 0;
}

long tlob_probes_bind(struct tlob_probes *p, struct rvc_ring *ring,
		      const struct tlob_bind_args __user *uargs)
{
	struct tlob_bind_args args;
	struct path path;
	u64 *stops;
	long ret;
	u32 i;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	ret = check_args(&args);
	if (ret)
		return ret;
	stops = vmemdup_user(u64_to_user_ptr(args.stops), array_size(args.nstops, sizeof(*stops)));
	if (IS_ERR(stops))
		return PTR_ERR(stops);
	for (i = 0; ret == 0 && i < args.nstops; i++)
		if (!is_offset(stops[i]))
			ret = -EINVAL;
	if (ret == 0)
		ret = path_of(args.file, &path);
	if (ret)
		goto free;
	ret = rvc_ring_store(ring);
	mutex_lock(&p->mutex);
	if (ret == 0)
		ret = bind(p, ring, &args, stops, &path);
	mutex_unlock(&p->mutex);
	path_put(&path);
free:
	kvfree(stops);
	return ret;
}

/* ---- the others ---- */

long tlob_probes_unbind(struct tlob_probes *p, const u32 __user *uid)
{
	struct tlob_binding *b;
	LIST_HEAD(gone);
	long ret = 0;
	u32 id;

	if (copy_from_user(&id, uid, sizeof(id)))
		return -EFAULT;
	mutex_lock(&p->mutex);
	b = probes_find(p, id);
	if (b)
		list_move(&b->list, &gone);
	else
		ret = -ENOENT;
	tlob_binding_free_all(&gone);
	mutex_unlock(&p->mutex);
	return ret;
}

long tlob_probes_tally(struct tlob_probes *p, struct tlob_tally_args __user *uargs)
{
	struct tlob_tally_args args;
	struct tlob_binding *b;
	struct tlob_hist *hist;
	long ret = 0;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	hist = kvzalloc(sizeof(*hist), GFP_KERNEL_ACCOUNT);
	if (!hist)
		return -ENOMEM;
	mutex_lock(&p->mutex);
	b = probes_find(p, args.id);
	if (b)
		tlob_tally_sum(b->tally, hist, &args);
	else
		ret = -ENOENT;
	mutex_unlock(&p->mutex);
	if (ret == 0 && (copy_to_user(u64_to_user_ptr(args.hist), hist, sizeof(*hist)) ||
			 copy_to_user(uargs, &args, sizeof(args))))
		ret = -EFAULT;
	kvfree(hist);
	return ret;
}

long tlob_probes_filter(struct tlob_probes *p, const struct tlob_filter_args __user *uargs)
{
	struct tlob_filter_args args;
	struct tlob_filter *filter;
	long ret = 0;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return -EFAULT;
	filter = tlob_filter_new(&args);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	mutex_lock(&p->mutex);
	if (p->filtered) {
		ret = -EBUSY;
	} else {
		p->filtered = true;
		swap(p->filter, filter);
	}
	mutex_unlock(&p->mutex);
	tlob_filter_free(filter);
	return ret;
}
