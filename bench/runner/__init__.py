"""The parts of bench/run, one noun a file."""
