/* A container's life on one node: imported, created, started, entered by each task, removed. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pyxis.h"

static bool is_path(const char *image)
{
	return image[0] == '/' || strncmp(image, "./", 2) == 0;
}

/* Asks enroot for a container of the user. False: there is none. *running becomes the pid of a process in
 * it, or -1: column 2 of the line that begins with its name. */
static bool find_container(spank_t sp, const char *name, bool as_user, pid_t *running)
{
	int listing = memfd_create("enroot-list", MFD_CLOEXEC), pid;
	struct enroot_run run = {.log = -1, .output = listing, .as_user = as_user};
	char line[PATH_MAX], first[NAME_MAX + 1];
	bool found = false;
	FILE *in;

	*running = -1;
	if (listing < 0 || enroot_call(sp, &run, (const char *[]){"enroot", "list", "-f", NULL}) < 0)
		return false;
	lseek(listing, 0, SEEK_SET);
	in = fdopen(listing, "r");
	while (in != NULL && !found && fgets(line, sizeof(line), in) != NULL) {
		int fields = sscanf(line, "%255s %d", first, &pid);

		found = fields >= 1 && strcmp(first, name) == 0;
		if (found && fields == 2 && pid > 0)
			*running = pid;
	}
	if (in != NULL)
		fclose(in);
	return found;
}

static int import_and_create(spank_t sp, int log)
{
	struct enroot_run run = {.log = log, .output = -1};
	const char *image = options.image, *name = step.container;
	char *uri = NULL;
	int rc;

	step.shared->made_rootfs = true;
	if (is_path(image))
		return enroot_call(sp, &run, (const char *[]){"enroot", "create", "--name", name, image, NULL}) < 0
			       ? FAIL("failed to create container filesystem for image: %s", image) : 0;
	if (strstr(image, "://") == NULL ? asprintf(&uri, "docker://%s", image) < 0
					 : (uri = strdup(image)) == NULL)
		return FAIL("couldn't allocate memory");
	LOG("importing docker image: %s", image);
	if (config.use_enroot_load) {
		rc = enroot_call(sp, &run, (const char *[]){"enroot", "load", "--name", name, uri, NULL});
	} else {
		step.shared->wrote_squashfs = true;
		rc = enroot_call(sp, &run,
				 (const char *[]){"enroot", "import", "--output", step.squashfs, uri, NULL});
	}
	free(uri);
	if (rc < 0)
		return FAIL("failed to import docker image: %s", image);
	LOG("imported docker image: %s", image);
	if (config.use_enroot_load)
		return 0;
	rc = enroot_call(sp, &run,
			 (const char *[]){"enroot", "create", "--name", name, step.squashfs, NULL});
	unlink(step.squashfs);
	return rc < 0 ? FAIL("failed to create container filesystem for image: %s", image) : 0;
}

