"""Calibration of what networks say of windows kept aside."""

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from models.calibration import calibration
from models.recipe import Recipe
from models.statistics import platt
from models.verdicts import Verdicts


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (2.0, 0.3), (-1.5, 4.0)])
def test_logits_become_probabilities_as_in_scikit_learn(shift: float, slope: float) -> None:
    chance = np.random.default_rng(0)
    truth = chance.random(300) < 0.4
    logits = slope * (chance.normal(size=300) + 1.5 * truth) + shift
    as_they_are = LogisticRegression().fit(logits[:, None], truth)
    as_they_are.coef_, as_they_are.intercept_ = np.ones((1, 1)), np.zeros(1)
    theirs = CalibratedClassifierCV(FrozenEstimator(as_they_are), method="sigmoid").fit(logits[:, None], truth)
    scale, bias = platt(torch.from_numpy(logits), torch.from_numpy(truth))
    ours = 1 / (1 + np.exp(-(scale * logits + bias)))
    np.testing.assert_allclose(ours, theirs.predict_proba(logits[:, None])[:, 1], atol=1e-4)


def test_a_scale_never_turns_the_ranking_round() -> None:
    scale, _ = platt(torch.tensor([1.0, 2.0, -1.0, -2.0]), torch.tensor([False, False, True, True]))
    assert scale > 0


def said(num: int = 2000) -> Verdicts:
    """Of senses that are all as good, two of them or three in a window or one alone."""
    chance = torch.Generator().manual_seed(0)
    truth = torch.arange(num) % 2 == 0
    modalities = 2.0 * truth[:, None] + torch.randn(num, 3, generator=chance)
    present = torch.rand(num, 3, generator=chance) < 0.7
    present[:, 0] |= ~present.any(dim=1)
    return Verdicts(modalities.unbind(dim=1), (truth,) * 3, modalities.mean(dim=1), modalities, present, truth)


def test_a_prior_moves_the_probabilities_and_no_decision() -> None:
    common, rare = (calibration(said(), Recipe(prior=prior)) for prior in (0.5, 0.02))
    moved = np.log(0.02 / 0.98)
    assert rare["validation_auc"] == pytest.approx(common["validation_auc"])
    (one, other) = (each["calibration"] for each in (common, rare))
    threshold = one["threshold"] / (1 - one["threshold"]) * 0.02 / 0.98
    assert other["threshold"] == pytest.approx(threshold / (1 + threshold), rel=1e-3)
    assert other["modalities"]["video"][1] == pytest.approx(one["modalities"]["video"][1] + moved)
    assert other["anomaly"][1] == pytest.approx(one["anomaly"][1] + (1 - one["late"]) * moved, rel=1e-2)
