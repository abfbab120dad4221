"""What a reply means, as people write it."""

import pytest

from domain.replies import (
    Acknowledges,
    AsksTemperature,
    Meaning,
    Resumes,
    Unclear,
    Unsubscribes,
    meaning,
)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("1", Acknowledges()),
        (" 1。", Acknowledges()),
        ("\uff11", Acknowledges()),
        ("3", Acknowledges()),
        ("A7K3", Acknowledges("A7K3")),
        ("1 a7k3", Acknowledges("A7K3")),
        ("1,A7K3", Acknowledges("A7K3")),
        ("A7K3 2", Acknowledges("A7K3", "power")),
        ("a7k37", Acknowledges("A7K3", "false")),
        ("温度", AsksTemperature()),
        ("T", Unsubscribes()),
        ("TD", Unsubscribes()),
        ("退订", Unsubscribes()),
        (" 恢复。", Resumes()),
        ("start", Resumes()),
        ("已恢复", Unclear()),
        ("11", Unclear()),
        ("8", Unclear()),
        ("收到", Unclear()),
        ("", Unclear()),
        ("A7K3 9", Unclear()),
    ],
)
def test_a_reply_means(text: str, means: Meaning) -> None:
    assert meaning(text) == means
