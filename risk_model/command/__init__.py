"""The ``dropout-risk`` command: a dispatcher that finds its subcommands through entry points."""