/* What enroot is to do at the start, as a script for its --conf. */
static int write_script(spank_t sp, char *path)
{
	bool entrypoint = options.entrypoint == UNSET ? config.execute_entrypoint : options.entrypoint == YES;
	char spooled[PATH_MAX], *copy, *save, value[4096], **argv;
	int fd = mkstemp(path), argc;
	FILE *out;

	if (fd < 0 || (out = fdopen(fd, "w")) == NULL)
		return FAIL("couldn't create configuration script: %s: %s", path, strerror(errno));
	if (options.writable != UNSET)
		fprintf(out, "#ENROOT_ROOTFS_WRITABLE=%s\n", options.writable == YES ? "y" : "n");
	if (options.remap_root != UNSET)
		fprintf(out, "#ENROOT_REMAP_ROOT=%s\n", options.remap_root == YES ? "y" : "n");
	if (options.mount_home != UNSET)
		fprintf(out, "#ENROOT_MOUNT_HOME=%s\n", options.mount_home == YES ? "y" : "n");
	fprintf(out, "mounts() {\ncat << 'END-OF-MOUNTS'\n%s", options.mounts != NULL ? options.mounts : "");
	/* The batch script lies in slurmd's spool directory: it has to be seen inside at that path. */
	if (step.batch && spank_get_item(sp, S_JOB_ARGV, &argc, &argv) == ESPANK_SUCCESS && argc > 0 &&
	    realpath(argv[0], spooled) != NULL)
		fprintf(out, "%s %s none x-create=file,bind,ro\n", spooled, argv[0]);
	fprintf(out, "END-OF-MOUNTS\n}\nenviron() {\ncat << 'END-OF-ENVIRON'\n");
	copy = options.env != NULL ? strdup(options.env) : NULL;
	for (char *n = copy ? strtok_r(copy, ",", &save) : NULL; n != NULL; n = strtok_r(NULL, ",", &save)) {
		if (spank_getenv(sp, n, value, sizeof(value)) == ESPANK_SUCCESS && strchr(value, '\n') == NULL)
			fprintf(out, "%s=%s\n", n, value);
	}
	free(copy);
	fprintf(out, "END-OF-ENVIRON\n}\n");
	/* Without the entrypoint the image's /etc/rc is not run, but its "cd" still says where to begin.
	 * rc() is run by the image's sh: only words that every sh has. */
	if (!entrypoint)
		fprintf(out, "hooks() {\n"
			     "    line=$(grep '^cd ' \"${ENROOT_ROOTFS}/etc/rc\" 2> /dev/null | head -n 1)\n"
			     "    echo \"PYXIS_CD=${line}\" >> \"${ENROOT_ENVIRON}\"\n"
			     "}\n"
			     "rc() {\n"
			     "    eval \"${PYXIS_CD}\"\n"
			     "    unset PYXIS_CD\n"
			     "    exec \"$@\"\n"
			     "}\n");
	return fclose(out) == 0 ? 0 : FAIL("couldn't write configuration script: %s", strerror(errno));
}

#define NOT_STARTED_TEXT "container was not started successfully by another task"
#define NOT_RUNNING "error: \"exec\" flag was passed to --container-name but the container is not running"

static int check_mounts(void)
{
	char *copy = strdup(options.mounts != NULL ? options.mounts : ""), *save;
	struct stat st;
	int rc = 0;

	for (char *m = strtok_r(copy, "\n", &save); m != NULL && rc == 0; m = strtok_r(NULL, "\n", &save)) {
		m[strcspn(m, " ")] = '\0';
		if (m[0] == '/' && strchr(m, '\\') == NULL && stat(m, &st) < 0)
			rc = FAIL("--container-mounts: source path does not exist: %s", m);
	}
	free(copy);
	return rc;
}

static pid_t start_leader(spank_t sp, int log)
{
	struct enroot_run run = {.log = log, .output = -1, .wait_for_stop = true};
	char script[] = "/tmp/.enroot_config_XXXXXX";
	const char *argv[10] = {"enroot", "start", "--conf", script};
	int n = 4, rc;
	pid_t pid;

	if (check_mounts() < 0 || write_script(sp, script) < 0)
		return FAIL("couldn't create enroot start configuration script");
	argv[n++] = step.container;
	argv[n++] = "sh";
	argv[n++] = "-c";
	argv[n++] = "kill -STOP $$ ; exit 0";
	/* Each enroot command's output is a log of its own: what went well before is no part of a failure. */
	if (ftruncate(log, 0) < 0)
		return FAIL("couldn't truncate log: %s", strerror(errno));
	lseek(log, 0, SEEK_SET);
	pid = enroot_spawn(sp, &run, argv);
	rc = pid < 0 ? -1 : enroot_wait(pid, true);
	unlink(script);
	if (rc != 0)
		return pid < 0 ? -1 : FAIL("container start failed with error code: %d", rc);
	return pid;
}

