/* Stand-in for NVIDIA pyxis: a SPANK plugin that honours the same interface. Test equipment of Slipway. */
#ifndef STANDIN_PYXIS_H
#define STANDIN_PYXIS_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <slurm/spank.h>

/* The arguments of the plugstack line. */
struct config {
	char runtime_path[PATH_MAX];
	bool execute_entrypoint;
	bool scope_job; /* named containers end with the job */
	bool sbatch_support;
	bool use_enroot_load;
};

enum choice { UNSET = -1, NO = 0, YES = 1 };

/* What the user asked for. */
struct options {
	char *image, *workdir, *name, *save, *env;
	char *mounts; /* lines of an fstab */
	enum { NAME_AUTO, NAME_CREATE, NAME_EXEC, NAME_NO_EXEC } name_flag;
	enum choice mount_home, remap_root, entrypoint, writable;
	bool entrypoint_log;
};

/* Shared by slurmstepd and its tasks: one container a node, made by the task that comes first. */
struct shared {
	pthread_mutex_t lock;
	enum { NOT_STARTED, STARTED, FAILED } state;
	pid_t leader;      /* a process inside, stopped; the tasks enter its namespaces */
	bool made_rootfs;  /* ours to remove */
	bool wrote_squashfs;
	unsigned arrived;  /* tasks that are in, or gave up */
};

/* The step on this node. */
struct step {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int ngroups;
	uint32_t job, id, tasks, ended;
	char container[NAME_MAX + 1];
	char squashfs[PATH_MAX];
	bool batch, removed;
	struct shared *shared;
};

extern struct config config;
extern struct options options;
extern struct step step;

/* config.c */
int config_parse(int argc, char *argv[]);
int parse_choice(const char *text); /* enum choice; UNSET for what is neither */

/* options.c */
int options_register(spank_t sp);
bool options_wanted(void);

/* enroot.c: enroot as a child of the task, its output kept for the case that it fails */
struct enroot_run {
	int log;             /* file descriptor, -1: the output is thrown away */
	int output;          /* where stdout goes, -1: to the log */
	bool as_user;        /* called with slurmstepd's or slurmd's privileges: become the user first */
	bool wait_for_stop;  /* return when the child stops itself */
	bool clean_environment; /* an epilog: no job environment at hand */
};
pid_t enroot_spawn(spank_t sp, const struct enroot_run *run, const char *const argv[]);
int enroot_wait(pid_t pid, bool wait_for_stop);
int enroot_call(spank_t sp, const struct enroot_run *run, const char *const argv[]);
void enroot_log_print(int log, bool error);

/* container.c */
int container_start(spank_t sp);
int container_enter(spank_t sp);
void container_leave(void);
int container_remove(spank_t sp);
int container_epilog(spank_t sp, uint32_t job);

#define LOG(...) slurm_spank_log("pyxis: " __VA_ARGS__)
#define FAIL(...) (slurm_error("pyxis: " __VA_ARGS__), -1)

#endif
