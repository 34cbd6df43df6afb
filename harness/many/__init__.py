"""What everything that makes several runs has in common: a process for each, what is kept of it, names of findings."""
