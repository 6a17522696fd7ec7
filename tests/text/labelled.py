"""Labelled words: syllables and rhymes of five languages, and pairs of English words with the grade of their rhyme."""

WORDS = {
    "es": """
        amor2 dolor2 calor2 flor1 color2 temor2 ardor2 señor2 mejor2
        corazón3 canción2 razón2 pasión2 ilusión3 balcón2 perdón2 emoción3 prisión2 ladrón2
        vida2 herida3 perdida3 salida3 dormida3 querida3 partida3 bebida3
        cielo2 suelo2 vuelo2 hielo2 pelo2 consuelo3 anhelo3 pañuelo3
        noche2 coche2 derroche3 reproche3
        luna2 cuna2 fortuna3 ninguna3 laguna3
        camino3 destino3 vino2 divino3 peregrino4 latino3
        mar1 cantar2 amar2 soñar2 llorar2 bailar2 besar2 lugar2 mirar2
        día2 alegría4 poesía4 melodía4 había3 todavía4 fantasía4 tenía3 guía2
        alma2 calma2 palma2
        fuego2 luego2 juego2 ruego2 ciego2
        tierra2 guerra2 sierra2
        viento2 tiento2 cuento2 momento3 sentimiento4 lamento3 tormento3 aliento3 pensamiento4
        casa2 brasa2 pasa2 traza2 taza2 amenaza4 plaza2
        verdad2 soledad3 ciudad2 libertad3 felicidad4 edad2 oscuridad4
        llanto2 canto2 tanto2 manto2 quebranto3 santo2
        sueño2 dueño2 pequeño3 empeño3
        calle2 valle2 detalle3 talle2
        ojos2 rojos2 antojos3 enojos3 despojos3
        boca2 loca2 toca2 roca2 provoca3
        puerta2 abierta3 desierta3 despierta3 muerta2
        ventana3 mañana3 campana3 hermana3 lejana3 guitana3
        música3
        lágrima3
        pájaro3
        estrella3 bella2 aquella3 huella2 botella3
        nada2 mirada3 alborada4 helada3 espada3 madrugada4 cada2
        papel2 miel1 piel1 fiel1 cruel2 aquel2
        rey1 ley1
        hoy1 soy1 voy1 estoy2
        paz1 faz1 jamás2 atrás2 más1 capaz2 detrás2
        luz1 cruz1 andaluz3
        feliz2 raíz2 país2 gris1 perdiz2 cicatriz3
        aire2 donaire3
        bueno2 sereno3 veneno3 lleno2 ajeno3
        agua2
        cuerpo2
        héroe3
        rápidamente5 lentamente4 gente2 frente2 mente2 valiente3 presente3
        ahora3 señora3 hora2 aurora3 llora2
    """,
    "pt": """
        amor2 dor1 calor2 flor1 cor1 senhor2 valor2 sabor2
        maior2 melhor2 pior2 menor2
        coração3 canção2 paixão2 ilusão3 não1 chão1 mão1 solidão3 violão3 razão2 verão2
        saudade3 verdade3 cidade3 liberdade4 vontade3 felicidade5 idade3
        vida2 ferida3 querida3 partida3 perdida3 bebida3
        mar1 amar2 sonhar2 cantar2 dançar2 lugar2 luar2 olhar2 chorar2
        dia2 alegria4 poesia4 melodia4 fantasia4 fria2 agonia4
        lua2 rua2 tua2 sua2 nua2
        sol1 farol2 lençol2 anzol2 futebol3
        noite2 açoite3
        caminho3 carinho3 sozinho3 vinho2 passarinho4 espinho3 ninho2
        rainha3 minha2 vizinha3 sozinha3 linha2
        céu1 véu1 chapéu2 papel2 mel1 fiel2 cruel2
        meu1 teu1 seu1  morreu2 perdeu2 deu1
        bem1 também2 alguém2 ninguém2 tem1 quem1 porém2
        bom1 som1 tom1 dom1
        fim1 jardim2 assim2 mim1 enfim2 ruim2
        luz1 cruz1
        paz1 faz1 capaz2 rapaz2
        feliz2 juiz2 raiz2 nariz2 país2 diz1
        samba2
        areia3 sereia3 cheia2  meia2 candeia3 teia2
        praia2 saia2 maia2
        amanhã3 manhã2 irmã2 maçã2 hortelã3
        canta2 santa2 planta2 encanta3 garganta3
        tempo2
        vento2 momento3 pensamento4 sentimento4 lamento3 tormento3
        gente2 frente2 somente3 quente2 presente3 ausente3
        história3 memória3 glória2 vitória3
        água2
        música3
        lágrima3
        mundo2 fundo2 profundo3 segundo3 vagabundo4
        nada2 estrada3 madrugada4 amada3 namorada4 calada3
        agora3 hora2 fora2 demora3 embora3 aurora3 senhora3
        brasil2 mil1 anil2 abril2 gentil2
        azul2 sul1
        amou2 sou1 vou1 chegou2 passou2 cantou2 restou2
        falei2 lei1 rei1 cantei2 amei2 sei1 chorei2
        mais1 demais2 cais1 jamais2 iguais2
        depois2 dois1 pois1
        avó2 só1 pó1 nó1
        avô2 robô2
        café2 fé1 é1 pé1 maré2 até2
        você2 bebê2 lê1 crê1
        ontem2
        homem2
        coragem3 viagem3 imagem3 mensagem3 passagem3 paisagem3
        menino3 destino3 divino3 sino2 fino2
        pipoca3
        chuva2 luva2 uva2
    """,
    "fr": """
        amour2 toujours2 jour1 tour1 retour2 cour1 sourd1 lourd1 discours2 alentour3 velours2
        cœur1 peur1 douleur2 bonheur2 fleur1 couleur2 malheur2 sœur1 chaleur2 odeur2 pleurs1
        nuit1 bruit1 pluie1 ennui2 suit1 fruit1 vie1 folie2 envie2 ami2 ici2 mélodie3 oublie2 pays2 merci2 finie2
        jamais2 vrai1 paix1 secret2 regret2 français2 forêt2 lait1 mais1 chantais2 fait1 palais2
        aimer2 chanter2 rêver2 danser2 été2 beauté2 clé1 liberté3 passé2 pleurer2 chez1 vérité3 allée2 année2
        temps1 printemps2 vent1 enfant2 chant1 souvent2 sang1 argent2 moment2 longtemps2 blanc1 devant2 océan3 content2
        main1 matin2 chemin2 demain2 vin1 jardin2 fin1 destin2 chagrin2 pain1 train1 rien1 bien1 plein1 lendemain3
        maison2 chanson2 raison2 saison2 nom1 passion2 pardon2 horizon3 non1 prison2 balcon2 nation2
        feu1 bleu1 deux1 yeux1 cheveux2 heureux2 amoureux3 adieu2 vieux1 dieu1 jeu1 peu1
        eau1 beau1 bateau2 château2 cadeau2 rideau2 oiseau2 mot1 trop1 dos1 chaud1 héros2
        fille1 famille2 brille1 pastille2
        soleil2 sommeil2 merveille2 oreille2 réveil2 pareil2
        roi1 moi1 toi1 fois1 voix1 bois1 froid1 doigt1 pourquoi2 croix1
        lune1 brune1 fortune2 dune1
        rose1 chose1 pose1
        rouge1 bouge1
        monde1 seconde2 blonde1 ronde1 profonde2
        âme1 femme1 flamme1 madame2 dame1
        porte1 morte1 forte1 importe2
        mer1 mère1 père1 frère1 lumière2 hiver2 terre1 verre1 fer1 prière2 rivière2 guerre1 hier1 vers1 univers3
        rire1 dire1 sourire2 partir2 mourir2 désir2 souvenir3 plaisir2 finir2
        belle1 ciel1 elle1 appelle2 éternel3 hôtel2 sel1
        étoile2 voile1 toile1
        ville1 tranquille2 mille1 île1 fragile2
        rue1 perdue2 vue1 inconnu3 venu2 nu1 salut2
        doux1 fou1 tout1 nous1 vous1 genou2 rendez-vous3 partout2
        ombre1 sombre1 nombre1
        silence2 danse1 enfance2 absence2 chance1 distance2
        larmes1 armes1 charme1
        promesse2 caresse2 tristesse2 jeunesse2 faiblesse2
        image2 page1 voyage2 visage2 nuage2 rivage2 orage2
        automne2 personne2 donne1 téléphone3 bonne1
        fête1 tête1 bête1 quête1
        encore2 mort1 corps1 fort1 trésor2 or1 bord1
        parfum2 brun1 aucun2
        chantent1

        seul1 veulent1
    """,
    "it": """
        amore3 cuore2 dolore3 fiore2 colore3 calore3 ore2 signore3 rumore3 sapore3
        vita2 ferita3 infinita4 salita3 partita3 uscita3 dita2
        mare2 amare3 cantare3 sognare3 ballare3 parlare3 guardare3 tornare3
        sera2 primavera4 bandiera3 preghiera3 vera2 sincera3 frontiera3
        notte2 botte2 rotte2 lotte2
        giorno2 ritorno3 intorno3 forno2 soggiorno3
        stella2 bella2 quella2 sorella3 novella3
        luna2 fortuna3 nessuna3 laguna3
        bambino3 destino3 vino2 vicino3 mattino3 cammino3 giardino3 divino3
        canzone3 passione3 emozione4 stagione3 ragione3 prigione3 stazione3
        vento2 momento3 sentimento4 tormento3 lamento3 lento2 contento3
        cielo2 velo2 gelo2
        occhi2 ginocchi3
        mano2 lontano3 piano2 invano3 italiano4 umano3
        poesia4 mia2 via2 follia3 magia3 malinconia5 fantasia4 nostalgia4 compagnia4 bugia3
        storia2 gloria2 memoria3 vittoria3
        musica3
        anima3
        attimo3
        lacrime3
        nuvola3
        favola3 tavola3
        parola3 sola2 vola2 scuola2
        città2 felicità4 verità3 libertà3 età2 già1 realtà3
        perché2 te1 me1 re1
        più1 tu1 giù1 blu1 gioventù3 virtù2 laggiù2
        no1 però2 amerò3 canterò3 può1
        così2 qui1 sì1 lì1 martedì3
        pioggia2
        viaggio2 coraggio3 raggio2 maggio2 messaggio3
        bacio2
        figlio2 giglio2 consiglio3
        sogno2 bisogno3
        vivere3 scrivere3
        piangere3
        prendere3
        credere3
        sempre2
        strada2 spada2 rugiada3 contrada3
        casa2
        silenzio3
        pace2 capace3 tace2
        mondo2 profondo3 biondo2 secondo3 rotondo3
        tempo2
        ricordo3 accordo3 bordo2 sordo2
        cantavo3 amavo3 sognavo3 bravo2
        finire3 morire3 dormire3 partire3 sentire3 dire2
        vedere3 volere3 potere3 cadere3 piacere3 sapere3
        amico3 nemico3 antico3 dico2
        magico3 tragico3
        bellissimo4 tantissimo4 dolcissimo4
        possibile4 incredibile5
        quando2 cantando3 sognando3 ballando3
        guerra2 terra2
        anni2 panni2 affanni3 inganni3
    """,
    "de": """
        liebe2 triebe2 diebe2 bliebe2
        herz1 schmerz1 scherz1 märz1
        nacht1 macht1 gedacht2 wacht1 pracht1 lacht1 gebracht2 mitternacht3
        tag1 schlag1 vertrag2 mag1 sonntag2
        leben2 geben2 schweben2 heben2 erleben3 vergeben3
        zeit1 leid1 weit1 kleid1 einsamkeit3 ewigkeit3 bereit2 freiheit2 streit1 vergangenheit4 breit1
        wein1 allein2 schein1 sonnenschein3 stein1 sein1 klein1 mondschein2 nein1 hinein2
        haus1 raus1 aus1 maus1 applaus2
        baum1 traum1 raum1 schaum1 saum1 lebenstraum3
        hand1 land1 wand1 strand1 verstand2 band1 vaterland3 rand1
        welt1 geld1 zelt1 held1 feld1 fällt1
        sterne2 ferne2 gerne2
        himmel2
        gehen2 sehen2 stehen2 verstehen3 wehen2 geschehen3
        lachen2 machen2 sachen2 erwachen3 krachen2
        regen2 segen2 wegen2 legen2 bewegen3 entgegen3
        feuer2 teuer2 abenteuer4 neuer2 ungeheuer4
        meer1 leer1 mehr1 sehr1 schwer1 wer1 her1
        ruhm1
        blut1 mut1 gut1 hut1 glut1 wut1
        sonne2 wonne2 tonne2
        kinder2 rinder2
        freude2
        träume2 bäume2 räume2
        singen2 klingen2 bringen2 springen2 ringen2
        lieder2 wieder2 nieder2 glieder2
        brüder2
        schritt1 mit1 tritt1 ritt1
        blick1  geschick2
        wind1 kind1 sind1 blind1
        mond1 wohnt1 belohnt2
        tod1 rot1 not1 brot1 boot1
        lieben2 geblieben3 schrieben2 trieben2
        augen2 taugen2 saugen2
        vater2 kater2
        mutter2 butter2 futter2
        hoffnung2
        melodie3 nie1 sie1 magie2 fantasie3 knie1
        nation3 person2 lohn1 sohn1 schon1 telefon3 million3
        musik2 republik3
        natur2 uhr1 spur1 figur2 nur1
        studieren3 probieren3 verlieren3 frieren2 passieren3
        glücklich2
        traurig2
        könig2
        gitarre3
        zusammen3 flammen2
        zurück2 glück1 stück1
        weg1
        ende2 hände2 wende2
        arbeit2
        morgen2 sorgen2 verborgen3 geborgen3
        wetter2 blätter2
        fenster2 gespenster3
        straße2
        allee2 schnee1 see1 idee2 tee1 fee1 weh1
        frau1 blau1 grau1 schau1 genau2
        jahr1 wahr1 klar1 war1 haar1 wunderbar3 gefahr2
        lust1 brust1 bewusst2
        gold1
        seele2
        nebel2
        garten2 warten2 karten2
    """,
}
"""Words of one line rhyme perfectly with each other and with no other line. The number after a word is that of its syllables;
a final e muet of French is not counted. The words were labelled by hand."""

