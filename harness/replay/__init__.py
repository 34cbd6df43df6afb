"""`vtchaos replay`: what an earlier run issued, once more."""
