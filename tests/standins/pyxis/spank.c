/* The callbacks: which part of the plugin works where. */
#include <errno.h>
#include <pwd.h>
#include <slurm/slurm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pyxis.h"

/* Slurm loads the plugin by these symbols; with -fvisibility=hidden they are the only ones to be seen,
 * so that "options" or "config" cannot meet a name of Slurm's. */
#pragma GCC visibility push(default)
SPANK_PLUGIN(pyxis, 1)
const char pyxis_version[] = "pyxis " PYXIS_VERSION " (Slipway stand-in)";
spank_f slurm_spank_init, slurm_spank_init_post_opt, slurm_spank_user_init;
spank_f slurm_spank_task_init_privileged, slurm_spank_task_init, slurm_spank_task_exit;
spank_f slurm_spank_job_epilog, slurm_spank_exit;
#pragma GCC visibility pop

struct step step;

int slurm_spank_init(spank_t sp, int ac, char *av[])
{
	spank_context_t context = spank_context();

	/* srun needs none of the plugstack line's arguments, and upstream's srun does not look at them: a
	 * wrong one is found by slurmd, slurmstepd and sbatch. */
	if (context != S_CTX_LOCAL && config_parse(ac, av) < 0)
		return -1;
	if (context == S_CTX_SLURMD && mkdir(config.runtime_path, 0755) < 0 && errno != EEXIST)
		return FAIL("couldn't mkdir %s: %s", config.runtime_path, strerror(errno));
	if (context == S_CTX_LOCAL || context == S_CTX_REMOTE ||
	    (context == S_CTX_ALLOCATOR && config.sbatch_support))
		return options_register(sp);
	return 0;
}

static bool active(void)
{
	/* The extern step only holds the job's place; it gets the options of sbatch as well. */
	return spank_context() == S_CTX_REMOTE && options_wanted() && step.id != SLURM_EXTERN_CONT;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char *av[])
{
	(void)ac;
	(void)av;
	if (spank_context() == S_CTX_REMOTE)
		spank_get_item(sp, S_JOB_STEPID, &step.id);
	if (!options_wanted() && (options.mounts || options.workdir || options.save))
		slurm_error("pyxis: ignoring %s because neither --container-image nor --container-name is set",
			    options.mounts ? "--container-mounts"
					   : options.workdir ? "--container-workdir" : "--container-save");
	return 0;
}

static int read_step(spank_t sp)
{
	int groups = 0;
	gid_t *list = NULL;

	if (spank_get_item(sp, S_JOB_UID, &step.uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_GID, &step.gid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_ID, &step.job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &step.id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &step.tasks) != ESPANK_SUCCESS)
		return FAIL("couldn't get the job's items");
	if (spank_get_item(sp, S_JOB_SUPPLEMENTARY_GIDS, &list, &groups) == ESPANK_SUCCESS && groups > 0) {
		step.groups = malloc((size_t)groups * sizeof(gid_t));
		if (step.groups == NULL)
			return FAIL("couldn't allocate memory");
		memcpy(step.groups, list, (size_t)groups * sizeof(gid_t));
		step.ngroups = groups;
	}
	step.batch = step.id == SLURM_BATCH_SCRIPT;
	if (options.name != NULL && config.scope_job)
		snprintf(step.container, sizeof(step.container), "pyxis_%u_%s", step.job, options.name);
	else if (options.name != NULL)
		snprintf(step.container, sizeof(step.container), "pyxis_%s", options.name);
	else if (config.scope_job)
		snprintf(step.container, sizeof(step.container), "pyxis_%u_%u.%u", step.job, step.job, step.id);
	else
		snprintf(step.container, sizeof(step.container), "pyxis_%u.%u", step.job, step.id);
	snprintf(step.squashfs, sizeof(step.squashfs), "%s/%u/%u.%u.squashfs", config.runtime_path,
		 (unsigned)step.uid, step.job, step.id);
	return 0;
}

/* In slurmstepd, before the tasks are forked: what they share. */
int slurm_spank_user_init(spank_t sp, int ac, char *av[])
{
	pthread_mutexattr_t attributes;

	(void)ac;
	(void)av;
	if (!active())
		return 0;
	if (read_step(sp) < 0)
		return -1;
	step.shared = mmap(NULL, sizeof(*step.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (step.shared == MAP_FAILED) {
		step.shared = NULL;
		return FAIL("couldn't allocate memory");
	}
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&step.shared->lock, &attributes);
	return 0;
}

/* As root in each task: a failure here costs the task; in user_init it would drain the node of a batch job. */
int slurm_spank_task_init_privileged(spank_t sp, int ac, char *av[])
{
	char path[PATH_MAX + 16];

	(void)sp;
	(void)ac;
	(void)av;
	if (!active() || step.shared == NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/%u", config.runtime_path, (unsigned)step.uid);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return FAIL("couldn't mkdir %s: %s", path, strerror(errno));
	if (chown(path, step.uid, step.gid) < 0)
		return FAIL("couldn't chown %s: %s", path, strerror(errno));
	return 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char *av[])
{
	int made, rc;

	(void)ac;
	(void)av;
	if (!active())
		return 0;
	if (step.shared == NULL)
		return -1;
	made = container_start(sp);
	rc = made < 0 ? -1 : container_enter(sp);
	__atomic_add_fetch(&step.shared->arrived, 1, __ATOMIC_SEQ_CST);
	if (made > 0)
		container_leave();
	return rc;
}

static int finish(spank_t sp)
{
	if (step.shared == NULL || step.removed)
		return 0;
	step.removed = true;
	return container_remove(sp);
}

int slurm_spank_task_exit(spank_t sp, int ac, char *av[])
{
	(void)ac;
	(void)av;
	return step.shared != NULL && ++step.ended >= step.tasks ? finish(sp) : 0;
}

int slurm_spank_exit(spank_t sp, int ac, char *av[])
{
	(void)ac;
	(void)av;
	if (spank_context() == S_CTX_REMOTE)
		finish(sp); /* tasks that never ran */
	return 0;
}

int slurm_spank_job_epilog(spank_t sp, int ac, char *av[])
{
	struct passwd *user;

	(void)ac;
	(void)av;
	if (!config.scope_job)
		return 0;
	if (spank_get_item(sp, S_JOB_UID, &step.uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_ID, &step.job) != ESPANK_SUCCESS)
		return FAIL("epilog: couldn't get the job's items");
	user = getpwuid(step.uid); /* no group is told here */
	if (user == NULL)
		return FAIL("epilog: couldn't find user %u", (unsigned)step.uid);
	step.gid = user->pw_gid;
	return container_epilog(sp, step.job);
}
