"""What the forkserver loads once for the processes of all runs.

This is the code of a run, and what torch loads with its first optimizer: 1.5 seconds for each run
otherwise. Nothing is computed here, because a thread that torch starts would not survive the fork.
"""

import torch

import ue_bench.training.run_once  # noqa: F401

torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
