"""Judges the report of an Autobahn run."""

import collections
import json

# Everything else fails: FAILED, NON-STRICT, UNIMPLEMENTED, WRONG CODE, UNCLEAN, FAILED BY CLIENT.
GOOD = ("OK", "INFORMATIONAL")


def judge(index, agent, expected):
    """Prints what the report holds for `agent`; returns the numbers of passed and failed cases.

    `expected` lists the ids that must be there, no more and no less: a run that stopped early cannot pass.
    """
    try:
        report = json.loads(index.read_text(encoding="utf-8")).get(agent, {})
    except FileNotFoundError:
        print(f"FAIL  no report at {index}")
        return 0, len(expected)
    seconds = collections.defaultdict(float)
    groups = collections.Counter()
    kinds = collections.Counter()
    passed = failed = 0
    for case in sorted(set(report) | set(expected), key=lambda case: [int(part) for part in case.split(".")]):
        result = report.get(case)
        if result is None:
            problem = "did not run"
        elif case not in expected:
            problem = "was not asked for"
        elif result["behavior"] not in GOOD or result["behaviorClose"] not in GOOD:
            problem = f"{result['behavior']}, close {result['behaviorClose']} (code {result['remoteCloseCode']})"
        else:
            problem = None
        if result is not None:
            group = case.split(".")[0]
            groups[group] += 1
            seconds[group] += result["duration"] / 1000
            kinds[result["behavior"]] += 1
        if problem is None:
            passed += 1
        else:
            failed += 1
            print(f"FAIL  case {case}: {problem}")
    for group in groups:
        print(f"      group {group}: {groups[group]} cases, {seconds[group]:.1f} s")
    print(f"      {agent}: " + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())))
    return passed, failed
