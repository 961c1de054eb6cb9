"""One-to-one care: who looks after which pupil, what was agreed, what came of it."""
