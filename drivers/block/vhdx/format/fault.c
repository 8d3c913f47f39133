// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults: their names, sentences and errnos.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "fault.h"

/* The preprocessor cannot write in lower case; the unit test compares both. */
static const char * const fault_names[] = {
	[VHDX_FAULT_NONE] = "none",
	[VHDX_FAULT_FILE_TOO_SMALL] = "file-too-small",
	[VHDX_FAULT_FILE_TOO_LARGE] = "file-too-large",
	[VHDX_FAULT_FILE_ID_SIGNATURE] = "file-id-signature",
	[VHDX_FAULT_HEADER_SIGNATURE] = "header-signature",
	[VHDX_FAULT_HEADER_CHECKSUM] = "header-checksum",
	[VHDX_FAULT_HEADER_NONE_VALID] = "header-none-valid",
	[VHDX_FAULT_HEADER_AMBIGUOUS] = "header-ambiguous",
	[VHDX_FAULT_HEADER_SEQUENCE] = "header-sequence",
	[VHDX_FAULT_HEADER_VERSION] = "header-version",
	[VHDX_FAULT_HEADER_LOG_VERSION] = "header-log-version",
	[VHDX_FAULT_HEADER_LOG_ALIGNMENT] = "header-log-alignment",
	[VHDX_FAULT_HEADER_LOG_RANGE] = "header-log-range",
	[VHDX_FAULT_HEADER_LOG_LENGTH] = "header-log-length",
	[VHDX_FAULT_HEADER_LOG_MISSING] = "header-log-missing",
	[VHDX_FAULT_LOG_NO_SEQUENCE] = "log-no-sequence",
	[VHDX_FAULT_LOG_TRUNCATED] = "log-truncated",
	[VHDX_FAULT_LOG_LAST_OFFSET] = "log-last-offset",
	[VHDX_FAULT_LOG_TARGET_BEYOND] = "log-target-beyond",
	[VHDX_FAULT_LOG_TOO_COMPLEX] = "log-too-complex",
	[VHDX_FAULT_LOG_ENTRY_ALIGNMENT] = "log-entry-alignment",
	[VHDX_FAULT_LOG_ENTRY_SIGNATURE] = "log-entry-signature",
	[VHDX_FAULT_LOG_ENTRY_GUID] = "log-entry-guid",
	[VHDX_FAULT_LOG_ENTRY_LENGTH] = "log-entry-length",
	[VHDX_FAULT_LOG_ENTRY_TAIL] = "log-entry-tail",
	[VHDX_FAULT_LOG_ENTRY_SEQUENCE] = "log-entry-sequence",
	[VHDX_FAULT_LOG_ENTRY_COUNT] = "log-entry-count",
	[VHDX_FAULT_LOG_ENTRY_CHECKSUM] = "log-entry-checksum",
	[VHDX_FAULT_LOG_DESC_SIGNATURE] = "log-desc-signature",
	[VHDX_FAULT_LOG_DESC_SEQUENCE] = "log-desc-sequence",
	[VHDX_FAULT_LOG_DESC_ALIGNMENT] = "log-desc-alignment",
	[VHDX_FAULT_LOG_DESC_TARGET] = "log-desc-target",
	[VHDX_FAULT_LOG_DATA_SIGNATURE] = "log-data-signature",
	[VHDX_FAULT_LOG_DATA_SEQUENCE] = "log-data-sequence",
	[VHDX_FAULT_REGION_SIGNATURE] = "region-signature",
	[VHDX_FAULT_REGION_CHECKSUM] = "region-checksum",
	[VHDX_FAULT_REGION_NONE_VALID] = "region-none-valid",
	[VHDX_FAULT_REGION_DIFFER] = "region-differ",
	[VHDX_FAULT_REGION_COUNT] = "region-count",
	[VHDX_FAULT_REGION_ALIGNMENT] = "region-alignment",
	[VHDX_FAULT_REGION_RANGE] = "region-range",
	[VHDX_FAULT_REGION_DUPLICATE] = "region-duplicate",
	[VHDX_FAULT_REGION_OVERLAP] = "region-overlap",
	[VHDX_FAULT_REGION_UNKNOWN] = "region-unknown",
	[VHDX_FAULT_REGION_BAT_MISSING] = "region-bat-missing",
	[VHDX_FAULT_REGION_METADATA_MISSING] = "region-metadata-missing",
	[VHDX_FAULT_METADATA_SIGNATURE] = "metadata-signature",
	[VHDX_FAULT_METADATA_COUNT] = "metadata-count",
	[VHDX_FAULT_METADATA_USER_COUNT] = "metadata-user-count",
	[VHDX_FAULT_METADATA_ITEM_FLAGS] = "metadata-item-flags",
	[VHDX_FAULT_METADATA_ITEM_LENGTH] = "metadata-item-length",
	[VHDX_FAULT_METADATA_ITEM_RANGE] = "metadata-item-range",
	[VHDX_FAULT_METADATA_ITEM_DUPLICATE] = "metadata-item-duplicate",
	[VHDX_FAULT_METADATA_ITEM_OVERLAP] = "metadata-item-overlap",
	[VHDX_FAULT_METADATA_ITEM_UNKNOWN] = "metadata-item-unknown",
	[VHDX_FAULT_METADATA_INCOMPLETE] = "metadata-incomplete",
	[VHDX_FAULT_METADATA_PARAMETERS_MISSING] = "metadata-parameters-missing",
	[VHDX_FAULT_METADATA_SIZE_MISSING] = "metadata-size-missing",
	[VHDX_FAULT_METADATA_ID_MISSING] = "metadata-id-missing",
	[VHDX_FAULT_METADATA_LOGICAL_MISSING] = "metadata-logical-missing",
	[VHDX_FAULT_METADATA_PHYSICAL_MISSING] = "metadata-physical-missing",
	[VHDX_FAULT_METADATA_LOCATOR_MISSING] = "metadata-locator-missing",
	[VHDX_FAULT_PARAMETERS_BLOCK_SIZE] = "parameters-block-size",
	[VHDX_FAULT_PARAMETERS_FLAGS] = "parameters-flags",
	[VHDX_FAULT_DISK_SIZE_ZERO] = "disk-size-zero",
	[VHDX_FAULT_DISK_SIZE_LIMIT] = "disk-size-limit",
	[VHDX_FAULT_DISK_SIZE_ALIGNMENT] = "disk-size-alignment",
	[VHDX_FAULT_LOGICAL_SECTOR_SIZE] = "logical-sector-size",
	[VHDX_FAULT_PHYSICAL_SECTOR_SIZE] = "physical-sector-size",
	[VHDX_FAULT_BAT_TOO_SMALL] = "bat-too-small",
	[VHDX_FAULT_BAT_RESERVED_BITS] = "bat-reserved-bits",
	[VHDX_FAULT_BAT_PAYLOAD_STATE] = "bat-payload-state",
	[VHDX_FAULT_BAT_BITMAP_STATE] = "bat-bitmap-state",
	[VHDX_FAULT_BAT_BITMAP_MISSING] = "bat-bitmap-missing",
	[VHDX_FAULT_BAT_LOCATION] = "bat-location",
	[VHDX_FAULT_BAT_OVERLAP] = "bat-overlap",
	[VHDX_FAULT_LOCATOR_SHORT] = "locator-short",
	[VHDX_FAULT_LOCATOR_TYPE] = "locator-type",
	[VHDX_FAULT_LOCATOR_COUNT] = "locator-count",
	[VHDX_FAULT_LOCATOR_ENTRY_RANGE] = "locator-entry-range",
	[VHDX_FAULT_LOCATOR_STRING] = "locator-string",
	[VHDX_FAULT_LOCATOR_DUPLICATE] = "locator-duplicate",
	[VHDX_FAULT_LOCATOR_LINKAGE_MISSING] = "locator-linkage-missing",
	[VHDX_FAULT_LOCATOR_LINKAGE_GUID] = "locator-linkage-guid",
	[VHDX_FAULT_LOCATOR_PATH_MISSING] = "locator-path-missing",
	[VHDX_FAULT_CHAIN_PARENT_MISSING] = "chain-parent-missing",
	[VHDX_FAULT_CHAIN_PARENT_UNUSED] = "chain-parent-unused",
	[VHDX_FAULT_CHAIN_LINKAGE] = "chain-linkage",
	[VHDX_FAULT_CHAIN_SECTOR_SIZE] = "chain-sector-size",
};

