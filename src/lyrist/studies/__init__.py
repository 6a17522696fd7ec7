"""Named studies: several recipes fitted, compared, and told in a report."""
