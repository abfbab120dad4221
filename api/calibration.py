"""What a probe's papers and the checks beside it say now."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.registry import Registry
from domain.calibration import Papers, drift, in_force, state
from domain.reading import ProbeId
from store.records.ports import RecordedCheck


@dataclass(frozen=True, slots=True)
class Checked:
    """``off``: counts of 0.01 degC, when that is more than a probe may be off."""

    said: RecordedCheck
    off: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """``state``: none, ok, due or overdue. ``papers`` oldest first, ``checks`` newest first."""

    probe: ProbeId
    state: str
    held: Papers | None
    papers: Sequence[Papers]
    checks: Sequence[Checked]

    @property
    def drifted(self) -> Checked | None:
        """The newest check, when it found the probe off."""
        return next((c for c in self.checks[:1] if c.off is not None), None)


def standing(registry: Registry, probe: ProbeId, now_ms: int) -> Standing:
    papers = registry.papers.get(probe, ())
    checks = [Checked(c, drift(papers, c.check)) for c in registry.checks.get(probe, ())]
    checks.sort(key=lambda c: (-c.said.check.at_ms, -c.said.m))
    return Standing(probe, state(papers, now_ms), in_force(papers, now_ms), papers, checks)
