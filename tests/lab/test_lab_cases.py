"""Every row of the failure atlas, provoked over real sockets: both sides name the step, the judge and the cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tlscope import Judge
from tlscope.explain import compare
from tlscope.explain.diagnosis import ATLAS
from tlscope.lab import CASES, Case, Outcome, Workshop, run

FAILURES = Path(__file__).resolve().parents[3] / "shared" / "FAILURES.md"

every_case = pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.id)


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    shop = Workshop()
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {}


def outcome_of(case: Case, workshop: Workshop, outcomes: dict[str, Outcome]) -> Outcome:
    if case.id not in outcomes:
        outcomes[case.id] = run(case, workshop)
    return outcomes[case.id]


@every_case
def test_both_sides_name_the_step_the_judge_and_the_cause(case, workshop, outcomes) -> None:
    assert outcome_of(case, workshop, outcomes).mistakes() == []


@every_case
def test_the_truth_is_among_what_the_refused_side_names(case, workshop, outcomes) -> None:
    outcome = outcome_of(case, workshop, outcomes)
    for seen, expected in outcome.views:
        if expected is None or expected.known_by == "seen":
            continue
        diagnosis = seen.diagnosis
        assert diagnosis is not None
        named = {diagnosis.id, *(other.id for other in diagnosis.alternatives)}
        # A server that demands a certificate can't know that the client has one that fits nothing.
        assert case.row in named or (case.row, diagnosis.id) == ("client-cert-not-offered", "no-client-cert")
        if diagnosis.id != case.row:
            assert not diagnosis.certain, "what is not the truth must not be called certain"


@every_case
def test_a_refusal_is_not_taken_for_ones_own(case, workshop, outcomes) -> None:
    """Judge and knowledge go together: who only heard an alert never says that it saw the fault."""
    for seen, _ in outcome_of(case, workshop, outcomes).views:
        diagnosis = seen.diagnosis
        if diagnosis is not None:
            assert (diagnosis.known_by == "seen") == (diagnosis.judge is Judge.US)


@every_case
def test_texts_fit_80_columns_and_say_what_to_do(case, workshop, outcomes) -> None:
    for seen, _ in outcome_of(case, workshop, outcomes).views:
        for one in seen.explanations:
            lines = one.to_text().splitlines()
            commands = {fix.command for fix in one.fixes if fix.command}
            long = [line for line in lines if len(line) > 80 and line.strip() not in commands]
            assert long == []
            assert "{" not in one.to_text()
            assert ".." not in one.cause.replace("...", "")
            assert one.fixes
            assert one.rule.startswith("RFC")
            assert one.evidence
            assert one.as_dict()["id"] == one.id
        if seen.diagnosis is not None:
            line = str(seen.error)
            assert line.startswith(seen.diagnosis.cause), "the first sentence is good enough for a log"
            assert seen.diagnosis.step in line or seen.diagnosis.known_by == "silence" or seen.role == "here"
            assert seen.diagnosis.alert in line or seen.diagnosis.known_by == "seen"
            assert "\n" not in line


@every_case
def test_the_traces_of_both_sides_tell_the_whole_story(case, workshop, outcomes) -> None:
    outcome = outcome_of(case, workshop, outcomes)
    if outcome.client is None or outcome.server is None:
        return
    if outcome.client.trace is None or outcome.server.trace is None:
        return
    comparison = compare(outcome.client.trace, outcome.server.trace)
    for role, expected in (("client", case.client), ("server", case.server)):
        if expected is not None and expected.failure and expected.known_by == "seen" and expected.id != "truncated":
            assert comparison.judge == role
            assert comparison.truth is not None
            assert comparison.truth.id == expected.id
    for seen, belief in ((outcome.client, comparison.client), (outcome.server, comparison.server)):
        if seen.diagnosis is not None:
            assert belief == seen.diagnosis, "a trace explains as much as the error itself"


def test_every_row_of_the_atlas_has_a_case() -> None:
    assert {case.row for case in CASES.values()} == set(ATLAS)


def test_every_case_is_of_a_row_and_one_of_each_row_bears_its_name() -> None:
    assert set(ATLAS) <= set(CASES)


def test_the_atlas_has_every_failure_that_was_asked_for() -> None:
    if not FAILURES.is_file():
        pytest.skip("the list of failures is not here")
    rows = [line for line in FAILURES.read_text("utf-8").splitlines() if line.startswith("| `")]
    wanted = {id for row in rows for id in row.split("|")[1].replace("`", "").replace(" ", "").split(",")}
    assert wanted == set(ATLAS)
