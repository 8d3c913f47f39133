// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that chains share.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/path.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "image.h"
#include "parent.h"

/**
 * struct vhdx_parent - an image that is only read, and who has it
 * @link: on the list [parents_lock]
 * @ref: the chains that have it; becomes 0 under parents_lock
 * @dio: direct I/O that was wanted for it [immutable]
 * @img: the image [immutable]
 */
struct vhdx_parent {
	struct list_head	link;
	refcount_t		ref;
	enum vhdx_file_dio	dio;
	struct vhdx_image	*img;
};

/* Guards @parents and the last reference of each; nothing of ours inside. */
static DEFINE_MUTEX(parents_lock);
static LIST_HEAD(parents);

/*
 * The path may lead to another file than before, if the file system puts one
 * on top (overlayfs, when a file is first opened for writing). A damaged image
 * is left to those who have it: who opens it anew is told what is wrong.
 */
static bool parent_serves(const struct vhdx_parent *parent, struct file *file,
			  enum vhdx_file_dio dio)
{
	struct file *have = vhdx_image_file(parent->img)->filp;

	return parent->dio == dio && path_equal(&have->f_path, &file->f_path) &&
	       have->f_mapping->host == file->f_mapping->host &&
	       vhdx_image_mode(parent->img) != VHDX_MODE_FAILED;
}

static struct vhdx_parent *parents_find_locked(struct file *file, enum vhdx_file_dio dio)
{
	struct vhdx_parent *parent;

	lockdep_assert_held(&parents_lock);
	list_for_each_entry(parent, &parents, link) {
		if (!parent_serves(parent, file, dio))
			continue;
		refcount_inc(&parent->ref);
		return parent;
	}
	return NULL;
}

static struct vhdx_parent *parents_find(struct file *file, enum vhdx_file_dio dio)
{
	struct vhdx_parent *parent;

	mutex_lock(&parents_lock);
	parent = parents_find_locked(file, dio);
	mutex_unlock(&parents_lock);
	return parent;
}

/* Enter @new, unless somebody was faster: then theirs, with a reference. */
static struct vhdx_parent *parents_enter(struct vhdx_parent *new, struct file *file)
{
	struct vhdx_parent *parent;

	mutex_lock(&parents_lock);
	parent = parents_find_locked(file, new->dio);
	if (!parent)
		list_add_tail(&new->link, &parents);
	mutex_unlock(&parents_lock);
	return parent;
}

static struct vhdx_image *parent_open_image(struct file *file,
					    const struct vhdx_image_options *child_opt,
					    struct vhdx_finding *fd)
{
	struct vhdx_image_options opt = {
		.dio	= child_opt->dio,
		.parent	= child_opt->parent,
	};
	char name[VHDX_IMAGE_NAME_LEN];

	snprintf(name, sizeof(name), "parent %pD", file);
	opt.name = name;
	return vhdx_image_open(file, &opt, fd);
}

static struct vhdx_parent *parent_open(struct file *file,
				       const struct vhdx_image_options *opt,
				       struct vhdx_finding *fd)
{
	struct vhdx_parent *parent = kzalloc(sizeof(*parent), GFP_KERNEL);
	struct vhdx_image *img;

	if (!parent)
		return ERR_PTR(-ENOMEM);
	img = parent_open_image(file, opt, fd);
	if (IS_ERR(img)) {
		kfree(parent);
		return ERR_CAST(img);
	}
	refcount_set(&parent->ref, 1);
	parent->dio = opt->dio;
	parent->img = img;
	return parent;
}

static void parent_close(struct vhdx_parent *parent)
{
	vhdx_image_put(parent->img);
	kfree(parent);
}

struct vhdx_parent *vhdx_parent_get(struct file *file,
				    const struct vhdx_image_options *opt,
				    struct vhdx_finding *fd)
{
	struct vhdx_parent *new, *parent = parents_find(file, opt->dio);
	int ret;

	if (!parent) {
		new = parent_open(file, opt, fd);
		if (IS_ERR(new))
			return new;
		parent = parents_enter(new, file);
		if (!parent)
			return new;
		parent_close(new);
	}
	ret = vhdx_image_check_parent(parent->img, opt->parent, fd);
	if (!ret)
		return parent;
	vhdx_parent_put(parent);
	return ERR_PTR(ret);
}

void vhdx_parent_put(struct vhdx_parent *parent)
{
	if (!refcount_dec_and_mutex_lock(&parent->ref, &parents_lock))
		return;
	list_del(&parent->link);
	mutex_unlock(&parents_lock);
	parent_close(parent);
}

struct vhdx_image *vhdx_parent_image(struct vhdx_parent *parent)
{
	return parent->img;
}

void vhdx_parents_show(void (*show)(void *data, struct vhdx_image *img, unsigned int users),
		       void *data)
{
	struct vhdx_parent *parent;

	mutex_lock(&parents_lock);
	list_for_each_entry(parent, &parents, link)
		show(data, parent->img, refcount_read(&parent->ref));
	mutex_unlock(&parents_lock);
}
