"""What the benchmark makes of its measurements."""

from __future__ import annotations

import pytest

from tests.bench.contenders import Ours, Pipe
from tests.bench.figures import Figure, Measurements, figures, percentile, table, taken_by_others, where_time_goes
from tests.bench.processes import Clocks, Cost
from tests.bench.startup import Starts


def cost(seconds: float, cpu: float = 1.0, megabytes: int = 80) -> Cost:
    return Cost(0, 100.0, 100.0 + seconds, cpu, megabytes * 1_000_000, "")


def clocks(own: float = 1.0, busy: float = 10.0, idle: float = 10.0) -> Clocks:
    return Clocks({"kube-apiserver": 4.0}, own, busy, idle)


def ours(secrets: int, rewriting: float, proof: float, cpu: float = 1.0, megabytes: int = 80) -> Ours:
    together = rewriting + proof + 1.0
    return Ours(secrets, rewriting, proof, together, 101.0, 102.0, cost(together, cpu, megabytes), clocks())


def pipe(secrets: int, seconds: float) -> Pipe:
    return Pipe(secrets, cost(seconds), clocks())


def found(measured: Measurements) -> dict[str, Figure]:
    return {one.name: one for one in figures(measured)}


def test_speeds_are_compared_by_the_secret_and_by_their_medians() -> None:
    near = [ours(1000, seconds, 1.0) for seconds in (2.0, 90.0, 1.0)]
    measured = Measurements(near=near, near_pipe=[pipe(1000, 8.0)], far=near, far_pipe=[pipe(100, 4.0)])
    figure = found(measured)
    assert figure["rewrite pass against the pipe, round trip 0"].value == pytest.approx(4.0)
    assert figure["rewrite pass against the pipe, 20 ms"].value == pytest.approx(20.0)
    assert figure["settle + rewrite + proof against the pipe alone, 20 ms"].value == pytest.approx(10.0)


def test_the_start_of_az_is_no_cost_of_a_secret() -> None:
    measured = Measurements(start=[ours(0, 0.1, 0.1, cpu=2.0)], near=[ours(1000, 1.0, 1.0, cpu=2.8)])
    figure = found(measured)["client CPU a Secret patched"]
    assert figure.value == pytest.approx(0.4)  # ms: 0.8 s over two patches of each
    assert figure.holds
    assert not figure.reached


def test_growth_is_told_from_few_to_many() -> None:
    few, many = ours(1000, 1.0, 1.0, megabytes=80), ours(100_000, 110.0, 101.0, megabytes=100)
    figure = found(Measurements(few=[few], near=[few], many=[many]))
    assert figure["time a Secret, growth"].value == pytest.approx(5.5)
    assert figure["time a Secret, growth"].holds
    assert figure["peak memory, growth"].value == pytest.approx(25.0)
    assert not figure["peak memory, growth"].holds


def test_a_neighbour_is_compared_verb_by_verb_at_its_slowest_hundredth() -> None:
    quick, slow = [0.001] * 98, [0.050] * 2
    measured = Measurements(
        idle={"GET": [*quick, 0.010, 0.010]}, during_ours={"GET": [*quick, *slow]}, during_pipe={"GET": [0.025] * 100}
    )
    figure = found(measured)
    assert figure["neighbour's GET, p99: during ours over during the pipe"].value == pytest.approx(2.0)
    assert figure["neighbour's GET, p99: during ours over idle"].value == pytest.approx(5.0)


def test_what_others_took_is_neither_ours_nor_idle() -> None:
    runs = [ours(1000, 1.0, 1.0)]
    assert taken_by_others(runs) == pytest.approx(4.0 / 20.0)  # 10 busy, of which 1 az, 4 API server, 1 benchmark
    rows = dict(where_time_goes(runs))
    assert rows == pytest.approx(
        {"idle": 10.0, "kube-apiserver": 4.0, "others on this machine": 4.0, "client (az)": 1.0}
        | {"the benchmark and its neighbour": 1.0}
    )


def test_the_table_says_what_holds_and_what_does_not() -> None:
    kinds = [Figure("a", 3.5, "x", 3, True, 4, "b"), Figure("c", 5.0, "x", 3, True, 4, "d")]
    missed = Figure("e", 11.0, "%", 10, False, None, "f")
    assert [line.split()[-2] for line in table([*kinds, missed]).splitlines()[1:]] == ["holds", "reached", "MET"]


def test_a_percentile_of_few_values_is_the_highest() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0
    assert percentile([float(n) for n in range(200)], 0.5) == 100.0


def test_a_list_is_judged_by_its_time_at_most_clusters_and_by_the_memory_that_a_cluster_more_takes() -> None:
    listed = {500: [cost(1.0, megabytes=70)], 5_000: [cost(seconds, megabytes=97) for seconds in (11.0, 4.0, 5.0)]}
    figure = found(Measurements(listed=listed))
    assert figure["list of 5,000 clusters"].value == pytest.approx(5.0)
    assert figure["list of 5,000 clusters"].holds
    assert figure["list, memory a cluster more"].value == pytest.approx(6.0)


def test_the_start_of_az_is_compared_by_medians() -> None:
    alone, beside = {"az aks list": [0.4, 0.41, 9.0]}, {"az aks list": [0.42, 0.43, 0.44]}
    shows = {"az aks show": [0.4, 0.5, 0.6], "az aks kms-migrate show": [0.7, 0.7, 0.7]}
    figure = found(Measurements(starts=Starts(alone, beside, shows)))
    assert figure["az aks list with the extension over without"].value == pytest.approx(0.43 / 0.41)
    assert figure["az aks list with the extension over without"].holds
    assert figure["az aks kms-migrate show over az aks show"].value == pytest.approx(1.4)
    assert not figure["az aks kms-migrate show over az aks show"].holds
