// SPDX-License-Identifier: GPL-2.0-only
/* vhdxctl dump */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>

#include "command.h"
#include "output.h"
#include "raw.h"
#include "target.h"
#include "text.h"

enum { OPT_BAT = 256 };

static const struct option options[] = {
	{ "bat", no_argument, NULL, OPT_BAT },
	OPTION_HELP,
	OPTION_VERSION,
	{ }
};

#define TEXT_SIZE	4096
#define BAT_CHUNK	4096

static void title(const char *what, u64 off)
{
	printf("%s at 0x%llx\n", what, (unsigned long long)off);
}

/* Every line of @text indented under its title. */
static void show(const char *text)
{
	while (*text) {
		int len = (int)strcspn(text, "\n");

		printf("\t%.*s\n", len, text);
		text += len + (text[len] == '\n');
	}
}

static void dump_headers(const struct libvhdx_image *img)
{
	char text[TEXT_SIZE];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		title(img->hdrs.slot == i ? "header (current)" : "header",
		      vhdx_header_off(i));
		if (img->slot_fault[i]) {
			show(vhdx_fault_text(img->slot_fault[i]));
			continue;
		}
		vhdx_header_to_text(text, sizeof(text), &img->slot[i]);
		show(text);
	}
}

static void dump_regions(const struct libvhdx_image *img)
{
	struct vhdx_region region;
	char text[TEXT_SIZE];
	unsigned int i;

	for (i = 0; i < img->regions.nr; i++) {
		vhdx_region_decode(img->region_table, i, &region);
		title("region", region.off);
		vhdx_region_to_text(text, sizeof(text), &region);
		show(text);
	}
}

static void dump_metadata(const struct libvhdx_image *img)
{
	char text[TEXT_SIZE];

	title("metadata", img->regions.meta_off);
	vhdx_metadata_to_text(text, sizeof(text), &img->md);
	show(text);
	vhdx_geometry_to_text(text, sizeof(text), &img->geo);
	show(text);
}

/* Where log offset @pos, which may lie beyond the ring's end, is in the file. */
static u64 log_file_off(const struct libvhdx_image *img, u64 pos)
{
	return img->log.off + pos % img->log.len;
}

/* The descriptors of the entry at @pos whose header was decoded from @sector. */
static int dump_descriptors(const struct libvhdx_image *img, u32 pos,
			    const struct vhdx_log_entry *entry, u8 *sector,
			    struct vhdx_finding *fd)
{
	struct vhdx_log_desc desc;
	u32 in_sector = sizeof(struct vhdx_raw_log_entry);
	u64 at = pos;
	char text[TEXT_SIZE];
	int err;
	u32 i;

	for (i = 0; i < entry->nr_desc; i++, in_sector += VHDX_LOG_DESC_SIZE) {
		if (in_sector == VHDX_LOG_SECTOR) {
			in_sector = 0;
			at += VHDX_LOG_SECTOR;
			err = img->raw.read(&img->raw, log_file_off(img, at), sector,
					    VHDX_LOG_SECTOR);
			if (err)
				return err;
		}
		err = (int)vhdx_log_desc_decode(sector + in_sector,
						log_file_off(img, at) + in_sector,
						entry->seq, &img->log, &desc, fd);
		if (err)
			return err;
		vhdx_log_desc_to_text(text, sizeof(text), &desc);
		show(text);
	}
	return 0;
}

/* The entries that a replay applies. */
static int dump_log(const struct libvhdx_image *img, struct vhdx_finding *fd)
{
	u8 sector[VHDX_LOG_SECTOR];
	struct vhdx_log_entry entry;
	char text[TEXT_SIZE];
	u64 pos = img->seq.tail;
	int err;
	u32 i;

	title(img->dirty ? "log (dirty)" : "log (clean)", img->log.off);
	if (!img->dirty)
		return 0;
	vhdx_log_sequence_to_text(text, sizeof(text), &img->seq);
	show(text);
	for (i = 0; i < img->seq.nr; i++) {
		err = img->raw.read(&img->raw, log_file_off(img, pos), sector, sizeof(sector));
		if (!err)
			err = (int)vhdx_log_entry_decode(sector, (u32)(pos % img->log.len),
							 &img->log, &entry, fd);
		if (err)
			return err;
		title("log entry", log_file_off(img, pos));
		vhdx_log_entry_to_text(text, sizeof(text), &entry);
		show(text);
		err = dump_descriptors(img, (u32)(pos % img->log.len), &entry, sector, fd);
		if (err)
			return err;
		pos += entry.len;
	}
	return 0;
}

static void dump_entry(const struct libvhdx_image *img, u64 idx, __le64 raw)
{
	struct vhdx_bat_entry entry;
	struct vhdx_finding fd;
	char text[256];
	bool bitmap;
	u64 nr;

	bitmap = vhdx_bat_index_is_bitmap(&img->geo, idx, &nr);
	if (vhdx_bat_entry_decode(raw, idx, &img->geo, img->src.size, &entry, &fd))
		vhdx_finding_to_text(text, sizeof(text), &fd);
	else
		vhdx_bat_entry_to_text(text, sizeof(text), &entry, bitmap);
	printf("\t%llu %s %llu: %s\n", (unsigned long long)idx, bitmap ? "chunk" : "block",
	       (unsigned long long)nr, text);
}

/* Entries that are zero say nothing and are left out. */
static int dump_bat(const struct libvhdx_image *img)
{
	u64 nr = img->geo.nr_entries;
	__le64 raw[BAT_CHUNK];
	u64 idx = 0, i, n;
	int err;

	title("BAT", img->geo.bat_off);
	while ((idx = libvhdx_image_next_bat(img, idx)) < nr) {
		n = nr - idx < BAT_CHUNK ? nr - idx : BAT_CHUNK;
		err = libvhdx_image_read_bat(img, idx, n, raw);
		if (err)
			return err;
		for (i = 0; i < n; i++) {
			if (raw[i])
				dump_entry(img, idx + i, raw[i]);
		}
		idx += n;
	}
	return 0;
}

static int dump(struct target *t, bool bat)
{
	struct vhdx_finding fd = { .fault = VHDX_FAULT_NONE };
	struct libvhdx_image img;
	int err;

	if (target_open_image(t, &img))
		return EXIT_FAILURE;
	dump_headers(&img);
	err = dump_log(&img, &fd);
	if (!err) {
		dump_regions(&img);
		dump_metadata(&img);
		if (bat)
			err = dump_bat(&img);
	}
	libvhdx_image_close(&img);
	if (err)
		warn_image(t->path, err, &fd);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int cmd_dump_run(int argc, char **argv)
{
	bool bat = false;
	struct target t;
	int status, c;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		if (c == OPT_BAT)
			bat = true;
		else
			command_other_option(&cmd_dump, c);
	}
	if (argc - optind != 1)
		command_usage_error(&cmd_dump, "exactly one image file must be given");
	if (target_open(&t, argv[optind]))
		return EXIT_FAILURE;
	status = dump(&t, bat);
	target_close(&t);
	return status;
}

const struct command cmd_dump = {
	.name		= "dump",
	.run		= cmd_dump_run,
	.usage_code	= EXIT_FAILURE,
	.synopsis	= "[--bat] FILE",
	.summary	= "Print the structures of an image, for debugging",
	.options	=
		"      --bat      also every BAT entry that is not zero\n",
};
