// SPDX-License-Identifier: GPL-2.0-or-later
/* The monitor of docs/add-a-monitor.md, on a function of this program. */
#include "uprobe.h"

#define DIR RV_DIR "monitors/hits/"

int main(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%lu", file_offset(mark_start));
	check(write_file("/sys/module/tlob/parameters/hits_offset", text) == 0);
	check(write_file("/sys/module/tlob/parameters/hits_path", self()) == 0);
	check(write_file(DIR "reactors", "printk") == 0);
	check(write_file(DIR "enable", "1") == 0);
	for (int i = 0; i < 100; i++)
		mark_start();
	mark_stop();
	check(strcmp(read_file(DIR "count", text, sizeof(text)), "100\n") == 0, "%s", text);
	check(write_file(DIR "enable", "0") == 0);
	mark_start();
	check(strcmp(read_file(DIR "count", text, sizeof(text)), "100\n") == 0, "%s", text);
	check(write_file(DIR "enable", "1") == 0);
	return tap_failed;
}
