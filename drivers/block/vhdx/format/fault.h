/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that can be wrong with a VHDX file: one row, one name.
 *
 * The row says the name, the errno that leaves the module, and the sentence
 * people read. The name without its prefix, in lower case with dashes, is
 * what dmesg, the ioctl reply, vhdxctl and the tests print.
 */
#ifndef VHDX_FORMAT_FAULT_H
#define VHDX_FORMAT_FAULT_H

#include <linux/types.h>
#include <linux/uuid.h>

/*
 * X(name, errno, sentence). EINVAL: not this format; EUCLEAN: damaged;
 * EOPNOTSUPP: valid but not supported here; ESTALE: the chain does not match.
 */
#define VHDX_FAULTS(X) \
X(FILE_TOO_SMALL,	EINVAL,	"the file is smaller than 1 MiB and cannot be a VHDX file") \
X(FILE_TOO_LARGE,	EOPNOTSUPP, "the file is larger than 256 TiB") \
X(FILE_ID_SIGNATURE,	EINVAL,	"the file does not begin with the VHDX file identifier") \
X(HEADER_SIGNATURE,	EUCLEAN, "the header does not begin with 'head'") \
X(HEADER_CHECKSUM,	EUCLEAN, "the header's checksum does not match its content") \
X(HEADER_NONE_VALID,	EUCLEAN, "neither of the two headers is valid") \
X(HEADER_AMBIGUOUS,	EUCLEAN, "two different headers carry the same sequence number") \
X(HEADER_SEQUENCE,	EUCLEAN, "the header's sequence number cannot be increased any more") \
X(HEADER_VERSION,	EOPNOTSUPP, "the file's Version is not 1") \
X(HEADER_LOG_VERSION,	EOPNOTSUPP, "the log has an unknown LogVersion and is not empty") \
X(HEADER_LOG_ALIGNMENT,	EUCLEAN, "LogOffset or LogLength is not a multiple of 1 MiB") \
X(HEADER_LOG_RANGE,	EUCLEAN, "the log lies in the header section or beyond the end of the file") \
X(HEADER_LOG_LENGTH,	EOPNOTSUPP, "the log is longer than 1 GiB") \
X(HEADER_LOG_MISSING,	EUCLEAN, "LogGuid is set but the log has no length") \
X(LOG_NO_SEQUENCE,	EUCLEAN, "LogGuid is set but the log holds no valid sequence of entries") \
X(LOG_TRUNCATED,	EUCLEAN, "the file is shorter than the log says it was: it has been truncated") \
X(LOG_LAST_OFFSET,	EUCLEAN, "the log's LastFileOffset is beyond 256 TiB, the largest file") \
X(LOG_TARGET_BEYOND,	EUCLEAN, "a log entry writes beyond the end of the file and every LastFileOffset") \
X(LOG_TOO_COMPLEX,	EOPNOTSUPP, "the log needs too much memory to be replayed in memory") \
X(LOG_ENTRY_ALIGNMENT,	EUCLEAN, "a log entry does not begin on a 4 KiB boundary of the log") \
X(LOG_ENTRY_SIGNATURE,	EUCLEAN, "a log entry does not begin with 'loge'") \
X(LOG_ENTRY_GUID,	EUCLEAN, "a log entry carries another LogGuid than the header") \
X(LOG_ENTRY_LENGTH,	EUCLEAN, "a log entry's EntryLength is not possible") \
X(LOG_ENTRY_TAIL,	EUCLEAN, "a log entry's Tail is not a sector of the log") \
X(LOG_ENTRY_SEQUENCE,	EUCLEAN, "a log entry's SequenceNumber is zero") \
X(LOG_ENTRY_COUNT,	EUCLEAN, "a log entry's descriptors do not fit its length") \
X(LOG_ENTRY_CHECKSUM,	EUCLEAN, "a log entry's checksum does not match its content") \
X(LOG_DESC_SIGNATURE,	EUCLEAN, "a log descriptor is neither 'zero' nor 'desc'") \
X(LOG_DESC_SEQUENCE,	EUCLEAN, "a log descriptor's SequenceNumber is not its entry's") \
X(LOG_DESC_ALIGNMENT,	EUCLEAN, "a log descriptor's target is not 4 KiB aligned") \
X(LOG_DESC_TARGET,	EUCLEAN, "a log descriptor's target is the headers, the log, or beyond any file") \
X(LOG_DATA_SIGNATURE,	EUCLEAN, "a log data sector does not begin with 'data'") \
X(LOG_DATA_SEQUENCE,	EUCLEAN, "a log data sector is torn: its sequence numbers are not its entry's") \
X(REGION_SIGNATURE,	EUCLEAN, "the region table does not begin with 'regi'") \
X(REGION_CHECKSUM,	EUCLEAN, "the region table's checksum does not match its content") \
X(REGION_NONE_VALID,	EUCLEAN, "neither of the two region tables is valid") \
X(REGION_DIFFER,	EUCLEAN, "the two region tables are valid but different") \
X(REGION_COUNT,		EUCLEAN, "the region table has more than 2047 entries") \
X(REGION_ALIGNMENT,	EUCLEAN, "a region's offset or length is not a multiple of 1 MiB") \
X(REGION_RANGE,		EUCLEAN, "a region lies in the header section or beyond the end of the file") \
X(REGION_DUPLICATE,	EUCLEAN, "a region is listed twice") \
X(REGION_OVERLAP,	EUCLEAN, "a region overlaps another region or the log") \
X(REGION_UNKNOWN,	EOPNOTSUPP, "an unknown region is marked as required") \
X(REGION_BAT_MISSING,	EUCLEAN, "the region table lists no BAT region") \
X(REGION_METADATA_MISSING, EUCLEAN, "the region table lists no metadata region") \
X(METADATA_SIGNATURE,	EUCLEAN, "the metadata table does not begin with 'metadata'") \
X(METADATA_COUNT,	EUCLEAN, "the metadata table has more than 2047 entries") \
X(METADATA_USER_COUNT,	EUCLEAN, "the metadata table has more than 1024 user entries") \
X(METADATA_ITEM_FLAGS,	EOPNOTSUPP, "a metadata item has reserved flags set") \
X(METADATA_ITEM_LENGTH,	EUCLEAN, "a metadata item has an impossible length") \
X(METADATA_ITEM_RANGE,	EUCLEAN, "a metadata item lies outside of the metadata region's items") \
X(METADATA_ITEM_DUPLICATE, EUCLEAN, "a metadata item is listed twice") \
X(METADATA_ITEM_OVERLAP, EUCLEAN, "two metadata items overlap") \
X(METADATA_ITEM_UNKNOWN, EOPNOTSUPP, "an unknown metadata item is marked as required") \
X(METADATA_INCOMPLETE,	EUCLEAN, "the file is marked as incomplete: its creation never finished") \
X(METADATA_PARAMETERS_MISSING, EUCLEAN, "the File Parameters item is missing") \
X(METADATA_SIZE_MISSING, EUCLEAN, "the Virtual Disk Size item is missing") \
X(METADATA_ID_MISSING,	EUCLEAN, "the Virtual Disk ID item is missing") \
X(METADATA_LOGICAL_MISSING, EUCLEAN, "the Logical Sector Size item is missing") \
X(METADATA_PHYSICAL_MISSING, EUCLEAN, "the Physical Sector Size item is missing") \
X(METADATA_LOCATOR_MISSING, EUCLEAN, "the file has a parent but no parent locator") \
X(PARAMETERS_BLOCK_SIZE, EUCLEAN, "BlockSize is not a power of two from 1 MiB to 256 MiB") \
X(PARAMETERS_FLAGS,	EOPNOTSUPP, "the File Parameters have reserved flags set") \
X(DISK_SIZE_ZERO,	EUCLEAN, "the Virtual Disk Size is zero") \
X(DISK_SIZE_LIMIT,	EUCLEAN, "the Virtual Disk Size is larger than 64 TiB") \
X(DISK_SIZE_ALIGNMENT,	EUCLEAN, "the Virtual Disk Size is not a multiple of the logical sector size") \
X(LOGICAL_SECTOR_SIZE,	EUCLEAN, "the Logical Sector Size is neither 512 nor 4096") \
X(PHYSICAL_SECTOR_SIZE,	EUCLEAN, "the Physical Sector Size is neither 512 nor 4096") \
X(BAT_TOO_SMALL,	EUCLEAN, "the BAT region is too small for the virtual disk") \
X(BAT_RESERVED_BITS,	EUCLEAN, "a BAT entry has reserved bits set") \
X(BAT_PAYLOAD_STATE,	EUCLEAN, "a payload block has a state that its kind of disk does not allow") \
X(BAT_BITMAP_STATE,	EUCLEAN, "a sector bitmap block has a state that its kind of disk does not allow") \
X(BAT_BITMAP_MISSING,	EUCLEAN, "a partially present block has no sector bitmap block") \
X(BAT_LOCATION,		EUCLEAN, "a block lies in the header section or beyond the end of the file") \
X(BAT_OVERLAP,		EUCLEAN, "a block overlaps another block, a region or the log") \
X(LOCATOR_SHORT,	EUCLEAN, "the parent locator is too short for its entries") \
X(LOCATOR_TYPE,		EOPNOTSUPP, "the parent locator's type is not VHDX") \
X(LOCATOR_COUNT,	EUCLEAN, "the parent locator has no or more than 256 entries") \
X(LOCATOR_ENTRY_RANGE,	EUCLEAN, "a parent locator entry lies outside of the item") \
X(LOCATOR_STRING,	EUCLEAN, "a parent locator string has an odd length or holds a NUL") \
X(LOCATOR_DUPLICATE,	EUCLEAN, "a parent locator key appears twice") \
X(LOCATOR_LINKAGE_MISSING, EUCLEAN, "the parent locator has no parent_linkage") \
X(LOCATOR_LINKAGE_GUID,	EUCLEAN, "the parent locator's linkage is not a GUID in braces") \
X(LOCATOR_PATH_MISSING,	EUCLEAN, "the parent locator holds no path to the parent") \
X(CHAIN_PARENT_MISSING,	EINVAL,	"the image needs a parent and none was given") \
X(CHAIN_PARENT_UNUSED,	EINVAL,	"a parent was given but the image has none") \
X(CHAIN_LINKAGE,	ESTALE,	"the parent is not the one the child was made from, or it was changed since") \
X(CHAIN_SECTOR_SIZE,	EINVAL,	"child and parent have different logical sector sizes")

