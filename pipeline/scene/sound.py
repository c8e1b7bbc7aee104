"""Synthesises what a drawn scene sounds like: mono float32 in [-1, 1], 16 kHz."""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.scene.brush import Rng

Wave = NDArray[np.float64]

RATE: Final = 16_000


def clock(seconds: float) -> Wave:
    """Sample times (S,) of a sound of this length."""
    return np.arange(round(seconds * RATE)) / RATE


def coloured(rng: Rng, seconds: float, low: float, high: float, slope: float = 0.0) -> Wave:
    """Noise of RMS 1 between two frequencies in Hz, falling by `slope` x 6 dB an octave."""
    num = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.normal(size=num))
    hertz = np.fft.rfftfreq(num, 1 / RATE)
    soft = 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 4)
    noise = np.fft.irfft(spectrum * soft * np.maximum(hertz, 20) ** -slope, num)
    return noise / max(float(np.sqrt(np.mean(noise**2))), 1e-9)


def _sum(waves: Iterable[Wave]) -> Wave:
    """All of them together."""
    return np.asarray(np.sum(list(waves), axis=0))


def decay(seconds: float, half: float) -> Wave:
    """An envelope that falls by half every `half` seconds."""
    return np.asarray(0.5 ** (clock(seconds) / half))


def mix(track: Wave, sound: Wave, at: float) -> None:
    """Adds a sound to a track, `at` seconds; what sticks out is cut off."""
    first = round(at * RATE)
    sound = sound[max(0, -first) :]
    first = max(0, first)
    sound = sound[: max(0, len(track) - first)]
    track[first : first + len(sound)] += sound


def echoing(rng: Rng, sound: Wave, seconds: float, level: float) -> Wave:
    """The sound with the answer of the houses: a few echoes and a tail."""
    out = np.concatenate([sound, np.zeros(round(seconds * RATE))])
    for _ in range(int(rng.integers(2, 5))):
        mix(out, sound * level * rng.uniform(0.3, 1.0), rng.uniform(0.04, 0.3))
    tail = coloured(rng, seconds, 150, rng.uniform(1500, 4000), 0.5) * decay(seconds, seconds / rng.uniform(5, 9))
    peak = float(np.abs(sound).max())
    mix(out, tail * peak * level * 0.5, 0.012)
    return out


def gun_shot(rng: Rng, seconds: float) -> Wave:
    """Shots: a crack, a broadband blast that falls in milliseconds, a thump, and the street's answer."""
    track = np.zeros(round(seconds * RATE))
    blast, tail, thump = rng.uniform(0.006, 0.02), rng.uniform(0.5, 1.1), rng.uniform(70, 140)
    brightness, level = rng.uniform(3500, 7500), rng.uniform(0.6, 0.95)
    at, gap = 0.05, rng.choice([rng.uniform(0.1, 0.2), rng.uniform(0.35, 0.9)])
    while at < seconds - 0.3:
        body = 0.35 * coloured(rng, 0.25, 120, brightness, 0.15) * decay(0.25, blast)
        body += 0.6 * np.sin(2 * np.pi * thump * clock(0.25)) * decay(0.25, 0.03)
        body[:24] += rng.choice([-1, 1]) * np.hanning(24) * 1.2
        mix(track, echoing(rng, level * body * rng.uniform(0.85, 1.0), tail, 0.5), at)
        at += gap * rng.uniform(0.8, 1.5)
    return track


def glass_break(rng: Rng, seconds: float) -> Wave:
    """Breaking glass: a bright burst, then shards, each ringing briefly at frequencies that are no harmonics."""
    track = np.zeros(round(seconds * RATE))
    at = 0.05
    while at < seconds - 0.3:
        length = 1.6
        crash = 0.3 * coloured(rng, length, 1500, 7800) * decay(length, rng.uniform(0.02, 0.06))
        crash += 0.03 * coloured(rng, length, 2500, 7800) * decay(length, rng.uniform(0.15, 0.3))
        for _ in range(int(rng.integers(50, 90))):
            hit = min(float(rng.exponential(0.25)), length - 0.2)
            shard = 0.6 * coloured(rng, 0.2, 2500, 7800) * decay(0.2, 0.004)
            for hertz in rng.uniform(2200, 7800, 3):
                shard += np.sin(2 * np.pi * hertz * clock(0.2)) * decay(0.2, rng.uniform(0.004, 0.03))
            mix(crash, shard * 0.1 * rng.random() * 0.5 ** (hit / 0.4), hit)
        mix(track, echoing(rng, crash * rng.uniform(0.7, 1.2), 0.5, 0.25), at)
        at += rng.uniform(0.9, 1.5)
    return track


