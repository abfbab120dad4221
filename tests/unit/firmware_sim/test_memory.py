from pathlib import Path

from firmware_sim.memory import Kept, Memory


def kept(name: str) -> Kept:
    return Kept("devices/p/readings", name, 3, name.encode() + b"\nwith a second line")


def test_a_full_memory_gives_up_the_oldest_and_says_so() -> None:
    memory = Memory(2)

    numbers = [memory.keep(kept(name)) for name in "abc"]

    assert list(memory.numbers()) == numbers[1:]
    assert memory.given_up == 1


def test_a_folder_keeps_what_was_not_forgotten_across_a_restart(tmp_path: Path) -> None:
    first = Memory(10, tmp_path)
    gone, stays = first.keep(kept("a")), first.keep(kept("b"))
    first.forget(gone)

    second = Memory(10, tmp_path)

    assert [second.get(number) for number in second.numbers()] == [kept("b")]
    assert second.keep(kept("c")) > stays
