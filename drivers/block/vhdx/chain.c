// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chain of images behind one disk.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "chain.h"
#include "extent.h"
#include "file.h"
#include "format/geometry.h"
#include "format/text.h"
#include "image.h"
#include "parent.h"

/**
 * struct chain_link - one image of a chain
 * @img: the image
 * @parent: what it is shared by; NULL for the leaf
 * @file: what we were given for a parent, kept for the locks that go with it: the
 *	image may be open by somebody else's file. NULL for the leaf
 */
struct chain_link {
	struct vhdx_image	*img;
	struct vhdx_parent	*parent;
	struct file		*file;
};

/**
 * struct vhdx_chain - see chain.h
 * @nr: number of images
 * @links: the leaf, its parent, and so on [immutable]
 */
struct vhdx_chain {
	unsigned int		nr;
	struct chain_link	links[];
};

static int chain_open_leaf(struct chain_link *link, struct file *file,
			   const struct vhdx_image_options *opt, struct vhdx_finding *fd)
{
	struct vhdx_image *img = vhdx_image_open(file, opt, fd);

	if (IS_ERR(img))
		return PTR_ERR(img);
	link->img = img;
	return 0;
}

static int chain_open_parent(struct chain_link *link, struct file *file,
			     const struct vhdx_image_options *opt, struct vhdx_finding *fd)
{
	struct vhdx_parent *parent = vhdx_parent_get(file, opt, fd);

	if (IS_ERR(parent))
		return PTR_ERR(parent);
	*link = (struct chain_link){
		.img	= vhdx_parent_image(parent),
		.parent	= parent,
		.file	= get_file(file),
	};
	return 0;
}

/*
 * Opening goes from the root to the leaf: an image is checked against its
 * parent before anything in it changes, and only a leaf changes.
 */
static int chain_open_image(struct vhdx_chain *chain, struct file *file, unsigned int i,
			    const struct vhdx_image_options *leaf, struct vhdx_finding *fd)
{
	struct vhdx_image_options opt = *leaf;

	opt.parent = i + 1 < chain->nr ? chain->links[i + 1].img : NULL;
	return i ? chain_open_parent(&chain->links[i], file, &opt, fd) :
		   chain_open_leaf(&chain->links[i], file, &opt, fd);
}

static void chain_close_image(struct chain_link *link)
{
	if (!link->parent) {
		vhdx_image_put(link->img);
		return;
	}
	vhdx_parent_put(link->parent);
	vhdx_file_put(link->file);
}

/* Close the images from index @i on, the leaf first. */
static void chain_close_from(struct vhdx_chain *chain, unsigned int i)
{
	for (; i < chain->nr; i++)
		chain_close_image(&chain->links[i]);
	kfree(chain);
}

static int chain_report_duplicate(const char *name, unsigned int i, struct vhdx_finding *fd)
{
	char text[128];

	vhdx_fault_at(fd, VHDX_FAULT_CHAIN_DUPLICATE, 0, 0);
	vhdx_finding_to_text(text, sizeof(text), fd);
	pr_err("%s parent %u: %s\n", name, i, text);
	return vhdx_fault_errno(fd->fault);
}

/*
 * No file is its own ancestor. Two names of one file, links or device nodes,
 * have one inode that owns the data.
 */
static int chain_check_files(struct file **files, unsigned int nr, const char *name,
			     unsigned int *image, struct vhdx_finding *fd)
{
	unsigned int i, j;

	for (i = 1; i < nr; i++) {
		for (j = 0; j < i; j++) {
			if (files[i]->f_mapping->host != files[j]->f_mapping->host)
				continue;
			*image = i;
			return chain_report_duplicate(name, i, fd);
		}
	}
	return 0;
}

