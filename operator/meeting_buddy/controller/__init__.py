"""Carries plans out: observe → decide → apply, from one keyed queue, by whoever holds the Lease."""
