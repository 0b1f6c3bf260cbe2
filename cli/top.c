// SPDX-License-Identifier: GPL-2.0-or-later
/* See top.h. */
#include <stdlib.h>

#include "cli.h"
#include "format.h"
#include "page.h"
#include "top.h"

int cli_top_draw(struct cli_summary *s, struct tlobctl *ctl, const struct cli_terminal *term,
		 uint64_t elapsed_ns)
{
	struct cli_terminal page = *term;
	char *text = NULL, elapsed[TLOB_DURATION_BYTES];
	size_t bytes;

	if (cli_summary_collect(s, ctl, NULL) < 0)
		return CLI_ERROR;
	page.columns = cli_terminal_width(term);
	page.out = open_memstream(&text, &bytes);
	if (!page.out)
		return cli_error(CLI_ERROR, "out of memory for the view");
	tlob_duration_print(elapsed, sizeof(elapsed), elapsed_ns);
	fprintf(page.out, "%stlob%s: engine %s, watching for %s; Ctrl-C to stop\n\n",
		cli_style(&page, CLI_BOLD), cli_style(&page, CLI_PLAIN), tlobctl_engine_name(ctl),
		elapsed);
	cli_summary_print(s, &page, elapsed_ns);
	fclose(page.out);
	if (text)
		cli_page_draw(term, text);
	free(text);
	fflush(term->out);
	return 0;
}
