// SPDX-License-Identifier: GPL-2.0
/* Network namespaces by name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "args.h"
#include "netns.h"

static int refused(const char *name)
{
	fprintf(stderr, "kmqtt: network namespace \"%s\": %s\n", name,
		strerror(errno));
	return STATUS_REFUSED;
}

/* Best effort, as in iproute2: what cannot be mounted is said and left. */
static void bind_files(DIR *dir, const char *name)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(from, sizeof(from), "/etc/netns/%s/%s", name,
			 entry->d_name);
		snprintf(to, sizeof(to), "/etc/%s", entry->d_name);
		if (mount(from, to, "none", MS_BIND, NULL) < 0)
			fprintf(stderr, "kmqtt: %s over %s: %s\n", from, to,
				strerror(errno));
	}
}

static int bind_etc(const char *name)
{
	char path[PATH_MAX];
	int ret = STATUS_OK;
	DIR *dir;

	snprintf(path, sizeof(path), "/etc/netns/%s", name);
	dir = opendir(path);
	if (!dir)
		return STATUS_OK;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0)
		ret = refused(name);
	else
		bind_files(dir, name);
	closedir(dir);
	return ret;
}

int netns_enter(const char *name)
{
	char path[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), strchr(name, '/') ? "%s" : "/run/netns/%s",
		 name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return usage_error("there is no network namespace \"%s\"", name);
	if (fd < 0)
		return refused(name);
	ret = setns(fd, CLONE_NEWNET) < 0 ? refused(name) : STATUS_OK;
	close(fd);
	return ret || strchr(name, '/') ? ret : bind_etc(name);
}
