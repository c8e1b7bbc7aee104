"""What people do with their bodies when nothing is wrong: poses (F, P) over the time."""

import numpy as np

from pipeline.scene.brush import Floats, Rng
from pipeline.scene.motion import STAND, Angle, pose, wander


def talk(rng: Rng, times: Floats) -> Floats:
    """Speaks with the hands, now one, now the other."""
    made = np.tile(STAND, (len(times), 1))
    for side in (0, 1):
        lively = np.clip(wander(rng, times, 0.5, 1.0), 0, 1)
        made[:, Angle.ARM_L + side] += lively * (0.45 + wander(rng, times, 2, 0.2))
        made[:, Angle.ELBOW_L + side] += lively * (1.1 + wander(rng, times, 2.5, 0.35))
        made[:, Angle.INWARD_L + side] += 0.3 * lively
    made[:, Angle.NOD] = wander(rng, times, 1.5, 0.12)
    made[:, Angle.TURN] = wander(rng, times, 0.7, 0.25)
    made[:, Angle.ROLL] = wander(rng, times, 0.4, 0.03)
    made[:, Angle.HIP_L] += 0.08
    return made


def wave(rng: Rng, times: Floats) -> Floats:
    """Waves an arm overhead."""
    made = talk(rng, times)
    made[:, Angle.ARM_R], made[:, Angle.OUT_R] = 2.5, 0.35
    made[:, Angle.ELBOW_R] = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1.4, 2.2) * times)
    return made


def hug(rng: Rng, times: Floats) -> Floats:
    """Holds the other in both arms, and sways a little."""
    made = np.tile(pose(arm=1.25, elbow=0.9, out=0.35, inward=0.95, lean=0.1, nod=0.3), (len(times), 1))
    made[:, Angle.ROLL] = 0.06 * np.sin(2 * np.pi * 0.5 * times)
    made[:, Angle.ELBOW_R] += 0.15 * np.sin(2 * np.pi * rng.uniform(1.5, 2.5) * times)
    return made


def handshake(rng: Rng, times: Floats) -> Floats:
    """Shakes the other's right hand."""
    made = np.tile(pose(arm_r=0.75, elbow_r=0.55, inward_r=0.25, elbow_l=0.2, out_l=0.1, lean=0.12), (len(times), 1))
    made[:, Angle.ELBOW_R] += 0.18 * np.sin(2 * np.pi * rng.uniform(2, 3) * times)
    return made


def clap(rng: Rng, times: Floats) -> Floats:
    """Applauds."""
    made = np.tile(pose(arm=0.7, elbow=1.3, inward=0.3), (len(times), 1))
    beat = np.sin(2 * np.pi * rng.uniform(2.2, 3.2) * times)
    made[:, [Angle.INWARD_L, Angle.INWARD_R]] += 0.35 * beat[:, None]
    return made


def dance(rng: Rng, times: Floats) -> Floats:
    """Dances to a beat: wide and fast, but regular."""
    beat = 2 * np.pi * rng.uniform(0.9, 1.25) * times
    made = np.tile(STAND, (len(times), 1))
    made[:, Angle.ARM_L] = 1.4 + 1.1 * np.sin(beat)
    made[:, Angle.ARM_R] = 1.4 + 1.1 * np.sin(beat + rng.choice([0, np.pi]))
    made[:, [Angle.OUT_L, Angle.OUT_R]] = 0.5 + 0.4 * np.cos(beat)[:, None]
    made[:, [Angle.ELBOW_L, Angle.ELBOW_R]] = 0.9 + 0.5 * np.sin(2 * beat)[:, None]
    for side, shift in ((0, 0), (1, np.pi)):
        made[:, Angle.HIP_L + side] = 0.25 + 0.4 * np.maximum(0, np.sin(beat + shift))
        made[:, Angle.KNEE_L + side] = 0.4 + 0.6 * np.maximum(0, np.sin(beat + shift))
    made[:, Angle.TWIST], made[:, Angle.ROLL] = 0.5 * np.sin(beat), 0.15 * np.sin(beat + 0.5)
    return made


def exercise(rng: Rng, times: Floats) -> Floats:
    """Jumping jacks."""
    open_ = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.9, 1.2) * times)
    made = np.tile(STAND, (len(times), 1))
    made[:, [Angle.OUT_L, Angle.OUT_R]] = 0.1 + 2.6 * open_[:, None]
    made[:, [Angle.SPREAD_L, Angle.SPREAD_R]] = 0.05 + 0.4 * open_[:, None]
    made[:, Angle.JUMP] = 0.6 * open_ * (1 - open_)
    return made