enum vhdx_fault {
	VHDX_FAULT_NONE,
#define VHDX_FAULT_ENUM(name, errno, text)	VHDX_FAULT_##name,
	VHDX_FAULTS(VHDX_FAULT_ENUM)
#undef VHDX_FAULT_ENUM
	VHDX_FAULT_NR
};

/**
 * struct vhdx_finding - one fault, and where it is
 * @fault: what is wrong
 * @off: file offset in bytes of the field that is wrong
 * @value: what was found there; 0 where no single number says it
 * @guid: the unknown region or item of the *_UNKNOWN faults, else null
 */
struct vhdx_finding {
	enum vhdx_fault	fault;
	u64		off;
	u64		value;
	guid_t		guid;
};

/* The fault's name, such as "bat-overlap"; "none" for 0, never NULL. */
const char *vhdx_fault_name(enum vhdx_fault fault);

/* The sentence that explains it; never NULL. */
const char *vhdx_fault_text(enum vhdx_fault fault);

/*
 * What leaves floor 2: 0 and negative errnos pass unchanged, a positive
 * fault becomes its row's negative errno.
 */
int vhdx_fault_errno(int err);

/*
 * Record where and what in *@fd (which may be NULL) and return @fault, so
 * that a check ends in one line.
 */
enum vhdx_fault vhdx_fault_at(struct vhdx_finding *fd, enum vhdx_fault fault,
			      u64 off, u64 value);

#endif
