// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text of format/text.h in files.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "chain.h"
#include "debugfs.h"
#include "device.h"
#include "format/geometry.h"
#include "format/metadata.h"
#include "format/text.h"
#include "image.h"
#include "parent.h"

static struct dentry *debugfs_root;

static int show_metadata(char *buf, size_t size, struct vhdx_image *img)
{
	return vhdx_metadata_to_text(buf, size, vhdx_image_metadata(img));
}

static int show_geometry(char *buf, size_t size, struct vhdx_image *img)
{
	return vhdx_geometry_to_text(buf, size, vhdx_image_geometry(img));
}

/* One paragraph for each image of the chain, the leaf first. */
static int show_chain(struct seq_file *m,
		      int (*to_text)(char *buf, size_t size, struct vhdx_image *img))
{
	struct vhdx_device *dev = m->private;
	char *buf = kmalloc(SZ_4K, GFP_KERNEL);
	unsigned int i;

	if (!buf)
		return -ENOMEM;
	for (i = 0; i < vhdx_chain_depth(dev->chain); i++) {
		to_text(buf, SZ_4K, vhdx_chain_image(dev->chain, i));
		seq_printf(m, "%s%s", i ? "\n" : "", buf);
	}
	kfree(buf);
	return 0;
}

static int metadata_show(struct seq_file *m, void *unused)
{
	return show_chain(m, show_metadata);
}
DEFINE_SHOW_ATTRIBUTE(metadata);

static int geometry_show(struct seq_file *m, void *unused)
{
	return show_chain(m, show_geometry);
}
DEFINE_SHOW_ATTRIBUTE(geometry);

static int log_show(struct seq_file *m, void *unused)
{
	struct vhdx_device *dev = m->private;
	struct vhdx_image_stats st;

	vhdx_image_stats(vhdx_device_leaf(dev), &st);
	seq_printf(m, "state %s\nlength %llu\nused %llu\n",
		   st.log_active ? "active" : "clean", st.log_len, st.log_used);
	seq_printf(m, "replayed-entries %llu\nstarts %llu\nentries %llu\n",
		   st.replayed, st.log_starts, st.log_entries);
	seq_printf(m, "commits %llu\ncheckpoints %llu\ncheckpoint-writes %llu\n",
		   st.commits, st.checkpoints, st.checkpoint_writes);
	seq_printf(m, "log-writes %llu\nheader-writes %llu\n",
		   st.log_writes, st.header_writes);
	seq_printf(m, "flush-requests %llu\nflushes %llu\ndata-flushes %llu\nfua-flushes %llu\n",
		   st.flush_requests, st.flushes, st.data_flushes, st.fua_flushes);
	seq_printf(m, "pages %llu\ndirty-pages %llu\nlogged-pages %llu\n",
		   st.pages, st.dirty_pages, st.logged_pages);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(log);

static void show_parent(void *data, struct vhdx_image *img, unsigned int users)
{
	struct vhdx_image_stats st;
	struct seq_file *m = data;

	vhdx_image_stats(img, &st);
	seq_printf(m, "users %u pages %llu replayed-entries %llu mode %s file ", users,
		   st.pages, st.replayed, vhdx_mode_name(vhdx_image_mode(img)));
	seq_file_path(m, vhdx_image_file(img)->filp, "\n");
	seq_putc(m, '\n');
}

/* One line for each image that is a parent, however many devices have it. */
static int parents_show(struct seq_file *m, void *unused)
{
	vhdx_parents_show(show_parent, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(parents);

void vhdx_debugfs_add(struct vhdx_device *dev)
{
	dev->debugfs = debugfs_create_dir(dev->name, debugfs_root);
	debugfs_create_file("metadata", 0400, dev->debugfs, dev, &metadata_fops);
	debugfs_create_file("geometry", 0400, dev->debugfs, dev, &geometry_fops);
	debugfs_create_file("log", 0400, dev->debugfs, dev, &log_fops);
}

void vhdx_debugfs_remove(struct vhdx_device *dev)
{
	debugfs_remove(dev->debugfs);
}

void vhdx_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("vhdx", NULL);
	debugfs_create_file("parents", 0400, debugfs_root, NULL, &parents_fops);
}

void vhdx_debugfs_exit(void)
{
	debugfs_remove(debugfs_root);
}
