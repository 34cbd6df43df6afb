"""vitess-chaos: a chaos and fault-injection test harness for real Vitess clusters."""
