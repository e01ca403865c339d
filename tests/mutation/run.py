"""Mutation testing of `billing`: `make mutants`. Which changes of the code does no test notice?

mutmut makes the mutants and keeps the account. What it lacks is a runner for code whose libraries own threads: it runs
the tests once in its own process and then forks a child for each mutant, in which Polars' thread pool is dead and every
test hangs, which would count as killed. Here the parent imports and never runs: every run of tests is in a child.
A child that is killed by its time limit is reported as a timeout, apart from what a test has caught.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import pkgutil
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
import hypothesis
import mutmut
import mutmut.__main__ as mutmut_main
import pytest
from mutmut.__main__ import PytestRunner
from mutmut.state import state

T = TypeVar("T")
# Imported once, by the parent, which saves most of a second for every mutant.
PLUGINS = ("_hypothesis_pytestplugin", "pytest_asyncio.plugin", "pytest_timeout", "xdist.plugin")
SUPPORT = ("tests.support.book_strategies", "tests.support.rating_table")
PACKAGES = ("topics", "billing")
CAUGHT, SURVIVED = 1, 0
NOTICED = ("killed", "timeout", "segfault", "suspicious")
KILLED_SHARE_MIN = 0.90


class ChildRunner(PytestRunner):
    """Runs every test in a child of this process."""

    def prepare_main_test_run(self) -> None:
        """Import what all tests need, the mutants themselves included: which one is meant is asked at each call."""
        os.environ["MUTANT_UNDER_TEST"] = ""
        if (mutants := str(Path("mutants").resolve())) not in sys.path:
            sys.path.insert(0, mutants)
        # Nobody reads the smallest example that shows a mutant.
        hypothesis.settings.register_profile("mutants", phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate))
        hypothesis.settings.load_profile("mutants")
        for name in (*PLUGINS, *PACKAGES, *SUPPORT):
            importlib.import_module(name)
        for package in map(importlib.import_module, PACKAGES):
            for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
                importlib.import_module(module.name)

    def run_stats(self, *, tests: Iterable[str]) -> int:
        def collect() -> tuple[int, Any, Any, Any]:
            with contextlib.chdir("mutants"):
                code = self.execute_pytest(self._pytest_args_regular_run(tests), plugins=[_Reached()])
            return code, dict(mutmut.tests_by_mangled_function_name), mutmut.duration_by_test, _dependencies()

        code, by_function, durations, dependencies = _in_child(collect)
        for function, names in by_function.items():
            mutmut.tests_by_mangled_function_name[function] |= names
        mutmut.duration_by_test.update(durations)
        for function, callers in dependencies.items():
            state().function_dependencies[function] = callers
        return code

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        if mutant_name is None:
            return _in_child(lambda: PytestRunner.run_tests(self, mutant_name=None, tests=tests))
        # Already in a child. A mutant that breaks an import is caught, too: pytest says 2 there.
        return CAUGHT if PytestRunner.run_tests(self, mutant_name=mutant_name, tests=tests) else SURVIVED

    def list_all_tests(self) -> Any:
        return _in_child(lambda: PytestRunner.list_all_tests(self))


class _Reached:
    """Which functions each test reaches, and how long it takes (mutmut's own collector is for an older pytest)."""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        mutmut.duration_by_test[nodeid] = 0

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        for function in mutmut._stats:
            mutmut.tests_by_mangled_function_name[function].add(item.nodeid)
        mutmut._stats.clear()

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        mutmut.duration_by_test[item.nodeid] += call.duration


def _dependencies() -> dict[str, set[str]]:
    return {function: set(callers) for function, callers in state().function_dependencies.items()}


def _in_child(call: Callable[[], T]) -> T:
    """The answer of `call`, made in a forked process."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                answer.write_bytes(pickle.dumps(call()))
                code = 0
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)  # mutmut keeps sys.stderr to itself
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status):
            raise SystemExit("the tests could not be run at all: see above")
        result: T = pickle.loads(answer.read_bytes())
        return result


def _sampled(size: int, draw: random.Random) -> Callable[..., Any]:
    """mutmut's list of mutants, cut down to a sample that stays the same for this run."""
    whole = mutmut_main.collect_source_file_mutation_data
    chosen: set[str] = set()

    def collect(*, mutant_names: Iterable[str]) -> Any:
        mutants, by_path = whole(mutant_names=tuple(mutant_names))
        names = sorted(name for _, name, _ in mutants)
        chosen.update(chosen or draw.sample(names, min(size, len(names))))
        return [mutant for mutant in mutants if mutant[1] in chosen], by_path

    return collect


@click.command(epilog="Example: make mutants ARGS='billing.terms* --children 2'")
@click.argument("names", nargs=-1)
@click.option(
    "--children", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Mutants at a time."
)
@click.option("--sample", type=click.IntRange(1), help="Try only so many, drawn at random.")
@click.option("--seed", type=int, default=1, show_default=True, help="What the sample is drawn with.")
def main(names: tuple[str, ...], children: int, sample: int | None, seed: int) -> None:
    """Make mutants of `billing`, run the tests that reach each one, and list those that nobody caught.

    NAMES are patterns of mutants; without any, all are tried that have no verdict yet (folder `mutants/`).
    Exit code 0 when at least 90 % are caught, 1 when fewer are. `mutmut show NAME` prints one, `mutmut browse` all.
    """
    mutmut_main.PytestRunner = ChildRunner  # type: ignore[misc]
    if sample is not None:
        mutmut_main.collect_source_file_mutation_data = _sampled(sample, random.Random(seed))
    mutmut_main._run(names, children)
    mutants, by_path = mutmut_main.collect_source_file_mutation_data(mutant_names=names)
    tried = {name for _, name, _ in mutants}
    verdicts: Counter[str] = Counter()
    for path, data in sorted(by_path.items()):
        of_file = {
            name: mutmut_main.status_by_exit_code[code]
            for name, code in sorted(data.exit_code_by_key.items())
            if name in tried
        }
        counts = Counter(of_file.values())
        verdicts += counts
        if counts:
            click.echo(f"{path}: " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
        for name, verdict in of_file.items():
            if verdict not in NOTICED:
                click.echo(f"  {verdict}: {name}")
    total = verdicts.total()
    caught = sum(verdicts[verdict] for verdict in NOTICED)
    click.echo(f"{caught} of {total} mutants caught ({caught / max(total, 1):.1%}); {dict(verdicts)}")
    sys.exit(caught < KILLED_SHARE_MIN * total)


if __name__ == "__main__":
    main()
