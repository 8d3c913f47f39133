// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metadata table and items.
 */
#include <asm/byteorder.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "metadata.h"
#include "raw.h"
#include "source.h"

/*
 * What is known of an item: @len is exact, 0 where it varies; @at is where we
 * place it in a new file, the way Windows does.
 */
struct item_kind {
	guid_t		guid;
	u32		len;
	u32		at;
	u32		flags;
	enum vhdx_fault	missing;
};

#define ITEMS_OFF	VHDX_METADATA_TABLE_SIZE
#define LOCATOR_OFF	(ITEMS_OFF + 4096)

static const struct item_kind item_kinds[VHDX_ITEM_NR] = {
	[VHDX_ITEM_FILE_PARAMETERS] = {
		VHDX_GUID_FILE_PARAMETERS, 8, ITEMS_OFF,
		VHDX_METADATA_IS_REQUIRED,
		VHDX_FAULT_METADATA_PARAMETERS_MISSING,
	},
	[VHDX_ITEM_VIRTUAL_DISK_SIZE] = {
		VHDX_GUID_VIRTUAL_DISK_SIZE, 8, ITEMS_OFF + 8,
		VHDX_METADATA_IS_REQUIRED | VHDX_METADATA_IS_VIRTUAL_DISK,
		VHDX_FAULT_METADATA_SIZE_MISSING,
	},
	[VHDX_ITEM_VIRTUAL_DISK_ID] = {
		VHDX_GUID_VIRTUAL_DISK_ID, 16, ITEMS_OFF + 24,
		VHDX_METADATA_IS_REQUIRED | VHDX_METADATA_IS_VIRTUAL_DISK,
		VHDX_FAULT_METADATA_ID_MISSING,
	},
	[VHDX_ITEM_LOGICAL_SECTOR_SIZE] = {
		VHDX_GUID_LOGICAL_SECTOR_SIZE, 4, ITEMS_OFF + 16,
		VHDX_METADATA_IS_REQUIRED | VHDX_METADATA_IS_VIRTUAL_DISK,
		VHDX_FAULT_METADATA_LOGICAL_MISSING,
	},
	[VHDX_ITEM_PHYSICAL_SECTOR_SIZE] = {
		VHDX_GUID_PHYSICAL_SECTOR_SIZE, 4, ITEMS_OFF + 20,
		VHDX_METADATA_IS_REQUIRED | VHDX_METADATA_IS_VIRTUAL_DISK,
		VHDX_FAULT_METADATA_PHYSICAL_MISSING,
	},
	/* Whether it has to be there is known once File Parameters are read. */
	[VHDX_ITEM_PARENT_LOCATOR] = {
		VHDX_GUID_PARENT_LOCATOR, 0, LOCATOR_OFF,
		VHDX_METADATA_IS_REQUIRED, VHDX_FAULT_NONE,
	},
};

static const guid_t guid_incomplete = VHDX_GUID_INCOMPLETE_FILE;

/* One entry of the table. @at is the file offset of the entry itself. */
struct item {
	guid_t	guid;
	u64	at;
	u32	off;
	u32	len;
	u32	flags;
};

#define ITEM_FIELD(item, field) \
	((item)->at + offsetof(struct vhdx_raw_metadata_entry, field))
#define COUNT_OFF	offsetof(struct vhdx_raw_metadata_table, entry_count)

/* @table was read from file offset @off. */
static void item_decode(const void *table, u64 off, unsigned int i,
			struct item *item)
{
	u32 at = sizeof(struct vhdx_raw_metadata_table) +
		 i * sizeof(struct vhdx_raw_metadata_entry);
	struct vhdx_raw_metadata_entry raw;

	memcpy(&raw, (const u8 *)table + at, sizeof(raw));
	item->guid = raw.item_id;
	item->at = off + at;
	item->off = le32_to_cpu(raw.offset);
	item->len = le32_to_cpu(raw.length);
	item->flags = le32_to_cpu(raw.flags);
}

