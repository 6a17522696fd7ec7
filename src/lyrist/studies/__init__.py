"""Named studies: several recipes fitted, compared and reported."""
