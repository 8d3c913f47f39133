// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl info */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "bat_scan.h"
#include "command.h"
#include "guid.h"
#include "parents.h"
#include "raw.h"
#include "sheet.h"
#include "target.h"
#include "utf16.h"

static const struct option options[] = {
	{ "json", no_argument, NULL, 'J' },
	{ "chain", no_argument, NULL, 'c' },
	OPTION_PARENT,
	OPTION_PARENT_DIR,
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

/**
 * struct request - what is asked for
 * @json: JSON instead of text
 * @chain: the chain instead of the image
 * @parents: where to look for parents
 */
struct request {
	bool			json;
	bool			chain;
	struct parent_options	parents;
};

static void show_disk(struct sheet *sh, const struct libvhdx_image *img)
{
	const struct vhdx_metadata *md = &img->md;

	sheet_string(sh, "type", vhdx_disk_type_name(md->type));
	sheet_size(sh, "virtual_size", md->disk_size);
	sheet_size(sh, "file_size", img->raw.size);
	sheet_size(sh, "block_size", md->block_size);
	sheet_number(sh, "logical_sector_size", md->logical_size);
	sheet_number(sh, "physical_sector_size", md->physical_size);
	sheet_guid(sh, "virtual_disk_id", &md->disk_id);
	sheet_guid(sh, "data_write_guid", &img->hdrs.cur.data_write_guid);
	sheet_guid(sh, "file_write_guid", &img->hdrs.cur.file_write_guid);
	sheet_bool(sh, "leave_blocks_allocated", md->leave_allocated);
	sheet_string(sh, "creator", img->creator);
}

static void show_log(struct sheet *sh, const struct libvhdx_image *img)
{
	sheet_open(sh, "log", NULL);
	sheet_string(sh, "state", img->dirty ? "dirty" : "clean");
	sheet_offset(sh, "offset", img->log.off);
	sheet_size(sh, "length", img->log.len);
	if (img->dirty) {
		if (!sh->json)
			sheet_string(sh, "note",
				     "replayed in memory for what is shown here; the file is unchanged");
		sheet_guid(sh, "log_guid", &img->log.guid);
		sheet_number(sh, "valid_entries", img->nr_log_valid);
		sheet_number(sh, "replayed_entries", img->replay.nr_entries);
		sheet_number(sh, "replayed_pages", img->replay.nr_data);
		sheet_number(sh, "replayed_zero_ranges", img->replay.nr_zero);
		sheet_number(sh, "first_sequence_number", img->seq.tail_seq);
		sheet_number(sh, "last_sequence_number", img->seq.head_seq);
		if (img->seq.newer_seq)
			sheet_number(sh, "damaged_up_to_sequence_number", img->seq.newer_seq);
		sheet_offset(sh, "tail", img->seq.tail);
		sheet_offset(sh, "head", img->seq.head);
		sheet_offset(sh, "flushed_file_offset", img->seq.flushed_off);
		sheet_offset(sh, "last_file_offset", img->seq.last_off);
	}
	sheet_close(sh);
}

static void show_header(struct sheet *sh, const struct libvhdx_image *img, unsigned int i)
{
	const struct vhdx_header *hdr = &img->slot[i];

	sheet_open(sh, NULL, i ? "header 2" : "header 1");
	sheet_offset(sh, "offset", vhdx_header_off(i));
	sheet_bool(sh, "valid", !img->slot_fault[i]);
	if (img->slot_fault[i]) {
		sheet_string(sh, "fault", vhdx_fault_name(img->slot_fault[i]));
	} else {
		sheet_bool(sh, "current", img->hdrs.slot == i);
		sheet_number(sh, "sequence_number", hdr->seq);
		sheet_guid(sh, "file_write_guid", &hdr->file_write_guid);
		sheet_guid(sh, "data_write_guid", &hdr->data_write_guid);
		sheet_guid(sh, "log_guid", &hdr->log_guid);
		sheet_number(sh, "version", hdr->version);
		sheet_number(sh, "log_version", hdr->log_version);
		sheet_offset(sh, "log_offset", hdr->log_off);
		sheet_size(sh, "log_length", hdr->log_len);
	}
	sheet_close(sh);
}

static const char *region_name(const guid_t *guid)
{
	const guid_t bat = VHDX_GUID_REGION_BAT;
	const guid_t metadata = VHDX_GUID_REGION_METADATA;

	if (guid_equal(guid, &bat))
		return "BAT";
	return guid_equal(guid, &metadata) ? "metadata" : "unknown";
}

static void show_regions(struct sheet *sh, const struct libvhdx_image *img)
{
	struct vhdx_region region;
	unsigned int i;

	sheet_number(sh, "region_table_used", img->regions.copy + 1);
	sheet_bool(sh, "region_tables_differ", img->regions.differ);
	sheet_open_list(sh, "regions");
	for (i = 0; i < img->regions.nr; i++) {
		vhdx_region_decode(img->region_table, i, &region);
		sheet_open(sh, NULL, region_name(&region.guid));
		if (sh->json)
			sheet_string(sh, "name", region_name(&region.guid));
		sheet_guid(sh, "guid", &region.guid);
		sheet_offset(sh, "offset", region.off);
		sheet_size(sh, "length", region.len);
		sheet_bool(sh, "required", region.required);
		sheet_close(sh);
	}
	sheet_close_list(sh);
}

static void show_items(struct sheet *sh, const struct libvhdx_image *img)
{
	static const char *const names[VHDX_ITEM_NR] = {
		[VHDX_ITEM_FILE_PARAMETERS]	 = "file_parameters",
		[VHDX_ITEM_VIRTUAL_DISK_SIZE]	 = "virtual_disk_size",
		[VHDX_ITEM_VIRTUAL_DISK_ID]	 = "virtual_disk_id",
		[VHDX_ITEM_LOGICAL_SECTOR_SIZE]	 = "logical_sector_size",
		[VHDX_ITEM_PHYSICAL_SECTOR_SIZE] = "physical_sector_size",
		[VHDX_ITEM_PARENT_LOCATOR]	 = "parent_locator",
	};
	const struct vhdx_metadata_items *items = &img->md.items;
	unsigned int i;

	sheet_number(sh, "metadata_entries", items->nr);
	sheet_open_list(sh, "metadata_items");
	for (i = 0; i < VHDX_ITEM_NR; i++) {
		if (!items->off[i])
			continue;
		sheet_open(sh, NULL, names[i]);
		if (sh->json)
			sheet_string(sh, "name", names[i]);
		sheet_offset(sh, "offset", items->off[i]);
		sheet_number(sh, "length", items->len[i]);
		sheet_close(sh);
	}
	sheet_close_list(sh);
}

static char *to_utf8(const u8 *s, u16 len)
{
	char *text = malloc(LIBVHDX_UTF8_SIZE(len));

	if (!text)
		err(EXIT_FAILURE, NULL);
	libvhdx_utf16_to_utf8(text, LIBVHDX_UTF8_SIZE(len), s, len);
	return text;
}

static void show_parent(struct sheet *sh, const struct libvhdx_image *img)
{
	const u8 *key, *value;
	u16 key_len, value_len;
	unsigned int i;
	char *k, *v;

	if (!img->md.has_parent)
		return;
	sheet_open(sh, "parent_locator", NULL);
	for (i = 0; i < img->locator.nr; i++) {
		vhdx_locator_pair(&img->locator, i, &key, &key_len, &value, &value_len);
		k = to_utf8(key, key_len);
		v = to_utf8(value, value_len);
		sheet_string(sh, k, v);
		free(k);
		free(v);
	}
	sheet_close(sh);
}

static void count_fault(void *data, const struct vhdx_finding *fd)
{
	u64 *nr = data;

	(void)fd;
	(*nr)++;
}

static void show_states(struct sheet *sh, const struct vhdx_bat_scan *scan)
{
	static const u8 states[] = {
		VHDX_BLOCK_NOT_PRESENT, VHDX_BLOCK_UNDEFINED, VHDX_BLOCK_ZERO,
		VHDX_BLOCK_UNMAPPED, VHDX_BLOCK_FULLY_PRESENT, VHDX_BLOCK_PARTIALLY_PRESENT,
	};
	unsigned int i;

	sheet_open(sh, "blocks", NULL);
	for (i = 0; i < ARRAY_SIZE(states); i++)
		sheet_number(sh, vhdx_block_state_name(states[i]),
			     scan->nr_states[states[i]]);
	sheet_number(sh, "sector_bitmaps", scan->nr_bitmaps);
	sheet_close(sh);
}

static int show_bat(struct sheet *sh, const struct libvhdx_image *img)
{
	struct vhdx_bat_scan scan;
	u64 faults = 0, first;
	int err = libvhdx_bat_scan(img, &scan, count_fault, &faults);

	if (!err) {
		sheet_open(sh, "bat", NULL);
		sheet_offset(sh, "offset", img->geo.bat_off);
		sheet_size(sh, "length", img->regions.bat_len);
		sheet_number(sh, "entries", img->geo.nr_entries);
		sheet_number(sh, "payload_blocks", img->geo.nr_blocks);
		sheet_number(sh, "chunk_ratio", 1ULL << img->geo.chunk_shift);
		show_states(sh, &scan);
		sheet_number(sh, "faulty_entries", faults);
		sheet_size(sh, "unused_file_space",
			   libvhdx_bat_scan_unused(img, &scan, &first) << VHDX_UNIT_SHIFT);
		sheet_close(sh);
	}
	libvhdx_bat_scan_release(&scan);
	return err;
}

static int show(struct target *t, const struct libvhdx_image *img, bool json)
{
	struct sheet sh;
	int err;

	sheet_begin(&sh, json);
	sheet_string(&sh, "file", t->path);
	show_disk(&sh, img);
	sheet_bool(&sh, "in_use", t->busy);
	show_log(&sh, img);
	show_parent(&sh, img);
	sheet_open_list(&sh, "headers");
	show_header(&sh, img, 0);
	show_header(&sh, img, 1);
	sheet_close_list(&sh);
	show_regions(&sh, img);
	show_items(&sh, img);
	err = show_bat(&sh, img);
	sheet_end(&sh);
	if (err)
		warn_image(t->path, err, NULL);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void show_link(struct sheet *sh, const char *path, const char *key,
		      const struct libvhdx_image *img)
{
	sheet_open(sh, NULL, key ? key : "leaf");
	sheet_string(sh, "file", path);
	if (sh->json && key)
		sheet_string(sh, "found_by", key);
	sheet_string(sh, "type", vhdx_disk_type_name(img->md.type));
	sheet_size(sh, "virtual_size", img->md.disk_size);
	sheet_size(sh, "block_size", img->md.block_size);
	sheet_string(sh, "log", img->dirty ? "dirty" : "clean");
	sheet_guid(sh, "data_write_guid", &img->hdrs.cur.data_write_guid);
	if (img->md.has_parent)
		sheet_guid(sh, "parent_linkage", &img->locator.linkage);
	sheet_close(sh);
}

/* The image, its parent, and so on: what each is and how it was found. */
static int show_chain(struct target *t, const struct libvhdx_image *img,
		      const struct request *rq)
{
	struct parents parents;
	struct sheet sh;
	size_t i;
	int err = parents_open(&parents, t->path, t->fd, img, &rq->parents);

	if (!err) {
		sheet_begin(&sh, rq->json);
		sheet_number(&sh, "depth", parents.nr + 1);
		sheet_open_list(&sh, "chain");
		show_link(&sh, t->path, NULL, img);
		for (i = 0; i < parents.nr; i++)
			show_link(&sh, parents.parent[i]->path, parents.parent[i]->key,
				  &parents.parent[i]->img);
		sheet_close_list(&sh);
		sheet_end(&sh);
	}
	parents_close(&parents);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void parse(int argc, char **argv, struct request *rq)
{
	int c;

	while ((c = getopt_long(argc, argv, "JhV", options, NULL)) != -1) {
		if (c == 'J')
			rq->json = true;
		else if (c == 'c')
			rq->chain = true;
		else if (!parent_option(&rq->parents, c, optarg))
			command_other_option(&cmd_info, c);
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_info, "exactly one image file must be given");
	if (!rq->chain && (rq->parents.nr_files || rq->parents.nr_dirs))
		command_usage_error(&cmd_info, "--parent and --parent-dir need --chain");
}

static int info(const char *path, const struct request *rq)
{
	struct libvhdx_image img;
	int status = EXIT_FAILURE;
	struct target t;

	if (target_open(&t, path))
		return EXIT_FAILURE;
	if (!target_open_image(&t, &img)) {
		status = rq->chain ? show_chain(&t, &img, rq) : show(&t, &img, rq->json);
		libvhdx_image_close(&img);
	}
	target_close(&t);
	return status;
}

static int cmd_info_run(int argc, char **argv)
{
	struct request rq = { .json = false };
	int status;

	parse(argc, argv, &rq);
	status = info(argv[optind], &rq);
	parent_options_free(&rq.parents);
	return status;
}

const struct command cmd_info = {
	.name		= "info",
	.run		= cmd_info_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "[OPTION]... FILE",
	.summary	= "Show all that an image says of itself; never writes to it",
	.options	=
		"  -J, --json              JSON instead of text\n"
		"      --chain             show the image and its parents, and how they are found\n"
		HELP_PARENTS,
};
