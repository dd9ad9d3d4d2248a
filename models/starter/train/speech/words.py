"""The words of the training speech: about 1,500 forms of everyday English.

The lists are by part of speech, for the templates of sentences.py. Words that sound the same as another word are mostly
left out, because a model of sounds cannot learn to distinguish them.
"""

FUNCTION = """
a about above across after again against all almost along already also always am an and another any anybody anything
are around as ask at away back be because been before behind below beside better between both but by can cannot could
did do does done down during each either else enough even ever every everybody everyone everything everywhere few first
for from had has have he her here hers him his how i if in inside into is it its just last less like many may maybe me
might more most much must my myself near never next no nobody none nor not nothing now of off often on once only or
other our out outside over own perhaps please quite rather really same she should since so some somebody someone
something sometimes somewhere soon still such than that the their them then there these they this those through till to
today together tomorrow tonight too towards under until up upon us usually very was we were what when where which while
who whose why will with without would yes yesterday yet you your yours
""".split()

CONTRACTIONS = "don't can't isn't doesn't didn't won't it's i'm he's she's that's we're they're let's i'll you'll".split()

NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million half quarter second third fourth
fifth
""".split()

PEOPLE = """
boy girl man woman child baby mother father brother sister son daughter uncle aunt friend teacher student doctor nurse
farmer driver singer writer worker manager waiter cook baker lawyer dentist engineer artist actor soldier sailor pilot
neighbour guest visitor tourist customer king queen prince judge captain boss partner grandmother grandfather husband
wife cousin parent leader player runner swimmer dancer painter thief guard clerk
""".split()

NAMES = "anna tom mary john peter linda david sarah mike lucy james emma paul kate lan minh nam hoa mai linh".split()

ANIMALS = """
dog cat bird fish horse cow pig sheep goat duck chicken mouse rat rabbit lion tiger bear monkey elephant snake frog bee
ant fly spider whale shark turtle wolf fox
""".split()

FOOD = """
bread rice soup salad cheese butter egg milk water tea coffee juice beer wine sugar salt pepper apple orange banana
lemon grape peach cherry tomato potato carrot onion bean corn cake pie cookie chocolate honey jam sandwich pizza noodle
chip beef pork ham meat lunch dinner breakfast supper snack sauce oil mushroom garlic pumpkin cabbage
""".split()

THINGS = """
book pen pencil paper letter bag box cup glass bottle plate bowl knife fork spoon table chair desk bed lamp door window
wall floor roof key lock clock watch phone radio camera computer screen picture photo map card ticket money coin dollar
purse wallet hat cap coat shirt shoe boot sock dress skirt jacket scarf glove belt ring tie umbrella towel soap brush
comb mirror pillow blanket sheet curtain carpet sofa shelf drawer basket bucket broom hammer nail saw rope chain wheel
car bus train truck bike boat ship plane van taxi engine tyre toy ball doll game gift kite drum guitar piano flute bell
song story news magazine newspaper dictionary page word sentence question answer lesson test exam homework mistake idea
plan problem reason secret dream joke rule list name number address email message stamp envelope medicine pill tooth
hand head face eye ear nose mouth arm leg foot finger knee heart hair back neck shoulder stone rock sand leaf tree
flower grass branch seed rose fruit
""".split()

PLACES = """
house home room kitchen bathroom bedroom garden yard street road bridge corner park school class college office shop
store market bank hospital hotel restaurant library museum theatre cinema station airport factory farm field forest hill
mountain river lake sea beach island city town village country church temple castle tower pool gym stadium garage
harbour valley desert
""".split()

TIMES = """
morning afternoon evening night day week month year hour minute monday tuesday wednesday thursday friday saturday sunday
january february march april june july august september october november december spring summer autumn winter weekend
holiday birthday moment
""".split()

WEATHER = "sun moon star sky cloud rain snow wind storm ice fire smoke light heat air earth world".split()

ADJECTIVES = """
big small large little long short tall high low old young new good bad nice kind happy sad angry hungry thirsty tired
sick healthy strong weak fast slow quick early late hot cold warm cool wet dry clean dirty full empty open closed easy
hard difficult simple soft heavy thick thin wide narrow deep loud quiet bright dark rich poor cheap expensive free busy
ready safe dangerous careful lucky famous popular important interesting boring funny strange beautiful pretty ugly
sweet sour bitter fresh ripe raw round square flat sharp smooth rough red blue green yellow white black brown grey pink
purple golden wooden lazy clever stupid brave shy proud polite rude honest friendly lonely afraid sorry sure wrong
perfect terrible wonderful modern local foreign whole
""".split()

ADVERBS = """
slowly quickly quietly loudly carefully easily happily sadly badly well suddenly finally probably certainly exactly
nearly hardly early late abroad upstairs downstairs forward alone twice
""".split()

# What people say when they meet, and what else everyday.py needs.
EVERYDAY = """
hello hi bye goodbye welcome thanks excuse english vietnam vietnamese america speech sound practise practice understand
understood mean means language grammar coffee nice learner vocabulary pronunciation spell fluent hobby job age tall
delicious favourite food football music weather glad hope later course care count time hours minutes days years
""".split()

# base, third person, past, -ing; the past participle where it differs from the past is left out
VERBS = [line.split() for line in """
walk walks walked walking|talk talks talked talking|look looks looked looking|play plays played playing
work works worked working|help helps helped helping|like likes liked liking|want wants wanted wanting
need needs needed needing|call calls called calling|open opens opened opening|close closes closed closing
cook cooks cooked cooking|clean cleans cleaned cleaning|wash washes washed washing|watch watches watched watching
listen listens listened listening|learn learns learned learning|study studies studied studying
start starts started starting|stop stops stopped stopping|finish finishes finished finishing|move moves moved moving
live lives lived living|love loves loved loving|visit visits visited visiting|travel travels travelled travelling
wait waits waited waiting|carry carries carried carrying|push pushes pushed pushing|pull pulls pulled pulling
paint paints painted painting|fix fixes fixed fixing|use uses used using|try tries tried trying|cry cries cried crying
laugh laughs laughed laughing|smile smiles smiled smiling|dance dances danced dancing|jump jumps jumped jumping
climb climbs climbed climbing|kick kicks kicked kicking|touch touches touched touching|pick picks picked picking
drop drops dropped dropping|fill fills filled filling|turn turns turned turning|show shows showed showing
follow follows followed following|answer answers answered answering|explain explains explained explaining
remember remembers remembered remembering|enjoy enjoys enjoyed enjoying|change changes changed changing
go goes went going|come comes came coming|see sees saw seeing|eat eats ate eating|drink drinks drank drinking
sleep sleeps slept sleeping|read reads read reading|write writes wrote writing|speak speaks spoke speaking
say says said saying|tell tells told telling|give gives gave giving|take takes took taking|make makes made making
get gets got getting|buy buys bought buying|sell sells sold selling|pay pays paid paying|find finds found finding
lose loses lost losing|keep keeps kept keeping|leave leaves left leaving|bring brings brought bringing
send sends sent sending|think thinks thought thinking|know knows knew knowing|feel feels felt feeling
hear hears heard hearing|sit sits sat sitting|stand stands stood standing|run runs ran running
swim swims swam swimming|sing sings sang singing|ride rides rode riding|drive drives drove driving
fly flies flew flying|draw draws drew drawing|cut cuts cut cutting|put puts put putting|hold holds held holding
catch catches caught catching|throw throws threw throwing|break breaks broke breaking|build builds built building
teach teaches taught teaching|meet meets met meeting|begin begins began beginning|win wins won winning
wear wears wore wearing|choose chooses chose choosing|forget forgets forgot forgetting|fall falls fell falling
hide hides hid hiding|shut shuts shut shutting|steal steals stole stealing|grow grows grew growing
""".replace("\n", "|").split("|") if line]

# Neighbours in sound that learners mix up. The words are trained; the pairs are what the evaluation compares.
PAIRS = [pair.split("/") for pair in """
ship/sheep think/sink bit/beat fill/feel sit/seat hit/heat chip/cheap lip/leap slip/sleep bad/bed man/men
pan/pen sat/set had/head bag/beg cat/cut hat/hut cap/cup bug/bag fun/fan pool/pull full/fool look/luck boat/bought
coat/caught cot/cat hot/hat pot/pat three/free thin/fin thick/sick thank/sank mouth/mouse path/pass then/den they/day
very/berry vest/best vine/wine vet/wet rice/lice right/light road/load rock/lock pray/play glass/grass correct/collect
pig/big pie/buy pear/bear park/bark town/down tie/die tin/din coat/goat came/game could/good fan/van fine/vine safe/save
leaf/leave price/prize bus/buzz rice/rise shop/chop share/chair wash/watch shoe/chew ship/chip jet/yet joke/yolk
sing/sin thing/thin wing/win some/sun rim/rin cake/take tea/key dog/dock bag/back cab/cap bed/bet card/cart seed/seat
long/lung cold/called walk/work short/shirt bird/bed burn/born test/text nest/next
""".split()]

# Never in the training sentences: what a model of sounds makes of words it has not met.
UNSEEN_PAIRS = [pair.split("/") for pair in """
mill/meal rid/reed bland/blend lack/luck thump/sump veil/whale lamp/ramp pest/best tusk/dusk crane/grain
fern/burn zip/sip moth/moss gap/cap pond/bond
""".split()]


def plural(noun: str) -> str:
    irregular = {"man": "men", "woman": "women", "child": "children", "wife": "wives", "knife": "knives", "leaf": "leaves",
                 "shelf": "shelves", "tooth": "teeth", "foot": "feet", "mouse": "mice", "sheep": "sheep", "fish": "fish",
                 "thief": "thieves", "wolf": "wolves", "scarf": "scarves", "potato": "potatoes", "tomato": "tomatoes"}
    if noun in irregular:
        return irregular[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def trained() -> set[str]:
    """Every word form that may stand in a training sentence."""
    nouns = PEOPLE + ANIMALS + THINGS
    out = set(FUNCTION + CONTRACTIONS + NUMBERS + NAMES + FOOD + PLACES + TIMES + WEATHER + ADJECTIVES + ADVERBS + EVERYDAY + nouns)
    out |= {plural(n) for n in nouns} | {form for verb in VERBS for form in verb}
    return out | {w for pair in PAIRS for w in pair}
