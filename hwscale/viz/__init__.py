"""Plots and pages of results: the static form needs matplotlib, the interactive one plotly's script; both come with ``hwscale[viz]``.

Every plot is a file: a function that says what is drawn, ``figure`` for matplotlib, ``spec`` for plotly.js, ``save`` by suffix.
Nothing here prices a network.
"""
