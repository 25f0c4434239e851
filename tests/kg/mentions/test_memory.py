"""What was read before is remembered up to a number, the latest longest."""

from __future__ import annotations

from kg.mentions.memory import Memory


def test_it_never_holds_more_than_its_size() -> None:
    memory: Memory[int, str] = Memory(10)
    for key in range(1000):
        memory.keep(key, str(key))
        assert len(memory) <= 10
    assert memory.get(999) == "999"
    assert memory.get(0) is None


def test_what_is_asked_for_stays() -> None:
    memory: Memory[int, str] = Memory(10)
    memory.keep(-1, "often")
    for key in range(100):
        memory.keep(key, str(key))
        assert memory.get(-1) == "often"
    assert memory.get(50) is None
