"""`vtchaos run --count N`: the same run again and again, and one answer of all."""