static void item_encode(void *table, unsigned int i, enum vhdx_item kind, u32 len)
{
	struct vhdx_raw_metadata_entry raw = {
		.item_id = item_kinds[kind].guid,
		.offset = cpu_to_le32(item_kinds[kind].at),
		.length = cpu_to_le32(len),
		.flags = cpu_to_le32(item_kinds[kind].flags),
	};

	memcpy((u8 *)table + sizeof(struct vhdx_raw_metadata_table) + i * sizeof(raw),
	       &raw, sizeof(raw));
}

/* Users may name their items as they like; those are never known ones. */
static enum vhdx_item item_kind(const struct item *item)
{
	unsigned int kind;

	if (item->flags & VHDX_METADATA_IS_USER)
		return VHDX_ITEM_NR;
	for (kind = 0; kind < VHDX_ITEM_NR; kind++)
		if (guid_equal(&item->guid, &item_kinds[kind].guid))
			break;
	return kind;
}

/* One item by itself, in a region of @len bytes. */
static enum vhdx_fault check_item(const struct item *item, enum vhdx_item kind,
				  u32 len, struct vhdx_finding *fd)
{
	u32 exact = kind < VHDX_ITEM_NR ? item_kinds[kind].len : 0;

	if (item->flags & ~VHDX_METADATA_FLAGS_ALL)
		return vhdx_fault_at(fd, VHDX_FAULT_METADATA_ITEM_FLAGS,
				     ITEM_FIELD(item, flags), item->flags);
	if (item->len > VHDX_METADATA_MAX_ITEM || (exact && item->len != exact))
		return vhdx_fault_at(fd, VHDX_FAULT_METADATA_ITEM_LENGTH,
				     ITEM_FIELD(item, length), item->len);
	/* An item without content has no place either. */
	if (!item->len ? item->off != 0 :
	    item->off < ITEMS_OFF || (u64)item->off + item->len > len)
		return vhdx_fault_at(fd, VHDX_FAULT_METADATA_ITEM_RANGE,
				     ITEM_FIELD(item, offset), item->off);
	return VHDX_FAULT_NONE;
}

static bool item_is_same(const struct item *a, const struct item *b)
{
	return a->off == b->off && a->len == b->len && a->flags == b->flags;
}

static bool item_overlaps(const struct item *a, const struct item *b)
{
	return (u64)a->off < (u64)b->off + b->len && (u64)b->off < (u64)a->off + a->len;
}

/*
 * Item @i against all before it: quadratic, in a number of at most 2047.
 * Some writers are said to list an item twice; if both entries say the same,
 * nothing is ambiguous.
 */
static enum vhdx_fault check_others(const void *table, u64 off,
				    const struct item *item, unsigned int i,
				    struct vhdx_finding *fd)
{
	struct item other;
	unsigned int k;

	for (k = 0; k < i; k++) {
		item_decode(table, off, k, &other);
		if (guid_equal(&other.guid, &item->guid) &&
		    !((other.flags ^ item->flags) & VHDX_METADATA_IS_USER)) {
			if (item_is_same(&other, item))
				continue;
			return vhdx_fault_at(fd, VHDX_FAULT_METADATA_ITEM_DUPLICATE,
					     ITEM_FIELD(item, item_id), 0);
		}
		if (item_overlaps(&other, item))
			return vhdx_fault_at(fd, VHDX_FAULT_METADATA_ITEM_OVERLAP,
					     ITEM_FIELD(item, offset), item->off);
	}
	return VHDX_FAULT_NONE;
}

/* Nobody here understands @item: is that allowed? */
static enum vhdx_fault check_unknown(const struct item *item,
				     struct vhdx_finding *fd)
{
	if (!(item->flags & VHDX_METADATA_IS_USER) &&
	    guid_equal(&item->guid, &guid_incomplete))
		return vhdx_fault_at(fd, VHDX_FAULT_METADATA_INCOMPLETE,
				     ITEM_FIELD(item, item_id), 0);
	if (!(item->flags & VHDX_METADATA_IS_REQUIRED))
		return VHDX_FAULT_NONE;
	vhdx_fault_at(fd, VHDX_FAULT_METADATA_ITEM_UNKNOWN,
		      ITEM_FIELD(item, item_id), 0);
	if (fd)
		fd->guid = item->guid;
	return VHDX_FAULT_METADATA_ITEM_UNKNOWN;
}

