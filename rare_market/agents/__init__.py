"""The four kinds of trader: producers, processors, buyers and states."""
