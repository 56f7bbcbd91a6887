"""Side-by-side measurement: rounds in which every variant has its turn, and ratios within a round."""

import statistics
import sys
from dataclasses import dataclass


def progress(text):
    print(text, file=sys.stderr, flush=True)


def alternate(variants, rounds):
    """Calls every variant once a round, another one first each time. What they returned, by name, round by round."""
    names = list(variants)
    measured = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(variants[name]())
        latest = ", ".join(f"{name} {figure(measured[name][-1])}" for name in names)
        progress(f"  round {number + 1} of {rounds}: {latest}")
    return measured


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    def range(self):
        return f"{figure(self.low)} to {figure(self.high)}" if self.low != self.high else ""


def spread(values):
    return Spread(statistics.median(values), min(values), max(values))


def ratio(above, below):
    """Of two variants' figures, round by round."""
    return spread([a / b for a, b in zip(above, below, strict=True)])


def figure(number):
    """About three digits, with thousands separated."""
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    if abs(number) >= 100:
        return f"{number:.0f}"
    if abs(number) >= 10:
        return f"{number:.1f}"
    return f"{number:.2f}" if abs(number) >= 0.1 else f"{number:.3f}"


def medians(measured, unit):
    """The absolute figures of a table's row."""
    return ", ".join(f"{name} {figure(statistics.median(values))} {unit}" for name, values in measured.items())


@dataclass(frozen=True)
class Line:
    """A row of the table. `measured` is compared with the goal; its unit is written in `what`, none is a ratio."""

    row: int
    what: str
    goal: str
    measured: Spread | None
    figures: str

    def markdown(self):
        median = figure(self.measured.median) if self.measured else ""
        between = self.measured.range() if self.measured else ""
        return f"| {self.row} | {self.what} | {self.goal} | {median} | {between} | {self.figures} |"


def without_headers(variants):
    """Under the names of variants that are given no headers."""
    return {f"{name} without headers": variant for name, variant in variants.items()}


def quotients(row, what, measured, unit, goals):
    """A line for each quotient of two variants, such as "ours / bare", if both were measured; the figures of all
    variants are in the first line. @param goals: by quotient"""
    lines = []
    for quotient, goal in goals.items():
        above, below = quotient.split(" / ")
        if {above, below} <= measured.keys():
            lines.append(Line(row, f"{what} {quotient}", goal, ratio(measured[above], measured[below]),
                              "" if lines else medians(measured, unit)))
    return lines


HEADING = "| row | what | goal | measured | min to max | figures |\n|--:|---|---|--:|---|---|"
