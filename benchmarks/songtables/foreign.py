"""Words of five other languages, written for this project: what connects, and nouns that all of it agrees with.

All nouns are feminine (and, in French and Italian, begin with a consonant that takes the plain article), so that any
connector may stand before any noun and the lines are nearly grammatical.
"""

from __future__ import annotations

_SPANISH = (
    "la|una|mi|tu|su|nuestra|toda la|esta|aquella|en la|con la|por la|sin la|para la|desde la|hacia la|hasta la|sobre la"
    "|bajo la|entre la|contra la|de la|a la|y la|o la|ni la|pero la|como la|cuando la|donde la|y mi|con tu|en mi|de tu"
    "|sin mi|que la|si la|porque la|yo busco la|tengo una|quiero la|canto a la|sueño con la|vuelvo a mi|dame la|no hay"
    "|nunca olvido la|siempre espero la|ya no quiero la|allá va la|mira la|dime dónde la|ella cruza la|nadie cierra la",
    "noche luna calle casa vida mañana tarde lluvia ventana puerta guitarra canción voz sombra sangre tierra playa arena"
    " montaña ciudad estrella flor rosa semilla mesa silla cama sábana mano boca mirada sonrisa palabra pregunta respuesta"
    " memoria historia carta hoja pluma piedra madera campana torre iglesia plaza esquina fuente nube tormenta brisa"
    " primavera madrugada hoguera llama ceniza lágrima risa fiesta cocina cuchara naranja manzana miel harina panadera"
    " golondrina paloma hormiga mariposa vaca oveja barca vela orilla marea red llave cadena moneda deuda promesa mentira"
    " verdad culpa pena suerte sed luz sal",
)
_FRENCH = (
    "la|une|ma|ta|sa|cette|notre|votre|leur|toute la|dans la|avec la|pour la|sans la|sous la|sur la|vers la|devant la"
    "|derrière la|depuis la|chez la|contre la|de la|à la|et la|ou la|ni la|mais la|comme la|quand la|où la|et ma|avec ta"
    "|dans ma|de ta|sans ma|que la|si la|parce que la|je cherche la|il reste une|je veux la|je chante la|je rêve de la"
    "|donne-moi la|voici la|jamais je n'oublie la|toujours près de la|elle traverse la|nous gardons la|personne ne ferme la"
    "|dis-moi quelle|regarde la|on dirait la",
    "nuit lune rue maison vie pluie fenêtre porte guitare chanson voix terre plage montagne ville fleur rose graine table"
    " chaise main bouche parole question réponse mémoire lettre feuille plume pierre cloche tour place fontaine tempête"
    " brise lumière flamme cendre larme fête cuisine cuillère pomme farine boulangère colombe fourmi vache barque voile"
    " rive marée clef chaîne monnaie dette promesse vérité faute peine chance soif neige mer forêt rivière route valise"
    " gare lampe bougie poussière saison semaine journée fatigue colère tendresse jeunesse vitesse distance danse robe"
    " chemise poche montre cave chambre vitre neige paresse",
)
_GERMAN = (
    "die|eine|meine|deine|seine|unsere|keine|diese|jede|in der|mit der|auf der|vor der|hinter der|unter der|neben der"
    "|nach der|bei der|aus der|von der|zu der|seit der|durch die|für die|ohne die|gegen die|um die|und die|oder die"
    "|aber die|denn die|wie die|als die|wenn die|wo die|weil die|und meine|mit deiner|in meiner|von deiner|ohne deine"
    "|ich suche die|ich habe eine|ich will die|wir singen für die|ich träume von der|gib mir die|nie vergesse ich die"
    "|immer wartet die|sie geht durch die|niemand schließt die|sag mir wo die|siehst du die|hier ist die|noch brennt die",
    "Nacht Sonne Straße Stadt Liebe Zeit Welt Tür Wand Brücke Laterne Geige Trommel Stimme Erde Wiese Blume Rose Wolke"
    " Kerze Flamme Asche Träne Küche Gabel Schüssel Birne Kirsche Traube Bäckerin Taube Ameise Katze Kuh Ente Welle Küste"
    " Insel Fähre Uhr Kette Münze Schuld Lüge Wahrheit Frage Antwort Hoffnung Sehnsucht Freude Angst Ruhe Stille Reise"
    " Treppe Decke Tasche Jacke Mütze Hand Schulter Lippe Stirn Seele Erinnerung Geschichte Seite Feder Glocke Kirche"
    " Mauer Ecke Quelle Luft Kälte Wärme Woche Stunde Minute Jugend Schule Bank Lampe Zeitung Schwester Mutter Tochter"
    " Freundin Königin Nachbarin Heimat Ferne",
)
_PORTUGUESE = (
    "a|uma|minha|tua|nossa|toda a|esta|aquela|na|da|pela|com a|sem a|para a|sobre a|até a|desde a|contra a|entre a|sob a"
    "|e a|ou a|nem a|mas a|como a|quando a|onde a|e minha|com tua|na minha|da tua|sem minha|que a|se a|porque a"
    "|eu procuro a|tenho uma|eu quero a|canto pela|sonho com a|volto pra minha|me dá a|não há|nunca esqueço a|sempre espero a"
    "|já não quero a|lá vai a|olha a|me diz onde a|ela atravessa a|ninguém fecha a|você levou a|ficou só a|então vem a",
    "noite lua rua casa vida manhã tarde chuva janela porta viola canção voz sombra terra praia areia montanha cidade"
    " estrela flor rosa semente mesa cadeira cama mão boca palavra pergunta resposta memória história carta folha pena"
    " pedra madeira torre igreja praça esquina fonte nuvem tempestade brisa primavera madrugada fogueira chama cinza"
    " lágrima risada festa cozinha colher laranja maçã farinha padeira andorinha pomba formiga borboleta vaca ovelha"
    " jangada vela beira maré rede chave corrente moeda dívida promessa mentira verdade culpa saudade sorte sede luz"
    " bandeira bicicleta estrada mala estação lâmpada vizinha irmã viagem coragem solidão",
)
_ITALIAN = (
    "la|una|mia|tua|sua|nostra|tutta la|questa|quella|nella|della|dalla|alla|sulla|con la|senza la|per la|verso la"
    "|sotto la|sopra la|dentro la|contro la|fino alla|tra la|e la|o la|né la|ma la|come la|quando la|dove la|e mia"
    "|con la mia|nella tua|della mia|senza la tua|che la|se la|perché la|io cerco la|ho una|voglio la|canto per la|sogno la"
    "|torno alla mia|dammi la|non c'è|mai dimentico la|sempre aspetto la|non voglio più la|guarda la|dimmi dov'è la"
    "|lei attraversa la|nessuno chiude la|ecco la|è rimasta la",
    "notte luna strada casa vita mattina sera pioggia finestra porta chitarra canzone voce terra spiaggia sabbia montagna"
    " città rosa foglia tavola sedia mano bocca parola domanda risposta memoria lettera penna pietra campana torre chiesa"
    " piazza fontana nuvola tempesta brezza primavera fiamma cenere lacrima risata festa cucina forchetta mela farina"
    " fornaia rondine colomba formica farfalla mucca pecora barca vela riva marea rete chiave catena moneta promessa bugia"
    " verità colpa pena fortuna sete luce neve bandiera bicicletta valigia stazione lampada vicina sorella madre figlia"
    " paura gioia tristezza dolcezza giovinezza domenica settimana candela coperta tasca camicia",
)

FOREIGN: dict[str, tuple[list[str], list[str]]] = {
    code: (connectors.split("|"), sorted(set(nouns.split())))
    for code, (connectors, nouns) in {
        "es": _SPANISH,
        "fr": _FRENCH,
        "de": _GERMAN,
        "pt": _PORTUGUESE,
        "it": _ITALIAN,
    }.items()
}
"""Connectors and nouns by language code (ISO 639-1)."""
