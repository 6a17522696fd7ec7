"""Tables of any form become streams of chunks in which no record is missing; see `reader`."""

from lyrist.corpus.reading.reader import Chunk, Reader, Source, find_sources, read, sniff

__all__ = ["Chunk", "Reader", "Source", "find_sources", "read", "sniff"]