static_assert(ARRAY_SIZE(fault_names) == VHDX_FAULT_NR);

static const char * const fault_texts[] = {
	[VHDX_FAULT_NONE] = "nothing is wrong",
#define FAULT_TEXT(name, errno, text) \
	[VHDX_FAULT_##name] = text,
	VHDX_FAULTS(FAULT_TEXT)
#undef FAULT_TEXT
};

static const u8 fault_errnos[] = {
#define FAULT_ERRNO(name, errno, text) \
	[VHDX_FAULT_##name] = errno,
	VHDX_FAULTS(FAULT_ERRNO)
#undef FAULT_ERRNO
};

const char *vhdx_fault_name(enum vhdx_fault fault)
{
	if ((unsigned int)fault >= VHDX_FAULT_NR || !fault_names[fault])
		return "unknown";
	return fault_names[fault];
}

const char *vhdx_fault_text(enum vhdx_fault fault)
{
	if ((unsigned int)fault >= VHDX_FAULT_NR)
		return "a fault that has no name here";
	return fault_texts[fault];
}

int vhdx_fault_errno(int err)
{
	if (err <= 0)
		return err;
	if (err >= VHDX_FAULT_NR)
		return -EUCLEAN;
	return -fault_errnos[err];
}

enum vhdx_fault vhdx_fault_at(struct vhdx_finding *fd, enum vhdx_fault fault,
			      u64 off, u64 value)
{
	if (fd) {
		memset(fd, 0, sizeof(*fd));
		fd->fault = fault;
		fd->off = off;
		fd->value = value;
	}
	return fault;
}
