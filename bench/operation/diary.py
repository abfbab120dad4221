"""What people and the plant's clock do to a room in a month, before the room answers.

A working day has a morning and an afternoon peak; the months of the peak have longer days,
more openings and more loads. Instants are seconds since the month's first midnight, local
time, in whole tens of seconds. All figures are our choice unless said otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp
from random import Random

from bench.operation.rooms import Room

HOUR_S = 3600.0
DAY_S = 86_400.0
TICK_S = 10.0

OPENINGS_A_DAY = (12.0, 30.0)  # apart from loads; quiet month, peak
OPENING_S, OPENING_SPREAD, OPENING_AT_MOST_S = 35.0, 0.8, 360.0  # median, sigma of the logarithm
HELD_OPEN, HELD_S = 0.01, (240.0, 720.0)  # of the openings: somebody counts, or talks
LOADS_A_DAY = (0.4, 1.2)
LOAD_S, LOAD_SPREAD, LOAD_WITHIN_S = 1080.0, 0.4, (480.0, 3000.0)
PROPPED = 0.2  # of the loads are carried through a door that is propped open
TRIP_OPEN_S, TRIP_SHUT_S = (20.0, 60.0), (40.0, 120.0)
LOADING_SAID = 0.6  # of the loads the operator says that it begins
END_FORGOTTEN = 0.05  # of those, that it is over
LOAD_SHARE = (0.05, 0.15)  # of the capacity, in or out
FIELD_WARM = 0.3  # of the loads in of a crop in its peak
PRECOOLING_SAID = 0.9  # of the lots that come from the field
ALLOWED_H = 18.0  # what the operator writes for it: room cooling takes 12 to 48 (models, 4)
STOPS_A_DAY = (6, 10)  # of a vehicle
STOP_S, STOP_SPREAD, STOP_WITHIN_S = 150.0, 0.6, (40.0, 600.0)
DEFROST_EVERY_H = (6.0, 8.0)  # controllers count whole hours, so it comes at the same times
DEFROST_MIN = (15.0, 25.0)
DIPS_A_MONTH, DIP_S = 1.0, (10.0, 110.0)  # of the mains; longer ones are failures

Spans = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Load:
    """Goods in (``share`` > 0) or out between ``begin_s`` and ``end_s``. ``warmer_k``: against
    the room's set point; ``from_field``: as warm as the day instead."""

    begin_s: float
    end_s: float
    share: float
    warmer_k: float
    from_field: bool
    said_start: bool
    said_end: bool
    said_precooling: bool


@dataclass(frozen=True, slots=True)
class Diary:
    doors: Spans  # sorted, apart
    loads: list[Load]
    defrosts: Spans
    dips: Spans


def write(room: Room, days: int, random: Random) -> Diary:
    doors: Spans = []
    loads: list[Load] = []
    filled = room.filled
    for day in range(days):
        midnight = day * DAY_S
        if room.kind.vehicle:
            for load, opened in _round(room, midnight, filled, random):
                doors += opened
                loads.append(load)
                filled += load.share
            continue
        doors += _openings(room, midnight, random)
        for load in _loads(room, midnight, filled, random):
            loads.append(load)
            filled += load.share
            doors += _carried(load, random)
    return Diary(
        doors=_apart(doors),
        loads=loads,
        defrosts=_defrosts(days, random),
        dips=_apart(
            [
                (at := random.uniform(0, days * DAY_S), at + random.uniform(*DIP_S))
                for _ in range(_poisson(DIPS_A_MONTH * days / 30, random))
            ]
        ),
    )


def _hours(room: Room, midnight: float) -> tuple[float, float]:
    begin, end = (5.0, 21.0) if room.peak else (6.5, 18.5)
    return midnight + begin * HOUR_S, midnight + end * HOUR_S


def _moment(room: Room, midnight: float, random: Random) -> float:
    """Half of what happens falls into the morning's and the afternoon's peak."""
    begin, end = _hours(room, midnight)
    chance = random.random()
    if chance < 0.3:
        return random.gauss(midnight + 8 * HOUR_S, HOUR_S)
    if chance < 0.5:
        return random.gauss(midnight + 16.5 * HOUR_S, HOUR_S)
    return random.uniform(begin, end)