static enum vhdx_fault check_items(const void *table, u64 off, u32 len,
				   struct vhdx_metadata_items *items,
				   struct vhdx_finding *fd)
{
	unsigned int i, nr_user = 0;
	enum vhdx_fault fault;
	enum vhdx_item kind;
	struct item item;

	for (i = 0; i < items->nr; i++) {
		item_decode(table, off, i, &item);
		kind = item_kind(&item);
		fault = check_item(&item, kind, len, fd);
		if (fault)
			return fault;
		nr_user += item.flags & VHDX_METADATA_IS_USER;
		if (nr_user > VHDX_METADATA_MAX_USER)
			return vhdx_fault_at(fd, VHDX_FAULT_METADATA_USER_COUNT,
					     ITEM_FIELD(&item, flags), item.flags);
		fault = check_others(table, off, &item, i, fd);
		if (!fault && kind == VHDX_ITEM_NR)
			fault = check_unknown(&item, fd);
		if (fault)
			return fault;
		if (kind < VHDX_ITEM_NR && item.len) {
			items->off[kind] = off + item.off;
			items->len[kind] = item.len;
		}
	}
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault check_missing(const struct vhdx_metadata_items *items,
				     u64 off, struct vhdx_finding *fd)
{
	unsigned int kind;

	for (kind = 0; kind < VHDX_ITEM_NR; kind++)
		if (item_kinds[kind].missing && !items->off[kind])
			return vhdx_fault_at(fd, item_kinds[kind].missing,
					     off + COUNT_OFF, items->nr);
	return VHDX_FAULT_NONE;
}

enum vhdx_fault vhdx_metadata_table_check(const void *table, u64 off, u32 len,
					  struct vhdx_metadata_items *items,
					  struct vhdx_finding *fd)
{
	const struct vhdx_raw_metadata_table *raw = table;
	enum vhdx_fault fault;

	memset(items, 0, sizeof(*items));
	if (le64_to_cpu(raw->signature) != VHDX_METADATA_SIGNATURE)
		return vhdx_fault_at(fd, VHDX_FAULT_METADATA_SIGNATURE, off,
				     le64_to_cpu(raw->signature));
	items->nr = le16_to_cpu(raw->entry_count);
	if (items->nr > VHDX_METADATA_MAX_ENTRIES)
		return vhdx_fault_at(fd, VHDX_FAULT_METADATA_COUNT,
				     off + COUNT_OFF, items->nr);
	fault = check_items(table, off, len, items, fd);
	if (!fault)
		fault = check_missing(items, off, fd);
	return fault;
}

/* The contents of the fixed-size items, as they lie in the file. */
struct raw_items {
	struct vhdx_raw_file_parameters	parameters;
	__le64				disk_size;
	guid_t				disk_id;
	__le32				logical_size;
	__le32				physical_size;
};

static int items_read(const struct vhdx_source *src,
		      const struct vhdx_metadata_items *items,
		      struct raw_items *raw)
{
	void *to[] = {
		[VHDX_ITEM_FILE_PARAMETERS] = &raw->parameters,
		[VHDX_ITEM_VIRTUAL_DISK_SIZE] = &raw->disk_size,
		[VHDX_ITEM_VIRTUAL_DISK_ID] = &raw->disk_id,
		[VHDX_ITEM_LOGICAL_SECTOR_SIZE] = &raw->logical_size,
		[VHDX_ITEM_PHYSICAL_SECTOR_SIZE] = &raw->physical_size,
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(to); i++) {
		ret = src->read(src, items->off[i], to[i], item_kinds[i].len);
		if (ret)
			return ret;
	}
	return 0;
}

static enum vhdx_fault parameters_decode(struct vhdx_metadata *md,
					 const struct vhdx_raw_file_parameters *raw,
					 struct vhdx_finding *fd)
{
	u64 off = md->items.off[VHDX_ITEM_FILE_PARAMETERS];
	u32 size = le32_to_cpu(raw->block_size);
	u32 flags = le32_to_cpu(raw->flags);

