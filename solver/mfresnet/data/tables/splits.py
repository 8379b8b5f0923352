# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT
"""Which rows of a table are for training and which are held out, on any number of ranks."""

from __future__ import annotations

from mpi4py import MPI

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from mfresnet.arrays import Array
from mfresnet.data.section import DataSection
from mfresnet.data.tables.survey import Blocks
from mfresnet.errors import InputError

EXACT = 1_000_000
"""Most rows that scikit-learn splits; of more, each is held out with the given probability."""
FEWEST = 2
"""Samples that every class needs for training, and as many to be held out."""


@dataclass(frozen=True)
class Split:
    """The split of the rows of all blocks of this rank.

    Attributes:
        seed: of the random numbers.
        mask: number of a block of this rank -> whether each of its rows is held out.
        counts: number of rows of all ranks for training and of those held out.
    """

    seed: int
    mask: dict[int, Array]
    counts: tuple[int, int]

    def held_out(self, number: int) -> Array:
        """Return which rows of a block are held out."""
        return self.mask[number]

    def training(self, number: int) -> Array:
        """Return which rows of a block are for training."""
        return ~self.mask[number]

    def noise(self, number: int, n: int) -> Array:
        """Return random numbers in [0, 1) for the rows of a block, the same on any rank."""
        return _random_numbers(self.seed, number, 1).random(n)

    @staticmethod
    def of(
        section: DataSection, blocks: Blocks, comm: MPI.Intracomm, fold: tuple[int, int] | None
    ) -> Split:
        """Return the split that a section asks for.

        Args:
            section: [data] of the case.
            blocks: the rows with their classes.
            comm: the communicator.
            fold: (number, of how many) of the fold that is held out, in place of a random part.

        Raises:
            InputError: a class has too few samples, or there are too many rows for folds.

        Parallel: collective.
        """
        n_classes, classes = len(blocks.labels), blocks.classes
        local = sum((np.bincount(y, minlength=n_classes) for y in classes.values()),
                    np.zeros(n_classes, dtype=np.int64))  # fmt: skip
        totals = comm.allreduce(local)
        parts = 1 if section.test_fraction == 0.0 and fold is None else 2
        rare = int(np.argmin(totals))
        if totals[rare] < FEWEST * parts:
            raise InputError(
                f"data.file: too few samples; got {totals[rare]} of class "
                f"'{blocks.labels[rare]}', expected at least {FEWEST * parts}. Add samples or "
                "leave the class out."
            )
        rows = int(totals.sum())
        mask: dict[int, Array]
        if parts == 1:
            mask = {number: np.zeros(len(y), dtype=bool) for number, y in classes.items()}
        elif rows <= EXACT:
            mask = _exact(section, classes, comm, fold)
        elif fold is not None:
            raise InputError(
                f"--folds: too many samples; got {rows}, expected at most {EXACT}. Use --seeds."
            )
        else:
            mask = {
                number: _random_numbers(section.seed, number, 0).random(len(y))
                < section.test_fraction
                for number, y in classes.items()
            }
        held = comm.allreduce(sum(int(m.sum()) for m in mask.values()))
        return Split(section.seed, mask, (rows - held, held))


def _random_numbers(seed: int, block: int, purpose: int) -> np.random.Generator:
    """Return the generator for a block.

    Its key makes it another one than ``default_rng(seed)``, with which samples may have been drawn:
    a list [0, 0] as a seed is the seed 0 to NumPy.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block, purpose)))


def _exact(
    section: DataSection,
    classes: dict[int, Array],
    comm: MPI.Intracomm,
    fold: tuple[int, int] | None,
) -> dict[int, Array]:
    """Return the masks by scikit-learn on the classes of all ranks, in the order of the file."""
    everything = {k: v for part in comm.allgather(classes) for k, v in part.items()}
    numbers = sorted(everything)
    y = np.concatenate([everything[number] for number in numbers])
    held = _folded(section, y, fold) if fold is not None else _random(section, y)
    ends = np.cumsum([len(everything[number]) for number in numbers])
    pieces = dict(zip(numbers, np.split(held, ends[:-1]), strict=True))
    return {number: pieces[number] for number in classes}


def _random(section: DataSection, y: Array) -> Array:
    held = np.zeros(len(y), dtype=bool)
    try:
        _, test = train_test_split(
            np.arange(len(y)),
            test_size=section.test_fraction,
            stratify=y if section.stratify else None,
            random_state=section.seed,
        )
    except ValueError as error:
        raise InputError(
            f"data.test_fraction: cannot split; got {section.test_fraction} of {len(y)} samples "
            f"({str(error).rstrip('.')}), expected samples of every class in both parts. "
            "Choose another fraction or add samples of the rare classes."
        ) from None
    held[test] = True
    return held


def _folded(section: DataSection, y: Array, fold: tuple[int, int]) -> Array:
    number, count = fold
    least = int(np.bincount(y).min())
    if count > least:
        raise InputError(
            f"--folds: too many; got {count} for {least} samples of the rarest class, expected at "
            f"most {least}. Lower it."
        )
    kind = StratifiedKFold if section.stratify else KFold
    folds = kind(count, shuffle=True, random_state=section.seed).split(np.zeros(len(y)), y)
    held = np.zeros(len(y), dtype=bool)
    held[[test for _, test in folds][number]] = True
    return held
