"""What repeated runs say, and how sure that is: plain numbers in, plain numbers out; scipy does the mathematics.

`rates`: how often, with intervals. `stopping`: the same at every look, for who wants to stop early. `differences`:
between two groups of runs. scipy takes half a second to import, so it is imported where it is used.
"""
