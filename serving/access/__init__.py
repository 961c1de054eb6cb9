"""Who may see whom, and why: one question, asked by every page, route, export and count."""
