// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhdx-crash: cuts power under a virtual disk, again and again.
 *
 *   vhdx-crash record FS SEED FILE
 *	Run the workload of SEED on an image in a file system FS, on a disk in
 *	memory, and write down in FILE what happened, in which order.
 *   vhdx-crash cut [OPTION]... FILE COUNT
 *	Cut power COUNT times in what FILE says, and look what comes up.
 *   vhdx-crash model
 *	Test the tool itself: what it thinks a disk may hold, and may be read.
 *   vhdx-crash dump FILE POS.VARIANT IMAGE
 *	Write what the disk held after a cut to IMAGE.
 *
 *	With --library the driver is not used: libvhdx replays the log in memory
 *	and reads the image, on a loop device. Quick, and needs no test machine.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "cut.h"
#include "disk.h"
#include "load.h"
#include "model.h"
#include "nbd.h"
#include "oracle.h"
#include "pick.h"
#include "target.h"
#include "trace.h"

#define FILE_MAGIC	0x3572637864687600ULL
#define HOLD_PERCENT	10
#define JOBS_MAX	16
#define SHOWN_MAX	20

/* What a file of a run holds; the trace and the disk at its begin follow. */
struct run {
	u64		magic;
	struct setup	setup;
	struct meta	meta;
};

static double seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) +
	       (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

static u64 parse_number(const char *text)
{
	char *end;
	u64 n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || !*text || *end)
		errx(2, "'%s' is not a number", text);
	return n;
}

/* Recording */

static void record_run(struct run *run, struct target *t, struct trace *tr)
{
	int ret = target_mount(t);

	if (ret)
		errx(2, "mount: %s", strerror(-ret));
	load_run(t, tr);
	meta_find(&run->meta, t->image);
	ret = target_unmount(t);
	if (ret)
		errx(2, "unmount: %s", strerror(-ret));
}

static void save_run(const char *path, const struct run *run, const struct trace *tr,
		     const struct disk *begin)
{
	FILE *out = fopen(path, "w");

	if (!out)
		err(2, "%s", path);
	save_bytes(out, run, sizeof(*run));
	trace_save(tr, out);
	disk_save(begin, out);
	if (fclose(out))
		err(2, "%s", path);
}

static int cmd_record(int argc, char **argv)
{
	struct run run = { .magic = FILE_MAGIC };
	struct target target;
	struct trace tr;
	struct disk disk, begin;
	struct nbd nbd;

	if (argc != 4)
		return -1;
	target_hide_mounts();
	setup_choose(&run.setup, parse_number(argv[2]), argv[1]);
	setup_print(&run.setup);
	disk_init(&disk, run.setup.disk_size);
	trace_init(&tr);
	nbd_start(&nbd, 0, &disk, &tr);
	target_init(&target, &run.setup, nbd.path, 0);
	target_make(&target);
	disk_copy(&begin, &disk);
	trace_reset(&tr);
	nbd.rnd = random_start(run.setup.seed, 3);
	nbd.hold = HOLD_PERCENT;
	record_run(&run, &target, &tr);
	nbd_stop(&nbd);
	save_run(argv[3], &run, &tr, &begin);
	printf("%u events, %llu bytes written\n", tr.nr, tr.blob_len);
	return 0;
}

/* Cutting */

static void load_file(const char *path, struct run *run, struct trace *tr,
		      struct disk *disk)
{
	FILE *in = fopen(path, "r");

	if (!in)
		err(2, "%s", path);
	load_bytes(in, run, sizeof(*run));
	if (run->magic != FILE_MAGIC)
		errx(2, "%s: not a recorded run", path);
	trace_init(tr);
	trace_load(tr, in);
	disk_init(disk, run->setup.disk_size);
	disk_load(disk, in);
	fclose(in);
}

/**
 * struct campaign - all cuts of one run
 * @run: the run
 * @tr: what happened
 * @disk: how it began
 * @or: what may be read
 * @base: what was there before
 * @cuts: where
 * @nr_cuts: how many
 * @jobs: workers
 * @library: without a driver
 * @judge: program that looks at some of the images, or NULL
 * @judge_every: at how many
 */
struct campaign {
	struct run	run;
	struct trace	tr;
	struct disk	disk;
	struct oracle	or;
	struct base	base;
	struct cut	*cuts;
	u32		nr_cuts;
	u32		jobs;
	bool		library;
	const char	*judge;
	u32		judge_every;
};

/* Shared by the workers. */
struct tally {
	atomic_uint	cuts;
	atomic_uint	nested;
	atomic_uint	judged;
	atomic_uint	violations;
};

/* Told to stop: a device that is left behind would stay. */
static atomic_int stopped;

static void stop(int sig)
{
	stopped = sig;
}

static void catch_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	const struct sigaction action = { .sa_handler = stop };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

static void work(struct campaign *cam, struct tally *tally, u32 job)
{
	struct cutter c;
	u32 i;

	cutter_start(&c, job, &cam->run.setup, &cam->tr, &cam->or, &cam->base, &cam->disk,
		     cam->run.meta.image, cam->library);
	for (i = job; i < cam->nr_cuts && !stopped; i += cam->jobs) {
		bool judged = cam->judge && i % cam->judge_every == 0;

		if (cutter_run(&c, &cam->cuts[i], judged ? cam->judge : NULL)) {
			/* The first few are worth reading. */
			if (tally->violations++ < SHOWN_MAX)
				printf("VIOLATION: %s seed %llu: %s\n",
				       cam->run.setup.fs, cam->run.setup.seed, c.why);
			fflush(stdout);
		}
		tally->cuts++;
		tally->judged += judged;
	}
	tally->nested += c.nr_nested;
	cutter_stop(&c);
}

