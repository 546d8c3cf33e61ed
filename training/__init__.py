"""Texts and lists in, `miner/mining/ranker.npz` out: how the ranker that ships is made."""