	if (size < VHDX_BLOCK_MIN || size > VHDX_BLOCK_MAX || (size & (size - 1)))
		return vhdx_fault_at(fd, VHDX_FAULT_PARAMETERS_BLOCK_SIZE, off, size);
	if (flags & ~VHDX_PARAM_ALL)
		return vhdx_fault_at(fd, VHDX_FAULT_PARAMETERS_FLAGS,
				     off + offsetof(struct vhdx_raw_file_parameters, flags),
				     flags);
	md->block_size = size;
	md->leave_allocated = flags & VHDX_PARAM_LEAVE_BLOCKS_ALLOCATED;
	md->has_parent = flags & VHDX_PARAM_HAS_PARENT;
	if (md->has_parent)
		md->type = VHDX_DISK_DIFFERENCING;
	else if (md->leave_allocated)
		md->type = VHDX_DISK_FIXED;
	else
		md->type = VHDX_DISK_DYNAMIC;
	return VHDX_FAULT_NONE;
}

static bool is_sector_size(u32 size)
{
	return size == 512 || size == 4096;
}

static enum vhdx_fault sectors_decode(struct vhdx_metadata *md,
				      const struct raw_items *raw,
				      struct vhdx_finding *fd)
{
	md->logical_size = le32_to_cpu(raw->logical_size);
	md->physical_size = le32_to_cpu(raw->physical_size);
	if (!is_sector_size(md->logical_size))
		return vhdx_fault_at(fd, VHDX_FAULT_LOGICAL_SECTOR_SIZE,
				     md->items.off[VHDX_ITEM_LOGICAL_SECTOR_SIZE],
				     md->logical_size);
	if (!is_sector_size(md->physical_size))
		return vhdx_fault_at(fd, VHDX_FAULT_PHYSICAL_SECTOR_SIZE,
				     md->items.off[VHDX_ITEM_PHYSICAL_SECTOR_SIZE],
				     md->physical_size);
	return VHDX_FAULT_NONE;
}

/* Sectors come first: the size has to be a number of them. */
static enum vhdx_fault disk_size_decode(struct vhdx_metadata *md, __le64 raw,
					struct vhdx_finding *fd)
{
	u64 off = md->items.off[VHDX_ITEM_VIRTUAL_DISK_SIZE];
	u64 size = le64_to_cpu(raw);

	if (!size)
		return vhdx_fault_at(fd, VHDX_FAULT_DISK_SIZE_ZERO, off, size);
	if (size > VHDX_DISK_MAX)
		return vhdx_fault_at(fd, VHDX_FAULT_DISK_SIZE_LIMIT, off, size);
	if (size & (md->logical_size - 1))
		return vhdx_fault_at(fd, VHDX_FAULT_DISK_SIZE_ALIGNMENT, off, size);
	md->disk_size = size;
	return VHDX_FAULT_NONE;
}

static enum vhdx_fault items_decode(struct vhdx_metadata *md, u64 off,
				    const struct raw_items *raw,
				    struct vhdx_finding *fd)
{
	enum vhdx_fault fault;

	md->disk_id = raw->disk_id;
	fault = parameters_decode(md, &raw->parameters, fd);
	if (!fault)
		fault = sectors_decode(md, raw, fd);
	if (!fault)
		fault = disk_size_decode(md, raw->disk_size, fd);
	if (!fault && md->has_parent && !md->items.off[VHDX_ITEM_PARENT_LOCATOR])
		fault = vhdx_fault_at(fd, VHDX_FAULT_METADATA_LOCATOR_MISSING,
				      off + COUNT_OFF, md->items.nr);
	return fault;
}

int vhdx_metadata_read(const struct vhdx_source *src, u64 off, u32 len,
		       void *table, struct vhdx_metadata *md,
		       struct vhdx_finding *fd)
{
	enum vhdx_fault fault;
	struct raw_items raw;
	int ret;

