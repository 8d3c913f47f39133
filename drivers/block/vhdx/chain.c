// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chain of images behind one disk. One image deep so far: a differencing
 * image is refused by name.
 */
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "chain.h"
#include "extent.h"
#include "format/geometry.h"
#include "image.h"

struct vhdx_chain {
	unsigned int		nr;
	struct vhdx_image	*images[];
};

struct vhdx_chain *vhdx_chain_open(struct file **files, unsigned int nr,
				   const struct vhdx_image_options *opt,
				   unsigned int *image, struct vhdx_finding *fd)
{
	struct vhdx_image_options leaf = *opt;
	struct vhdx_chain *chain;
	struct vhdx_image *img;

	*image = 0;
	chain = kzalloc(struct_size(chain, images, 1), GFP_KERNEL);
	if (!chain)
		return ERR_PTR(-ENOMEM);
	leaf.nr_parents = nr - 1;
	img = vhdx_image_open(files[0], &leaf, fd);
	if (IS_ERR(img)) {
		kfree(chain);
		return ERR_CAST(img);
	}
	chain->nr = 1;
	chain->images[0] = img;
	return chain;
}

void vhdx_chain_close(struct vhdx_chain *chain)
{
	vhdx_image_put(chain->images[0]);
	kfree(chain);
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

/* What is left of the block from @pos on, at most @len. */
static u32 chain_len(const struct vhdx_geometry *geo, u64 pos, u32 len)
{
	u32 in_block = pos & (vhdx_block_size(geo) - 1);

	return min(len, vhdx_block_size(geo) - in_block);
}

int vhdx_chain_map_read(struct vhdx_chain *chain, u64 pos, u32 len, bool nowait,
			struct vhdx_extent *extent)
{
	struct vhdx_image *img = vhdx_chain_leaf(chain);

	if (unlikely(vhdx_image_mode(img) == VHDX_MODE_FAILED))
		return -EIO;
	extent->len = chain_len(vhdx_image_geometry(img), pos, len);
	return vhdx_image_map(img, pos, nowait, extent);
}

int vhdx_chain_map_write(struct vhdx_chain *chain, u64 pos, u32 len, bool nowait,
			 struct vhdx_extent *extent)
{
	struct vhdx_image *img = vhdx_chain_leaf(chain);
	int ret;

	if (unlikely(vhdx_image_mode(img) != VHDX_MODE_WRITE))
		return -EIO;
	extent->len = chain_len(vhdx_image_geometry(img), pos, len);
	ret = vhdx_image_map(img, pos, nowait, extent);
	if (!ret && extent->kind == VHDX_EXTENT_ZERO)
		extent->kind = VHDX_EXTENT_UNMAPPED;
	return ret;
}

int vhdx_chain_allocate(struct vhdx_chain *chain, u64 pos)
{
	return vhdx_image_allocate(vhdx_chain_leaf(chain), pos);
}
