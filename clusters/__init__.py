"""Ways to stand up real Vitess clusters, and the programs they are made of."""
