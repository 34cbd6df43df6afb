"""What can simply be read off a History, without judging it: whose reparent ran when, how a vtgate's buffer
was set, how long a shard was without service.

Checks, attribution and reports may not import each other; what they share lives here, so that a report
shows the same number as the check judged.
"""
