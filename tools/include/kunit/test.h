/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Enough of KUnit to run the same test sources in user space. Prints KTAP;
 * main() is here too (weak), so a program is made by linking test files only.
 * Arguments name the suites to run; without any, all of them run.
 */
#ifndef VHDX_SHADOW_KUNIT_TEST_H
#define VHDX_SHADOW_KUNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#define KUNIT_PARAM_DESC_SIZE	128

/* What the kernel's header brings along. */
typedef unsigned int gfp_t;

#define GFP_KERNEL		((gfp_t)0)
#define IS_ERR_OR_NULL(p)	(!(p) || (unsigned long)(p) >= (unsigned long)-4095)

#define KUNIT_GLUE2(a, b)	a##b
#define KUNIT_GLUE(a, b)	KUNIT_GLUE2(a, b)
#define KUNIT_MODULE_TAG(s)	_Static_assert(sizeof(s) > 1, "an empty module tag")
#define MODULE_LICENSE(s)	KUNIT_MODULE_TAG(s)
#define MODULE_DESCRIPTION(s)	KUNIT_MODULE_TAG(s)
#define MODULE_AUTHOR(s)	KUNIT_MODULE_TAG(s)
#define MODULE_IMPORT_NS(s)	_Static_assert(1, #s)

/* One allocation of a test; the memory follows. */
struct kunit_memory {
	struct kunit_memory	*next;
	max_align_t		bytes[];
};

/**
 * struct kunit - one running test
 * @priv: the test's own
 * @name: of its case
 * @param_value: current parameter of a parameterised case
 * @failed: an expectation was not met
 * @skipped: the test said that it cannot run here
 * @memory: to be freed when it is over
 * @abort: where a failed assertion goes
 */
struct kunit {
	void			*priv;
	const char		*name;
	const void		*param_value;
	bool			failed;
	bool			skipped;
	struct kunit_memory	*memory;
	jmp_buf			abort;
};

struct kunit_case {
	void		(*run_case)(struct kunit *test);
	const char	*name;
	const void	*(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char		name[256];
	int			(*suite_init)(struct kunit_suite *suite);
	void			(*suite_exit)(struct kunit_suite *suite);
	int			(*init)(struct kunit *test);
	void			(*exit)(struct kunit *test);
	struct kunit_case	*test_cases;
	struct kunit_suite	*next;	/* ours: the list of all suites */
};

/* Suites of all linked files, in link order. */
extern struct kunit_suite *kunit_suites;
struct kunit_suite *kunit_suites __attribute__((weak));

#define KUNIT_CASE(fn)			{ .run_case = fn, .name = #fn }
#define KUNIT_CASE_SLOW(fn)		KUNIT_CASE(fn)
#define KUNIT_CASE_PARAM(fn, gen) \
	{ .run_case = fn, .name = #fn, .generate_params = gen }

#define KUNIT_ARRAY_PARAM(name, array, get_desc)				\
	static const void *name##_gen_params(const void *prev, char *desc)	\
	{									\
		typeof(&(array)[0]) next = prev;				\
		void (*describe)(typeof(next), char *) = get_desc;		\
										\
		next = prev ? next + 1 : (array);				\
		if (next >= (array) + ARRAY_SIZE(array))			\
			return NULL;						\
		if (describe)							\
			describe(next, desc);					\
		return next;							\
	}

static inline void kunit_suite_add(struct kunit_suite *suite)
{
	struct kunit_suite **last = &kunit_suites;

	while (*last)
		last = &(*last)->next;
	*last = suite;
}

#define kunit_test_suites(...)						\
	static void __attribute__((constructor))			\
	KUNIT_GLUE(kunit_register_, __LINE__)(void)			\
	{								\
		struct kunit_suite *suites[] = { __VA_ARGS__ };		\
		size_t i;						\
									\
		for (i = 0; i < ARRAY_SIZE(suites); i++)		\
			kunit_suite_add(suites[i]);			\
	}								\
	_Static_assert(1, "takes the semicolon")

#define kunit_test_suite(suite)		kunit_test_suites(&suite)

/* Memory that lives as long as the test; NULL when there is none. */
static inline void *kunit_kmalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	struct kunit_memory *m = malloc(sizeof(*m) + size);

	(void)gfp;
	if (!m)
		return NULL;
	memset(m->bytes, 0xa5, size);
	m->next = test->memory;
	test->memory = m;
	return m->bytes;
}

static inline void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	void *p = kunit_kmalloc(test, size, gfp);

