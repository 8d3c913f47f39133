// SPDX-License-Identifier: GPL-2.0-only
/* A child is merged into its parent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "block.h"
#include "guid.h"
#include "journal.h"
#include "merge.h"
#include "raw.h"
#include "relink.h"
#include "resize.h"

#define COMMIT_SPACE	(64ULL << 20)

/* What the child holds, for the parent. */
struct child_content {
	struct libvhdx_content	content;
	struct libvhdx_map	map;
};

static int child_run(struct libvhdx_content *content, u64 pos, u64 len,
		     struct libvhdx_extent *run, struct vhdx_finding *fd)
{
	struct child_content *c = container_of(content, struct child_content, content);

	return libvhdx_map_run(&c->map, pos, len, run, fd);
}

/* The child names the parent, and knows it by one identity or by either of two. */
static int name_parent(struct libvhdx_merge *m, const guid_t *linkage, const guid_t *linkage2,
		       struct vhdx_finding *fd)
{
	const struct libvhdx_relink want = {
		.child		= m->child_path,
		.parent		= m->parent_path,
		.linkage	= linkage,
		.linkage2	= linkage2,
	};
	int err;

	m->in_child = true;
	err = libvhdx_relink(m->child, &want, fd);
	m->in_child = err != 0;
	return err;
}

/* Space that no stable entry knows of would be lost, were the merge cut short. */
static int commit_sometimes(struct libvhdx_merge *m, u64 *committed)
{
	int err;

	if (m->parent->next - *committed < COMMIT_SPACE)
		return 0;
	err = libvhdx_journal_commit(m->parent);
	*committed = m->parent->next;
	return err;
}

static int put_blocks(struct libvhdx_merge *m, struct child_content *c,
		      struct vhdx_finding *fd)
{
	const struct vhdx_geometry *geo = &m->parent->img.geo;
	u64 pos = 0, committed = m->parent->next, blk;
	int err = 0;

	while (!err) {
		pos = libvhdx_map_next(&c->map, pos);
		if (m->progress)
			m->progress(min(pos, geo->disk_size), geo->disk_size);
		if (pos >= geo->disk_size)
			break;
		if (m->stop && m->stop())
			return -EINTR;
		blk = vhdx_block_of(geo, pos);
		err = libvhdx_block_put(m->parent, blk, &c->content, fd);
		pos = (blk + 1) << geo->block_shift;
		if (!err)
			err = commit_sometimes(m, &committed);
	}
	m->in_child = err && c->content.reading;
	return err;
}

static int put_content(struct libvhdx_merge *m, struct vhdx_finding *fd)
{
	struct child_content *c = malloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->content = (struct libvhdx_content){
		.run	= child_run,
		.file	= m->child->img.file,
		.stop	= m->stop,
	};
	libvhdx_map_init(&c->map, &m->child->img);
	err = put_blocks(m, c, fd);
	free(c);
	return err;
}

/* Items that belong to the disk, not to the file, are the child's from now on. */
static int put_item(struct libvhdx_merge *m, enum vhdx_item item)
{
	const struct vhdx_metadata_items *from = &m->child->img.md.items;
	u8 buf[sizeof(guid_t)];
	int err;

	m->in_child = true;
	err = libvhdx_journal_read(m->child, from->off[item], buf, from->len[item]);
	if (err)
		return err;
	m->in_child = false;
	return libvhdx_journal_set(m->parent, m->parent->img.md.items.off[item], buf,
				   from->len[item]);
}

/* @len bytes from the child's file to the parent's, a page at a time. */
static int copy_item(struct libvhdx_merge *m, u64 to, u64 from, u32 len)
{
	u8 page[VHDX_LOG_SECTOR];
	int err = 0;
	u32 n;

	for (; len && !err; to += n, from += n, len -= n) {
		n = min_t(u32, len, sizeof(page));
		m->in_child = true;
		err = libvhdx_journal_read(m->child, from, page, n);
		if (err)
			break;
		m->in_child = false;
		err = libvhdx_journal_reserve(m->parent, 2);
		if (!err)
			err = libvhdx_journal_set(m->parent, to, page, n);
	}
	return err;
}

/*
 * Items of the disk that are not known here: those of the parent go, the child's
 * come. Changes the parent's table, in memory; with @copy their content goes to
 * the file. -EOVERFLOW: there is no room.
 */
static int take_foreign(struct libvhdx_merge *m, void *table, bool copy)
{
	const struct vhdx_regions *to = &m->parent->img.regions;
	const void *from = m->child->img.metadata_table;
	u32 off, new_off, len;
	unsigned int i;
	int err = 0;

	for (i = 0; vhdx_metadata_table_foreign(table, &i, &off, &len);)
		vhdx_metadata_table_remove(table, i);
	for (i = 0; !err && vhdx_metadata_table_foreign(from, &i, &off, &len); i++) {
		if (!vhdx_metadata_table_add(table, to->meta_len, from, i, &new_off))
			err = -EOVERFLOW;
		else if (copy)
			err = copy_item(m, to->meta_off + new_off,
					m->child->img.regions.meta_off + off, len);
	}
	return err;
}

/* Before anything is changed: will there be room for the child's items? */
static int check_items(struct libvhdx_merge *m)
{
	void *table = malloc(VHDX_METADATA_TABLE_SIZE);
	int err;

	if (!table)
		return -ENOMEM;
	memcpy(table, m->parent->img.metadata_table, VHDX_METADATA_TABLE_SIZE);
	err = take_foreign(m, table, false);
	free(table);
	return err;
}

/* The table goes last, and into one entry: it lists what is there. */
static int put_items(struct libvhdx_merge *m)
{
	void *table = m->parent->img.metadata_table;
	int err = libvhdx_journal_reserve(m->parent, 2);

	if (!err)
		err = put_item(m, VHDX_ITEM_VIRTUAL_DISK_ID);
	if (!err)
		err = put_item(m, VHDX_ITEM_PHYSICAL_SECTOR_SIZE);
	if (!err)
		err = take_foreign(m, table, true);
	if (!err)
		err = libvhdx_journal_reserve(m->parent,
					      VHDX_METADATA_TABLE_SIZE / VHDX_LOG_SECTOR);
	return err ? err : libvhdx_journal_set(m->parent, m->parent->img.regions.meta_off, table,
					       VHDX_METADATA_TABLE_SIZE);
}

/*
 * An image that could not be finished is left with an empty log if that is
 * possible. If not, the log will be replayed: what failed first is what matters.
 */
static int change_parent(struct libvhdx_merge *m, struct vhdx_finding *fd)
{
	int err = libvhdx_resize(m->parent, m->child->img.geo.disk_size, fd), ignored;

	if (!err)
		err = put_content(m, fd);
	if (!err)
		err = put_items(m);
	if (!err)
		return libvhdx_journal_clean(m->parent);
	ignored = libvhdx_journal_clean(m->parent);
	(void)ignored;
	return err;
}

int libvhdx_merge(struct libvhdx_merge *m, struct vhdx_finding *fd)
{
	guid_t now = m->parent->img.hdrs.cur.data_write_guid, next;
	int err = check_items(m);

	m->in_child = false;
	if (!err)
		err = libvhdx_guid_random(&next);
	if (!err)
		err = name_parent(m, &now, &next, fd);
	if (!err)
		err = libvhdx_journal_touch(m->parent, &next);
	if (!err)
		err = change_parent(m, fd);
	return err ? err : name_parent(m, &next, NULL, fd);
}
