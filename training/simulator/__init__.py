"""A simulated county: registers as contract §1 wants them, and beside them a truth no register holds.

Reading order: ``presets`` (the numbers) → ``layout`` (who is simulated where) → ``township`` (one
township's years, start to end) → ``truth`` (why and when pupils leave) → ``run`` (all townships).
"""
