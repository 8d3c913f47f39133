// SPDX-License-Identifier: GPL-2.0-only
/*
 * The search for the active sequence, against the search as the specification
 * tells it, done here a second time and without any cleverness; then the
 * replay of what was found, twice.
 *
 * Input: what is done to a ring of 24 sectors, one after the other. A byte
 * says what: below 160 an entry is put (place, number, tail, kinds of its
 * descriptors), below 200 a byte is changed, below 230 the entry that begins
 * in some sector is sealed again, and else a sector is copied.
 */
#include "format/log_entry.h"
#include "format/log_replay.h"
#include "format/log_scan.h"

#include "fuzz.h"

#define NR_SECTORS	24
#define RING_LEN	(NR_SECTORS * SECTOR)
#define RING_OFF	MIB(1)
#define NR_TARGETS	16
#define TARGET_OFF	MIB(4)

static const struct vhdx_log_area area = {
	.off = RING_OFF, .len = RING_LEN, .guid = GUID_INIT(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
};

static u8 ring[RING_LEN];
static u8 entry[RING_LEN];
static u8 targets[NR_TARGETS * SECTOR];
static u8 scratch[VHDX_LOG_SCAN_SCRATCH];
static struct vhdx_log_slot slots[NR_SECTORS];

/* --- what is done to the ring --- */

static void step_put(struct fuzz_input *in)
{
	u32 pos = fuzz_u8(in) % NR_SECTORS * SECTOR, i;
	struct craft_desc descs[6];
	struct craft_entry e = {
		.seq = (fuzz_u8(in) & 0x1f) + ((u64)(fuzz_u8(in) & 1) << 32),
		.tail = fuzz_u8(in) % (NR_SECTORS + 1) * SECTOR,
		.guid = area.guid,
		.desc = descs,
	};
	u8 shape = fuzz_u8(in), at;

	e.nr_desc = shape % 7;
	if (shape > 240)
		e.guid.b[3] ^= 1;
	if (shape & 8)
		e.tail = pos;
	for (i = 0; i < e.nr_desc; i++) {
		at = fuzz_u8(in);
		descs[i] = (struct craft_desc){
			.off = TARGET_OFF + at % NR_TARGETS * SECTOR,
			.seed = at + pos,
			.len = at & 0x80 ? SECTOR : 0,
		};
	}
	craft_ring_put(ring, RING_LEN, pos, entry, craft_log_entry(entry, &e));
}

static void step_change(struct fuzz_input *in)
{
	u32 at = fuzz_u8(in) % NR_SECTORS * SECTOR;
	u16 where = fuzz_u16(in);

	/* Mostly where headers and descriptors are. */
	at += where & 0x8000 ? where % SECTOR : where % 256;
	ring[at] = fuzz_u8(in);
}

static void step_seal(struct fuzz_input *in)
{
	u32 pos = fuzz_u8(in) % NR_SECTORS * SECTOR, len;
	u8 linear[RING_LEN];

	len = le32_to_cpu(((struct vhdx_raw_log_entry *)(ring + pos))->entry_length);
	if (len < SECTOR || len > RING_LEN)
		return;
	memcpy(linear, ring + pos, RING_LEN - pos);
	memcpy(linear + RING_LEN - pos, ring, pos);
	craft_seal(linear, len);
	memcpy(ring + pos, linear, SECTOR);
}

static void step_copy(struct fuzz_input *in)
{
	u32 from = fuzz_u8(in) % NR_SECTORS, to = fuzz_u8(in) % NR_SECTORS;

	memmove(ring + to * SECTOR, ring + from * SECTOR, SECTOR);
}

static void ring_make(struct fuzz_input *in)
{
	u8 what;

	memset(ring, 0, sizeof(ring));
	while (in->left) {
		what = fuzz_u8(in);
		if (what < 160)
			step_put(in);
		else if (what < 200)
			step_change(in);
		else if (what < 230)
			step_seal(in);
		else
			step_copy(in);
	}
}

/* --- the specification's search --- */

static u64 get(const u8 *p, unsigned int bytes)
{
	u64 value = 0;

	while (bytes--)
		value = value << 8 | p[bytes];
	return value;
}

static bool good_target(const u8 *desc, bool zero)
{
	u64 off = get(desc + 16, 8), len = zero ? get(desc + 8, 8) : SECTOR;

	if (off % SECTOR || len % SECTOR || off < 0x30000)
		return false;
	if (off > 1ULL << 62 || len > 1ULL << 62)
		return false;
	return !len || off + len <= RING_OFF || off >= RING_OFF + RING_LEN;
}

/* All of the rules for one entry, on a copy that does not wrap. */
static bool good_entry(const u8 *e)
{
	u32 len = get(e + 8, 4), nr = get(e + 24, 4), nr_data = 0, area_len, i;
	u64 seq = get(e + 16, 8), desc_area = (64 + 32ULL * nr + 4095) / 4096 * 4096;
	const u8 *d;

	if (memcmp(e, "loge", 4) || memcmp(e + 32, &area.guid, 16) || !seq)
		return false;
	if (!len || len % SECTOR || len > RING_LEN || desc_area > len)
		return false;
	if (get(e + 12, 4) % SECTOR || get(e + 12, 4) >= RING_LEN)
		return false;
	area_len = desc_area;
	for (i = 0; i < nr; i++) {
		d = e + 64 + 32 * i;
		if (get(d + 24, 8) != seq || (memcmp(d, "zero", 4) && memcmp(d, "desc", 4)))
			return false;
		if (!good_target(d, *d == 'z'))
			return false;
		nr_data += *d == 'd';
	}
	if (len != area_len + nr_data * SECTOR)
		return false;
	for (i = area_len; i < len; i += SECTOR)
		if (memcmp(e + i, "data", 4) || get(e + i + 4, 4) != seq >> 32 ||
		    get(e + i + 4092, 4) != (u32)seq)
			return false;
	return true;
}

struct plain {
	bool	valid;
	u64	seq;
	u32	len;	/* sectors, as is the tail */
	u32	tail;
};

static void plain_decode(u32 pos, struct plain *p)
{
	static u8 linear[RING_LEN];
	u32 stored;

	memcpy(linear, ring + pos * SECTOR, RING_LEN - pos * SECTOR);
	memcpy(linear + RING_LEN - pos * SECTOR, ring, pos * SECTOR);
	memset(p, 0, sizeof(*p));
	if (!good_entry(linear))
		return;
	stored = get(linear + 4, 4);
	p->len = get(linear + 8, 4) / SECTOR;
	p->seq = get(linear + 16, 8);
	p->tail = get(linear + 12, 4) / SECTOR;
	craft_seal(linear, p->len * SECTOR);
	p->valid = stored == get(linear + 4, 4);
}

struct answer {
	u64	head_seq;	/* 0: none */
	u32	head;
	u32	tail;
	u32	nr;
};

/* The longest sequence from @t on; says where it ends, or @t if it is none. */
static u32 follow(const struct plain *plain, u32 t, struct answer *best)
{
	u32 pos = t, head = t, nr = 0, total = 0, from_tail = 0;
	bool in_ring[NR_SECTORS] = {};
	u32 order[NR_SECTORS], i;

	while (plain[pos].valid && (!nr || plain[pos].seq == plain[head].seq + 1) &&
	       total + plain[pos].len <= NR_SECTORS) {
		head = pos;
		in_ring[pos] = true;
		order[nr++] = pos;
		total += plain[pos].len;
		pos = (pos + plain[pos].len) % NR_SECTORS;
	}
	if (!nr || !in_ring[plain[head].tail])
		return t;
	for (i = 0; i < nr; i++)
		if (order[i] == plain[head].tail)
			from_tail = nr - i;
	if (plain[head].seq > best->head_seq)
		*best = (struct answer){ plain[head].seq, head, plain[head].tail, from_tail };
	return pos == t ? t + NR_SECTORS : pos;
}

static void plain_search(struct answer *best)
{
	struct plain plain[NR_SECTORS];
	u32 t, end;

	for (t = 0; t < NR_SECTORS; t++)
		plain_decode(t, &plain[t]);
	memset(best, 0, sizeof(*best));
	for (t = 0; t < NR_SECTORS; t = end == t ? t + 1 : end) {
		end = follow(plain, t, best);
		if (end < t)
			break;
	}
}

/* --- the comparison --- */

static void check_replay(struct ram *ram, const struct vhdx_log_sequence *seq)
{
	static u8 once[sizeof(targets)];
	struct vhdx_log_replay done;
	u64 writes;

	memset(targets, 0x55, sizeof(targets));
	ram->nr_writes = 0;
	fuzz_assert(!vhdx_log_replay(&ram->src, &area, seq, &ram->sink, scratch, &done, NULL));
	fuzz_assert(done.nr_entries == seq->nr);
	fuzz_assert(done.nr_data + done.nr_zero == seq->nr_desc);
	memcpy(once, targets, sizeof(targets));
	writes = ram->nr_writes;
	/* Cut off in the middle, then all of it again. */
	memset(targets, 0x55, sizeof(targets));
	ram->nr_writes = 0;
	ram->fail_write = writes / 2 + 1;
	vhdx_log_replay(&ram->src, &area, seq, &ram->sink, scratch, &done, NULL);
	ram->fail_write = 0;
	fuzz_assert(!vhdx_log_replay(&ram->src, &area, seq, &ram->sink, scratch, &done, NULL));
	fuzz_assert(!memcmp(once, targets, sizeof(targets)));
}

/* Is a target of some entry outside of what we keep? Then writes stray. */
static int sink_ignore(struct vhdx_sink *sink, u64 off, const void *buf)
{
	struct ram *ram = container_of(sink, struct ram, sink);
	int ret = ram_write(sink, off, buf);

	fuzz_assert(!(off % SECTOR) && off >= 0x30000);
	fuzz_assert(off >= RING_OFF + RING_LEN || off + SECTOR <= RING_OFF);
	if (ret == -EIO && ram->nr_writes != ram->fail_write) {
		ram->strayed--;
		return 0;
	}
	return ret;
}

int fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct vhdx_log_sequence seq;
	struct vhdx_finding fd;
	struct answer want;
	char text[1000];
	struct ram ram;
	int ret;

	ring_make(&in);
	ram_init(&ram, MIB(8));
	ram.sink.write = sink_ignore;
	ram_extent_add(&ram, RING_OFF, RING_LEN, ring);
	ram_extent_add(&ram, TARGET_OFF, sizeof(targets), targets);
	plain_search(&want);
	ret = vhdx_log_scan(&ram.src, &area, slots, scratch, &seq, NULL, &fd);
	fuzz_assert(ret >= 0 && !ram.strayed);
	fuzz_assert(ram.nr_bytes <= 4 * RING_LEN);
	fuzz_check_finding(ret, &fd);
	fuzz_assert((ret == VHDX_FAULT_LOG_NO_SEQUENCE) == !want.head_seq);
	if (ret)
		return 0;
	fuzz_accept();
	fuzz_assert(seq.head_seq == want.head_seq && seq.head == want.head * SECTOR);
	fuzz_assert(seq.tail == want.tail * SECTOR && seq.nr == want.nr);
	fuzz_assert(seq.next < RING_LEN && seq.last_off % SZ_1M == 0);
	fuzz_assert(seq.end >= seq.last_off && seq.end % SZ_1M == 0 && seq.end <= VHDX_FILE_MAX);
	fuzz_assert(vhdx_log_sequence_to_text(text, sizeof(text), &seq) > 0);
	check_replay(&ram, &seq);
	fuzz_assert(!ram.strayed);
	return 0;
}
