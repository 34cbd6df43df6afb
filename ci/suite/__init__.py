"""`python -m ci.suite`: does this Vitess still protect its clients?

Runs the experiments of `table.py` against one Vitess within a stated time and answers with one sentence, an exit code
and files that a CI system shows: summary.md, junit.xml, index.html, result.json, a run directory for every run.

| module | what |
|---|---|
| `table.py` | the experiments, and why each is in |
| `values.py` | what is asked, what came of it |
| `deciding.py` | pure: may it begin, is it run again, what does it all come to |
| `building.py` | which programs exactly: runs of another build are not taken over |
| `earlier.py` | what earlier calls left in the folder |
| `making.py` | the runs, one after the other, each a `vtchaos run` of its own |
| `judging.py` | from a run's folder to what the suite keeps of it |
| `command.py` | the command line |
| `junit.py`, `summary.py`, `page.py`, `words.py` | how it is told |
| `installing.py` | the software that the runs need, before the clock starts |
"""
