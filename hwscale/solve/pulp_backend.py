"""PuLP 3.3 to 4 behind one small interface, with the first of CBC and HiGHS that is there.

What differs: PuLP 4 creates variables through the problem, returns a result object instead of a status code, and brings no CBC;
PuLP 3.3.1 warns of all that. Loaded only when `Program` is used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from hwscale.errors import ConfigError

BACKENDS = ("CBC", "HiGHS")
"""In order of preference: on chains of layers CBC is several times as fast as HiGHS."""
TOLERANCE = 1e-9
"""How far from whole a variable, and how far beyond its side a row of coefficients near 1 may be."""
LONGEST_S = 60
"""A model that is not solved by then [s] is given up, in a sentence: a cross-check that never ends checks nothing."""
SEED = 1
OPTIMAL, INFEASIBLE = 1, -1
"""Codes of PuLP 3 and 4 alike; CBC may call an empty problem undefined."""


class Backend:
    """One MILP solver under PuLP: single thread, fixed seed, no gap, silent. ConfigError if none of ``allowed`` is there."""

    def __init__(self, allowed: Sequence[str] = BACKENDS) -> None:
        self.pulp = _import_pulp()
        for name in allowed:
            solver = {"CBC": _cbc, "HiGHS": _highs}[name](self.pulp)
            if solver is not None and solver.available():
                self.name, self.solver = name, solver
                return
        raise ConfigError(
            f"solver milp finds no {' or '.join(allowed)} for PuLP {self.pulp.__version__}: pip install 'pulp<4', which brings "
            "CBC, or highspy, or use solver auto"
        )

    @property
    def method(self) -> str:
        """What a certificate calls it."""
        return f"milp (PuLP {self.pulp.__version__}, {self.name})"


class Program:
    """Maximise a linear function of binary variables, given by its coefficients; rows name the variables by their number.

    After them come ``amounts`` variables from 0 up that the function does not see.
    """

    def __init__(self, backend: Backend, objective: Sequence[float], amounts: int = 0) -> None:
        self._backend, self._pulp = backend, backend.pulp
        self._problem = self._pulp.LpProblem("paths", self._pulp.LpMaximize)
        make = getattr(self._problem, "add_variable", self._pulp.LpVariable)
        self._variables = [make(f"x{n}", cat=self._pulp.LpBinary) for n in range(len(objective))]
        self._variables += [make(f"y{n}", lowBound=0) for n in range(amounts)]
        self._problem += self._sum(list(enumerate(objective)))

    def at_most(self, terms: Sequence[tuple[int, float]], bound: float) -> None:
        """Add the row: sum of coefficient x variable <= bound."""
        self._problem += self._sum(terms) <= bound

    def equal(self, terms: Sequence[tuple[int, float]], side: float) -> None:
        """Add the row: sum of coefficient x variable == side."""
        self._problem += self._sum(terms) == side

    def solve(self) -> list[float] | None:
        """The variables at an optimum; None if there is none. ConfigError if the solver gave up."""
        result = self._problem.solve(self._backend.solver)
        code = int(getattr(result, "status", result))
        if code == INFEASIBLE:
            return None
        proven = getattr(self._problem, "sol_status", OPTIMAL) == OPTIMAL  # PuLP 4 says so in the code alone
        if code != OPTIMAL or not proven:
            raise ConfigError(
                f"solver milp: {self._backend.name} stopped without a proof (status {code}); use solver auto"
            )
        return [float(variable.value() or 0.0) for variable in self._variables]

    def _sum(self, terms: Sequence[tuple[int, float]]) -> Any:
        pairs = [(self._variables[n], coefficient) for n, coefficient in terms]
        kind = self._pulp.LpAffineExpression
        return kind.from_list(pairs) if hasattr(kind, "from_list") else kind(pairs)


def _import_pulp() -> Any:
    """PuLP; HiGHS kept out of a process that holds OR-tools, whose own copy of it clashes."""
    if "pulp" not in sys.modules and "ortools" in sys.modules:
        with _hidden("highspy"):
            import pulp
    else:
        import pulp
    return pulp


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Importing ``name`` fails; one that is loaded stays."""
    loaded: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    held = loaded.get(name)
    loaded[name] = held
    try:
        yield
    finally:
        if held is None:
            del loaded[name]


def _cbc(pulp: Any) -> Any:
    """CBC as PuLP 3 brings it, else from the package cbcbox or the search path."""
    options = [f"randomSeed {SEED}", f"randomCbcSeed {SEED}", f"primalT {TOLERANCE}", f"integerT {TOLERANCE}"]
    # on 1 budget in 60 the preprocessing of CBC 2.10.3 lost the optimum and still called what was left optimal
    options.append("preprocess off")
    settings = {"msg": False, "gapRel": 0.0, "gapAbs": 0.0, "timeLimit": LONGEST_S, "options": options}
    bundled = getattr(getattr(pulp, "PULP_CBC_CMD", None), "pulp_cbc_path", None)
    if bundled is not None:
        # PULP_CBC_CMD itself warns that PuLP 4 lacks it
        solver = pulp.COIN_CMD(path=bundled, **settings)
        if solver.available():
            return solver
    return pulp.COIN_CMD(**settings)


def _highs(pulp: Any) -> Any:
    if "ortools" in sys.modules and "highspy" not in sys.modules:
        return None
    settings = {"mip_feasibility_tolerance": TOLERANCE, "primal_feasibility_tolerance": TOLERANCE, "random_seed": SEED}
    try:
        return pulp.HiGHS(msg=False, gapRel=0.0, gapAbs=0.0, timeLimit=LONGEST_S, threads=1, **settings)
    except TypeError:  # without highspy PuLP 3 has an empty class
        return None
