"""Topic names are built and parsed by the same rules, and nothing else is ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import topics
from wire.topics import Topic

gateways = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


@given(st.integers(0, 63), gateways)
def test_parsing_undoes_building(partition: int, gateway: str) -> None:
    assert topics.parse(topics.batch(partition, gateway, "live")) == Topic(
        partition, gateway, "batch", "live"
    )
    assert topics.parse(topics.status(partition, gateway)) == Topic(partition, gateway, "status")
    assert topics.parse(topics.receipt(partition, gateway)) == Topic(partition, gateway, "receipt")
    assert topics.parse(topics.config(partition, gateway)) == Topic(partition, gateway, "config")


@given(st.text())
def test_other_topics_are_none_of_ours(topic: str) -> None:
    assert topics.parse(topic) is None


@pytest.mark.parametrize(
    "topic",
    ["ct/v1/64/gw/status", "ct/v1/01/gw/status", "ct/v1/1/g w/status", "ct/v1/1/gw/batch/other",
     "ct/v1/1/+/status", "ct/v1/1/gw/status\n"],
)  # fmt: skip
def test_a_topic_that_is_nearly_ours_is_not(topic: str) -> None:
    assert topics.parse(topic) is None


@pytest.mark.parametrize("gateway", ["", "a/b", "+", "#", "a b", "a.b", "x" * 65])
def test_a_gateway_cannot_be_named_so_that_a_topic_means_something_else(gateway: str) -> None:
    with pytest.raises(ValueError, match="gateway"):
        topics.status(0, gateway)
