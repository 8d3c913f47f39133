#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Puts the log of one step of check.sh into the KTAP stream, as its subtests,
and counts the individual tests in it.

Usage: ktap.py --number N --name NAME --status EXIT --seconds S [--strict] LOG

A result with indented results before it is a parent: only its children are
counted. A step without any result counts as one test. A plan that is not met,
a bail-out and an exit status that no result explains are failures. With
--strict a step that is skipped as a whole has failed.

Prints the subtests and the step's own result to standard output, and
"PASSED FAILED SKIPPED" to the file descriptor 3.
"""

import argparse
import os
import re

# Results may be behind "# ", as kselftest's runner writes those of a test.
RESULT = re.compile(r'^(?P<lead>(?:# |[ \t])*)(?P<bad>not )?ok (?P<nr>\d+)\b(?P<text>.*)$')
PLAN = re.compile(r'^(?P<lead>(?:# |[ \t])*)1\.\.(?P<nr>\d+)(?P<text>.*)$')
VERSION = re.compile(r'^(?:# |[ \t])*K?TAP version \d+')
LEAD = re.compile(r'^(?:# |[ \t])*')
SKIP = re.compile(r'#\s*SKIP\b:?\s*(?P<why>.*)$', re.IGNORECASE)
EXIT_SKIP = 4
EXIT_TIMEOUT = 124
# Of what is no result, this much of a step that passed and that failed.
SHOW_PASSED = 30
SHOW_FAILED = 400


def depth_of(lead):
    return len(lead.expandtabs(8))


class Count:
    """The results of a log, innermost ones counted."""

    def __init__(self):
        self.pending = []   # (depth, failed) of results that may get a parent
        self.plans = {}     # depth -> results that are still to come
        self.seen = {}      # depth -> results so far; a plan may come last
        self.passed = self.failed = self.skipped = 0
        self.problems = []
        self.skip_reason = None

    def result(self, depth, bad, skip):
        children = []
        while self.pending and self.pending[-1][0] > depth:
            children.append(self.pending.pop())
        self.end_plans(depth)
        self.seen[depth] = self.seen.get(depth, 0) + 1
        if depth in self.plans:
            self.plans[depth] -= 1
        if children:
            failed = any(child[1] for child in children)
            if bad and not failed:
                self.failed += 1
            self.pending.append((depth, bad or failed))
            return
        if bad:
            self.failed += 1
        elif skip:
            self.skipped += 1
        else:
            self.passed += 1
        self.pending.append((depth, bad))

    def plan(self, depth, number, skip):
        left = number - self.seen.get(depth, 0)
        self.end_plans(depth - 1)
        self.plans[depth] = left
        if number == 0 and skip:
            self.skip_reason = skip.group('why')

    def end_plans(self, depth):
        self.seen = {d: n for d, n in self.seen.items() if d <= depth}
        for deeper in [d for d in self.plans if d > depth]:
            missing = self.plans.pop(deeper)
            if missing > 0:
                self.problem(f'{missing} planned results are missing')

    def problem(self, text):
        self.failed += 1
        self.problems.append(text)

    def total(self):
        return self.passed + self.failed + self.skipped


def read_log(path, count):
    """Count, and return the lines as (is_result, text)."""
    lines = []
    with open(path, encoding='utf-8', errors='replace') as log:
        for line in log:
            line = line.rstrip('\n').replace('\r', '')
            match = RESULT.match(line)
            if match:
                count.result(depth_of(match['lead']), bool(match['bad']),
                             SKIP.search(match['text']))
                lines.append((True, line))
                continue
            match = PLAN.match(line)
            if match:
                count.plan(depth_of(match['lead']), int(match['nr']),
                           SKIP.search(match['text']))
            elif line.startswith('Bail out!'):
                count.problem(line)
            lines.append((bool(match or VERSION.match(line)), line))
    count.end_plans(-1)
    return lines


def judge(args, count, lines):
    """Fold the exit status in; return the step's own reason to be skipped."""
    if args.status == EXIT_TIMEOUT:
        count.problem(f'the step took longer than its limit ({args.seconds} s)')
    elif args.status == EXIT_SKIP and count.total() == 0:
        reason = count.skip_reason or (lines[-1][1].strip() if lines else '')
        if not reason:
            count.problem('skipped without a reason')
        elif args.strict:
            count.problem(f'skipped where nothing may be missing: {reason}')
        else:
            count.skipped += 1
            return reason
    elif args.status != 0 and count.failed == 0:
        count.problem(f'exit status {args.status}')
    elif count.total() == 0:
        count.passed += 1
    return None


def show(lines, failed):
    limit = SHOW_FAILED if failed else SHOW_PASSED
    left = sum(1 for is_result, _ in lines if not is_result) - limit
    if left > 0:
        print(f'  # ({left} lines are in the log only)')
    for is_result, line in lines:
        if is_result:
            print('  ' + LEAD.sub(lambda lead: ' ' * len(lead[0]), line))
        elif left > 0:
            left -= 1
        else:
            print('  ' + (line if line.startswith('#') else '# ' + line))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--number', type=int, required=True)
    parser.add_argument('--name', required=True)
    parser.add_argument('--status', type=int, required=True)
    parser.add_argument('--seconds', type=int, required=True)
    parser.add_argument('--strict', action='store_true')
    parser.add_argument('log')
    args = parser.parse_args()

    count = Count()
    lines = read_log(args.log, count)
    reason = judge(args, count, lines)
    show(lines, count.failed)
    for text in count.problems:
        print(f'  # {args.name}: {text}')
    verdict = 'not ok' if count.failed else 'ok'
    print(f'{verdict} {args.number} {args.name}' + (f' # SKIP {reason}' if reason else ''))
    os.write(3, f'{count.passed} {count.failed} {count.skipped}\n'.encode())


if __name__ == '__main__':
    main()
