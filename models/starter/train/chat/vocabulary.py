"""English words that the rules do not know. They occur in sentences for Grammar, where they must be copied.

Verbs are regular, except those written base/past/participle; * doubles the last letter.
"""

from chat import lexicon
from speech import words

NOUNS = """
ability accident account activity address adult adventure advantage advertisement agency agreement aim airline alarm album
ambulance angel angle ankle anniversary appointment apron aquarium arch area argument army arrangement arrow article
attack attempt attitude audience autumn award axe backpack badge bakery balcony ballot band bandage bank banner bar barrel
barrier basement bath battery battle beam beard beast beginner belief benefit bill biscuit blade block blouse
board bomb bone bonus boot border bottle bottom bowl bracelet brain brake brand brick bride broadcast brochure bruise
bubble budget bug building bull bullet bunch burger button cabin cabinet cable cafe cage calculator calendar call camel
camp campaign campus canal cancer candidate candle candy cannon canoe canteen cape capital caravan cardboard career
cartoon cartridge case castle casual category cathedral cave ceiling cell cellar centre century ceremony certificate
challenge champion chance channel chapel chapter character charity chart charm cheque chest chimney chin choice choir
circle circus citizen claim claw clay client cliff climate clinic cloak cloth club clue coach coast code coin collar
collection column comedy comment committee community company compass competition complaint concept concert conclusion
condition conference conflict connection container contest contract conversation copy cord corridor costume cottage couch
council counter couple course court cover cow cracker cradle craft crash crayon cream creature credit crew crime
crisis critic crop cross crowd crown crystal cube cucumber culture cupboard cure currency curry curve cushion custom cyclist
damage danger date deadline deal debate debt decade decision deck decoration degree delay delivery demand department
deposit design desire destination detail detective device diagram dialogue diamond diary diet difference dinosaur diploma
direction disaster discount discovery discussion disease dish display distance district dolphin donation donkey dot
doubt dozen dragon drain drama drawer driveway drop drought dumpling duty eagle earring earthquake edge edition editor
effect effort elbow election elevator emergency emotion employer empire enemy engine entrance episode era error escape
essay event exhibition exit expedition expense experiment expert explanation explosion factor failure fairy faith fan
farmhouse fashion fault fear feast feather feature fee fence ferry festival fever fiction fight figure file firework
fireplace fishing flag flame flash flavour flight flood flute foal fog fold folder footpath force forecast forehead fossil
fountain frame freezer fridge front fuel function fund funeral funnel future gallery gap garage gate generation genius
gesture ghost giant giraffe goal god graduate grain gram grandson grape graph grave greeting grill grocery group
guarantee guess guideline gun gust habit hall hamburger hamster handbag handle harvest headache headline hearing heater
hedge height helicopter helmet hen hill hint hip hive hobby hole hook hose household human hunter hurricane
hut iceberg icon image impression improvement inch incident income industry ingredient injury insect inspector institute
instruction instrument insurance interest interview introduction invention investigation invitation iron island item ivory
jacket jar jaw jeep jelly jewel journal journey joy judge jug juice jungle junior jury kangaroo kettle keyboard kidney
kilometre kindergarten kingdom kit kitten label laboratory lace ladder lane lantern laser lawn lawyer layer leader league
leaflet lecture leg legend lemonade letter level lever liar lid lifeguard lift lighthouse limit line link lion lip liquid
list liver lizard load loan lobby lobster location locker log loss lottery lounge lover lump lunchbox machine
magnet maid mall mango manual marathon marble mark marriage mask master mat match mattress maximum mayor meadow
measure mechanic medal melody melon member memory mention menu merchant message metal meter method metre microphone
microscope microwave midnight mill mine minister minority miracle mission mixture model mode monster monument mood mop
motor mountain movement mug murder muscle museum myth nap napkin nation nature necklace needle neighbourhood nest net
network nickname nightmare notice novel nun nut oak object obstacle occasion ocean octopus offer officer onion opening
opera operation opinion opportunity option orchard orchestra order organ organization ornament orphan outfit oven owl
owner package packet palace palm pan panda panel panic parachute parade paragraph parcel parliament parrot
participant particle partnership passage passenger passport password pattern pavement payment peak pearl pedestrian peel
penalty penguin pension percentage performance period permit pet petal photograph phrase piano picnic pigeon pile
pill pilgrim pillar pin pipe pirate pit pitch plant plaster plastic platform plot plug pocket poem poet poison policy poll
pond pony population port portion portrait position possession poster pot powder power practice prayer prediction prescription
president pressure priest print printer prison prisoner privilege prize procedure process product profession professor
profile profit program project promise proof property proposal protest pub publisher pudding pump punishment pupil
puppet purpose puzzle pyramid quality quantity quarrel quarry rabbit race rack rail railway rainbow raincoat ranch range
rate ray razor reaction reader receipt receptionist recipe record recording refrigerator refugee region relation relative
reminder rent repair reply report reporter request requirement rescue researcher reservation resident resource response
responsibility result review reward rhyme rhythm ribbon riddle ride rifle riot risk rival robber robe robot rocket rod
role roller routine row rubber rug ruin ruler rumour runway sack saddle salary sale sample sandal satellite
sausage scale scandal scar scene scent schedule scheme scholar scholarship scooter score screw sculpture seal search season
section security selection senator series servant service session setting settlement shade shadow shame shape
shed shelter shield shift shortage shot shower sidewalk sight sign signal signature silence sink site situation
skill skin skull skyscraper slave slice slide slipper slogan slope smell snail society socket solution sort soul source souvenir spaceship spark speaker species speech speed sponge spot spray spring square squirrel
stable stadium stage stain staircase stall statement statue steak steam steel stem step stereo stick sticker
stitch stool storey storm stove stranger strategy straw strawberry stream strength stretch strike string strip structure
struggle studio style success suburb suggestion suit suitcase summary summit sunflower sunrise sunset supply support
surface surgeon surgery surprise survey survivor suspect swan sweater switch sword symbol symptom system tablet tail
tailor talent tank tap target task taste tax technique technology teenager telescope television temperature temptation
tent term terrace territory terrorist theme theory therapy thread threat throat throne thumb tile timetable tin tip tissue
title toast toaster tomb tongue tool topic torch tournament trace track tractor trade tradition tragedy trail trailer
tram transfer trap traveller tray treasure treatment treaty trial triangle tribe trick trolley trophy trouble 
trumpet trunk tube tunnel turkey twig twin type typewriter van vase vegetable vehicle vein version vessel veteran
victim victory view villa violin virus visa vision vitamin voice volunteer vote voucher voyage waist wardrobe warehouse
warning warrior waterfall wave way weapon wedding weed whisper whistle wig winner wire wish witch witness wizard woodpecker
workshop worm wound wreck wrist yacht yogurt zebra zone zoo
""".split()
# Words that stand for people, so that sentences have doers.
DOERS = """
accountant actress ambassador architect assistant astronaut athlete author babysitter banker barber beggar biologist blacksmith
bodyguard bookseller boxer bricklayer butcher butler captain carpenter cashier chef chemist clown collector comedian commander
composer conductor consultant cowboy criminal customer cyclist dealer designer detective director diver editor electrician
explorer firefighter florist foreigner gardener geologist goalkeeper governor guitarist hairdresser headmaster hiker
historian host hostess hunter immigrant inspector interpreter inventor janitor jeweller jockey journalist juggler landlord
librarian lifeguard magician mathematician mechanic midwife miner minister model monk musician novelist nanny optician
organizer passenger patient performer pharmacist philosopher photographer physicist pianist plumber poet politician porter
potter president producer professor psychologist publisher receptionist referee reporter researcher resident sailor
scholar sculptor senator sergeant servant shepherd shoemaker specialist spy stranger supervisor surgeon survivor
tailor teenager translator trainer traveller treasurer tutor umpire undertaker veterinarian victim violinist volunteer
warden watchmaker weaver winner witness woodcutter youngster zookeeper grandson granddaughter nephew niece stepmother bride
""".split()
STUFF = """
accommodation air aluminium anger art baggage behaviour biology blood bravery cash chalk chemistry childhood cloth clothing coal
concrete confidence cooking cotton courage crime curiosity damage dancing darkness data death democracy dirt dust economics
education electricity energy equipment evidence excitement experience fame fashion fear fiction fire flour fog food
freedom friendship garbage gas geography ginger glue gold gossip gravity happiness hate health heat help history
honesty honey hope housework humour ice imagination importance industry intelligence iron jazz jealousy joy judo justice
kindness labour land laughter lava leather leisure lightning literature loneliness love luck machinery magic mathematics
mayonnaise metal mud mustard nature nonsense nutrition oil oxygen paint parking patience pasta peace petrol philosophy physics
pleasure poetry poison pollution poverty power pressure pride privacy progress protection punctuation rain recycling research
respect revenge rubbish safety salad sand scenery seafood shampoo shopping silence silk silver sleep smoke snow software soil
space spaghetti speed spelling sport steam steel stress strength success sunshine support sweat talent teaching technology
teamwork tennis toothpaste trade training transport travel truth trust understanding unemployment vinegar vocabulary
warmth wealth wildlife wisdom wood wool yoga youth
""".split()
ADJECTIVES = """
able absent academic acceptable accidental accurate active actual additional advanced aggressive alive allergic amazed amazing
ambitious amused amusing ancient annoyed annoying annual anonymous artificial ashamed asleep attractive automatic available
average awake aware awful awkward bald bare basic bitter blank blind blonde blunt bold bright brilliant broad broken brutal calm
capable careless casual cautious central certain charming cheeky cheerful chemical childish chilly classic classical clear
comic common compact complete complex complicated compulsory confident confused confusing conscious constant
contemporary content convenient cosy cotton crazy creamy creative critical crooked crowded crucial cruel cultural curious
current curly cute daily damaged damp dangerous dead deadly deaf dear decent delicate delighted depressed depressing desperate
detailed determined different digital dim diplomatic direct disabled disappointed disappointing disgusting distant divorced dizzy
domestic double doubtful dramatic dreadful drunk dull dusty eager eastern economic educational effective efficient elderly
electric electronic elegant embarrassed embarrassing emotional endless energetic enormous enthusiastic entire environmental equal
essential eventual everyday evil exact excellent exceptional exclusive exhausted exhausting exotic experienced external extra
extreme faint fair faithful fake false familiar fancy fantastic fashionable fat fatal favourable fearful fierce final financial
firm fit flexible fluffy foggy folded following fond foolish forgetful formal former fortunate fragile frequent frightened
frightening frozen frustrated furious furry fussy future general generous gentle genuine giant gifted glad global
gloomy golden gorgeous gradual grand grateful greasy great greedy grilled gross grumpy guilty hairy handsome handy harmful
harmless harsh haunted hidden hilarious historic historical hollow homeless hopeful hopeless horrible huge humble
humid icy ideal identical ill illegal imaginary immediate impatient impossible impressive incorrect incredible independent
indoor industrial inexpensive informal initial injured innocent innovative instant intense internal international invisible
irregular irresponsible jealous joint juicy keen large lasting legal leisurely lifelong light likely limited linguistic
liquid lively logical loose loving loyal luxurious mad magic magical magnificent main major married massive mature maximum
mean medical medieval medium melted memorable mental messy mild military minimum minor miserable missing mixed mobile modest moral
musical muddy mysterious naked national natural nearby nearest neat necessary negative neutral noble noisy normal northern
obvious odd official ongoing online opposite optimistic oral ordinary organic original outdoor outgoing outstanding oval overweight
painful pale parallel partial passionate passive past patient peaceful peculiar permanent personal pessimistic physical plain
plastic playful pleasant pleased pointed poisonous political popular positive possible potential powerful practical precious
precise pregnant present previous priceless primary private probable productive professional profitable promising proper public
pure puzzled rainy random rapid rare rational raw realistic reasonable recent regular related relaxed relaxing relevant reliable
religious remarkable remote repeated responsible rotten royal rural sacred salty satisfactory satisfied scared scary
scientific secondary secret secure selfish senior sensible sensitive separate serious severe shallow shiny shocked shocking
sick silent silly similar sincere single skilful skinny slight slim slippery smart smoky snowy social solid sore sour southern
spare special specific spectacular spicy spiritual splendid spotless stable standard steady steep sticky stiff still stormy
straight straightforward stressed stressful strict striped stubborn stunning stylish subtle successful sudden sufficient suitable
sunny super superb superior supportive surprised surprising suspicious sweet swollen sympathetic talented talkative
tasty technical temporary tempting tender tense terrific terrified thirsty thorough thoughtful thrilled tidy tight tiny
tired top total tough traditional tragic transparent tropical true trustworthy twin typical ultimate unable unbelievable uncertain
uncomfortable unconscious unexpected unfair unfortunate unfriendly unhappy unhealthy unimportant unknown unlikely unlucky
unpleasant unreliable unusual upper upset urban urgent vague valid valuable varied various vast vegetarian violent visible
visual vital vivid vulnerable weekly weird welcome western wicked widespread wild willing windy wise witty
wooden worldwide worried worse worth worthless worthwhile wrinkled youthful
""".split()
SHORT = """
bald bold brave bright broad brown calm chilly clever close cloudy cosy crazy cruel curly damp dark deep dim* dirty dry dull dusty fair
fat* fierce fit* flat* foggy fresh friendly gentle grand greasy great greedy grumpy hairy handy hard harsh humble hungry icy juicy large
lazy light lively lonely loose loud low lucky mad* messy mild muddy narrow near neat noble noisy odd pale plain poor proud pure quick
quiet rainy rare ripe rough sad* safe salty scary sharp shiny shy silly simple slim* smart smooth soft sour spicy steep strange strict
sunny sweet tasty thick thin* thirsty tidy tight tiny tough ugly weak weird wet* wide wild windy wise witty
""".split()
ADVERBS = """
absolutely accidentally accurately actually almost angrily anxiously apparently automatically awkwardly barely basically
beautifully bitterly bravely briefly brightly calmly carelessly cheerfully clearly closely clumsily commonly completely
confidently constantly correctly curiously daily deeply deliberately desperately differently directly eagerly easily effectively
efficiently elegantly entirely equally especially eventually exactly expertly extremely fairly faithfully fiercely firmly
fluently fortunately frankly freely frequently fully generally generously gently gladly gradually gratefully greatly happily
helpfully honestly hopefully hungrily immediately independently innocently instantly joyfully kindly lately lazily legally
lightly loosely loudly luckily mainly merrily mostly mysteriously naturally nearly neatly nervously normally obviously
occasionally officially openly originally painfully partly patiently peacefully perfectly personally pleasantly politely
poorly possibly powerfully practically precisely previously properly proudly publicly quickly quietly randomly rapidly rarely
recently recklessly regularly reluctantly repeatedly rudely safely secretly seldom seriously sharply shyly silently simply
sincerely slightly slowly smoothly softly specially steadily strangely strictly strongly successfully suddenly surprisingly
suspiciously sweetly temporarily tenderly thoroughly thoughtfully tightly together totally truly typically unexpectedly
unfortunately unusually urgently vaguely violently warmly weakly widely wildly wisely worldwide wrongly
""".split()
DOING = """
abandon accept accompany achieve acquire adapt adjust admire admit* adopt advertise advise affect analyse announce annoy approach
approve arrange arrest assist attach attack attend attract avoid bake bear/bore/borne beat/beat/beaten bite/bit/bitten blame bless
block boil book borrow bother bury calculate cancel* capture celebrate challenge chase cheat check chew collect combine
command compare complete compose confirm confuse connect consider construct contact contain control* convince copy correct cover
create criticise cross crush damage decorate defeat defend delay delete deliver demand deny describe deserve design desire destroy
detect develop dial* dig*/dug/dug direct disappoint discover dislike divide donate doubt download drag* earn edit educate
elect embarrass employ empty encounter encourage entertain equip* examine exchange excite experience explore export expose express
extend face fasten feed/fed/fed fetch fight/fought/fought fire flood fold forbid*/forbade/forbidden force forgive/forgave/forgiven
freeze/froze/frozen frighten fry gather govern grab* greet grill guard guess guide hammer handle hang/hung/hung hate heal heat
hire hit*/hit/hit hug* hunt hurt/hurt/hurt identify ignore import impress improve include increase inform injure inspect install
insult interrupt introduce invent investigate invite iron join judge kill kiss knock label* land lay/laid/laid lead/led/led lend/lent/lent
lick lift light/lit/lit limit load lock manage manufacture mark marry measure melt memorise mend mention miss mix murder
name need notice observe obtain offer order organise own pack park pass peel perform permit* persuade photograph plan* plant
please polish post postpone pour praise predict prefer* prepare present preserve press prevent print produce promote
pronounce protect prove provide publish pump punch punish purchase puzzle question raise reach receive recognise recommend record
recycle reduce refuse regret* reject release remove rent repair repeat replace report request rescue respect restore return
reveal review ring/rang/rung rob* ruin rule rush satisfy save scare scratch scream seal search select serve settle shake/shook/shaken
shape share shave shock shoot/shot/shot sign slice slide/slid/slid smash smell smoke solve spell spend/spent/spent spill split*/split/split
spoil spot* spread/spread/spread squeeze stamp starve stir* store stretch strike/struck/struck suggest supply support surprise surround
suspect swallow sweep/swept/swept switch tame tap* taste tear/tore/torn tease test thank threaten tickle tie toast
trace track trade train translate trap* treat trick trust twist type understand/understood/understood undo/undid/undone unite
unlock unpack update upload urge value wake/woke/woken warm warn waste water weigh welcome whisper wind/wound/wound
wipe witness worry wrap*
""".split()
BEING = """
act ache appear applaud argue arise/arose/arisen arrive bark beg* behave blink bloom blush boast bow breathe burst/burst/burst camp
care cheer collapse compete complain concentrate cough crash creep/crept/crept cycle daydream decline depart
die disappear disagree dive doubt dream drift drown escape exercise exist expand explode fade fail faint fish float flow
frown gamble gasp gaze giggle glow graduate grin* groan hesitate hike hop* hurry improve jog* joke kneel/knelt/knelt knit*
last lean leap listen march matter meditate migrate misbehave moan nod* occur* panic paint pause pray proceed protest
queue race reappear recover relax remain reply resign respond retire return rise/rose/risen roar roll rot* run*/ran/run sail
scream shine/shone/shone shiver shop* shout shrink/shrank/shrunk sigh sink/sank/sunk skate ski slip* sneeze snore sparkle
spit*/spat/spat stare starve stay struggle stumble succeed suffer surf survive sweat swear/swore/sworn swing/swung/swung talk
tremble trip* vanish volunteer vote wander wave weep/wept/wept whistle win*/won/won wink wonder worry yawn yell
""".split()
# What goes on with a preposition.
JOINED = [pair.split("/") for pair in """
agree/with apologise/for apply/for argue/with arrive/at ask/for believe/in belong/to borrow/from care/about chat/with come/across
complain/about concentrate/on consist/of count/on crash/into dance/with deal/with decide/on depend/on die/of disagree/with
dream/of escape/from fall/off feel/like fight/with forget/about get/into get/off give/up grow/up hear/about hear/from hope/for
insist/on joke/about jump/over knock/at laugh/at lean/against listen/to live/with look/after look/at look/for look/forward/to
look/like look/through object/to participate/in pay/for pick/up point/at point/to prepare/for put/on put/out quarrel/with read/about
recover/from refer/to rely/on reply/to run/after run/into run*/out/of search/for shout/at smile/at speak/about speak/to spy/on
stare/at step/on stick/to succeed/in suffer/from take/care/of take/off take/part/in talk/about talk/to throw/away thank/for think/about think/of
travel/by try/on turn/down turn/off turn/on turn/into vote/for wait/for wake/up walk/across walk/along walk/past walk/through
work/for work/on worry/about write/about write/to
""".split()]
TO = ("want need hope try plan* decide agree learn refuse promise manage offer prepare expect wish fail forget*/forgot/forgotten "
      "choose/chose/chosen attempt begin*/began/begun like love prefer* hesitate intend pretend seem start continue").split()
