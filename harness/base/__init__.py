"""What everything else stands on; knows neither Vitess nor any backend."""