def _openings(room: Room, midnight: float, random: Random) -> Iterator[tuple[float, float]]:
    for _ in range(_poisson(OPENINGS_A_DAY[room.peak], random)):
        at = _moment(room, midnight, random)
        if random.random() < HELD_OPEN:
            yield at, at + random.uniform(*HELD_S)
        else:
            open_s = random.lognormvariate(0, OPENING_SPREAD) * OPENING_S
            yield at, at + min(open_s, OPENING_AT_MOST_S)


def _loads(room: Room, midnight: float, filled: float, random: Random) -> Iterator[Load]:
    """In while there is room, out while there is stock; one after the other."""
    times = sorted(
        _moment(room, midnight, random) for _ in range(_poisson(LOADS_A_DAY[room.peak], random))
    )
    free_s = 0.0
    for at in times:
        if at < free_s:
            continue
        length = random.lognormvariate(0, LOAD_SPREAD) * LOAD_S
        length = min(max(length, LOAD_WITHIN_S[0]), LOAD_WITHIN_S[1])
        share = random.uniform(*LOAD_SHARE)
        inward = random.random() < 0.5
        if filled + share > 0.9:
            inward = False
        elif filled - share < 0.25:
            inward = True
        from_field = room.kind.field_warm and room.peak and random.random() < FIELD_WARM
        load = Load(
            begin_s=at,
            end_s=at + length,
            share=share if inward else -share,
            warmer_k=_warmer(room, random),
            from_field=inward and from_field,
            said_start=random.random() < LOADING_SAID,
            said_end=random.random() >= END_FORGOTTEN,
            said_precooling=random.random() < PRECOOLING_SAID,
        )
        filled += load.share
        free_s = load.end_s + HOUR_S / 2
        yield load


def _warmer(room: Room, random: Random) -> float:
    """Pre-cooled elsewhere or brought cold: most within the band, some a little above it."""
    top_k = room.kind.band[1] - room.set_c
    if random.random() < 0.8:
        return random.uniform(0.0, top_k)
    return random.uniform(top_k, top_k + 3.0)


def _carried(load: Load, random: Random) -> Iterator[tuple[float, float]]:
    if random.random() < PROPPED:
        yield load.begin_s, load.end_s
        return
    at = load.begin_s
    while at < load.end_s:
        open_s = random.uniform(*TRIP_OPEN_S)
        yield at, at + open_s
        at += open_s + random.uniform(*TRIP_SHUT_S)


def _round(
    room: Room, midnight: float, filled: float, random: Random
) -> Iterator[tuple[Load, Spans]]:
    """A vehicle's day: loaded at the depot before six, stops until the afternoon."""
    at = midnight + random.uniform(4.5, 5.5) * HOUR_S
    length = random.uniform(600, 1500)
    share = max(0.85 - filled, 0.05)
    load = Load(
        at, at + length, share, _warmer(room, random), from_field=False,
        said_start=random.random() < LOADING_SAID, said_end=random.random() >= END_FORGOTTEN,
        said_precooling=False,
    )  # fmt: skip
    yield load, list(_carried(load, random))
    stops = random.randint(*STOPS_A_DAY) + (3 if room.peak else 0)
    leaves = share / stops
    at = load.end_s + random.uniform(1200, 3600)
    for _ in range(stops):
        open_s = random.lognormvariate(0, STOP_SPREAD) * STOP_S
        open_s = min(max(open_s, STOP_WITHIN_S[0]), STOP_WITHIN_S[1])
        out = Load(
            at, at + open_s, -leaves, 0.0, from_field=False,
            said_start=False, said_end=True, said_precooling=False,
        )  # fmt: skip
        yield out, [(at, at + open_s)]
        at += open_s + random.uniform(1200, 3000)


def _defrosts(days: int, random: Random) -> Spans:
    every = random.choice(DEFROST_EVERY_H) * HOUR_S
    length = random.uniform(*DEFROST_MIN) * 60
    first = random.uniform(0, every)
    count = int((days * DAY_S - first) // every) + 1
    spans = [
        (first + i * every, first + i * every + length * random.uniform(0.9, 1.1))
        for i in range(count)
    ]
    return _apart(spans)


def _apart(spans: Spans) -> Spans:
    """Sorted, in ticks, none empty, those that touch made one."""
    out: Spans = []
    for begin, end in sorted(spans):
        begin = max(round(begin / TICK_S) * TICK_S, 0.0)
        end = max(round(end / TICK_S) * TICK_S, begin + TICK_S)
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((begin, end))
    return out


def _poisson(mean: float, random: Random) -> int:
    """Knuth's product of uniforms; means here are small."""
    limit, product, count = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count
