"""The subcommands of ``adam-repro``: one file each."""
