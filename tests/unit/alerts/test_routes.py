from hypothesis import given
from hypothesis import strategies as st

from alerts.routes import SMS, TEXT, VOICE, Routes, Way

ROUTES = Routes(
    {
        "sms": Way(TEXT), "call": Way(VOICE), "backup": Way(TEXT),
        "group": Way(TEXT, by_default=False),
    }
)  # fmt: skip
CRITICAL, WARNING = ["CRIT_HIGH"], ["WARN_HIGH"]


def test_a_text_goes_by_the_texts_of_the_settings_and_then_by_a_call() -> None:
    assert ROUTES.of("sms", "raise", CRITICAL, ()) == ["sms", "backup", "call"]


def test_a_call_that_cannot_be_made_becomes_a_text() -> None:
    assert ROUTES.of("voice", "escalate", CRITICAL, ()) == ["call", "sms", "backup"]


def test_nobody_is_rung_for_a_warning_or_an_all_clear() -> None:
    assert ROUTES.of("sms", "raise", WARNING, ()) == ["sms", "backup"]
    assert ROUTES.of("sms", "clear", CRITICAL, ()) == ["sms", "backup"]


def test_a_persons_own_order_replaces_the_settings_order() -> None:
    assert ROUTES.of("sms", "raise", CRITICAL, ("group", "call", "sms")) == ["group", "sms", "call"]


def test_a_channel_that_is_gone_from_the_settings_leaves_the_person_reachable() -> None:
    assert ROUTES.of("sms", "raise", CRITICAL, ("fax",)) == ["sms", "backup", "call"]


@given(
    st.sampled_from(["sms", "voice"]),
    st.sampled_from(["raise", "escalate", "repeat", "clear", "past", "digest", "answer"]),
    st.lists(st.sampled_from(["CRIT_HIGH", "WARN_HIGH"]), max_size=2),
    st.lists(st.sampled_from(["sms", "call", "backup", "group", "gone"]), unique=True),
)
def test_there_is_always_a_way_and_none_is_named_twice(
    asked: str, kind: str, codes: list[str], own: list[str]
) -> None:
    route = ROUTES.of(asked, kind, codes, own)

    assert route
    assert len(set(route)) == len(route)
    assert set(route) <= set(ROUTES.ways)


def test_after_the_last_channel_comes_the_first_again_unless_it_refused() -> None:
    route = ["sms", "backup", "call"]

    assert ROUTES.after("call", route, ()) == "sms"
    assert ROUTES.after("call", route, ["sms"]) == "backup"
    assert ROUTES.after("call", route, ["sms", "backup"]) == ""


FAREWELL = Routes({"sms": Way(SMS), "app": Way(TEXT), "call": Way(VOICE)})


def test_whoever_unsubscribed_keeps_the_app_and_is_called_for_what_is_critical_alone() -> None:
    assert FAREWELL.of("sms", "raise", CRITICAL, (), unsubscribed=True) == ["app", "call"]
    assert FAREWELL.of("sms", "raise", WARNING, (), unsubscribed=True) == ["app"]
    assert FAREWELL.of("sms", "raise", WARNING, ("sms", "call"), unsubscribed=True) == []
    assert FAREWELL.of("voice", "escalate", CRITICAL, ("sms",), unsubscribed=True) == [
        "call", "app",
    ]  # fmt: skip


@given(
    st.sampled_from(["sms", "voice"]),
    st.sampled_from(["raise", "escalate", "repeat", "clear", "past", "digest"]),
    st.lists(st.sampled_from(["CRIT_HIGH", "WARN_HIGH"]), max_size=2),
    st.lists(st.sampled_from(["sms", "call", "app", "gone"]), unique=True),
)
def test_no_message_goes_to_the_number_of_somebody_who_unsubscribed(
    asked: str, kind: str, codes: list[str], own: list[str]
) -> None:
    assert "sms" not in FAREWELL.of(asked, kind, codes, own, unsubscribed=True)
    assert Routes({"sms": Way(SMS)}).of(asked, kind, codes, own, unsubscribed=True) == []