static int start(spank_t sp, int log)
{
	pid_t running = -1;

	if (options.name != NULL && find_container(sp, step.container, false, &running)) {
		if (options.name_flag == NAME_CREATE)
			return FAIL("error: a container with name \"%s\" already exists", step.container);
		if (running < 0 && options.name_flag == NAME_EXEC)
			return FAIL(NOT_RUNNING);
		if (options.name_flag == NAME_NO_EXEC)
			running = -1;
	} else if (options.name != NULL && options.name_flag == NAME_EXEC) {
		return FAIL(NOT_RUNNING);
	} else if (options.image == NULL) {
		return FAIL("error: a container with name \"%s\" does not exist, and --container-image is not set",
			    step.container);
	} else if (import_and_create(sp, log) < 0) {
		enroot_log_print(log, true);
		return -1;
	}
	step.shared->leader = running >= 0 ? running : start_leader(sp, log);
	if (step.shared->leader < 0) {
		enroot_log_print(log, true);
		return FAIL(NOT_STARTED_TEXT);
	}
	/* Another step's process is not ours to end. */
	return running >= 0;
}

/* By the first task of the node; the others wait at the lock and find it done. Returns 1 if this task
 * has a leader to end, 0 if it has none, -1 if there is no container. */
int container_start(spank_t sp)
{
	struct shared *shared = step.shared;
	int rc = 0, log;

	if (pthread_mutex_lock(&shared->lock) == EOWNERDEAD) { /* the task that was at it was killed */
		shared->state = FAILED;
		pthread_mutex_consistent(&shared->lock);
	}
	if (shared->state == NOT_STARTED) {
		log = memfd_create("enroot-log", MFD_CLOEXEC);
		rc = start(sp, log);
		shared->state = rc < 0 ? FAILED : STARTED;
		rc = rc == 0 ? 1 : 0;
		if (shared->state == STARTED && options.entrypoint_log)
			enroot_log_print(log, false);
		close(log);
	} else if (shared->state == FAILED) {
		rc = FAIL(NOT_STARTED_TEXT);
	}
	pthread_mutex_unlock(&shared->lock);
	return shared->state == FAILED ? -1 : rc;
}

static bool chosen_from_host(const char *name, size_t length)
{
	const char *list = options.env;

	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, ",");

		if (n == length && strncmp(list, name, n) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* The image's variables win over the job's, but for those that --container-env names. */
static int take_environment(spank_t sp, pid_t leader)
{
	static const char *const shell[] = {"OLDPWD", "SHLVL", "_"};
	char path[64], *entry = NULL;
	size_t size = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)leader);
	in = fopen(path, "re");
	if (in == NULL)
		return FAIL("couldn't read the container's environment: %s", strerror(errno));
	spank_unsetenv(sp, "LANG");
	spank_unsetenv(sp, "LANGUAGE");
	spank_unsetenv(sp, "LC_ALL");
	while (getdelim(&entry, &size, '\0', in) > 0) {
		size_t length = strcspn(entry, "=");
		bool skip = entry[length] != '=' || chosen_from_host(entry, length);

		entry[length] = '\0';
		for (int i = 0; i < 3; i++)
			skip = skip || strcmp(entry, shell[i]) == 0;
		if (!skip)
			spank_setenv(sp, entry, entry + length + 1, 1);
	}
	free(entry);
	fclose(in);
	return 0;
}