	/* The region table's check saw to this; nobody reads beyond the file. */
	if (len < VHDX_METADATA_TABLE_SIZE || off > src->size || len > src->size - off)
		return vhdx_fault_at(fd, VHDX_FAULT_REGION_RANGE, off, len);
	ret = src->read(src, off, table, VHDX_METADATA_TABLE_SIZE);
	if (ret)
		return ret;
	memset(md, 0, sizeof(*md));
	fault = vhdx_metadata_table_check(table, off, len, &md->items, fd);
	if (fault)
		return fault;
	ret = items_read(src, &md->items, &raw);
	if (ret)
		return ret;
	return items_decode(md, off, &raw, fd);
}

static void items_encode(struct raw_items *raw, const struct vhdx_metadata *md)
{
	u32 flags = 0;

	if (md->leave_allocated)
		flags |= VHDX_PARAM_LEAVE_BLOCKS_ALLOCATED;
	if (md->has_parent)
		flags |= VHDX_PARAM_HAS_PARENT;
	raw->parameters.block_size = cpu_to_le32(md->block_size);
	raw->parameters.flags = cpu_to_le32(flags);
	raw->disk_size = cpu_to_le64(md->disk_size);
	raw->disk_id = md->disk_id;
	raw->logical_size = cpu_to_le32(md->logical_size);
	raw->physical_size = cpu_to_le32(md->physical_size);
}

static void item_put(void *buf, enum vhdx_item kind, const void *content, u32 len)
{
	struct vhdx_raw_metadata_table *raw = buf;
	u16 nr = le16_to_cpu(raw->entry_count);

	item_encode(buf, nr, kind, len);
	raw->entry_count = cpu_to_le16(nr + 1);
	memcpy((u8 *)buf + item_kinds[kind].at, content, len);
}

u32 vhdx_metadata_encode(void *buf, u32 len, const struct vhdx_metadata *md,
			 const void *locator, u32 locator_len)
{
	struct vhdx_raw_metadata_table *raw = buf;
	struct raw_items items;

	memset(buf, 0, len);
	raw->signature = cpu_to_le64(VHDX_METADATA_SIGNATURE);
	items_encode(&items, md);
	item_put(buf, VHDX_ITEM_FILE_PARAMETERS, &items.parameters, 8);
	item_put(buf, VHDX_ITEM_VIRTUAL_DISK_SIZE, &items.disk_size, 8);
	item_put(buf, VHDX_ITEM_LOGICAL_SECTOR_SIZE, &items.logical_size, 4);
	item_put(buf, VHDX_ITEM_PHYSICAL_SECTOR_SIZE, &items.physical_size, 4);
	item_put(buf, VHDX_ITEM_VIRTUAL_DISK_ID, &items.disk_id, 16);
	if (!locator)
		return ITEMS_OFF + 40;
	if (locator_len > len - LOCATOR_OFF)
		return 0;
	item_put(buf, VHDX_ITEM_PARENT_LOCATOR, locator, locator_len);
	return LOCATOR_OFF + locator_len;
}

static unsigned int entry_count(const void *table)
{
	return le16_to_cpu(((const struct vhdx_raw_metadata_table *)table)->entry_count);
}

static struct vhdx_raw_metadata_entry *entry_at(void *table, unsigned int i)
{
	return (struct vhdx_raw_metadata_entry *)((struct vhdx_raw_metadata_table *)table + 1) + i;
}

#define NO_ITEM	VHDX_ITEM_NR

/* Is [@off, @off + @len) of the region free of all items but the one of @kind? */
static bool place_is_free(const void *table, unsigned int nr, enum vhdx_item kind,
			  u32 region_len, u32 off, u32 len)
{
	struct item item;
	unsigned int i;

	if (off < ITEMS_OFF || off > region_len || len > region_len - off)
		return false;
	for (i = 0; i < nr; i++) {
		item_decode(table, 0, i, &item);
		if ((kind == NO_ITEM || item_kind(&item) != kind) &&
		    item.off < off + len && off < item.off + item.len)
			return false;
	}
	return true;
}

/* A page of its own, behind the table or behind another item. */
static u32 place_find(const void *table, unsigned int nr, enum vhdx_item kind,
		      u32 region_len, u32 len)
{
	u32 off = LOCATOR_OFF;
	struct item item;
	unsigned int i;

	for (i = 0; i <= nr; i++) {
		if (place_is_free(table, nr, kind, region_len, off, len))
			return off;
		if (i == nr)
			break;
		item_decode(table, 0, i, &item);
		off = (item.off + item.len + 4095) & ~4095U;
	}
	return 0;
}

u32 vhdx_metadata_table_resize(void *table, u32 region_len, enum vhdx_item kind, u32 len)
{
	unsigned int i, nr = entry_count(table);
	struct item item;
	u32 off = 0;

	/* An entry may be there twice, and both say the same. */
	for (i = 0; i < nr; i++) {
		item_decode(table, 0, i, &item);
		if (item_kind(&item) != kind)
			continue;
		if (!off && place_is_free(table, nr, kind, region_len, item.off, len))
			off = item.off;
		else if (!off)
			off = place_find(table, nr, kind, region_len, len);
		if (!off)
			return 0;
		entry_at(table, i)->offset = cpu_to_le32(off);
		entry_at(table, i)->length = cpu_to_le32(len);
	}
	return off;
}

bool vhdx_metadata_table_foreign(const void *table, unsigned int *i, u32 *off, u32 *len)
{
	struct item item;

	for (; *i < entry_count(table); ++*i) {
		item_decode(table, 0, *i, &item);
		if (!(item.flags & VHDX_METADATA_IS_VIRTUAL_DISK) ||
		    item_kind(&item) != VHDX_ITEM_NR)
			continue;
		*off = item.off;
		*len = item.len;
		return true;
	}
	return false;
}

void vhdx_metadata_table_remove(void *table, unsigned int i)
{
	unsigned int nr = entry_count(table);

	memmove(entry_at(table, i), entry_at(table, i + 1),
		(nr - i - 1) * sizeof(struct vhdx_raw_metadata_entry));
	memset(entry_at(table, nr - 1), 0, sizeof(struct vhdx_raw_metadata_entry));
	((struct vhdx_raw_metadata_table *)table)->entry_count = cpu_to_le16(nr - 1);
}

static unsigned int count_users(const void *table)
{
	unsigned int i, nr = 0;
	struct item item;

	for (i = 0; i < entry_count(table); i++) {
		item_decode(table, 0, i, &item);
		nr += !!(item.flags & VHDX_METADATA_IS_USER);
	}
	return nr;
}

bool vhdx_metadata_table_add(void *table, u32 region_len, const void *from, unsigned int i,
			     u32 *off)
{
	struct vhdx_raw_metadata_entry *entry;
	unsigned int nr = entry_count(table);
	struct item item;

	item_decode(from, 0, i, &item);
	*off = item.len ? place_find(table, nr, NO_ITEM, region_len, item.len) : 0;
	if ((item.len && !*off) || nr == VHDX_METADATA_MAX_ENTRIES)
		return false;
	if (item.flags & VHDX_METADATA_IS_USER && count_users(table) == VHDX_METADATA_MAX_USER)
		return false;
	entry = entry_at(table, nr);
	memset(entry, 0, sizeof(*entry));
	entry->item_id = item.guid;
	entry->offset = cpu_to_le32(*off);
	entry->length = cpu_to_le32(item.len);
	entry->flags = cpu_to_le32(item.flags);
	((struct vhdx_raw_metadata_table *)table)->entry_count = cpu_to_le16(nr + 1);
	return true;
}

const char *vhdx_disk_type_name(enum vhdx_disk_type type)
{
	static const char * const names[] = {
		[VHDX_DISK_FIXED] = "fixed",
		[VHDX_DISK_DYNAMIC] = "dynamic",
		[VHDX_DISK_DIFFERENCING] = "differencing",
	};

	return (unsigned int)type < ARRAY_SIZE(names) ? names[type] : "unknown";
}
