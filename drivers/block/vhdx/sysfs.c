// SPDX-License-Identifier: GPL-2.0-only
/*
 * One value in each file; no lock of ours is taken to show one.
 */
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/string_helpers.h>
#include <linux/sysfs.h>
#include <linux/uuid.h>

#include "chain.h"
#include "device.h"
#include "format/geometry.h"
#include "format/metadata.h"
#include "image.h"
#include "sysfs.h"

static struct vhdx_device *to_device(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static struct vhdx_image *to_leaf(struct device *dev)
{
	return vhdx_device_leaf(to_device(dev));
}

/* Ends a list that a page has no room for; no path is like that. */
static const char and_more[] = "...\n";

/* A newline in @path is written as in /proc/mounts; and one behind it. */
static ssize_t emit_escaped(const char *path, char *buf, size_t size)
{
	size_t len = string_escape_str(path, buf, size, ESCAPE_OCTAL, "\n\\");

	if (len >= size)
		return -ENAMETOOLONG;
	buf[len++] = '\n';
	return len;
}

/* Path of an image, as seen from the root of whoever reads, and a newline. */
static ssize_t emit_path(struct vhdx_image *img, char *buf, size_t size)
{
	char *room = kmalloc(PATH_MAX, GFP_KERNEL);
	ssize_t ret;
	char *path;

	if (!room)
		return -ENOMEM;
	path = file_path(vhdx_image_file(img)->filp, room, PATH_MAX);
	ret = IS_ERR(path) ? PTR_ERR(path) : emit_escaped(path, buf, size);
	kfree(room);
	return ret;
}

static ssize_t backing_file_show(struct device *dev, struct device_attribute *attr,
				 char *buf)
{
	return emit_path(to_leaf(dev), buf, PAGE_SIZE);
}
static DEVICE_ATTR_RO(backing_file);

static ssize_t parents_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct vhdx_chain *chain = to_device(dev)->chain;
	ssize_t len = 0, ret;
	unsigned int i;

	for (i = 1; i < vhdx_chain_depth(chain); i++) {
		ret = emit_path(vhdx_chain_image(chain, i), buf + len,
				PAGE_SIZE - strlen(and_more) - len);
		if (ret == -ENAMETOOLONG && len)
			return len + sysfs_emit_at(buf, len, and_more);
		if (ret < 0)
			return ret;
		len += ret;
	}
	return len;
}
static DEVICE_ATTR_RO(parents);

static ssize_t depth_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", vhdx_chain_depth(to_device(dev)->chain));
}
static DEVICE_ATTR_RO(depth);

static ssize_t type_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  vhdx_disk_type_name(vhdx_image_metadata(to_leaf(dev))->type));
}
static DEVICE_ATTR_RO(type);

static ssize_t mode_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", vhdx_mode_name(vhdx_image_mode(to_leaf(dev))));
}
static DEVICE_ATTR_RO(mode);

static ssize_t direct_io_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%d\n", vhdx_image_file(to_leaf(dev))->direct);
}
static DEVICE_ATTR_RO(direct_io);

static ssize_t block_size_show(struct device *dev, struct device_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%u\n", vhdx_image_metadata(to_leaf(dev))->block_size);
}
static DEVICE_ATTR_RO(block_size);

static ssize_t autoclear_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct vhdx_device *vdev = to_device(dev);

	return sysfs_emit(buf, "%d\n",
			  vdev->opt.autoclear || READ_ONCE(vdev->clear_on_close));
}
static DEVICE_ATTR_RO(autoclear);

static ssize_t partscan_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%d\n", to_device(dev)->opt.partscan);
}
static DEVICE_ATTR_RO(partscan);

static ssize_t virtual_disk_id_show(struct device *dev, struct device_attribute *attr,
				    char *buf)
{
	return sysfs_emit(buf, "%pUl\n", &vhdx_image_metadata(to_leaf(dev))->disk_id);
}
static DEVICE_ATTR_RO(virtual_disk_id);

