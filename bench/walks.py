"""Walks to measure on: the same numbers in every run."""
import random


def torus_walks(count, length, height=30, width=40):
    """Lists of `length` nodes each, on a torus whose nodes have eight neighbours; a walk may stay where it is."""
    rng = random.Random(1)
    walks = []
    for _ in range(count):
        row, column = rng.randrange(height), rng.randrange(width)
        walk = []
        for _ in range(length):
            walk.append(row * width + column)
            row = (row + rng.choice((-1, 0, 1))) % height
            column = (column + rng.choice((-1, 0, 1))) % width
        walks.append(walk)
    return walks
