// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chain of images behind one disk.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "chain.h"
#include "extent.h"
#include "format/geometry.h"
#include "image.h"

/**
 * struct vhdx_chain - see chain.h
 * @nr: number of images
 * @images: the leaf, its parent, and so on [immutable]
 */
struct vhdx_chain {
	unsigned int		nr;
	struct vhdx_image	*images[];
};

/*
 * Opening goes from the root to the leaf: an image is checked against its
 * parent before anything in it changes, and only a leaf changes.
 */
static struct vhdx_image *chain_open_image(struct vhdx_chain *chain, struct file *file,
					   unsigned int i,
					   const struct vhdx_image_options *leaf,
					   struct vhdx_finding *fd)
{
	struct vhdx_image_options opt = *leaf;
	char name[32];

	opt.parent = i + 1 < chain->nr ? chain->images[i + 1] : NULL;
	if (i) {
		snprintf(name, sizeof(name), "%s parent %u", leaf->name, i);
		opt.name = name;
		opt.write = false;
		opt.mode_changed = NULL;
	}
	return vhdx_image_open(file, &opt, fd);
}

/* Close the images from index @i on, the leaf first. */
static void chain_close_from(struct vhdx_chain *chain, unsigned int i)
{
	for (; i < chain->nr; i++)
		vhdx_image_put(chain->images[i]);
	kfree(chain);
}

struct vhdx_chain *vhdx_chain_open(struct file **files, unsigned int nr,
				   const struct vhdx_image_options *opt,
				   unsigned int *image, struct vhdx_finding *fd)
{
	struct vhdx_chain *chain;
	struct vhdx_image *img;
	unsigned int i;

	*image = 0;
	chain = kzalloc(struct_size(chain, images, nr), GFP_KERNEL);
	if (!chain)
		return ERR_PTR(-ENOMEM);
	chain->nr = nr;
	for (i = nr; i-- > 0; ) {
		img = chain_open_image(chain, files[i], i, opt, fd);
		if (IS_ERR(img)) {
			*image = i;
			chain_close_from(chain, i + 1);
			return ERR_CAST(img);
		}
		chain->images[i] = img;
	}
	return chain;
}

void vhdx_chain_close(struct vhdx_chain *chain)
{
	chain_close_from(chain, 0);
}

struct vhdx_image *vhdx_chain_leaf(struct vhdx_chain *chain)
{
	return chain->images[0];
}

unsigned int vhdx_chain_depth(const struct vhdx_chain *chain)
{
	return chain->nr;
}

struct vhdx_image *vhdx_chain_image(struct vhdx_chain *chain, unsigned int i)
{
	return chain->images[i];
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
		img = chain->images[i];
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
