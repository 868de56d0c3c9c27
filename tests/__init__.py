"""Tests of rare_market: known answers, laws and independent judges."""
