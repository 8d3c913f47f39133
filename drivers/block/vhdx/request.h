/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a request: from ->queue_rq to its completion.
 *
 * ->queue_rq does no file I/O. It looks up where a request is, answers reads of
 * unallocated blocks in place, and hands what is present to the *submitter* of
 * its hardware queue, a thread that starts direct I/O without ever waiting for
 * it. What would have to wait goes to one of two small pools of *workers*, which
 * may: metadata that is not in memory, allocation, FLUSH, FUA, buffered files,
 * and whatever a file system would not do without waiting. One pool is for
 * reads, so that they go on while writes wait.
 *
 * Both are kernel threads and not a workqueue:
 *  - they are there before the first request and need no memory to run, so
 *    write-back through the device makes progress when memory is short;
 *  - a workqueue would have to be WQ_MEM_RECLAIM for that, and the file
 *    systems below flush ordinary workqueues in their fsync, which the kernel
 *    rightly complains about (check_flush_dependency());
 *  - PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE hold for the whole life of the
 *    thread, so no path can forget them.
 *
 * No worker waits for another request, so pools of any size make progress.
 */
#ifndef VHDX_REQUEST_H
#define VHDX_REQUEST_H

struct blk_mq_tag_set;
struct vhdx_chain;
struct vhdx_requests;

/*
 * What serves the requests of one device: one submitter for each of up to
 * @nr_queues hardware queues, and the pools. @name (such as "vhdx0") and @chain
 * must outlive it. The threads exist but wait. May sleep; ERR_PTR.
 */
struct vhdx_requests *vhdx_requests_start(const char *name, struct vhdx_chain *chain,
					  unsigned int nr_queues);

/* Stop the threads. No request is under way and none can come any more. */
void vhdx_requests_stop(struct vhdx_requests *rqs);

/* Fill in operations, command size and driver data of @set. */
void vhdx_requests_setup(struct vhdx_requests *rqs, struct blk_mq_tag_set *set);

#endif
