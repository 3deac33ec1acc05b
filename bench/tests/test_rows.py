import io
from dataclasses import replace

import pytest
from bench import records
from bench.bars import bar_for
from bench.records import Environment, Sample
from bench.report import BEGIN, END, insert
from bench.rows import missed, rows
from bench.table import render


def samples(
    experiment: str,
    case: str,
    metric: str,
    standard: list[float],
    rival: list[float],
    interpreter: str = "3.11",
    pool: str = "surefoot",
    **conditions: int,
) -> list[Sample]:
    found = []
    for number, pair in enumerate(zip(standard, rival, strict=True)):
        for position, (name, value) in enumerate(zip(("standard", pool), pair, strict=True)):
            found.append(
                Sample(experiment, case, name, number, position, conditions, {metric: value}, interpreter)
            )
    return found


def test_cheaper_submit_is_a_gain() -> None:
    (row,) = rows(samples("overhead", "submit, workers blocked", "submit_us", [5.0, 6.0, 7.0], [0.5] * 3))
    assert row.ratio == 12.0
    assert row.verdict == "held"


def test_more_tasks_per_s_is_a_gain_and_too_little_of_it_is_missed() -> None:
    (row,) = rows(samples("overhead", "map", "tasks_per_s", [100.0] * 3, [900.0] * 3))
    assert row.ratio == 9.0
    assert row.verdict == "missed"
    assert missed([row]) == [row]


def test_a_cost_is_the_rival_over_the_standard() -> None:
    (row,) = rows(samples("overhead", "submit + result() ping-pong", "round_trip_us", [50.0], [60.0]))
    assert row.ratio == 1.2
    assert row.verdict == "missed"


def test_a_bar_set_for_other_interpreters_is_shown_but_does_not_bind() -> None:
    (row,) = rows(samples("overhead", "map", "tasks_per_s", [1.0], [2.0], interpreter="3.12"))
    assert str(row.bar) == "(>= 10)"
    assert missed([row]) == []


def test_an_interval_across_the_bar_is_marked() -> None:
    rival = [8.0, 12.0] * 5
    (row,) = rows(samples("overhead", "map", "tasks_per_s", [1.0] * 10, rival))
    assert row.verdict == "held ~"


def test_a_half_round_is_left_out() -> None:
    found = samples("overhead", "map", "tasks_per_s", [1.0, 1.0], [20.0, 20.0])[:-1]
    (row,) = rows(found)
    assert (row.standard.count, row.rival.count) == (1, 1)


def test_one_pool_alone_gives_no_row() -> None:
    assert rows(samples("overhead", "map", "tasks_per_s", [1.0], [2.0])[:1]) == []


def test_best_against_best_takes_each_at_its_own_size() -> None:
    found = []
    for workers, standard, rival in ((8, 10.0, 12.0), (16, 11.0, 20.0), (2048, 5.0, 15.0)):
        found += samples(
            "micro",
            f"cores=2 N={workers}",
            "tasks_per_s",
            [standard],
            [rival],
            workers=workers,
            cores=2,
            tasks=1,
            started=1,
        )
    best, cliff = rows(found)
    assert (best.standard.median, best.rival.median) == (11.0, 20.0)
    assert best.note == "N=16 against N=16"
    assert best.ratio == pytest.approx(20 / 11)
    assert (cliff.case, cliff.ratio) == ("N=2048, cores=2", 3.0)


def test_a_cold_pool_is_compared_apart_from_the_sweep() -> None:
    found = []
    for started, standard, rival in ((1, 10.0, 30.0), (0, 50.0, 60.0)):
        case = f"cores=2 N=2048{'' if started else ' cold'}"
        found += [
            replace(sample, measures={**sample.measures, "threads_at_end": threads})
            for sample, threads in zip(
                samples(
                    "micro", case, "tasks_per_s", [standard], [rival], workers=2048, cores=2, started=started
                ),
                (301, 2049),
                strict=True,
            )
        ]
    best, warm, cold = rows(found)
    assert (best.ratio, warm.ratio, cold.ratio) == (3.0, 3.0, 1.2)
    assert cold.case == "N=2048 cold, cores=2"
    assert cold.note == "300 workers made against 2048"
    assert missed([cold]) == []
    assert str(cold.bar) == "(>= 2)"


def test_the_best_bar_depends_on_the_interpreter() -> None:
    assert bar_for("micro", "best N, cores=2", "3.11").value == 1.35
    assert bar_for("micro", "best N, cores=2", "3.13").value == 1.1
    assert bar_for("micro", "best N, cores=2", "3.12") is None


def test_a_self_check_gives_no_verdict_and_misses_nothing() -> None:
    found = samples("overhead", "map", "tasks_per_s", [1.0], [1.1], pool="standard-again")
    (row,) = rows(found)
    assert row.verdict == ""
    assert missed([row]) == []
    assert "Self-check" in render(found)


def test_records_survive_writing_and_reading() -> None:
    kept = [
        Environment("overhead", "3.11", {"python": "3.11.7"}),
        *samples("overhead", "map", "tasks_per_s", [1.0], [2.0], workers=8),
    ]
    stream = io.StringIO()
    for record in kept:
        records.write(record, stream)
    assert list(records.read(stream.getvalue().splitlines())) == kept


@pytest.mark.parametrize("line", ['{"record":"other"}', "[1]", '{"record":"environment","schema":0}'])
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a record"):
        records.parse(line)


def test_a_page_gets_its_table_between_the_markers() -> None:
    page = f"head\n{BEGIN}\nold\n{END}\ntail\n"
    assert insert(page, "new\n") == f"head\n{BEGIN}\nnew\n{END}\ntail\n"
    with pytest.raises(ValueError, match="needs the lines"):
        insert("no markers", "new\n")
