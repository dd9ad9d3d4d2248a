"""Everyday sentences and typical mistakes that the rules do not generate.

A line is a sentence. (wrong>right:rule) marks a mistake of learners, with ~ for
nothing; {…} is a slot. Lines without a mark are correct.
"""

import re

from chat import lexicon
from chat.parts import part
from chat.phrases import Writer
from speech import words

MARKED = re.compile(r"\(([^>()]*)>([^:()]*):([a-z ]+)\)")

LINES = """
my name is {name}.|hello, my name is {name}.|hi, I am {name}.|I am from {town}.|I come from {town}.|I live in {town}.
nice to meet you.|how are you?|I am fine, thank you.|thank you very much.|you are welcome.|see you tomorrow.|good morning.
good morning, {name}.|good night.|how old are you?|where do you live?|what is your name?|what do you do?|I am {n} years old.
what time is it?|it is {n} o'clock.|how much is it?|excuse me, where is the {place}?|I do not understand.|I don't know.
please speak slowly.|can you help me?|can you say that again?|I am sorry.|I am sorry, I am late.|have a nice day!|happy birthday!
I like {hobby}.|my hobby is {hobby}.|I love {food}.|my favourite food is {food}.|my favourite drink is {drink}.|let's go!
the weather is nice today.|it is raining.|it is hot today.|it was cold yesterday.|the sun is shining.|it often rains in {month}.
my birthday is in {month}.|today is {day}.|I was born in {year}.|I was born in {town}.|I have been to {town}.|do you like {food}?
I would like {food}, please.|what would you like to drink?|how do you go to {town}?|it is my first time in {town}.
I have never been to {town}.|this is my friend {name}.|that is a good idea.|I think so.|I am looking for the {place}.
she has long black hair.|he has two children.|there are four people in my family.|my {family} works in {town}.
my {family} is a {job}.|my {family}'s name is {name}.|I get up at {n} o'clock.|I go to bed late.|I have breakfast at home.
I usually go to work by bus.|I take a bus to {town}.|I wash my face and brush my teeth.|I don't have any money.
could I have the bill, please?|how long does it take?|what does this word mean?|how do you spell your name?|it depends.
I have been learning {language} for {n} years.|I can speak {language}.|{language} is not easy.|I want to improve my {language}.
my {language} is not very good.|I was at home yesterday.|we had a good time in {town}.|don't worry.|be careful!|come in, please.
it is too expensive.|I have a headache.|I feel tired.|you look happy today.|what are you doing?|I am doing my homework.
if it rains, I will stay at home.|when I was young, I lived in {town}.|after dinner, I watch TV.|before bed, I read a book.
I hope you are well.|thank you for your help.|thank you for your letter.|I am writing to you about {thing}.|see you on {day}!
the shop opens at {n}.|the train leaves at {n} o'clock.|the book is on the table.|there is a {place} near my house.
he said that he was tired.|she told me that she liked {food}.|I know what you mean.|it was a beautiful day.|I will call you later.
do you know where {name} lives?|can you tell me where the {place} is?|I do not know what he wants.|who told you that?
{name} is taller than me.|I used to live in {town}.|she is wearing a red dress.|he was reading when I came home.
I have to go now.|you should see a doctor.|you must not smoke here.|may I come in?|shall we go?|let me help you.|stop it!
the film was made in {year}.|this house was built in {year}.|{food} is made in {town}.|my phone was stolen.|it is made of wood.
both of them are teachers.|neither of us knew the answer.|either is fine.|most people like music.|some of my friends are here.
I'm a {job}.|he's my {family}.|she's from {town}.|we're late.|they're at home.|it's a nice {noun}.|I've got a {noun}.|I'll be back.
I (am agree>agree:extra) with you.|she (is agree>agrees:extra) with me.|we (discuss about>discuss:no preposition) the {noun}.
we will (discuss about>discuss:no preposition) the {noun} tomorrow.|he (entered to>entered:no preposition) the {place}.
I (go to home>go home:no preposition) at {n} o'clock.|she (came back to home>came back home:no preposition) late.
we (go to shopping>go shopping:no preposition) on {day}.|I (go to swimming>go swimming:no preposition) every week.
he (went to there>went there:no preposition) by car.|I (come here by foot>come here on foot:preposition).
I go to school (by foot>on foot:preposition).|I go to work (by the bus>by bus:no article).|he goes to work (with bus>by bus:preposition).
I (make>do:choice) my homework every day.|she always (makes>does:choice) her homework.|did you (make>do:choice) your homework?
he (did>made:choice) a mistake.|I (did>made:choice) a cake for you.|she (said>told:choice) me that she was tired.
he (said me>told me:choice) the truth.|please (say>tell:choice) me your name.|she (told>said:choice) that she was busy.
can you (borrow>lend:choice) me some money?|can I (lend>borrow:choice) your pen?|please (open>turn on:choice) the light.
please (close>turn off:choice) the TV.|don't forget to (close>turn off:choice) the light.|I (have>am:choice) {n} years old.
he (has>is:choice) {n} years old.|my {family} (has>is:choice) {n} years old.|I (see>watch:choice) TV every evening.
she is (looking>watching:choice) a film.|I (hear>listen to:choice) music every day.|we (learn>study:choice) at {town} University.
I am (boring>bored:choice) today.|the film is very (bored>boring:choice).|I am (exciting>excited:choice) about the trip.
this book is (interested>interesting:choice).|I am (interesting>interested:choice) in music.|the news is very (excited>exciting:choice).
he works very (hardly>hard:choice).|she runs very (fastly>fast:choice).|she sings very (good>well:choice).
he speaks English very (good>well:choice).|my {family} cooks very (good>well:choice).|I don't feel (good>well:choice) today.
this is the first time I (eat>have eaten:past) {food}.|I (am living>have lived:after) here for {n} years.
I (am learn>am learning:after) {language}.|I (very like>really like:choice) {food}.|I like {food} (very>very much:missing).
I am (used to get>used to getting:after) up early.|I look forward to (see>seeing:after) you.|I look forward to (hear>hearing:after) from you.
let's (going>go:after) to the {place}.|let me (to help>help:extra) you.|my {family} makes me (to laugh>laugh:extra).
you should (to see>see:extra) a doctor.|you must (to do>do:extra) it now.|I can (to swim>swim:extra).|he can (to speak>speak:extra) {language}.
although it was raining, (but we>we:extra) went out.|although he is rich, (but he>he:extra) is not happy.
because I was sick, (so I>I:extra) stayed at home.|because it rained, (so we>we:extra) were late.
(is>it is:missing) very hot today.|(is>it is:missing) raining now.|(is>it is:missing) {n} o'clock.|(was>it was:missing) a good day.
in my family (have>there are:choice) {n} people.|in my class (have>there are:choice) many students.
everybody (like>likes:agree) {food}.|everyone (have>has:agree) a {noun}.|people (is>are:agree) friendly here.|the news (are>is:agree) good.
my hair (are>is:agree) long.|the police (is>are:agree) here.|one of my (friend>friends:plural) lives in {town}.
one of the (student>students:plural) is from {town}.|each (students>student:singular) has a {noun}.|every (students>student:singular) has a book.
I need some (informations>information:uncountable).|can you give me some (advices>advice:uncountable)?|I have many (homeworks>homework:uncountable).
she bought new (furnitures>furniture:uncountable).|there are a lot of (peoples>people:uncountable) here.|he has three (childs>children:spelling).
I have two (foots>feet:spelling).|the (mans>men:spelling) are tall.|those (womans>women:spelling) are teachers.
how (much>many:choice) books do you have?|how (many>much:choice) money do you need?|there is too (many>much:choice) traffic.
I don't have (many>much:choice) time.|he has (much>many:choice) friends.|I have a (few>little:choice) money.
I play (piano>the piano:the) every day.|she plays (guitar>the guitar:the).|I play (the football>football:no article) with {name}.
he is in (the bed>bed:no article).|(sun>the sun:the) is hot.|I live in (the Vietnam>Vietnam:no article).|(moon>the moon:the) is bright.
(the life>life:no article) is beautiful.|I have (headache>a headache:a).|what (nice day>a nice day:a)!|she is (only child>an only child:a).
I waited for (a hour>an hour:an).|he is (a honest>an honest:an) man.|she goes to (an university>a university:an) in {town}.
he wears (an uniform>a uniform:an).|half (hour>an hour:a) later, he came.|I go there twice (week>a week:a).
(he>his:choice) name is {name}.|(she>her:choice) name is {name}.|(me>my:choice) name is {name}.|(you>your:choice) name is nice.
I saw (she>her:choice) yesterday.|do you know (he>him:choice)?|please help (I>me:choice).|she loves (he>him:choice).|I gave (he>him:choice) a {noun}.
they love (they>their:choice) children.|this is (me>my:choice) {family}.|that book is (my>mine:choice).|this {noun} is (her>hers:choice).
do you know where (is he>he is:order)?|I don't know where (is she>she is:order).|I don't know what (is this>this is:order).
can you tell me where (is the {place}>the {place} is:order)?|tell me what (is your name>your name is:order).
(what you are>what are you:order) doing?|(where you are>where are you:order) going?|(why you are>why are you:order) late?
I (go always>always go:order) to bed early.|she (is late always>is always late:order).|he (drinks never>never drinks:order) coffee.
I have (a cat black>a black cat:order).|it is (a film interesting>an interesting film:order).|she has (eyes blue>blue eyes:order).
(yesterday I go>yesterday I went:past) to the {place}.|last week she (go>went:past) to {town}.|last night I (watch>watched:past) a film.
I (goes>went:past) to the {place} yesterday.|I (goes>went:past) to {town} last week.|I (has>had:past) a {noun} last year.
he (buyed>bought:past) a {noun} yesterday.|we (eated>ate:past) {food} last night.|I (was go>went:past) to {town} last year.
I (have went>have gone:after) there before.|she has (wrote>written:after) a letter.|I have (saw>seen:after) that film.
when I was a child, I (live>lived:past) in {town}.|I was born (on>in:preposition) {year}.|I was born (at>in:preposition) {town}.
we met (in>on:preposition) {day}.|my birthday is (on>in:preposition) {month}.|the class starts (in>at:preposition) {n} o'clock.
see you (in>on:preposition) {day}.|I am waiting (you>for you:preposition).|I listen (music>to music:preposition) every day.
he is good (in>at:preposition) maths.|she is married (with>to:preposition) my {family}.|I am afraid (with>of:preposition) dogs.
it depends (of>on:preposition) the weather.|look (the>at the:preposition) board, please.|thank you (about>for:preposition) your help.
what are you talking (of>about:preposition)?|I arrived (to>at:preposition) the {place}.|I am interested (on>in:preposition) history.
the book is (in>on:preposition) the table.|there is a picture (in>on:preposition) the wall.|I live (at>in:preposition) {town}.
I (dont>don't:mark) know.|she (doesnt>doesn't:mark) like {food}.|(im>I'm:mark) from {town}.|he (cant>can't:mark) swim.|(its>it's:mark) a nice day.
(its>it's:mark) raining.|I (didnt>didn't:mark) see you.|(thats>that's:mark) a good idea.|(lets>let's:mark) go to the {place}.|we (arent>aren't:mark) late.
we are (more better>better:extra) now.|he is (more taller>taller:extra) than me.|my house is (more big>bigger:choice) than your house.
this is the (more beautiful>most beautiful:choice) place.|he is (best>the best:the) student in the class.|I am (as tall than>as tall as:choice) you.
I (no have>don't have:choice) a {noun}.|he (no like>doesn't like:choice) {food}.|she (not is>is not:order) here.|they (no are>are not:choice) here.
I (am have>have:extra) a {noun}.|I (am like>like:extra) {food}.|I (am live>live:extra) in {town}.|she (is works>works:extra) in a {place}.
I (am go>go:extra) to school every day.|he (is has>has:extra) a {noun}.|I (am come>come:extra) from {town}.|they (are play>are playing:after) football now.
"""