struct vhdx_chain *vhdx_chain_open(struct file **files, unsigned int nr,
				   const struct vhdx_image_options *opt,
				   unsigned int *image, struct vhdx_finding *fd)
{
	struct vhdx_chain *chain;
	unsigned int i;
	int ret;

	*image = 0;
	ret = chain_check_files(files, nr, opt->name, image, fd);
	if (ret)
		return ERR_PTR(ret);
	chain = kzalloc(struct_size(chain, links, nr), GFP_KERNEL);
	if (!chain)
		return ERR_PTR(-ENOMEM);
	chain->nr = nr;
	for (i = nr; i-- > 0; ) {
		ret = chain_open_image(chain, files[i], i, opt, fd);
		if (ret) {
			*image = i;
			chain_close_from(chain, i + 1);
			return ERR_PTR(ret);
		}
	}
	return chain;
}

void vhdx_chain_close(struct vhdx_chain *chain)
{
	chain_close_from(chain, 0);
}

struct vhdx_image *vhdx_chain_leaf(struct vhdx_chain *chain)
{
	return chain->links[0].img;
}

unsigned int vhdx_chain_depth(const struct vhdx_chain *chain)
{
	return chain->nr;
}

struct vhdx_image *vhdx_chain_image(struct vhdx_chain *chain, unsigned int i)
{
	return chain->links[i].img;
}

/*
 * What of [@pos, @pos + @len) is in the block of @pos and on the disk of this
 * image, 0 behind its end.
 */
static u32 chain_len(const struct vhdx_geometry *geo, u64 pos, u32 len)
{
	u32 in_block = pos & (vhdx_block_size(geo) - 1);

	if (pos >= geo->disk_size)
		return 0;
	len = min(len, vhdx_block_size(geo) - in_block);
	return min_t(u64, len, geo->disk_size - pos);
}

/*
 * An image whose metadata is not to be trusted takes the disk with it: where it was
 * to answer nobody can, and what was read through it before may have been wrong. It
 * shows in the leaf, which is what the device looks at. Whoever reads finds it, so
 * that an image need not know who has it as a parent. Never sleeps.
 */
static int chain_check_failed(struct vhdx_chain *chain, struct vhdx_image *img, int err)
{
	if (vhdx_image_mode(img) == VHDX_MODE_FAILED)
		vhdx_image_fail(vhdx_chain_leaf(chain), VHDX_MODE_FAILED, err,
				"a parent has failed");
	return err;
}

/*
 * Down the chain until an image says something; what it says holds for no more
 * than every image above it was asked for. Behind the end of an image there are
 * zeros, and what is below it does not show through.
 */
int vhdx_chain_map_read(struct vhdx_chain *chain, u64 pos, u32 len, bool nowait,
			struct vhdx_extent *extent)
{
	struct vhdx_image *img;
	unsigned int i;
	u32 in_image;
	int ret;

	*extent = (struct vhdx_extent){ .kind = VHDX_EXTENT_PARENT, .len = len };
	for (i = 0; extent->kind == VHDX_EXTENT_PARENT && i < chain->nr; i++) {
		img = chain->links[i].img;
		if (unlikely(vhdx_image_mode(img) == VHDX_MODE_FAILED))
			return chain_check_failed(chain, img, -EIO);
		in_image = chain_len(vhdx_image_geometry(img), pos, extent->len);
		if (!in_image)
			break;
		extent->len = in_image;
		ret = vhdx_image_map(img, pos, nowait, extent);
		if (unlikely(ret))
			return chain_check_failed(chain, img, ret);
	}
	if (extent->kind == VHDX_EXTENT_PARENT)
		extent->kind = VHDX_EXTENT_ZERO;
	return 0;
}

int vhdx_chain_map_write(struct vhdx_chain *chain, u64 pos, u32 len, bool nowait,
			 struct vhdx_extent *extent)
{
	struct vhdx_image *img = vhdx_chain_leaf(chain);

	if (unlikely(vhdx_image_mode(img) != VHDX_MODE_WRITE))
		return -EIO;
	extent->len = chain_len(vhdx_image_geometry(img), pos, len);
	return vhdx_image_map_write(img, pos, nowait, extent);
}

int vhdx_chain_allocate(struct vhdx_chain *chain, u64 pos)
{
	return vhdx_image_allocate(vhdx_chain_leaf(chain), pos);
}

int vhdx_chain_mark(struct vhdx_chain *chain, u64 pos, u32 len)
{
	return vhdx_image_mark(vhdx_chain_leaf(chain), pos, len);
}