PAIRS = {
    "perfect": """
        night/light tonight/bright sight/alright love/above glove/of day/away way/stay rain/pain name/flame game/same
        time/rhyme climb/dime mine/shine line/wine heart/start apart/art eyes/skies lies/wise fire/desire higher/wire
        tears/years fears/cheers door/floor more/before shore/pour home/roam foam/dome alone/stone phone/known
        bone/blown hand/land stand/sand mind/find behind/kind blind/signed true/blue through/new you/knew shoe/grew
        cold/hold gold/told sea/me free/tree be/key moon/soon tune/june june/noon road/load toad/code street/feet
        sweet/heat beat/meet song/long strong/wrong dance/chance glance/france place/face grace/space chase/race
        side/ride hide/tide inside/wide dream/seem stream/team sleep/deep keep/weep fall/call wall/tall town/down
        around/sound ground/found goodbye/cry sky/high fly/why said/bed head/red dead/instead breath/death friend/end
        send/bend blood/mud flood/bud good/wood should/could stood/hood book/look took/shook put/foot full/pull
        wool/bull wish/fish kiss/miss this/bliss sick/quick brick/trick luck/stuck truck/duck sing/ring king/bring
        thing/spring drink/think pink/sink long/belong young/tongue sung/hung run/sun one/done fun/gun come/some
        drum/numb mother/brother another/other sister/mister better/letter weather/feather together/leather never/ever
        forever/clever river/shiver over/rover lover/cover money/honey funny/sunny story/glory baby/maybe lady/shady
        crazy/lazy easy/breezy city/pretty pity/witty happy/snappy worry/hurry motion/ocean devotion/emotion
        nation/station celebration/vacation passion/fashion attention/mention vision/decision walking/talking
        singing/bringing crying/flying burning/turning morning/warning feeling/ceiling walked/talked loved/shoved
        hoped/roped wanted/haunted started/parted faded/traded needed/pleaded roses/noses places/faces pages/cages
        kisses/misses follow/hollow tomorrow/sorrow yellow/fellow pillow/willow heaven/seven given/driven
        broken/spoken open/hopin people/steeple double/trouble bubble/rubble table/able simple/dimple little/brittle
        middle/fiddle candle/handle battle/rattle bottle/throttle beautiful/dutiful believe/leave grieve/receive
        alive/five drive/arrive move/prove groove/improve lose/choose blues/shoes news/cruise cause/laws is/his
        quiz/fizz has/jazz us/bus yes/dress less/mess guess/success best/chest rest/west first/burst worst/thirst
        past/fast last/cast lost/cost most/ghost toast/coast just/trust dust/must fist/list kissed/missed west/guest
        strange/change range/arrange large/charge edge/ledge bridge/fridge judge/grudge age/stage rage/cage
        strength/length earth/birth worth/mirth mouth/south truth/youth breathe/seethe world/curled girl/pearl
        curl/whirl work/jerk word/bird heard/third hurt/dirt shirt/flirt her/sir stir/prefer car/star far/bar
        guitar/scar air/care there/where hair/bear wear/square near/fear here/clear sure/pure cure/endure our/flower
        power/shower hour/tower sour/hour boy/joy toy/enjoy voice/choice rejoice/choice coin/join point/anoint
        boil/soil spoil/oil house/mouse louder/prouder cloud/proud crowd/loud how/now allow/cow vow/wow go/know
        slow/snow below/though show/ago throat/boat note/wrote coat/goat hope/rope slope/cope nose/rose close/those
        froze/goes soul/control whole/goal hole/roll hate/late wait/fate great/state straight/gate paid/made
        shade/afraid blade/parade cake/break make/awake shake/mistake pale/sail trail/tale male/fail gave/save
        brave/wave days/praise ways/phase maze/gaze days/haze life/knife wife/strife ice/twice nice/price advice/dice
        like/bike strike/hike pipe/stripe hurricane/rain midnight/fight hideaway/play runaway/day paradise/twice
        goodnight/light lullaby/sky understand/hand yesterday/okay satellite/night serenade/shade holiday/say
        lawn/gone
    """,
    "near": """
        time/mine time/line name/rain home/stone home/alone moon/room soon/bloom sun/come done/drum fun/sum
        dream/clean team/queen same/plane flame/train game/pain ten/them pen/stem line/climb wine/rhyme phone/foam
        tune/gloom night/like light/strike bike/right hope/smoke rope/choke soap/oak boat/hope coat/rope note/smoke
        cake/late shake/hate make/wait take/tape keep/feet deep/street sleep/heat cup/luck luck/cut truck/up lip/kick
        trip/sick stop/rock top/clock shop/lock lap/back map/black cat/cap head/leg bed/beg mud/rub breathe/leave
        wife/ice life/twice laugh/glass leaf/peace grief/piece truth/roof youth/proof breath/mess death/chess ice/eyes
        nice/lies price/rise peace/please bus/buzz loose/lose face/days grace/praise place/blaze race/haze dress/says
        house/cows life/drive safe/wave leaf/leave roof/move wrote/road coat/load boat/code heat/need street/freed
        feet/lead night/ride light/side sight/hide late/paid wait/made gate/shade pet/dead set/red back/bag duck/hug
        cap/cab rope/globe rich/ridge batch/badge line/lines star/stars day/days go/goes tree/trees sky/skies
        road/roads heart/hearts fire/fires dream/dreams name/named rain/rained song/songs mile/miles stone/stones
        mind/minds hand/hands door/doors free/freed play/played show/showed cry/cried loan/don't own/don't can/can't
        run/hunt wall/walls fine/find sign/signed call/called turn/burned miss/missed pass/past kiss/list guess/guest
        me/baby be/lady sea/easy tree/memory free/city go/tomorrow know/window below/shadow so/follow her/lover
        sir/never stir/over dawn/don feel/fill seal/hill heel/still pool/pull fool/full food/good mood/wood poor/more
        sure/door tour/floor cure/door feet/fit seat/sit sheep/ship beach/rich talk/rock saw/ma brother/cover
        other/lover never/feather singing/swimming swinging/spinning burning/turnin learning/yearnin walking/talkin
        kisses/wishes places/phases ladder/batter matter/sadder metal/pedal world/curl given/even people/ripple
    """,
    "none": """
        it/book sick/luck big/good kiss/bush floor/depart he/the bus/his moon/love stone/gone me/the day/the sea/a
        go/a night/and bad/bed man/men cat/cut hat/hut pin/pan hot/hat rock/rack luck/lock cup/cap run/rain gun/gone
        come/home some/dome one/bone done/lone love/move glove/grove above/stove give/five have/save said/paid
        says/days put/cut full/dull bull/skull wolf/golf food/blood mood/flood good/god book/buck shook/shake cow/low
        how/show now/know town/own crown/flown brown/grown word/lord work/fork worm/storm war/car warm/harm want/pant
        what/hat watch/catch wash/cash swan/man great/threat break/speak steak/leak wear/dear tear/tar heart/hear
        head/bead friend/fiend pretty/petty many/zany women/omen son/on ton/don front/font month/moth other/bother
        mother/moth nothing/clothing honey/bony worry/sorry busy/fussy rough/bough cough/though tough/dough
        enough/through laughter/daughter slaughter/after tomb/bomb comb/bomb womb/thumb fire/fear desire/deer
        night/nit light/lit time/team wine/win mine/mean line/lean side/sad ride/rude road/rod load/loud boat/boot
        coat/cut home/ham name/numb rain/run train/turn pain/pen game/gum face/fuss place/plus race/rose chance/change
        hand/wind stand/wind land/lend sand/send bend/band mind/mend find/fund gold/gild cold/called hold/held
        song/sang long/lung ring/rang king/kong think/thank drink/drunk sink/sunk spring/sprung burn/born turn/torn
        star/stir far/fur bar/bore car/care door/dear floor/flare more/mere shore/share tears/tours years/yours
        hour/hair flower/floor sky/ski cry/crew fly/flow high/how day/die say/so way/why stay/sty true/try blue/blow
        you/yo see/saw free/fray tree/tray key/cow baby/ruby lady/body happy/hippie city/party water/winter
        summer/simmer winter/hunter mother/weather father/feather sister/master never/lover ever/over heaven/oven
        open/happen motion/mission nation/notion passion/patience vision/fashion walking/working singing/songs
        crying/playing table/trouble people/purple apple/ripple little/battle middle/muddle candle/kindle window/widow
        follow/fellow yellow/hollow pillow/shallow shadow/window kitten/cotton button/bitten rabbit/robot orange/door
        month/mouth purple/apple wolf/wool chimney/money is/us was/his his/has this/us these/this those/this them/him
        from/him for/far of/off in/on at/it we/way be/by she/shy they/though my/me your/year were/where there/here
        when/one then/than will/well if/of just/jest not/net but/bit out/at up/at down/dawn over/ever under/wander
        about/bought again/ago away/awry
    """,
}
"""English pairs with the grade of their rhyme, labelled by hand."""