GERUND = ("enjoy finish avoid practise suggest keep/kept/kept mind imagine consider dislike hate miss quit*/quit/quit risk stop* "
          "remember start regret* recommend postpone continue").split()
THAT = ("think/thought/thought know/knew/known believe say/said/said hope feel/felt/felt hear/heard/heard notice discover forget*/forgot/forgotten "
        "remember explain promise dream pretend admit* guess doubt suspect find/found/found mean/meant/meant realise understand/understood/understood "
        "suppose imagine complain insist reply claim agree decide announce").split()
# Verbs of JOINED that are not in the lists.
OTHERS = ("come/came/come fall/fell/fallen grow/grew/grown throw/threw/thrown give/gave/given deal/dealt/dealt stick/stuck/stuck "
          "step* refer* run*/ran/run get*/got/got drive/drove/driven sing/sang/sung drink/drank/drunk swim*/swam/swum fly/flew/flown "
          "ride/rode/ridden draw/drew/drawn begin*/began/begun steal/stole/stolen hide/hid/hidden").split()
SITES = """
airport alley aquarium arena attic bakery balcony bank basement bay beach bookshop border cafe camp campus canteen canyon castle
cathedral cave cellar chapel church cinema circus classroom cliff clinic coast corridor cottage courtyard desert embassy exhibition
factory farmyard fountain gallery garage gate greenhouse gym hall harbour highway hostel jungle kindergarten laboratory lake laundry
lighthouse lobby mall mansion meadow mine monastery monument mosque motel motorway nightclub orchard palace park pavement pharmacy
playground pond port prison pyramid railway reception ruin runway sauna shed square stable staircase stream studio suburb subway
supermarket swamp temple tent terrace theatre tower tunnel valley village volcano warehouse waterfall workshop yard zoo
""".split()
PLACES = """
Africa Asia Europe Brazil Mexico India Italy Spain Russia Turkey Egypt Greece Poland Ireland Scotland Denmark Norway Sweden Finland
Iceland Holland Belgium Austria Switzerland Portugal Argentina Chile Colombia Cuba Kenya Nigeria Morocco Iran Iraq Israel Pakistan
Nepal Malaysia Indonesia Cambodia Laos Myanmar Taiwan Mongolia Berlin Madrid Rome Moscow Dublin Oslo Vienna Prague Lisbon Athens Cairo
Delhi Mumbai Bangkok Jakarta Manila Seoul Beijing Shanghai Osaka Kyoto Chicago Boston Texas California Florida Alaska Hawaii Toronto
Melbourne Manchester Oxford Cambridge Liverpool Edinburgh Venice Milan Barcelona Amsterdam Brussels Geneva Munich Hamburg Budapest
""".split()
GIVEN = """
Alice Andrew Angela Barbara Bill Bob Brian Carol Catherine Charles Charlotte Daniel Diana Dylan Edward Elizabeth Ellen Emily Eric Eva
Frank Fred George Grace Hannah Harry Helen Henry Ian Isabel Jacob Jane Janet Jason Jennifer Jessica Joan Joe Julia Karen Kevin Leo
Lily Louis Louise Margaret Maria Mark Martin Matthew Max Michael Nancy Nick Nicole Oliver Olivia Oscar Pamela Patrick Philip Rachel
Rebecca Richard Robert Rosa Ruth Sally Sam Sandra Sharon Simon Sophie Stephen Steve Teresa Thomas Tim Tony Victor Victoria Wendy William
""".split()


