// SPDX-License-Identifier: GPL-2.0-only
/* Bindings of the control file: machine-wide, and there until they are removed or the monitor is disabled. */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/namei.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "binding.h"
#include "line.h"
#include "tlob.h"

#define PATH_BYTES 256

struct standing {
	struct list_head list;
	struct tlob_binding *binding;
	u64 *stops; /* of the binding */
	char path[PATH_BYTES];
};

static DEFINE_MUTEX(standing_mutex); /* the list */
static LIST_HEAD(standing);
static u32 last_id;

static struct standing *standing_find(const struct inode *inode, u64 start)
{
	struct standing *s;

	list_for_each_entry(s, &standing, list) if (rvc_uprobe_inode(&s->binding->path) == inode &&
						    s->binding->start_offset == start) return s;
	return NULL;
}

/* On no list any more. */
static void standing_free(struct standing *s)
{
	LIST_HEAD(one);

	if (s->binding)
		list_add(&s->binding->list, &one);
	tlob_binding_free_all(&one);
	kfree(s->stops);
	kfree(s);
}

static int standing_name(struct standing *s, const struct path *path)
{
	char buf[PATH_BYTES];
	char *name = d_path(path, buf, sizeof(buf));

	if (IS_ERR(name))
		return PTR_ERR(name);
	strscpy(s->path, name, sizeof(s->path));
	return 0;
}

static int standing_bind(struct standing *s, const struct tlob_line *line, const struct path *path)
{
	static const enum tlob_binding_form forms[] = {
		[TLOB_LINE_PAIR] = TLOB_BINDING_PAIR,
		[TLOB_LINE_EXITS] = TLOB_BINDING_EXITS,
		[TLOB_LINE_RETURN] = TLOB_BINDING_RETURN,
	};
	struct tlob_binding *b = tlob_binding_new(path, line->nstops);

	s->binding = b;
	s->stops = kmemdup(line->stops, line->nstops * sizeof(u64), GFP_KERNEL_ACCOUNT);
	if (!b || !s->stops)
		return -ENOMEM;
	b->form = forms[line->form];
	b->framed = line->form != TLOB_LINE_PAIR;
	b->budget_ns = line->budget_ns;
	b->tag = line->start;
	b->id = ++last_id;
	return tlob_binding_attach(b, line->start, s->stops);
}

static int standing_add(const struct tlob_line *line, const struct path *path)
{
	const struct inode *inode = rvc_uprobe_inode(path);
	struct standing *s;
	int ret;

	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	if (standing_find(inode, line->start))
		return -EEXIST;
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	ret = standing_name(s, path);
	if (ret == 0)
		ret = standing_bind(s, line, path);
	if (ret)
		standing_free(s);
	else
		list_add_tail(&s->list, &standing);
	return ret;
}

static int standing_remove(const struct tlob_line *line, const struct path *path)
{
	struct standing *s = standing_find(rvc_uprobe_inode(path), line->start);

	if (!s)
		return -ENOENT;
	list_del(&s->list);
	standing_free(s);
	return 0;
}

int tlob_standing_command(char *text)
{
	struct tlob_line line;
	struct path path;
	int ret;

	ret = tlob_line_parse(text, &line);
	if (ret)
		return ret;
	ret = kern_path(line.path, LOOKUP_FOLLOW, &path);
	if (ret)
		return ret;
	mutex_lock(&standing_mutex);
	ret = line.remove ? standing_remove(&line, &path) : standing_add(&line, &path);
	mutex_unlock(&standing_mutex);
	path_put(&path);
	return ret;
}

/* As a line that adds it. */
static void standing_show(struct seq_file *m, const struct standing *s)
{
	const struct tlob_binding *b = s->binding;
	u32 i;

	seq_printf(m, "p %s:0x%llx ", s->path, b->start_offset);
	if (b->form == TLOB_BINDING_RETURN)
		seq_puts(m, "return");
	for (i = 0; i < b->nstops; i++)
		seq_printf(m, "%s0x%llx",
			   b->form == TLOB_BINDING_PAIR ? "" :
			   i == 0			? "exit=" :
							  ",",
			   s->stops[i]);
	seq_printf(m, " threshold=%llu\n", b->budget_ns);
}

void tlob_standing_show(struct seq_file *m)
{
	struct standing *s;

	mutex_lock(&standing_mutex);
	list_for_each_entry(s, &standing, list) standing_show(m, s);
	mutex_unlock(&standing_mutex);
}

void tlob_standing_clear(void)
{
	struct standing *s, *next;
	LIST_HEAD(all);

	mutex_lock(&standing_mutex);
	list_for_each_entry_safe(s, next, &standing, list)
	{
		list_del(&s->list);
		list_add(&s->binding->list, &all);
		kfree(s->stops);
		kfree(s);
	}
	tlob_binding_free_all(&all);
	mutex_unlock(&standing_mutex);
}
