"""Lifecycle hooks: a cloud platform starts one script on every node, and that script runs the playbooks here.

What decides takes values and returns values; ``node``, ``lock``, ``log``, ``fetch`` and ``playbook`` touch the machine.
Runs on the node's own Python, 3.9 or newer, with ansible-runner and PyYAML beside it (see ``bootstrap``).
"""
