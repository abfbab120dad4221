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
        ("7 A7K3", Acknowledges("A7K3", "false")),
        ("A7K3 门", Acknowledges("A7K3", "door")),
        ("a7k3,停電", Acknowledges("A7K3", "power")),
        ("A7K3 Warm goods", Acknowledges("A7K3", "product warm")),
        ("\uff11\u3000\uff21\uff17\uff2b\uff13", Acknowledges("A7K3")),
        ("1.A7K3", Acknowledges("A7K3")),
        ("1A7K3", Acknowledges("A7K3")),
        ("a7 k3", Acknowledges("A7K3")),
        ("回1确认 A7K3", Acknowledges("A7K3")),
        ("1確認A7K3", Acknowledges("A7K3")),
        ("Reply 1 A7K3.", Acknowledges("A7K3")),
        ("回1", Acknowledges()),
        ("1 确认", Acknowledges()),
        ("确认", Acknowledges()),
        ("温度", AsksTemperature()),
        ("溫度?", AsksTemperature()),
        ("查温度", AsksTemperature()),
        ("T", Unsubscribes()),
        ("TD", Unsubscribes()),
        ("退订", Unsubscribes()),
        ("退訂", Unsubscribes()),
        ("回T", Unsubscribes()),
        ("退订回TD", Unsubscribes()),
        ("\uff34", Unsubscribes()),
        (" 恢复。", Resumes()),
        ("恢復", Resumes()),
        ("start", Resumes()),
        ("已恢复", Unclear()),
        ("11", Unclear()),
        ("8", Unclear()),
        ("收到", Unclear()),
        ("确认不了", Unclear()),
        ("TT", Unclear()),
        ("", Unclear()),
        ("A7K3 9", Unclear()),
    ],
)
def test_a_reply_means(text: str, means: Meaning) -> None:
    assert meaning(text) == means
