"""Calibration of what networks say of windows kept aside."""

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from models.statistics import platt


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
