"""Many runs under random policies: money sums to zero, no gram is made or lost.

``python -m tests.check_policies 10000`` is the full count; CI makes a few hundred. Most runs last
some months; every fortieth lasts years, so that plants are built, debts served and contracts end. A
failure prints the number of the run, which makes it again:
``python -m tests.check_policies 1 --first NUMBER``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random

import numpy as np
from tqdm import tqdm

from rare_market.declare import declarations
from rare_market.model import RareEarthMarket
from rare_market.policies import INSTRUMENTS, Policy, read_package, shipped
from rare_market.records import MASS_COLUMNS
from rare_market.scenario import Scenario
from tests.policies.cases import BINDING

LONG_EVERY, LONG_YEARS, SHORT_MONTHS = 40, 4, (3, 7)
MONEY_TOLERANCE, MASS_TOLERANCE_T = 1e-9, 1e-6


def random_policy(luck: random.Random) -> Policy:
    """Return an instrument with terms drawn from all over their ranges."""
    name = luck.choice(list(INSTRUMENTS))
    terms = dict(BINDING[name])
    for field in declarations(INSTRUMENTS[name]):
        if field.name == "only_in_shock":
            terms[field.name] = luck.random() < 0.1
        elif isinstance(field.default, bool):
            terms[field.name] = luck.random() < 0.5
        elif field.low is not None and field.high is not None and luck.random() < 0.4:
            near = min(field.high, 3.0 * abs(float(field.default)) + 1.0)
            value = luck.choice([field.low, field.high, luck.uniform(field.low, near)])
            terms[field.name] = type(field.default)(value)
    terms["start_year"] = 2024.0 + luck.randrange(3) / 12
    return INSTRUMENTS[name](**terms)


def random_package(luck: random.Random) -> list[Policy]:
    """Return one to five instruments, beside a package that is in force in every fourth run."""
    policies = [random_policy(luck) for _ in range(luck.randint(1, 5))]
    if luck.random() < 0.25:
        policies += read_package(luck.choice(list(shipped())), INSTRUMENTS).policies
    return policies


def check(number: int) -> list[str]:
    """Run one random package; returns what is wrong, nothing if all is right."""
    luck = random.Random(number)
    policies = random_package(luck)
    long = number % LONG_EVERY == 0
    years = LONG_YEARS if long else 1
    months = 12 * years if long else luck.randint(*SHORT_MONTHS)
    market = RareEarthMarket(Scenario(years=years, seed=luck.randrange(10**6)), policies)
    for _ in range(months):
        market.step()
    records, wrong = market.records, []
    balance = records.balance_usd[:months]
    turnover = np.abs(balance).sum(axis=(1, 2, 3))
    if (np.abs(balance.sum(axis=(1, 2))) > MONEY_TOLERANCE * turnover[:, None]).any():
        wrong.append("money")
    if not np.isfinite(balance).all():
        wrong.append("a payment is no number")
    mass = records.mass[1:months]
    mined, collected, consumed, lost, stock = (mass[:, :, i] for i in range(len(MASS_COLUMNS)))
    change = np.diff(records.mass[:months, :, MASS_COLUMNS.index("stock_t")], axis=0)
    if np.abs(change - (mined + collected - consumed - lost)).max() > MASS_TOLERANCE_T:
        wrong.append("mass")
    if stock.min() < -MASS_TOLERANCE_T:
        wrong.append("negative stock")
    if not records.valid:
        wrong.append("certificate")
    for share in records.content_share.values():
        heap_t = records.heap_t[:months].sum(axis=1)
        if np.abs(heap_t - records.stock_t[:months]).max() > MASS_TOLERANCE_T * heap_t.max():
            wrong.append("heaps are not stocks")
        if not ((share >= 0.0) & (share <= 1.0)).all():
            wrong.append("content")
    return [f"run {number}: {what}: {[p.name for p in policies]}" for what in wrong]


def main() -> None:
    """Run as many as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    asked = parser.parse_args()
    numbers = range(asked.first, asked.first + asked.runs)
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        found = pool.imap(check, numbers, chunksize=20)
        wrong = [problem for one in tqdm(found, total=asked.runs, disable=None) for problem in one]
    for problem in wrong:
        print(problem)
    print(f"{asked.runs} runs, {len(wrong)} problems")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