def _third(base: str) -> str:
    if base.endswith(("s", "x", "ch", "sh", "z", "o")):
        return base + "es"
    return base[:-1] + "ies" if base.endswith("y") and base[-2] not in "aeiou" else base + "s"


def forms(entry: str) -> tuple[str, str, str, str, str]:
    """Base, third person, past, -ing and past participle of an entry of the lists, or of a base that is regular."""
    base, *irregular = entry.split("/")
    base, stem = base.rstrip("*"), base.replace("*", base[-2])
    if base.endswith("ie"):
        going = base[:-2] + "ying"
    else:
        going = (stem[:-1] if stem.endswith("e") and not stem.endswith(("ee", "oe", "ye")) else stem) + "ing"
    past = stem + "d" if stem.endswith("e") else stem[:-1] + "ied" if stem.endswith("y") and stem[-2] not in "aeiou" else stem + "ed"
    past, done = irregular or (past, past)
    return base, _third(base), past, going, done


def graded(entry: str) -> tuple[str, str, str]:
    """A short adjective of SHORT with its comparative and superlative."""
    base, stem = entry.rstrip("*"), entry.replace("*", entry[-2])
    stem = stem[:-1] + "i" if stem.endswith("y") else stem.removesuffix("e")
    return base, stem + "er", stem + "est"


def _bases(entries) -> list[str]:
    return [entry.split("/")[0].rstrip("*") for entry in entries]


def _known():
    """The forms of all verbs that are not regular or that double a letter, by base."""
    out = {base: (*old, lexicon.PARTICIPLES.get(base, old[2])) for base, old in lexicon.FORMS.items()}
    entries = DOING + BEING + TO + GERUND + THAT + OTHERS
    return out | {forms(entry)[0]: forms(entry) for entry in entries if "/" in entry or "*" in entry or forms(entry)[0] not in out}


FORMS = _known()
DOING, BEING, TO, GERUND, THAT = (_bases(entries) for entries in (DOING, BEING, TO, GERUND, THAT))
GRADED = [graded(entry) for entry in SHORT]
THINGS = sorted(set(NOUNS + DOERS))
# Every form that stands here, so that a misspelling is none of them.
ALL = set(NOUNS + DOERS + STUFF + ADJECTIVES + ADVERBS + SITES) | {words.plural(n) for n in THINGS + SITES} | {
    form for verb in FORMS.values() for form in verb} | {form for adjective in GRADED for form in adjective}
