/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that look random and depend on nothing but the seed (splitmix64).
 */
#ifndef CRASH_RANDOM_H
#define CRASH_RANDOM_H

#include <stdbool.h>

#include <linux/types.h>

struct random {
	u64	state;
};

static inline u64 random_mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline u64 random_next(struct random *rnd)
{
	rnd->state += 0x9e3779b97f4a7c15ULL;
	return random_mix(rnd->state);
}

/* A generator of its own for each pair of numbers. */
static inline struct random random_start(u64 a, u64 b)
{
	return (struct random){ random_mix(a * 0x9e3779b97f4a7c15ULL + random_mix(b)) };
}

static inline u32 random_below(struct random *rnd, u32 n)
{
	return (u32)(random_next(rnd) >> 33) % n;
}

/* True in @percent of 100 cases. */
static inline bool random_chance(struct random *rnd, u32 percent)
{
	return random_below(rnd, 100) < percent;
}

#endif