static int open_of_leader(const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)step.shared->leader, what);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The task becomes a process of the container: namespaces, directory, environment. */
int container_enter(spank_t sp)
{
	int user = open_of_leader("ns/user"), mnt = open_of_leader("ns/mnt"), cwd = open_of_leader("cwd"),
	    cgroup = open_of_leader("ns/cgroup");
	struct stat own, other;

	if (user < 0 || mnt < 0 || cwd < 0)
		return FAIL("couldn't open the container's namespaces: %s", strerror(errno));
	if (take_environment(sp, step.shared->leader) < 0)
		return -1;
	if (setns(user, CLONE_NEWUSER) < 0)
		return FAIL("couldn't join user namespace: %s", strerror(errno));
	/* The host's own cannot be joined from a user namespace, and need not be. */
	if (cgroup >= 0 && stat("/proc/self/ns/cgroup", &own) == 0 && fstat(cgroup, &other) == 0 &&
	    own.st_ino != other.st_ino && setns(cgroup, CLONE_NEWCGROUP) < 0)
		return FAIL("couldn't join cgroup namespace: %s", strerror(errno));
	if (setns(mnt, CLONE_NEWNS) < 0)
		return FAIL("couldn't join mount namespace: %s", strerror(errno));
	if (options.workdir != NULL ? chdir(options.workdir) < 0 : fchdir(cwd) < 0)
		return FAIL("couldn't chdir to %s: %s",
			    options.workdir != NULL ? options.workdir : "container cwd", strerror(errno));
	close(user);
	close(cgroup);
	close(mnt);
	close(cwd);
	return 0;
}

/* Once every task is in, their own presence keeps the namespaces: the leader can go. It is ended before
 * this task executes the user's program, which should not find itself the parent of a stranger. */
void container_leave(void)
{
	const struct timespec moment = {0, 10 * 1000 * 1000};

	for (int i = 0; i < 3000; i++) { /* 30 s: a task that was killed on its way never arrives */
		if (__atomic_load_n(&step.shared->arrived, __ATOMIC_SEQ_CST) >= step.tasks)
			break;
		nanosleep(&moment, NULL);
	}
	kill(step.shared->leader, SIGKILL);
	while (waitpid(step.shared->leader, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* In slurmstepd, after the last task. */
int container_remove(spank_t sp)
{
	int log = memfd_create("enroot-log", MFD_CLOEXEC);
	struct enroot_run run = {.log = log, .output = -1, .as_user = true};
	const char *name = step.container;
	pid_t running;
	int rc = 0;

	if (options.save != NULL && step.shared->state == STARTED) {
		const char *const argv[] = {"enroot", "export", "--force", "--output", options.save, name, NULL};

		if (enroot_call(sp, &run, argv) < 0) {
			enroot_log_print(log, true);
			rc = FAIL("failed to export container %s to %s", name, options.save);
		} else {
			LOG("exported container %s to %s", name, options.save);
		}
	}
	if (step.shared->wrote_squashfs)
		unlink(step.squashfs);
	/* A named container is kept, but not the ruin of one. */
	if (step.shared->made_rootfs && (options.name == NULL || step.shared->state != STARTED) &&
	    find_container(sp, name, true, &running) &&
	    enroot_call(sp, &run, (const char *[]){"enroot", "remove", "--force", name, NULL}) < 0) {
		enroot_log_print(log, true);
		slurm_error("pyxis: failed to remove container filesystem: %s", name);
	}
	close(log);
	return rc;
}

/* container_scope=job: the job's named containers end with it. Run by slurmd's epilog. */
int container_epilog(spank_t sp, uint32_t job)
{
	int listing = memfd_create("enroot-list", MFD_CLOEXEC);
	struct enroot_run run = {.log = -1, .output = listing, .as_user = true, .clean_environment = true};
	char prefix[32], line[NAME_MAX + 2];
	int rc = 0;
	FILE *in;

	snprintf(prefix, sizeof(prefix), "pyxis_%u_", job);
	if (listing < 0 || enroot_call(sp, &run, (const char *[]){"enroot", "list", NULL}) < 0)
		return FAIL("couldn't get list of existing containers");
	lseek(listing, 0, SEEK_SET);
	in = fdopen(listing, "r");
	run.output = -1;
	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, prefix, strlen(prefix)) != 0)
			continue;
		LOG("removing container %s", line);
		if (enroot_call(sp, &run, (const char *[]){"enroot", "remove", "--force", line, NULL}) < 0)
			rc = FAIL("couldn't cleanup pyxis containers for job %u", job);
	}
	if (in != NULL)
		fclose(in);
	return rc;
}
