"""Stage-wise networks: label setting on a resource-constrained longest path, pruned by Lagrangian bounds.

Per input size the best network is the path of most MACs (or parameters) whose Flash and latency stay within the limits; see
`hwscale.solve.chain`. `hwscale.solve.duals` bounds what any completion can still earn. A beam of the most promising labels
finds a good incumbent; exact passes then keep every label that can still match it, less the dominated ones, and ask for the best
values first, see `hwscale.solve.quest`. The last layers are tabulated and met in the middle, see `hwscale.solve.completions`. It is
always the size of the highest bound that is searched on, until none can win.

Where a runtime plans, a search decides on bounds that are seldom exceeded, and what it finds is planned: see `hwscale.solve.quest`.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

from hwscale.candidate import Candidate
from hwscale.errors import ConfigError
from hwscale.problem import Problem
from hwscale.solve.chain_bounds import Chain, chains, refined
from hwscale.solve.label_search import Effort
from hwscale.solve.quest import PASSED_OVER, Quest
from hwscale.solve.solution import Incumbent, Solution, Status, proven
from hwscale.solve.watch import forget, lessons

ULPS = 1e-14
"""Relative difference between scores of one metric: vector and scalar logarithms differ by a few units in the last place."""
BEAM = 400
"""Labels per state in the first pass, which only looks for a good incumbent."""
WORK = 5_000_000
"""Labels that the exact passes examine in all: a few seconds. What is open then stays in the bound, and the gap is printed."""
LABELS = (20_000, 200_000)
"""Labels per layer that the exact passes keep: the second is for what the first could not close. What that one drops stays in the
bound, too."""
TRIES = 24
"""Paths that a beam plans in vain."""
LAST = 3
"""Chains that were left open which get a last beam, of undominated labels."""
SHARES = (0.98, 0.95, 0.9, 0.8, 0.7, 0.5)
"""Of the RAM limit, that the search asks for where all that it found was passed over."""


def solve(problem: Problem) -> Solution | None:
    """The best path; None if nothing is feasible. "feasible", with a gap, only if the exact passes had to drop labels, or to pass over
    too many paths that cannot be planned."""
    if problem.floors or not problem.keeps_ties:
        raise ConfigError("solver labels takes limits, not targets; use solver auto")
    started = time.perf_counter()
    forget()  # the same question gives the same answer, whatever was asked before
    incumbent = Incumbent(problem)
    nodes, left = searched(problem, incumbent)
    for share in SHARES if problem.space.runtime_plans and "ram" in problem.limits and left > -math.inf else ():
        if incumbent.best() is None:
            # what needs less by its bound may be planned; whether it can is still asked of the limit itself
            less = {**problem.limits, "ram": int(problem.limits["ram"] * share)}
            nodes += searched(replace(problem, limits=less), incumbent)[0]
    best = incumbent.best()
    if best is None:
        if left > -math.inf:
            raise ConfigError(
                f"no network was found, but {problem.space.size:.3g} candidates are too many to prove that there is none; "
                "narrow the domain"
            )
        return None
    arcs = sum(len(g.roots) * int((layer.heads >= 0).sum()) for g in problem.chains.groups for layer in g.layers)
    solution = proven(problem, best, "labels", arcs, nodes, started)
    score = solution.certificate.objective
    if left <= score + ULPS * max(1.0, abs(score)):
        return solution
    return replace(
        solution, certificate=replace(solution.certificate, status=Status.FEASIBLE, bound=left, gap=left - score)
    )


def any_path(problem: Problem) -> Candidate | None:
    """Some path whose plan keeps the limits; None if none does. ConfigError where they are too many to tell."""
    incumbent = Incumbent(problem)
    _, left = searched(problem, incumbent, any_will_do=True)
    found = incumbent.best()
    if found is None and left > -math.inf:
        raise ConfigError("too many candidates to tell; narrow the domain")
    return found


def searched(problem: Problem, incumbent: Incumbent, *, any_will_do: bool = False) -> tuple[int, float]:
    """Offer the best path; how many labels were examined, and a bound on the score of what may be left."""
    beam = Effort(beam=BEAM, tries=TRIES)
    known, priced = lessons(problem), _by_bound(chains(problem))
    rough = [Quest(problem, chain, incumbent) for chain in priced]
    for quest in rough:
        quest.beam(beam)
        if any_will_do and incumbent.score > -math.inf:
            return quest.examined, math.inf
    if lessons(problem) > known:  # which also raised what some arcs need
        priced = _by_bound(chains(problem))
    quests = [Quest(problem, chain, incumbent) for chain in _exact(problem, priced, incumbent.threshold)]
    spent = 0
    while live := [quest for quest in quests if quest.open and not (any_will_do and incumbent.score > -math.inf)]:
        quest = max(live, key=lambda quest: quest.bound)
        # what is left can only tie: the wide pass is not for that
        if quest.tier + 1 == len(LABELS) > 1 and quest.bound <= incumbent.score:
            quest.over = True
            continue
        done = quest.examined
        quest.step(tuple(Effort(most=most, patience=WORK - spent, tries=PASSED_OVER) for most in LABELS))
        spent += quest.examined - done
    for quest in sorted(quests, key=lambda quest: -quest.bound)[:LAST]:
        quest.beam(Effort(most=LABELS[0] // 4, tries=TRIES))
    nodes = sum(quest.examined for quest in (*rough, *quests))
    return nodes, max((quest.bound for quest in quests), default=-math.inf)


def _by_bound(found: list[Chain]) -> list[Chain]:
    return sorted(found, key=lambda chain: -chain.bound)


def _exact(problem: Problem, priced: list[Chain], threshold: float) -> list[Chain]:
    """The chains in exact rooms, best bound first; rooms that cannot win are left as they are."""
    while coarse := [chain for chain in priced if not chain.room.exact and chain.bound >= threshold]:
        kept = [chain for chain in priced if chain.room.exact or chain.bound < threshold]
        priced = _by_bound([*kept, *refined(problem, coarse)])
    return priced
