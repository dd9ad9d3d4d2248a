"""Words for the sentences of forms.py, in addition to speech.words, and which of them go together."""

from speech import words


def rows(text: str) -> list[list[str]]:
    """The lines of a table, split at |."""
    return [line.split("|") for line in text.strip().splitlines()]


NAMES = ("Lan Minh Mai Nam Hoa An Linh Tuan Huong Long Anna Tom Ben Lucy Sara Jack Emma Peter Mary David Hà Hùng Thảo Dũng "
         "Ngọc Phương Trang Quân Vy Khánh John Kate Paul Laura Chris Susan Jim Bình Thu Hạnh Sơn Đức Yến Tâm").split()
TOWNS = ("Hanoi,Hue,Da Nang,Saigon,London,Paris,Tokyo,New York,Sydney,Can Tho,Vietnam,Japan,England,France,Korea,China,America,"
         "Australia,Hội An,Đà Lạt,Nha Trang,Hải Phòng,Vinh,Ho Chi Minh City,Singapore,Thailand,Canada,Germany").split(",")
LANGUAGES = "English Vietnamese French Japanese Chinese Korean German Spanish".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
NUMBERS = ("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
           "sixteen seventeen eighteen nineteen twenty").split()

JOBS = ("student teacher doctor nurse farmer driver singer writer worker manager waiter cook baker lawyer dentist engineer artist "
        "actor soldier pilot painter dancer guide programmer policeman shopkeeper cleaner secretary scientist").split()
COUNTABLE = sorted(set(words.PEOPLE + words.ANIMALS + words.THINGS + ("exercise language subject hobby brother computer bicycle "
    "apartment motorbike laptop notebook classroom sandwich umbrella orange apple egg idea problem friend cousin restaurant "
    "party meeting programme video film movie song game team website mistake noun verb test dish meal coat uncle aunt trip tour "
    "present balloon ticket neighbour classmate colleague flat hour university").split())
    - {"hair", "grass", "news", "homework", "sand", "fruit", "rock", "medicine", "paper", "soap", "nail", "back", "fish",
       "sheep", "mouth", "nose", "heart", "face", "head", "neck", "screen", "boss", "queen", "king"})
UNCOUNTABLE = ("homework money water music information advice furniture luggage rice bread coffee tea milk work news paper "
               "sugar salt time fruit fun traffic weather knowledge soup juice meat butter cheese").split()
PEOPLE = sorted(set(words.PEOPLE) | {"classmate", "neighbour", "roommate", "colleague"})
FAMILY = ("mother father brother sister son daughter uncle aunt friend teacher grandmother grandfather cousin boss neighbour "
          "parent classmate husband wife dog cat").split()
ADJECTIVES = [a for a in words.ADJECTIVES if a not in ("open", "closed", "sorry", "sure", "whole", "local", "few", "wrong",
                                                      "raw", "wooden", "golden", "afraid", "alone")]
FEELINGS = ("happy sad angry hungry thirsty tired sick busy ready free late afraid bored excited worried nervous lonely proud "
            "fine well sleepy sorry young old tall short beautiful kind friendly clever lazy famous rich poor strong quiet "
            "careful lucky polite shy honest brave married").split()
# adverb of manner: the adjective that learners put for it
MANNER = dict(pair.split("/") for pair in ("slowly/slow quickly/quick quietly/quiet loudly/loud carefully/careful easily/easy "
    "happily/happy sadly/sad badly/bad well/good beautifully/beautiful politely/polite clearly/clear fluently/fluent").split())
FREQUENCY = "always usually often sometimes never".split()
# adjective, comparative, superlative
COMPARED = [a.split("/") for a in ("big/bigger/biggest small/smaller/smallest tall/taller/tallest short/shorter/shortest "
    "old/older/oldest young/younger/youngest fast/faster/fastest slow/slower/slowest cheap/cheaper/cheapest hot/hotter/hottest "
    "cold/colder/coldest easy/easier/easiest happy/happier/happiest busy/busier/busiest strong/stronger/strongest "
    "long/longer/longest nice/nicer/nicest rich/richer/richest heavy/heavier/heaviest clean/cleaner/cleanest "
    "high/higher/highest warm/warmer/warmest pretty/prettier/prettiest funny/funnier/funniest kind/kinder/kindest").split()]
LONG_COMPARED = ("beautiful expensive interesting difficult important famous dangerous careful comfortable popular boring "
                 "modern useful intelligent delicious").split()

