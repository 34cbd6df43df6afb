"""The harness broken on purpose: a run that must not be green, to see that its checks can see."""
