"""The advantage of a stored rollout again, from what the file holds (docs/mathematics.md section 5, eq. 5).

With drift = 1/2 (1 + chi^2) g^2 dt and cost = lambda girsanov, both [K], for a row of step k:
    gradient           drift (a - mu) . grad V - KL        with the dataset value_gradient
    finite difference  value_difference - KL               V's displaced differences are stored, V itself is a network
    increment          value_difference - lambda kl_step   value_difference = V(k+1) - V(k), the reward at the end
    KL = cost ( |a - mu_pre|^2 - |mu - mu_pre|^2 - d s_a^2 ), with baseline "none": cost |a - mu_pre|^2 and a for a - mu
DDPO's is the standardised reward of the sample at every step: it needs the rewards of this and of earlier epochs.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

import numpy as np

from scoreact_analysis import deck
from scoreact_analysis.errors import bad_data
from scoreact_analysis.hdf5 import Floats
from scoreact_analysis.trajectories import Block, Trajectories

ROUNDING = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Rule:
    """What decides the advantage: values of the deck and tables over the steps [K]."""

    estimator: str  # gradient, finite_difference, increment, reward (DDPO)
    centred: bool
    drift: Floats
    cost: Floats
    s_a: Floats
    kl_weight: float

    @classmethod
    def of(cls, file: Trajectories) -> "Rule | None":
        """The rule of a file; None where the file does not carry its deck."""
        if not file.deck:
            return None
        unknown = np.full(file.num_steps, np.nan)
        girsanov = file.per_step("girsanov") if file.has_table("girsanov") else unknown
        name = str(deck.value(file.deck, "algorithm.name", ""))
        estimator = str(deck.value(file.deck, "algorithm.advantage", "")) if name == "ctrl" else "reward"
        if name == "ctrl" and deck.value(file.deck, "algorithm.update") == "pathwise":
            estimator = "gradient"  # a pathwise update takes grad V itself; its advantage follows all the same
        return cls(
            estimator=estimator,
            centred=deck.value(file.deck, "algorithm.baseline", "centred") != "none",
            drift=file.per_step("drift") if file.has_table("drift") else unknown,
            cost=file.kl_weight * girsanov if file.kl_weight > 0 else np.zeros(file.num_steps),
            s_a=file.per_step("s_a") if file.has_table("s_a") else unknown,
            kl_weight=file.kl_weight,
        )


def recomputed(file: Trajectories, rule: Rule, block: Block) -> tuple[Floats, Floats] | None:
    """The advantage of a block's samples at its step [b], in units of reward, and what float32 explains of an error.

    None where the file does not hold what it is made of; NaN at steps that were not trained.
    """
    if rule.estimator == "increment":
        return _increment(file, rule, block)
    if block.mu is None or block.mu_pre is None or rule.estimator not in ("gradient", "finite_difference"):
        return None
    drift, cost, s_a = (float(table[block.step]) for table in (rule.drift, rule.cost, rule.s_a))
    offset = block.action - block.mu if rule.centred else block.action
    size = np.linalg.norm(offset, axis=1)
    if rule.centred:
        squares = np.einsum("bd,bd->b", offset, block.action + block.mu - 2 * block.mu_pre) - file.dimensions * s_a**2
    else:
        size = np.linalg.norm(block.action - block.mu_pre, axis=1)
        squares = size**2
    # the stored mu_pre is evaluated with other rows beside it than the one that the run used
    rounding = 2 * cost * size * ROUNDING * np.linalg.norm(block.mu_pre, axis=1)
    if rule.estimator == "gradient":
        if block.value_gradient is None:
            return None
        term = drift * np.einsum("bd,bd->b", offset, block.value_gradient)
        rounding += ROUNDING * drift * size * np.linalg.norm(block.value_gradient, axis=1)
    else:
        if not file.has("value_difference"):
            return None
        term = file.at("value_difference", block.step, block.samples)
        rounding += ROUNDING * np.abs(term)
    return term - cost * squares, rounding + ROUNDING * np.abs(cost * squares)


def _increment(file: Trajectories, rule: Rule, block: Block) -> tuple[Floats, Floats] | None:
    if not file.has("value_difference") or not (rule.kl_weight == 0 or file.has("kl_step")):
        return None
    term = file.at("value_difference", block.step, block.samples)
    kl = rule.kl_weight * file.at("kl_step", block.step, block.samples) if rule.kl_weight > 0 else np.zeros_like(term)
    return term - kl, ROUNDING * (np.abs(term) + np.abs(kl))


@dataclass
class RewardHistory:
    """Rewards a prompt over the epochs, as [per_prompt_stat_tracking] keeps them, fed file by file in epoch order."""

    rewards: dict[str, deque[float]] = field(default_factory=dict)
    epoch: int = 0
    complete: bool = True

    def advantages(self, file: Trajectories) -> Floats | None:
        """DDPO's advantages of the file's samples [B]; None where rewards of earlier epochs are missing."""
        reward, prompts = file.per_sample("reward"), file.prompts
        if reward.size == 0 or len(prompts) != reward.size:
            raise bad_data(f"{file.path}: {len(prompts)} prompts for {reward.size} rewards")
        buffer_size = int(deck.value(file.deck, "per_prompt_stat_tracking.buffer_size", 0))
        limit = float(deck.value(file.deck, "train.adv_clip_max", 0.0))
        if buffer_size == 0:
            found = (reward - reward.mean()) / (reward.std() + 1e-8)
        else:
            if file.epoch != self.epoch + 1:  # a gap: what lies before it does not count
                self.rewards, self.complete = {}, False
            self.epoch = file.epoch
            history: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=buffer_size), self.rewards)
            for prompt, value in zip(prompts, reward.tolist(), strict=True):
                history[prompt].append(value)
            self.rewards = dict(history)
            if not self.complete and any(len(history[prompt]) < buffer_size for prompt in prompts):
                return None
            min_count = int(deck.value(file.deck, "per_prompt_stat_tracking.min_count", 0))
            moments = {
                prompt: (float(np.mean(values)), float(np.std(values)))
                if len(values) >= min_count
                else (float(reward.mean()), float(reward.std()))
                for prompt, values in history.items()
            }
            mean = np.array([moments[prompt][0] for prompt in prompts])
            spread = np.array([moments[prompt][1] for prompt in prompts])
            found = (reward - mean) / (spread + 1e-6)
        return np.asarray(np.clip(found, -limit, limit) if limit > 0 else found)
