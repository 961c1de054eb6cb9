"""``train --budget``: other numbers for the trees, judged over time, taken only if they are shown better.

``space`` is what may be tried, ``origins`` the days of the past it is judged on, ``study`` the trials made so
far (they survive a kill), ``choice`` which of them is taken, ``searching`` the whole.
"""
