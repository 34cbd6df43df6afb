"""Generated from the proto files of Vitess 0.24.3 by harness/vitess/generate.sh; do not edit."""
