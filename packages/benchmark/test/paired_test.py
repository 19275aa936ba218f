import pytest
from conftest import TINY
from gpu_actions_host import paired
from gpu_actions_host.faults import Fault

SHORT = [*TINY, "--warmup-steps", "1"]


def test_pairs_of_two_processes_are_kept_raw(run):
    done = run("paired", *SHORT, "--pairs", "3", "--head", "--inject-slowdown 1", "--order-seed", "5")
    assert done.code == 0
    result = done.only("paired-result")
    assert [{**pair, "event": "pair", "index": index, "of": 3} for index, pair in enumerate(result["pairs"], 1)] == [
        event for event in done.events() if event["event"] == "pair"
    ]
    assert {pair["round"] for pair in result["pairs"]} == {0}, "one process for both"
    assert all(pair["base_ms"] > 0 and pair["head_ms"] > 0 for pair in result["pairs"])
    plans = {name: told["plan"][0]["actual"] for name, told in result["variants"].items()}
    assert plans["base"]["injected_slowdown"] is None
    assert plans["head"]["injected_slowdown"] == 1


def test_a_variant_that_cannot_run_ends_both_with_its_reason(run):
    # An order in which the head comes first: then the base need not get warm for this.
    assert paired.random.Random(0).sample(paired.VARIANTS, 2)[0] == "head"
    done = run("paired", *SHORT, "--pairs", "2", "--rounds", "1", "--head", "--gpus 2", "--order-seed", "0")
    error = done.only("error")
    assert (done.code, error["kind"]) == (2, "arguments")
    assert error["message"].startswith("The head variant: ")
    assert "its own protocol only" in error["faults"][0]


def test_a_variant_that_dies_is_named():
    wish = paired.parse([*SHORT, "--head-python", "/bin/false", "--base-python", "/bin/false"])
    with pytest.raises(Fault, match=r"The (base|head) variant ended with exit code 1"), paired.variants(
        wish, paired.random.Random(1)
    ):
        pass


def test_all_faults_of_both_variants_are_reported_at_once():
    with pytest.raises(Fault) as refused:
        paired.parse(["--pairs", "2", "--rounds", "3", "--base", "--batch-size 0", "--head", "--colour red"])
    assert [fault.split(":")[0] for fault in refused.value.faults] == ["base", "head", "head", "--rounds"]


def test_flags_of_a_variant_come_on_top_of_the_common_ones():
    wish = paired.parse(["--batch-size", "4", "--head", "--batch-size 8 --compile"])
    assert wish.arguments == {
        "base": ["--batch-size", "4"],
        "head": ["--batch-size", "4", "--batch-size", "8", "--compile"],
    }
    assert (wish.pairs, wish.rounds) == (150, 20)


def test_variants_of_the_same_work_share_one_process():
    assert paired.parse(["--batch-size", "4"]).rounds == 0
    assert paired.parse(["--batch-size", "4", "--head", "--inject-slowdown 0.05"]).rounds == 0
    assert paired.parse(["--head", "--batch-size 4"]).rounds == 20
    assert paired.parse(["--head-python", "/opt/other/python"]).rounds == 20


def test_each_process_of_separate_variants_steps_in_each_round(run):
    done = run("paired", *SHORT, "--pairs", "2", "--rounds", "1", "--head", "--batch-size 3")
    result = done.only("paired-result")
    assert [pair["round"] for pair in result["pairs"]] == [1, 1]
    assert result["variants"]["head"]["plan"][0]["actual"]["batch_size"] == 3
