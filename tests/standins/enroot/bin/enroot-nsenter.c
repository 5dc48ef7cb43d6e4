/* enroot-nsenter [--remap-root] [--target PID] -- COMMAND...: runs a command in a new user, mount and
 * cgroup namespace, or in those of a process. A program of its own because Ubuntu's AppArmor rule names it. */
#define _GNU_SOURCE
#include "common.h"

#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(EXIT_FAILURE, "failed to write: %s", path);
	close(fd);
}

static void create_namespaces(bool remap_root)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER) < 0)
		err(EXIT_FAILURE, "failed to create user namespace");
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1\n", remap_root ? 0 : uid, uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1\n", remap_root ? 0 : gid, gid);
	write_file("/proc/self/gid_map", map);
	if (unshare(CLONE_NEWNS) < 0)
		err(EXIT_FAILURE, "failed to create mount namespace");
	/* pyxis makes its tasks join this one as well; a kernel may be without. */
	if (unshare(CLONE_NEWCGROUP) < 0 && errno != EINVAL)
		err(EXIT_FAILURE, "failed to create cgroup namespace");
	/* Slave, not private: an automounted home that appears later on the host is seen inside. */
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		err(EXIT_FAILURE, "failed to set mount propagation");
	keep_capabilities_over_exec();
}

static int open_of(const char *pid, const char *what)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "failed to open: %s", path);
	return fd;
}

static void join_namespaces(const char *pid)
{
	int user = open_of(pid, "ns/user"), mnt = open_of(pid, "ns/mnt"), cwd = open_of(pid, "cwd");

	if (setns(user, CLONE_NEWUSER) < 0)
		err(EXIT_FAILURE, "failed to join user namespace");
	if (setns(mnt, CLONE_NEWNS) < 0)
		err(EXIT_FAILURE, "failed to join mount namespace");
	if (fchdir(cwd) < 0)
		err(EXIT_FAILURE, "failed to change directory");
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"remap-root", no_argument, NULL, 'r'},
		{"target", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	const char *target = NULL;
	bool remap_root = false;

	for (int c; (c = getopt_long(argc, argv, "+rt:", options, NULL)) != -1;) {
		if (c == 'r')
			remap_root = true;
		else if (c == 't')
			target = optarg;
		else
			return EXIT_FAILURE;
	}
	if (optind >= argc)
		errx(EXIT_FAILURE, "usage: %s [--remap-root] [--target PID] -- COMMAND...", argv[0]);
	if (target != NULL)
		join_namespaces(target);
	else
		create_namespaces(remap_root);
	execvp(argv[optind], argv + optind);
	err(EXIT_FAILURE, "failed to execute: %s", argv[optind]);
}