def siren(rng: Rng, seconds: float) -> Wave:
    """A siren: wail, yelp or two tones, coming nearer and going away."""
    time, kind = clock(seconds), rng.choice(["wail", "wail", "yelp", "yelp", "two-tone"])
    low, high = rng.uniform(450, 700), rng.uniform(1000, 1600)
    if kind == "two-tone":
        low = rng.uniform(420, 650)
        hertz = low * (1 + rng.uniform(0.25, 0.35) * (0.5 + 0.5 * np.tanh(9 * np.sin(2 * np.pi * 0.8 * time))))
    else:
        speed = rng.uniform(0.2, 0.35) if kind == "wail" else rng.uniform(2.5, 4)
        hertz = low + (high - low) * (0.5 - 0.5 * np.cos(2 * np.pi * speed * time + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(hertz * np.linspace(1.02, 0.98, len(time))) / RATE
    tone = _sum(np.sin(part * phase) / part**1.1 for part in range(1, 8))
    near = 0.45 + 0.55 * np.sin(np.pi * np.linspace(0.15, 0.85, len(time)))
    edge = np.minimum(1, np.minimum(time, seconds - time) / 0.3)
    return np.asarray(rng.uniform(0.12, 0.3) * tone * near * edge)


def door_slam(rng: Rng, seconds: float = 0.6) -> Wave:
    """A door falls shut: low and dull."""
    body = 0.5 * coloured(rng, seconds, 50, rng.uniform(300, 900), 0.5) * decay(seconds, 0.035)
    body += 0.3 * np.sin(2 * np.pi * rng.uniform(60, 110) * clock(seconds)) * decay(seconds, 0.05)
    latch = 0.25 * coloured(rng, 0.05, 800, 2500) * decay(0.05, 0.006)
    mix(body, latch, 0.04)
    return echoing(rng, body * rng.uniform(0.6, 1.2), 0.25, 0.2)


def dog_bark(rng: Rng, seconds: float = 2.0) -> Wave:
    """A dog barks a few times."""
    track, at, pitch = np.zeros(round(seconds * RATE)), 0.05, rng.uniform(380, 750)
    time = clock(0.16)
    while at < seconds - 0.25:
        glide = pitch * rng.uniform(0.93, 1.07) * (0.75 + 0.6 * np.sin(np.pi * (time / 0.16) ** 0.7))
        phase = 2 * np.pi * np.cumsum(glide) / RATE + np.cumsum(rng.normal(0, 0.04, len(time)))
        voice = _sum(np.sin(part * phase) * np.exp(-(((part * pitch - 1200) / 1100) ** 2)) for part in range(1, 9))
        edge = np.minimum(1, time / 0.012) * np.minimum(1, (0.16 - time) / 0.07)
        bark = (voice + 0.25 * coloured(rng, 0.16, 600, 3500)) * edge
        mix(track, echoing(rng, rng.uniform(0.15, 0.35) * bark, 0.25, 0.2), at)
        at += rng.choice([rng.uniform(0.25, 0.35), rng.uniform(0.4, 0.8)])
    return track


def clapping(rng: Rng, seconds: float = 2.0) -> Wave:
    """A few people clap."""
    track = np.zeros(round(seconds * RATE))
    for _ in range(int(rng.integers(2, 6))):
        at, gap, tone = rng.uniform(0, 0.3), rng.uniform(0.2, 0.32), rng.uniform(1000, 2000)
        level = rng.uniform(0.04, 0.12)
        while at < seconds - 0.1:
            clap = coloured(rng, 0.1, tone * 0.6, tone * 2.5) * decay(0.1, rng.uniform(0.004, 0.009))
            mix(track, echoing(rng, level * clap, 0.15, 0.15), at)
            at += gap * rng.uniform(0.9, 1.1)
    return track


def car_horn(rng: Rng, seconds: float = 0.9) -> Wave:
    """Two notes of a horn."""
    time, low = clock(seconds), rng.uniform(330, 440)
    tone = _sum(np.sin(2 * np.pi * low * pitch * part * time) / part for pitch in (1, 1.26) for part in range(1, 8))
    edge = np.minimum(1, np.minimum(time, seconds - time) / 0.03)
    return np.asarray(rng.uniform(0.05, 0.16) * tone * edge)


def bell(rng: Rng, seconds: float = 1.2) -> Wave:
    """A bicycle's bell: rings high too, but with few partials, twice."""
    time, low = clock(seconds), rng.uniform(1800, 2600)
    ring = _sum(np.sin(2 * np.pi * low * part * time) * decay(seconds, 0.16 / part) for part in (1, 2.0, 2.8))
    twice = ring.copy()
    mix(twice, ring, 0.22)
    return np.asarray(rng.uniform(0.05, 0.14) * twice)


def babble(rng: Rng, seconds: float) -> Wave:
    """Something like speech: syllables of a buzzing voice with two formants, and hisses between."""
    track, at = np.zeros(round(seconds * RATE)), 0.0
    pitch, level = rng.uniform(95, 230), rng.uniform(0.03, 0.09)
    while at < seconds - 0.1:
        length = rng.uniform(0.09, 0.24)
        time = clock(length)
        glide = pitch * (1 + 0.12 * rng.normal() + rng.uniform(-0.2, 0.1) * time / length)
        phase = 2 * np.pi * np.cumsum(glide + 0 * time) / RATE
        first, second = rng.uniform(280, 850), rng.uniform(900, 2400)
        voice = np.zeros(len(time))
        for part in range(1, int(3600 / pitch)):
            hertz = part * pitch
            gain = np.exp(-(((hertz - first) / 160) ** 2)) + 0.5 * np.exp(-(((hertz - second) / 250) ** 2)) + 0.02
            voice += gain * np.sin(part * phase)
        mix(track, level * voice * np.sin(np.pi * time / length) ** 0.7, at)
        if rng.random() < 0.3:
            mix(track, 0.3 * level * coloured(rng, 0.08, 2500, 6500) * np.hanning(1280), at + length)
        at += length + rng.uniform(0.01, 0.08) + (rng.uniform(0.2, 0.7) if rng.random() < 0.12 else 0)
    return track


def steps(rng: Rng, seconds: float) -> Wave:
    """Somebody's footsteps."""
    track, at, gap = np.zeros(round(seconds * RATE)), rng.uniform(0, 0.5), rng.uniform(0.42, 0.62)
    level, tone = rng.uniform(0.01, 0.035), rng.uniform(250, 900)
    while at < seconds:
        mix(track, level * coloured(rng, 0.07, tone * 0.5, tone * 2) * decay(0.07, 0.012), at)
        at += gap * rng.uniform(0.94, 1.06)
    return track


def car_pass(rng: Rng, seconds: float) -> Wave:
    """A car comes, is nearest in the middle, and goes."""
    time = clock(seconds)
    near = 1 / (1 + ((time - seconds / 2) / (0.12 * seconds)) ** 2)
    drop = 1.04 - 0.08 / (1 + np.exp(-(time - seconds / 2) * 4))
    phase = 2 * np.pi * np.cumsum(rng.uniform(45, 80) * drop) / RATE
    engine = _sum(np.sin(part * phase) / part for part in range(1, 7))
    tyres = coloured(rng, seconds, 200, rng.uniform(900, 1800), 0.3)
    return np.asarray(rng.uniform(0.02, 0.06) * near * (0.5 * engine + tyres))


def bird(rng: Rng, seconds: float = 1.0) -> Wave:
    """A few chirps."""
    track, at, base = np.zeros(round(seconds * RATE)), 0.0, rng.uniform(2600, 5200)
    for _ in range(int(rng.integers(2, 6))):
        length = rng.uniform(0.05, 0.13)
        time = clock(length)
        sweep = base * (1 + rng.uniform(-0.25, 0.25) * np.sin(np.pi * time / length))
        chirp = np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * np.hanning(len(time))
        mix(track, rng.uniform(0.01, 0.03) * chirp, at)
        at += length + rng.uniform(0.03, 0.15)
    return track


def ambience(rng: Rng, seconds: float) -> Wave:
    """The hum of a town, wind, birds and distant steps."""
    level = rng.uniform(0.004, 0.015)
    time = clock(seconds)
    track = level * coloured(rng, seconds, 40, rng.uniform(700, 2500), 0.8)
    gust = np.interp(time, np.arange(0, seconds + 2, 1.3), rng.uniform(0, 1, len(np.arange(0, seconds + 2, 1.3))) ** 2)
    track += rng.uniform(0, 0.02) * gust * coloured(rng, seconds, 80, 500, 0.5)
    track += 0.002 * np.sin(2 * np.pi * 50 * time)
    track += rng.uniform(0.0005, 0.004) * rng.normal(size=len(time))  # the microphone's own
    for at in np.cumsum(rng.exponential(5.0, max(1, int(seconds / 3)))):
        mix(track, bird(rng), float(at))
    for _ in range(max(1, int(seconds / 8))):
        mix(track, steps(rng, rng.uniform(3, 6)), rng.uniform(0, seconds))
    return track


ALARMS: Final[dict[str, Callable[[Rng, float], Wave]]] = {
    "gun_shot": gun_shot,
    "glass_break": glass_break,
    "siren": siren,
}
"""Anomalies that are heard."""

NOISES: Final[dict[str, Callable[[Rng], Wave]]] = {
    "door_slam": door_slam,
    "dog_bark": dog_bark,
    "clapping": clapping,
    "car_horn": car_horn,
    "bell": bell,
}
"""Ordinary sounds, though some of them are loud and sudden."""
