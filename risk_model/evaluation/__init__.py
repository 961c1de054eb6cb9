"""How right is a model, at the length of the list that people really read?

``metrics`` judges one snapshot, ``pooled`` several with intervals over schools, ``paired`` a model
against a baseline. ``lists`` and ``curves`` hold the arithmetic, ``judged`` what is judged.
"""
