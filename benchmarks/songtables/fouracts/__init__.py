"""Four invented acts for tests and benchmarks: 176 original songs (CC0), and three in other languages.

`write_songbook` writes them as `lyrist.songbook.write_songbook` writes the songbook of the demo.
"""

from importlib.resources import files
from pathlib import Path

from lyrist import songbook as book
from lyrist.songbook import Planted, Song

FOREIGN = (
    (
        "El farol dormido",
        "Tengo un farol dormido en el bolsillo del abrigo\nlo despierto con un fósforo cuando llega el frío\n"
        "Si me pierdo por la sierra, si no encuentro la vereda\nél me cuenta dónde empieza la mañana que me espera\n\n"
        "Ay, farol, farolito, no te duermas todavía\nque la luna se ha llevado las llaves de la alquería",
    ),
    (
        "La pluie au marché",
        "La pluie vend des parapluies au marché du samedi\nle boulanger les lui achète contre trois pains de mie\n"
        "Et moi je compte les gouttes sur la table du café\n"
        "comme on compte les dimanches quand l'été s'en est allé\n\n"
        "Tombe, tombe, petite pluie, mon chapeau n'a plus de bord\nj'ai planté dans ma poche un jardin qui dort encore",
    ),
    (
        "Der letzte Bus",
        "Der letzte Bus fährt ohne mich, er winkt mir mit dem Licht\n"
        "ich stehe hier im Regen und ich ärgere mich nicht\n"
        "Denn wer zu Fuß nach Hause geht, der hört die Häuser schlafen\n"
        "und sieht die kleinen Boote, die noch träumen in dem Hafen\n\n"
        "Geh langsam, sagt die Straße, du hast noch so viel Zeit\ndie Nacht ist nur ein Mantel, und der Mantel ist dir weit",
    ),
)
"""Titles and lyrics of the songs in other languages: Spanish, French and German."""


def songbook() -> list[Song]:
    """Return the songs of the four acts, act by act."""
    return book.songbook(files("songtables.fouracts"))


def write_songbook(path: Path) -> Planted:
    """Write the songs as a CSV table with planted defects to ``path``; return their numbers."""
    return book.write_songbook(
        path, [*songbook(), *(Song("Various", title, 1999, "", text) for title, text in FOREIGN)]
    )