	return p ? memset(p, 0, size) : NULL;
}

static inline void *kunit_kmalloc_array(struct kunit *test, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kunit_kmalloc(test, bytes, gfp);
}

static inline void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : kunit_kzalloc(test, bytes, gfp);
}

/* Frees early what the test allocated. */
static inline void kunit_kfree(struct kunit *test, const void *ptr)
{
	struct kunit_memory **m = &test->memory, *found;

	while (*m && (void *)(*m)->bytes != ptr)
		m = &(*m)->next;
	found = *m;
	if (!found)
		return;
	*m = found->next;
	free(found);
}

static inline void kunit_memory_free(struct kunit *test)
{
	struct kunit_memory *m;

	while ((m = test->memory)) {
		test->memory = m->next;
		free(m);
	}
}

#define kunit_info(test, fmt, ...) \
	printf("    # %s: " fmt "\n", (test)->name, ##__VA_ARGS__)
#define kunit_warn(test, fmt, ...)	kunit_info(test, fmt, ##__VA_ARGS__)
#define kunit_err(test, fmt, ...)	kunit_info(test, fmt, ##__VA_ARGS__)

#define kunit_mark_skipped(test, fmt, ...) do {		\
	kunit_info(test, fmt, ##__VA_ARGS__);		\
	(test)->skipped = true;				\
} while (0)

#define kunit_skip(test, fmt, ...) do {			\
	kunit_mark_skipped(test, fmt, ##__VA_ARGS__);	\
	longjmp((test)->abort, 1);			\
} while (0)

static inline void __attribute__((format(printf, 4, 5)))
kunit_failed(struct kunit *test, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	test->failed = true;
	printf("    # %s: failed at %s:%d\n    # ", test->name, file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

#define KUNIT_FAIL(test, fmt, ...) \
	kunit_failed(test, __FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define KUNIT_SUCCEED(test)		((void)(test))

/* @stop: an assertion, which ends the test. @fmt may be an empty string. */
#define KUNIT_CHECK(test, stop, ok, what, fmt, ...) do {		\
	if (!(ok)) {							\
		kunit_failed(test, __FILE__, __LINE__, "%s", what);	\
		if (sizeof(fmt) > 1)					\
			printf("    # " fmt "%s\n", ##__VA_ARGS__, "");	\
		if (stop)						\
			longjmp((test)->abort, 1);			\
	}								\
} while (0)

#define KUNIT_BINARY(test, stop, left, op, right, fmt, ...) do {	\
	__auto_type __left = (left);					\
	__auto_type __right = (right);					\
	char __what[512];						\
									\
	snprintf(__what, sizeof(__what),				\
		 "expected %s %s %s, but they are %#llx and %#llx",	\
		 #left, #op, #right, (unsigned long long)__left,	\
		 (unsigned long long)__right);				\
	KUNIT_CHECK(test, stop, __left op __right, __what, fmt, ##__VA_ARGS__); \
} while (0)

#define KUNIT_STRINGS(test, stop, left, op, right, fmt, ...) do {	\
	const char *__left = (left), *__right = (right);		\
	char __what[1024];						\
									\
	snprintf(__what, sizeof(__what),				\
		 "expected strings %s %s %s, but they are \"%s\" and \"%s\"", \
		 #left, #op, #right, __left, __right);			\
	KUNIT_CHECK(test, stop, strcmp(__left, __right) op 0, __what,	\
		    fmt, ##__VA_ARGS__);				\
} while (0)

/* Offset of the first difference, or @len. */
static inline size_t kunit_difference(const void *left, const void *right, size_t len)
{
	const u8 *a = left, *b = right;
	size_t i = 0;

	while (i < len && a[i] == b[i])
		i++;
	return i;
}

#define KUNIT_BYTES(test, stop, left, op, right, len, fmt, ...) do {	\
	size_t __len = (len);						\
	size_t __same = kunit_difference(left, right, __len);		\
	char __what[512];						\
									\
	snprintf(__what, sizeof(__what),				\
		 "expected bytes %s %s %s, but %zu of %zu are the same", \
		 #left, #op, #right, __same, __len);			\
	KUNIT_CHECK(test, stop, __same op __len, __what, fmt, ##__VA_ARGS__); \
} while (0)

#define KUNIT_UNARY(test, stop, cond, what, fmt, ...) \
	KUNIT_CHECK(test, stop, cond, "expected " what, fmt, ##__VA_ARGS__)

#define KUNIT_EXPECT_EQ(test, l, r)	KUNIT_BINARY(test, false, l, ==, r, "")
#define KUNIT_EXPECT_NE(test, l, r)	KUNIT_BINARY(test, false, l, !=, r, "")
#define KUNIT_EXPECT_LT(test, l, r)	KUNIT_BINARY(test, false, l, <, r, "")
#define KUNIT_EXPECT_LE(test, l, r)	KUNIT_BINARY(test, false, l, <=, r, "")
#define KUNIT_EXPECT_GT(test, l, r)	KUNIT_BINARY(test, false, l, >, r, "")
#define KUNIT_EXPECT_GE(test, l, r)	KUNIT_BINARY(test, false, l, >=, r, "")
#define KUNIT_EXPECT_EQ_MSG(test, l, r, ...)	KUNIT_BINARY(test, false, l, ==, r, __VA_ARGS__)
#define KUNIT_EXPECT_NE_MSG(test, l, r, ...)	KUNIT_BINARY(test, false, l, !=, r, __VA_ARGS__)
#define KUNIT_EXPECT_LT_MSG(test, l, r, ...)	KUNIT_BINARY(test, false, l, <, r, __VA_ARGS__)
#define KUNIT_EXPECT_LE_MSG(test, l, r, ...)	KUNIT_BINARY(test, false, l, <=, r, __VA_ARGS__)
#define KUNIT_EXPECT_GT_MSG(test, l, r, ...)	KUNIT_BINARY(test, false, l, >, r, __VA_ARGS__)
#define KUNIT_EXPECT_GE_MSG(test, l, r, ...)	KUNIT_BINARY(test, false, l, >=, r, __VA_ARGS__)

#define KUNIT_ASSERT_EQ(test, l, r)	KUNIT_BINARY(test, true, l, ==, r, "")
#define KUNIT_ASSERT_NE(test, l, r)	KUNIT_BINARY(test, true, l, !=, r, "")
#define KUNIT_ASSERT_LT(test, l, r)	KUNIT_BINARY(test, true, l, <, r, "")
#define KUNIT_ASSERT_LE(test, l, r)	KUNIT_BINARY(test, true, l, <=, r, "")
#define KUNIT_ASSERT_GT(test, l, r)	KUNIT_BINARY(test, true, l, >, r, "")
#define KUNIT_ASSERT_GE(test, l, r)	KUNIT_BINARY(test, true, l, >=, r, "")
#define KUNIT_ASSERT_EQ_MSG(test, l, r, ...)	KUNIT_BINARY(test, true, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_NE_MSG(test, l, r, ...)	KUNIT_BINARY(test, true, l, !=, r, __VA_ARGS__)
#define KUNIT_ASSERT_LT_MSG(test, l, r, ...)	KUNIT_BINARY(test, true, l, <, r, __VA_ARGS__)
#define KUNIT_ASSERT_LE_MSG(test, l, r, ...)	KUNIT_BINARY(test, true, l, <=, r, __VA_ARGS__)
#define KUNIT_ASSERT_GT_MSG(test, l, r, ...)	KUNIT_BINARY(test, true, l, >, r, __VA_ARGS__)
#define KUNIT_ASSERT_GE_MSG(test, l, r, ...)	KUNIT_BINARY(test, true, l, >=, r, __VA_ARGS__)

#define KUNIT_EXPECT_PTR_EQ(test, l, r)	KUNIT_UNARY(test, false, (l) == (r), #l " == " #r, "")
#define KUNIT_EXPECT_PTR_NE(test, l, r)	KUNIT_UNARY(test, false, (l) != (r), #l " != " #r, "")
#define KUNIT_ASSERT_PTR_EQ(test, l, r)	KUNIT_UNARY(test, true, (l) == (r), #l " == " #r, "")
#define KUNIT_ASSERT_PTR_NE(test, l, r)	KUNIT_UNARY(test, true, (l) != (r), #l " != " #r, "")

#define KUNIT_EXPECT_TRUE(test, c)	KUNIT_UNARY(test, false, c, #c, "")
#define KUNIT_EXPECT_FALSE(test, c)	KUNIT_UNARY(test, false, !(c), "not " #c, "")
#define KUNIT_EXPECT_NULL(test, p)	KUNIT_UNARY(test, false, !(p), #p " to be NULL", "")
#define KUNIT_EXPECT_NOT_NULL(test, p)	KUNIT_UNARY(test, false, p, #p " not to be NULL", "")
#define KUNIT_ASSERT_TRUE(test, c)	KUNIT_UNARY(test, true, c, #c, "")
#define KUNIT_ASSERT_FALSE(test, c)	KUNIT_UNARY(test, true, !(c), "not " #c, "")
#define KUNIT_ASSERT_NULL(test, p)	KUNIT_UNARY(test, true, !(p), #p " to be NULL", "")
#define KUNIT_ASSERT_NOT_NULL(test, p)	KUNIT_UNARY(test, true, p, #p " not to be NULL", "")

#define KUNIT_EXPECT_TRUE_MSG(test, c, ...) \
	KUNIT_UNARY(test, false, c, #c, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE_MSG(test, c, ...) \
	KUNIT_UNARY(test, false, !(c), "not " #c, __VA_ARGS__)
#define KUNIT_EXPECT_NULL_MSG(test, p, ...) \
	KUNIT_UNARY(test, false, !(p), #p " to be NULL", __VA_ARGS__)
#define KUNIT_EXPECT_NOT_NULL_MSG(test, p, ...) \
	KUNIT_UNARY(test, false, p, #p " not to be NULL", __VA_ARGS__)
#define KUNIT_ASSERT_TRUE_MSG(test, c, ...) \
	KUNIT_UNARY(test, true, c, #c, __VA_ARGS__)
#define KUNIT_ASSERT_FALSE_MSG(test, c, ...) \
	KUNIT_UNARY(test, true, !(c), "not " #c, __VA_ARGS__)
#define KUNIT_ASSERT_NULL_MSG(test, p, ...) \
	KUNIT_UNARY(test, true, !(p), #p " to be NULL", __VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL_MSG(test, p, ...) \
	KUNIT_UNARY(test, true, p, #p " not to be NULL", __VA_ARGS__)

#define KUNIT_EXPECT_NOT_ERR_OR_NULL(test, p) \
	KUNIT_UNARY(test, false, !IS_ERR_OR_NULL(p), #p " to be no error and not NULL", "")
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p) \
	KUNIT_UNARY(test, true, !IS_ERR_OR_NULL(p), #p " to be no error and not NULL", "")
#define KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, p, ...) \
	KUNIT_UNARY(test, true, !IS_ERR_OR_NULL(p), #p " to be no error and not NULL", __VA_ARGS__)

#define KUNIT_EXPECT_STREQ(test, l, r)		KUNIT_STRINGS(test, false, l, ==, r, "")
#define KUNIT_EXPECT_STRNEQ(test, l, r)		KUNIT_STRINGS(test, false, l, !=, r, "")
#define KUNIT_ASSERT_STREQ(test, l, r)		KUNIT_STRINGS(test, true, l, ==, r, "")
#define KUNIT_ASSERT_STRNEQ(test, l, r)		KUNIT_STRINGS(test, true, l, !=, r, "")
#define KUNIT_EXPECT_STREQ_MSG(test, l, r, ...)	KUNIT_STRINGS(test, false, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_STREQ_MSG(test, l, r, ...)	KUNIT_STRINGS(test, true, l, ==, r, __VA_ARGS__)

#define KUNIT_EXPECT_MEMEQ(test, l, r, n)	KUNIT_BYTES(test, false, l, ==, r, n, "")
#define KUNIT_EXPECT_MEMNEQ(test, l, r, n)	KUNIT_BYTES(test, false, l, !=, r, n, "")
#define KUNIT_ASSERT_MEMEQ(test, l, r, n)	KUNIT_BYTES(test, true, l, ==, r, n, "")
#define KUNIT_ASSERT_MEMNEQ(test, l, r, n)	KUNIT_BYTES(test, true, l, !=, r, n, "")
#define KUNIT_EXPECT_MEMEQ_MSG(test, l, r, n, ...) \
	KUNIT_BYTES(test, false, l, ==, r, n, __VA_ARGS__)
#define KUNIT_ASSERT_MEMEQ_MSG(test, l, r, n, ...) \
	KUNIT_BYTES(test, true, l, ==, r, n, __VA_ARGS__)

/* The three steps are apart, so that nothing local has to survive a longjmp. */
static inline void kunit_try_case(struct kunit_suite *suite, struct kunit_case *c,
				  struct kunit *test)
{
	if (setjmp(test->abort))
		return;
	if (suite->init && suite->init(test)) {
		KUNIT_FAIL(test, "init of the suite failed");
		return;
	}
	c->run_case(test);
}

static inline void kunit_try_exit(struct kunit_suite *suite, struct kunit *test)
{
	if (suite->exit && !setjmp(test->abort))
		suite->exit(test);
}

/* Run one case, or one parameter of it. */
static inline void kunit_run_once(struct kunit_suite *suite, struct kunit_case *c,
				  struct kunit *test)
{
	test->priv = NULL;
	test->memory = NULL;
	kunit_try_case(suite, c, test);
	kunit_try_exit(suite, test);
	kunit_memory_free(test);
}

static inline bool kunit_run_params(struct kunit_suite *suite, struct kunit_case *c)
{
	char desc[KUNIT_PARAM_DESC_SIZE];
	const void *param = NULL;
	bool failed = false;
	unsigned int nr = 0;

	printf("        # Subtest: %s\n", c->name);
	for (;;) {
		struct kunit test = { .name = c->name };

		desc[0] = '\0';
		param = c->generate_params(param, desc);
		if (!param)
			break;
		test.param_value = param;
		if (!desc[0])
			snprintf(desc, sizeof(desc), "param-%u", nr);
		kunit_run_once(suite, c, &test);
		failed |= test.failed;
		printf("        %sok %u %s%s\n", test.failed ? "not " : "", ++nr, desc,
		       test.skipped ? " # SKIP" : "");
	}
	printf("        1..%u\n", nr);
	return failed || !nr;
}

static inline bool kunit_run_case(struct kunit_suite *suite, struct kunit_case *c,
				  unsigned int nr)
{
	struct kunit test = { .name = c->name };

	if (c->generate_params)
		test.failed = kunit_run_params(suite, c);
	else
		kunit_run_once(suite, c, &test);
	printf("    %sok %u %s%s\n", test.failed ? "not " : "", nr, c->name,
	       test.skipped ? " # SKIP" : "");
	fflush(stdout);
	return test.failed;
}

static inline bool kunit_run_suite(struct kunit_suite *suite, unsigned int nr)
{
	bool failed = false;
	unsigned int i, n = 0;

	while (suite->test_cases[n].run_case)
		n++;
	printf("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", suite->name, n);
	if (suite->suite_init && suite->suite_init(suite)) {
		printf("    # init of the whole suite failed\n");
		failed = true;
		n = 0;
	}
	for (i = 0; i < n; i++)
		failed |= kunit_run_case(suite, &suite->test_cases[i], i + 1);
	if (suite->suite_exit)
		suite->suite_exit(suite);
	printf("%sok %u %s\n", failed ? "not " : "", nr, suite->name);
	return failed;
}

static inline bool kunit_wanted(const struct kunit_suite *suite, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], suite->name))
			return true;
	return argc < 2;
}

/* 0: all passed; 1: a failure; 2: no suite had one of the names. */
static inline int kunit_run_all(int argc, char **argv)
{
	struct kunit_suite *suite;
	unsigned int nr = 0, total = 0;
	bool failed = false;

	for (suite = kunit_suites; suite; suite = suite->next)
		total += kunit_wanted(suite, argc, argv);
	printf("KTAP version 1\n1..%u\n", total);
	for (suite = kunit_suites; suite; suite = suite->next)
		if (kunit_wanted(suite, argc, argv))
			failed |= kunit_run_suite(suite, ++nr);
	return total ? failed : 2;
}

int main(int argc, char **argv);

__attribute__((weak)) int main(int argc, char **argv)
{
	return kunit_run_all(argc, argv);
}

#endif