# verb, preposition, what follows it
PREPOSITIONAL = rows("""
listen|to|music,the radio,the teacher,this song,English songs,me
wait|for|the bus,my friend,the train,you,a taxi,the doctor
look|at|the picture,the board,the map,me,the sky,this photo
look|for|my keys,a job,the station,my phone,a flat
talk|to|my friend,the teacher,her mother,the manager,them
talk|about|the film,the problem,our holiday,the weather
speak|to|the teacher,my boss,him
think|about|the future,you,the exam,my family
go|to|school,work,the market,the park,the library,bed,the cinema,the beach,the hospital,university,the supermarket
walk|to|school,the park,work,the station
come|to|school,class,my house,the party,the meeting
travel|to|Paris,Japan,Hue,the city
belong|to|me,my sister,the school
depend|on|the weather,you,the price
pay|for|the tickets,dinner,the meal
ask|for|help,the bill,advice,a glass of water
agree|with|you,him,the teacher
play|with|the children,my friends,the dog,her brother
live|in|a small house,the city,the country,a big flat,a village
arrive|at|the station,school,the airport,the hotel
laugh|at|the joke,me,him
""")
# adjective, preposition, what follows it
ADJECTIVAL = rows("""
afraid|of|dogs,snakes,the dark,spiders
good|at|English,football,maths,singing,cooking
bad|at|maths,sports,drawing
interested|in|music,history,science,learning English
tired|of|work,this game,waiting
proud|of|my son,her brother,you
famous|for|its food,its beaches,her songs
different|from|mine,the others,my country
angry|with|me,him,her son
married|to|a doctor,an engineer,my cousin
full|of|water,books,people
ready|for|school,the exam,dinner
late|for|school,work,the meeting
worried|about|the exam,my mother,money
""")
# verbs with objects that suit them
OBJECTS = {line[0]: line[1].split(",") for line in rows("""
eat|rice,an apple,noodles,fish,breakfast,lunch,a banana,vegetables,bread,some cake,dinner
drink|water,tea,coffee,milk,orange juice,a cup of tea
read|a book,the newspaper,a story,an email,books,the letter
write|a letter,an email,a story,the answer,her name
watch|TV,a film,the game,videos,cartoons,a movie
play|football,chess,tennis,games,the piano,the guitar,badminton,volleyball
study|English,history,maths,science,the lesson
learn|English,new words,French,a new language,the song
cook|dinner,rice,lunch,a meal,soup
buy|a new phone,some fruit,a shirt,flowers,a ticket,vegetables,a house,a bike
clean|the room,the house,the kitchen,the table,her bedroom
wash|the dishes,the car,my hands,clothes
visit|my grandmother,a friend,the museum,Hue,my parents,the temple
help|the teacher,my mother,me,other people,her friends
open|the door,the window,the box
close|the door,the window,the book
take|the bus,a photo,a shower,the train,medicine
wear|a hat,a red dress,a uniform,glasses,a jacket
ride|a bike,a horse,a motorbike
drive|a car,a bus,a truck
speak|English,Vietnamese,Japanese,three languages
sing|a song,this song
meet|my friends,her teacher,new people,him
make|a cake,a mistake,a plan,coffee,friends
do|homework,the exercise,the housework,my homework
have|a cat,a sister,lunch,breakfast,a big house,a meeting,a problem,a car,two brothers
want|a new bike,some water,a job,an ice cream
like|dogs,music,coffee,this film,Vietnamese food,him,my job
love|my family,animals,this city,her son
need|help,a pen,some money,a holiday
know|the answer,her name,that man,his address
find|the key,a job,my phone,the way
lose|my wallet,his bag,the game
send|an email,a message,a gift
bring|an umbrella,the book,some food
teach|English,maths,the children
sell|fruit,clothes,old books,vegetables
finish|the work,my homework,the test
see|a bird,the sea,my friend,a film
draw|a picture,a horse,flowers
use|a computer,my phone,the dictionary
remember|her name,the story,that day
forget|my key,his name,the answer
enjoy|the party,my job,this book
break|a glass,the window,his leg
give|me a book,her some flowers,us a lesson
tell|me a story,the truth,him the answer
""")}
FORMS = {v[0]: v for v in words.VERBS} | {v[0]: v for v in (r.split() for r in
    "have has had having|do does did doing|belong belongs belonged belonging|depend depends depended depending|"
    "ask asks asked asking|agree agrees agreed agreeing|arrive arrives arrived arriving|"
    "rest rests rested resting|practise practises practised practising|cost costs cost costing".split("|"))}
INTRANSITIVE = "work sleep run swim dance laugh cry wait sing study read travel cook smile drive walk rest".split()
PARTICIPLES = dict(p.split("/") for p in ("go/gone see/seen eat/eaten write/written take/taken do/done speak/spoken break/broken "
    "forget/forgotten give/given drive/driven know/known choose/chosen wear/worn live/lived work/worked visit/visited lose/lost "
    "finish/finished buy/bought make/made read/read meet/met clean/cleaned cook/cooked learn/learned study/studied "
    "play/played watch/watched find/found send/sent teach/taught").split())
STATES = "have like love need know want belong depend agree remember cost".split()  # no -ing form in these sentences

HOBBIES = ("reading books,playing football,cooking,singing,swimming,drawing,watching films,listening to music,playing chess,"
           "riding a bike,dancing,travelling,learning English,taking photos,fishing,shopping,gardening,playing the guitar").split(",")
TOPICS = ("food,family,school,travel,music,sports,the weather,animals,work,friends,films,shopping,holidays,books,hobbies,football,"
          "health,clothes,my job,my city").split(",")
FOODS = "rice,noodles,fish,chicken,bread,soup,fruit,cake,eggs,pizza,bananas,mangoes,phở,bánh mì,ice cream,chocolate".split(",")
DRINKS = "coffee tea water milk juice beer".split()
