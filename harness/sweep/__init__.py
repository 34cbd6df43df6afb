"""`vtchaos sweep`: one option of `vtchaos run` over a range, to see where clients begin to notice."""