MORE = {
    "es": """
        árbol2 sangre2 guitarra3 recuerdos3 libertades4 abrazo3 silencio3 mariposa4 paraguas3 ausencia3 esperanza4
        primavera4 invierno3 otoño3 verano3 lluvia2 nieve2 caminar3 volver2 huracán3 teléfono4 murciélago4 cigüeña3
        pingüino3 averiguar4 ciudadano4 criatura4 héroes3 leer2 creer2 poeta3 teatro3 caer2 oír2 baúl2 maíz2 río2 tío2
        dúo2 vacío3 oficio3 precipicio4 olvidarte4 quererte3 besos2 labios2 manos2 dedos2 cabello3 espejo3 lejos2
        viejo2 anochecer4 atardecer4 medianoche4 despedida4 bienvenida4 canciones3 corazones4 prohibido3 ahí2 aún2
        aunque2 cuando2 cuidado3 viuda2 jaula2 deuda2 reina2 peine2 oigo2 ley1 bueyes2 paraguay3 quiero2 guerra2
        agüita3 desagüe3 quizás2 ojalá3 jamás2 inglés2 dieciséis3 veintidós3 exacto3 éxito3 examen3 méxico3 rápido3
        cálido3 fácil2 débil2 lápiz2 azúcar3 carácter3
    """,
    "pt": """
        guitarra3 brincadeira4 lembrança3 esperança4 criança3 distância3 silêncio3 ausência3 coragem3 viagem3 homem2
        nuvem2 jovem2 ontem2 passarinho4 estrela3 janela3 favela3 panela3 aquarela4 beleza3 tristeza3 certeza3
        princesa3 mesa2 surpresa3 rosa2 gostosa3 mentirosa4 prosa2 fogo2 jogo2 logo2 povo2 novo2 ovo2 sorriso3
        paraíso4 juízo3 preciso3 aviso3 beijo2 desejo3 queijo2 dinheiro3 primeiro3 brasileiro4 inteiro3 verdadeiro4
        saia2 praia2 baía3 boia2 joia2 ideia3 plateia3 leão2 avião3 campeão3 pão1 irmãos2 mães1 leões2 cães1 põe1
        muito2 quarenta3 pinguim2 linguiça3 água2 igual2 língua2 guerra2 quero2 quente2 aquilo3 oi1 foi1 herói2 anéis2
        troféu2 museu2 judeu2 partiu2 sorriu2 viu1 caiu2 saiu2 baú2 saúde3 viúva3 ciúme3 poesia4 poeta3 teatro3 voar2
        doer2 ruim2 juiz2 país2 raízes3 egoísta4 samba2 sambista3 futebol3 carnaval3 papel2 fácil2 difícil3 útil2
    """,
    "fr": """
        soleil2 brouillard2 feuille1 papillon3 bouteille2 travail2 bataille2 cheval2 chevaux2 oiseaux2 gâteau2
        manteau2 nouveau2 fenêtre2 être1 maître1 connaître2 naître1 quatre1 montre1 rencontre2 contre1 ange1 étrange2
        mélange2 orange2 ligne1 signe1 montagne2 campagne2 gagne1 baigne1 jouer2 louer2 nouer2 tuer2 remuer3 nuage2
        lion1 camion2 avion2 million2 question2 chercher2 trouver2 souviens2 reviens2 matins2 copains2 musicien3
        parisien3 ancien2 italien3 faim1 parfum2 humble1 simple1 timbre1 chambre1 septembre2 tremble1 ensemble2
        ressemble2 exemple2 temple1 temps1 corps1 alors2 dehors2 bords1 sort1 accord2 record2 porc1 sac1 lac1 avec2
        sec1 bec1 chef1 neuf1 œuf1 vif1 motif2 public2 musique2 afrique2 magique2 pratique2 logique2 fatigue2 langue1
        guitare2 guide1 quai1 quand1 cinq1 coq1 chaque1 jusque1 presque1 croissant2 puissant2 innocent3 différent3
        violent2 hiver2 hier1 amer2 léger2 dernier2 premier2 papier2 métier2 pied1 assez2 nez1 rez1 billet2 regret2
        poulet2 jouet2 muet2 sujet2 objet2 hôpital3 général3 cristal2 final2 égal2
    """,
    "it": """
        sorriso3 paradiso4 viso2 improvviso4 abbraccio3 ghiaccio2 braccio2 faccio2 specchio2 vecchio2 orecchio3
        ginocchio3 finocchio3 occhio2 famiglia3 meraviglia4 bottiglia3 figlia2 foglia2 voglia2 montagna3 campagna3
        compagna3 bagna2 bisogna3 lasciare3 cominciare4 baciare3 mangiare3 viaggiare3 lasciami3 inverno3 estate3
        autunno3 primavera4 bambina3 regina3 mattina3 collina3 cantina3 chitarra3 terra2 guerra2 treno2 pieno2 sereno3
        veleno3 ponte2 fronte2 monte2 orizzonte4 fonte2 destino3 cammino3 bambini3 lontananza4 speranza3 danza2
        stanza2 distanza3 gente2 mente2 niente2 sente2 presente3 onda2 sponda2 bionda2 profonda3 fuoco2 gioco2 poco2
        nuovo2 uovo2 trovo2 muoio2 noi1 voi1 poi1 vorrei2 sei1 miei1 suoi1 buoi1 tuoi1 fai1 mai1 guai1 uomini3
        giovani3 angeli3 alberi3 principe3 semplice3 terribile4 amabile4 orribile4 fantastico4 romantico4 elettrico4
        storico3 chilometro4 termometro4 telefono4 magnifico4 quindici3 dodici3 undici3
    """,
    "de": """
        schatten2 garten2 himmel2 wolken2 wasser2 fluss1 kuss1 muss1 schluss1 genuss2 licht1 gesicht2 nicht1 gedicht2
        sicht1 pflicht1 gewicht2 spricht1 bricht1 herzen2 schmerzen2 kerzen2 scherzen2 wunder2 munter2 unter2 runter2
        lächeln2 blume2 rose2 hose2 lose2 dose2 tränen2 sehnen2 träne2 stimme2 schlimme2 kreise2 leise2 reise2 weise2
        eis1 heiß1 weiß1 kreis1 preis1 fliegen2 liegen2 siegen2 wiegen2 kriegen2 frieden2 geschieden3 hienieden3
        bleiben2 schreiben2 treiben2 leute2 heute2 beute2 freunde2 freundschaft2 leidenschaft3 kraft1 saft1 geschafft2
        gefühl2 kühl1 spiel1 ziel1 viel1 gefiel2 stuhl1 auge2 frage2 tage2 sage2 klage2 lage2 rückkehr2 wiederkehr3
        sternschnuppe3 mitternacht3 sommernacht3 winternacht3 sommerwind3 wirbelwind3 sonnenstrahl3 einmal2 niemals2
        manchmal2 überall3 fall1 ball1 knall1 überfall3 geduld2 schuld1 unschuld2 vertrauen3 schauen2 bauen2 frauen2
        trauen2 gewitter3 bitter2 ritter2 vergessen3 besessen3 messen2 essen2 verloren3 geboren3 ohren2 geschichte3
        gedichte3 berichte3 verschwunden3 stunden2 wunden2 gefunden3 verbunden3 musik2 theater3 familie4 ferien3
        radio3 studio3 europa3 amerika4 afrika3
    """,
}
"""Words with their syllables that were labelled before the rules had seen them; 98.5% to 100% were right at first."""
