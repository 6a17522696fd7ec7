"""Generation: lyrics from a writer, freely or to a plan with rhymes and syllables."""