def _slots(w: Writer, text: str) -> str:
    kinds = {"name": w.name, "town": w.town, "n": lambda: w.any(lexicon.NUMBERS[1:12]), "place": lambda: w.any(words.PLACES),
             "hobby": lambda: w.any(lexicon.HOBBIES), "food": lambda: w.any(lexicon.FOODS), "drink": lambda: w.any(lexicon.DRINKS),
             "month": lambda: w.any(lexicon.MONTHS), "day": lambda: w.any(lexicon.DAYS), "year": lambda: str(w.rng.randint(1950, 2026)),
             "family": lambda: w.any(lexicon.FAMILY), "job": lambda: w.any([j for j in lexicon.JOBS if j[0] not in "aeiou"]),
             "language": lambda: w.any(lexicon.LANGUAGES), "thing": lambda: w.owned().text,
             "noun": lambda: w.any([n for n in lexicon.COUNTABLE if n[0] not in "aeiou" and n != "hour"])}
    chosen = {}
    return re.sub(r"\{(\w+)\}", lambda m: chosen.setdefault(m[1], kinds[m[1]]()), text)


SENTENCES = [s.strip() for line in LINES.strip().splitlines() for s in line.split("|")]
MARKS = [s for s in SENTENCES if MARKED.search(s)]
PLAIN = [s for s in SENTENCES if not MARKED.search(s)]


def sentence(w: Writer):
    """Returns the parts of one of the sentences and its end."""
    text = _slots(w, w.any(MARKS) if w.chance(0.65) else w.any(PLAIN))
    body, end = text[:-1], text[-1]
    pieces, at = [], 0
    for mark in MARKED.finditer(body):
        wrong, right, rule = ("" if g == "~" else g for g in mark.groups())
        before = body[at:mark.start()].split()
        cue = before[-1] if before else right
        pieces += [body[at:mark.start()].strip(), part(right, *[(wrong, rule, cue)] * 2)]
        at = mark.end()
    return pieces + [body[at:].strip()], end