/* A worker that ends badly is not a campaign without violations. */
static bool wait_for_workers(u32 jobs)
{
	bool well = true;
	int status;

	while (jobs--) {
		while (wait(&status) < 0)
			if (errno != EINTR)
				err(2, "wait");
		well = well && status == 0;
	}
	return well;
}

static struct tally *run_campaign(struct campaign *cam)
{
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	u32 job;

	if (tally == MAP_FAILED)
		err(2, "no memory for the tally");
	catch_signals();
	for (job = 0; job < cam->jobs; job++) {
		fflush(stdout);
		switch (fork()) {
		case -1:
			err(2, "fork");
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			work(cam, tally, job);
			exit(0);
		}
	}
	if (!wait_for_workers(cam->jobs))
		errx(2, "a worker died");
	if (stopped)
		errx(2, "stopped by signal %d after %u cuts", stopped, tally->cuts);
	return tally;
}

static void parse_cut_options(struct campaign *cam, int argc, char **argv)
{
	static const struct option options[] = {
		{ "jobs", required_argument, NULL, 'j' },
		{ "library", no_argument, NULL, 'l' },
		{ "judge", required_argument, NULL, 'J' },
		{ "judge-every", required_argument, NULL, 'e' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "j:", options, NULL)) != -1) {
		if (c == 'j')
			cam->jobs = (u32)parse_number(optarg);
		else if (c == 'l')
			cam->library = true;
		else if (c == 'J')
			cam->judge = optarg;
		else if (c == 'e')
			cam->judge_every = (u32)parse_number(optarg);
		else
			exit(2);
	}
	if (!cam->jobs || cam->jobs > JOBS_MAX || !cam->judge_every)
		errx(2, "between 1 and %u jobs", JOBS_MAX);
}

static void parse_pos(struct cut *cut, const char *text)
{
	if (sscanf(text, "%u.%u", &cut->pos, &cut->variant) != 2)
		errx(2, "'%s' is not POS.VARIANT", text);
}

/* COUNT cuts, or the one that is named. */
static u32 choose_cuts(struct campaign *cam, const char *what)
{
	bool one = strchr(what, '.');

	cam->nr_cuts = one ? 1 : (u32)parse_number(what);
	cam->cuts = calloc(cam->nr_cuts + 1, sizeof(*cam->cuts));
	if (!cam->cuts || !cam->nr_cuts)
		errx(2, "cannot cut %u times", cam->nr_cuts);
	if (!one)
		return pick_cuts(cam->cuts, cam->nr_cuts, &cam->tr, &cam->run.meta,
				 cam->run.setup.seed);
	parse_pos(cam->cuts, what);
	return 0;
}

static int cmd_cut(int argc, char **argv)
{
	struct campaign cam = { .jobs = 4, .judge_every = 50 };
	struct timespec begin;
	struct tally *tally;
	u32 near;

	parse_cut_options(&cam, argc, argv);
	if (argc - optind != 2)
		return -1;
	target_hide_mounts();
	load_file(argv[optind], &cam.run, &cam.tr, &cam.disk);
	setup_print(&cam.run.setup);
	oracle_init(&cam.or, &cam.tr);
	base_init(&cam.base, &cam.run.setup);
	near = choose_cuts(&cam, argv[optind + 1]);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	tally = run_campaign(&cam);
	printf("%u events, %u sectors; cuts: %u, near metadata: %u, during recovery: %u, judged by others: %u, violations: %u; %.0f s\n",
	       cam.tr.nr, cam.or.nr_sectors, tally->cuts, near, tally->nested,
	       tally->judged, tally->violations, seconds_since(&begin));
	return tally->violations ? 1 : 0;
}

static int cmd_dump(int argc, char **argv)
{
	struct campaign cam = { };
	struct cutter c = { };
	FILE *out;

	if (argc != 4)
		return -1;
	load_file(argv[1], &cam.run, &cam.tr, &cam.disk);
	cam.cuts = calloc(1, sizeof(*cam.cuts));
	out = fopen(argv[3], "w");
	if (!out || !cam.cuts)
		err(2, "%s", argv[3]);
	parse_pos(cam.cuts, argv[2]);
	c.setup = &cam.run.setup;
	c.disk = cam.disk;
	c.image = cam.run.meta.image;
	cutter_set(&c, &cam.tr, cam.cuts);
	save_bytes(out, c.disk.mem, c.disk.size);
	return fclose(out) ? 2 : 0;
}

static int cmd_model(int argc, char **argv)
{
	return model_run() ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char	*name;
		int		(*run)(int argc, char **argv);
	} commands[] = {
		{ "record", cmd_record }, { "cut", cmd_cut }, { "dump", cmd_dump },
		{ "model", cmd_model },
	};
	int ret = -1;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (argc > 1 && !strcmp(argv[1], commands[i].name))
			ret = commands[i].run(argc - 1, argv + 1);
	if (ret < 0)
		errx(2, "usage: vhdx-crash record FS SEED FILE | cut [-j N] FILE COUNT | model | dump FILE POS.VARIANT IMAGE");
	return ret;
}