static ssize_t data_write_guid_show(struct device *dev, struct device_attribute *attr,
				    char *buf)
{
	guid_t data_write, file_write;

	vhdx_image_guids(to_leaf(dev), &data_write, &file_write);
	return sysfs_emit(buf, "%pUl\n", &data_write);
}
static DEVICE_ATTR_RO(data_write_guid);

static ssize_t file_write_guid_show(struct device *dev, struct device_attribute *attr,
				    char *buf)
{
	guid_t data_write, file_write;

	vhdx_image_guids(to_leaf(dev), &data_write, &file_write);
	return sysfs_emit(buf, "%pUl\n", &file_write);
}
static DEVICE_ATTR_RO(file_write_guid);

static ssize_t log_state_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct vhdx_image_stats st;

	vhdx_image_stats(to_leaf(dev), &st);
	return sysfs_emit(buf, "%s\n", st.log_active ? "active" : "clean");
}
static DEVICE_ATTR_RO(log_state);

/* A number of struct vhdx_image_stats. */
#define STAT_ATTR(name, field)						\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	struct vhdx_image_stats st;					\
									\
	vhdx_image_stats(to_leaf(dev), &st);				\
	return sysfs_emit(buf, "%llu\n", st.field);			\
}									\
static DEVICE_ATTR_RO(name)

STAT_ATTR(log_length, log_len);
STAT_ATTR(log_used, log_used);
STAT_ATTR(replayed_entries, replayed);
STAT_ATTR(allocated_blocks, allocated);
STAT_ATTR(flush_requests, flush_requests);
STAT_ATTR(commits, commits);
STAT_ATTR(checkpoints, checkpoints);
STAT_ATTR(checkpoint_writes, checkpoint_writes);
STAT_ATTR(log_starts, log_starts);
STAT_ATTR(log_entries, log_entries);
STAT_ATTR(log_writes, log_writes);
STAT_ATTR(flushes, flushes);
STAT_ATTR(data_flushes, data_flushes);
STAT_ATTR(fua_flushes, fua_flushes);
STAT_ATTR(fua_writes, fua);
STAT_ATTR(header_writes, header_writes);
STAT_ATTR(metadata_pages, pages);
STAT_ATTR(dirty_pages, dirty_pages);
STAT_ATTR(logged_pages, logged_pages);
STAT_ATTR(file_size, file_size);

static struct attribute *vhdx_attrs[] = {
	&dev_attr_backing_file.attr,
	&dev_attr_parents.attr,
	&dev_attr_depth.attr,
	&dev_attr_type.attr,
	&dev_attr_mode.attr,
	&dev_attr_direct_io.attr,
	&dev_attr_block_size.attr,
	&dev_attr_autoclear.attr,
	&dev_attr_partscan.attr,
	&dev_attr_virtual_disk_id.attr,
	&dev_attr_data_write_guid.attr,
	&dev_attr_file_write_guid.attr,
	&dev_attr_log_state.attr,
	&dev_attr_log_length.attr,
	&dev_attr_log_used.attr,
	&dev_attr_replayed_entries.attr,
	&dev_attr_allocated_blocks.attr,
	&dev_attr_flush_requests.attr,
	&dev_attr_commits.attr,
	&dev_attr_checkpoints.attr,
	&dev_attr_checkpoint_writes.attr,
	&dev_attr_log_starts.attr,
	&dev_attr_log_entries.attr,
	&dev_attr_log_writes.attr,
	&dev_attr_flushes.attr,
	&dev_attr_data_flushes.attr,
	&dev_attr_fua_flushes.attr,
	&dev_attr_fua_writes.attr,
	&dev_attr_header_writes.attr,
	&dev_attr_metadata_pages.attr,
	&dev_attr_dirty_pages.attr,
	&dev_attr_logged_pages.attr,
	&dev_attr_file_size.attr,
	NULL
};

static const struct attribute_group vhdx_group = {
	.name	= "vhdx",
	.attrs	= vhdx_attrs,
};

const struct attribute_group *vhdx_sysfs_groups[] = {
	&vhdx_group,
	NULL
};
