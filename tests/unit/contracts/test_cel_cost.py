"""What expressions cost grows as it does in truth: with the payload, with lists times texts, with counted patterns."""

from __future__ import annotations

import pytest

from llm_schema_registry.contracts.cel.ast import Tree
from llm_schema_registry.contracts.cel.cost import (
    LARGEST_PAYLOAD,
    MAX_ROUNDS,
    Estimate,
    costs_by_bits,
    fits,
    largest_payload,
    regex_size,
)
from llm_schema_registry.contracts.cel.engine import Environment
from llm_schema_registry.contracts.cel.functions import FUNCTIONS
from llm_schema_registry.contracts.cel.reference_data import DataSet, catalog_functions
from llm_schema_registry.contracts.cel.types import open_pool

DATA = {"small": DataSet("small", 1, ["a"]), "large": DataSet("large", 1, ["a" * 100] * 5_000)}
EVERY = (*FUNCTIONS, *catalog_functions(DATA))


def estimate(source: str) -> Estimate:
    environment = Environment(open_pool(), {"message": "dyn", "now": "timestamp"}, EVERY)
    sizes = {name: found.size for name, found in DATA.items()}
    names = frozenset(function.name for function in EVERY)
    return Estimate(Tree(environment.check(source)), frozenset({"message"}), names, sizes)


def built(source: str, size: int) -> float:
    return estimate(source).at(size).built


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("abc", 3),
        ("", 1),
        ("a{64}", 64),
        ("a{2,8}", 8),
        ("a{3,}", 3),
        ("(ab){10}", 40),
        ("((a{10}){10}){10}", 1_220),
        ("a)b", 3),
        ("(ab", 2),
        ("[a-z]{2}", 20),
        ("[]a]b", 11),
        ("[[:alpha:]\\]]", 10),
        ("\\.", 10),
        ("ä.", 20),
        ("\\pL", 2_000),
        ("\\p{Greek}{3}", 6_000),
        ("[\\pL]", 2_000),
        ("a{99999}{99999}", 100_000_000),
    ],
)
def test_a_pattern_is_as_large_as_with_its_repetitions_written_out(pattern: str, size: int) -> None:
    assert regex_size(pattern) == size


def test_what_goes_once_over_the_payload_is_in_proportion_to_it() -> None:
    for source in ("message.l.map(x, x.name)", "message.a + message.b", "[message.a]", "{'a': message.a, 'b': 1}"):
        assert built(source, 2_000_000) < 2.1 * built(source, 1_000_000), source


def test_what_surrounds_a_loop_counts_in_each_round() -> None:
    for source in ("message.l.map(x, message.t + x)", "message.l.map(x, x.l.map(y, x.name + y))"):
        assert built(source, 8_000) > 3 * built(source, 4_000), source


def test_a_short_list_makes_a_loop_cheap() -> None:
    loops = estimate("message.l.all(x, message.t.contains(x))")
    assert not fits([loops], 1_000_000)
    assert fits([loops], 1_000_000, 10)
    gathered = estimate("message.l.map(x, x).all(x, message.t.contains(x))")
    assert not fits([gathered], 1_000_000, MAX_ROUNDS)


def test_a_chain_of_maps_doubles() -> None:
    chain = ".map(x, [x, x])"
    assert built(f"[message]{chain * 11}", 1_000) > 1.9 * built(f"[message]{chain * 10}", 1_000)


def test_reference_data_costs_what_it_holds() -> None:
    assert built("catalog('large').size() > 0", 1_000) == DATA["large"].size + 29
    assert built("catalog('small').size() > 0", 1_000) == DATA["small"].size + 29
    # A name that is computed can be the largest's.
    assert built("catalog('la' + 'rge').size() > 0", 1_000) > DATA["large"].size
    assert built("catalogHas('large', message.a)", 1_000) == 0


def test_texts_that_are_written_out_have_a_bound() -> None:
    assert built("string(1)", 1_000) < 100
    assert 2_000 < built("string(message.a)", 1_000) < 5_000
    assert built("string('ab')", 1_000) < 100
    assert built("'%.100f'.format([message.a])", 1_000) < 12_000
    assert built("message.f.format([message.a])", 1_000) > 100_000
    assert built("decimals.add(1, 2)", 1_000) < 3_000
    assert built("message.l[0].a", 1_000) == 0


def test_the_largest_payload_is_found() -> None:
    assert largest_payload([estimate("now > timestamp(0)")]) == LARGEST_PAYLOAD
    assert largest_payload([]) == LARGEST_PAYLOAD
    assert largest_payload([estimate(f"[message]{'.map(x, [x, x])' * 26} == []")]) == 0
    found = largest_payload([estimate("message.l.all(x, message.t.contains(x))")])
    assert 10_000 < found < 100_000


def test_costs_are_known_by_the_bits_of_a_size() -> None:
    costs = costs_by_bits([estimate("message.t.matches('a{100}')"), estimate("message.l.map(x, message.t + x) == []")])
    assert len(costs) == LARGEST_PAYLOAD.bit_length()
    assert list(costs) == sorted(costs)
    assert costs[-1] == float("inf")
