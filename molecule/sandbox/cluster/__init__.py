"""The sandbox: a real Slurm cluster whose nodes are containers on this machine."""
