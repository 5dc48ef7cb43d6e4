/* Running enroot: as the user, with the job's environment as far as a user may choose it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pyxis.h"

/* A user's own values would change where or how the admin's enroot works. */
static bool withheld(const char *entry)
{
	static const char *const names[] = {
		"PATH=", "LD_", "ENROOT_LIBRARY_PATH=", "ENROOT_SYSCONF_PATH=", "ENROOT_RUNTIME_PATH=",
		"ENROOT_CACHE_PATH=", "ENROOT_DATA_PATH=", "ENROOT_TEMP_PATH=", "ENROOT_ZSTD_OPTIONS=",
		"ENROOT_TRANSFER_RETRIES=", "ENROOT_CONNECT_TIMEOUT=", "ENROOT_MAX_CONNECTIONS=",
		"ENROOT_ALLOW_HTTP=",
		/* Each task's own: the container's, which every task takes over, must not have the first one's. */
		"SLURM_PROCID=", "SLURM_LOCALID=", "SLURM_TASK_PID=", "PMIX_RANK=", "PMI_FD=",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static char **make_environment(spank_t sp, bool clean)
{
	const char *path = getenv("PATH");
	char **job = NULL, **made, *text;
	size_t n = 0, count = 0;

	if (!clean && spank_get_item(sp, S_JOB_ENV, &job) != ESPANK_SUCCESS)
		job = NULL;
	while (job != NULL && job[count] != NULL)
		count++;
	made = calloc(count + 2, sizeof(char *));
	if (made == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!withheld(job[i]))
			made[n++] = job[i];
	}
	if (clean || path == NULL)
		path = "/usr/local/bin:/usr/bin:/bin";
	if (asprintf(&text, "PATH=%s", path) < 0)
		return NULL;
	made[n] = text;
	return made;
}

static int become_user(void)
{
	/* slurmstepd may have lowered its privileges for a while: take them back to give them up. */
	if (geteuid() != 0 && seteuid(0) < 0)
		return -1;
	if (setgroups((size_t)step.ngroups, step.groups) < 0)
		return -1;
	if (setresgid(step.gid, step.gid, step.gid) < 0 || setresuid(step.uid, step.uid, step.uid) < 0)
		return -1;
	return 0;
}

/* The block by which a failure is diagnosed; its form is upstream's. */
void enroot_log_print(int log, bool error)
{
	FILE *in;
	char *line = NULL;
	size_t size = 0;
	int copy = dup(log);

	if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0 || (in = fdopen(copy, "r")) == NULL)
		return;
	if (error && lseek(copy, 0, SEEK_END) > 0)
		slurm_error("pyxis: printing enroot log file:");
	rewind(in);
	while (getline(&line, &size, in) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (error)
			slurm_error("pyxis:     %s", line);
		else
			slurm_spank_log("%s", line);
	}
	free(line);
	fclose(in);
}

pid_t enroot_spawn(spank_t sp, const struct enroot_run *run, const char *const argv[])
{
	char **environment = make_environment(sp, run->clean_environment);
	int null;
	sigset_t none;
	pid_t pid;

	if (environment == NULL)
		return FAIL("couldn't allocate memory");
	pid = fork();
	if (pid < 0)
		return FAIL("fork error: %s", strerror(errno));
	if (pid > 0) {
		free(environment);
		return pid;
	}
	/* The child: no signal mask of slurmstepd, none of its descriptors, no terminal. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		signal(signal_number, SIG_DFL);
	if (run->as_user && become_user() < 0)
		_exit(126);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(run->log >= 0 ? run->log : null, STDERR_FILENO) < 0 ||
	    dup2(run->output >= 0 ? run->output : STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		close(fd);
	environ = environment;
	execvp("enroot", (char *const *)argv);
	dprintf(STDERR_FILENO, "couldn't execute enroot: %s\n", strerror(errno));
	_exit(127);
}

/* The exit status, 128 + the signal's number, or 0 for a child that has stopped as it should. */
int enroot_wait(pid_t pid, bool wait_for_stop)
{
	int status;

	for (;;) {
		if (waitpid(pid, &status, wait_for_stop ? WUNTRACED : 0) < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (WIFSTOPPED(status))
			return 0;
		if (WIFEXITED(status)) /* a container that ended instead of stopping has failed as well */
			return WEXITSTATUS(status) == 0 && wait_for_stop ? 1 : WEXITSTATUS(status);
		if (WIFSIGNALED(status))
			return 128 + WTERMSIG(status);
	}
}

int enroot_call(spank_t sp, const struct enroot_run *run, const char *const argv[])
{
	pid_t pid = enroot_spawn(sp, run, argv);
	int rc;

	if (pid < 0)
		return -1;
	rc = enroot_wait(pid, false);
	if (rc != 0 && run->log >= 0)
		slurm_error("pyxis: child %d failed with error code: %d", (int)pid, rc);
	return rc == 0 ? 0 : -1;
}
