"""`vtchaos bisect` and `vtchaos shrink`: between which releases something changed, and how small a plan still shows it.

Both walk: what is run next is a function of what was seen, so that the same command walks the same way again over runs
that are there.
"""
