"""Word lists from which corpus.py builds sentences. Plain data, everyday English."""

NAMES = "Lan Minh Mai Nam Hoa An Linh Tuan Huong Long Anna Tom Ben Lucy Sara Jack Emma Peter Mary David".split()
PLACES = "Hanoi,Hue,Da Nang,Saigon,London,Paris,Tokyo,New York,Sydney,Can Tho".split(",")
SPOTS = "school,the market,the park,the library,work,the beach,the hospital,the cinema,the station,the shop".split(",")
FOODS = "rice,noodles,fish,chicken,bread,soup,fruit,cake,eggs,pizza,bananas,mangoes".split(",")
DRINKS = "coffee tea water milk juice".split()
HOBBIES = "reading books,playing football,cooking,singing,swimming,drawing,watching films,listening to music,playing chess,riding a bike".split(",")
TOPICS = "food,family,school,travel,music,sports,the weather,animals,work,friends,films,shopping".split(",")
ANIMALS = "cat dog bird fish rabbit tiger horse elephant monkey duck".split()
ADJECTIVES = "big small happy sad old young kind brave quiet clever hungry tired".split()
TIMES = "every day,every morning,at night,on Monday,on Sunday,in the evening".split(",")
PAST_TIMES = "yesterday,last night,last week,two days ago,this morning".split(",")
FRIENDS = "friend brother sister teacher mother father neighbour".split()

# base form, third person, past, -ing form, object
VERBS = [tuple(row.split("|")) for row in """
go|goes|went|going|to school
go|goes|went|going|to the market
eat|eats|ate|eating|rice
eat|eats|ate|eating|an apple
drink|drinks|drank|drinking|tea
read|reads|read|reading|a book
write|writes|wrote|writing|a letter
play|plays|played|playing|football
watch|watches|watched|watching|a film
study|studies|studied|studying|English
cook|cooks|cooked|cooking|dinner
buy|buys|bought|buying|some fruit
see|sees|saw|seeing|a bird
make|makes|made|making|a cake
clean|cleans|cleaned|cleaning|the room
visit|visits|visited|visiting|a friend
learn|learns|learned|learning|new words
sing|sings|sang|singing|a song
help|helps|helped|helping|the teacher
listen|listens|listened|listening|to music
walk|walks|walked|walking|to the park
have|has|had|having|breakfast
do|does|did|doing|homework
take|takes|took|taking|the bus
""".strip().splitlines()]

# word, definition, Vietnamese
DICTIONARY = [tuple(row.split("|")) for row in """
apple|a round fruit that is red or green|quả táo
book|pages with words that you read|quyển sách
school|a place where children learn|trường học
teacher|a person who helps people learn|giáo viên
house|a building where people live|ngôi nhà
water|what we drink when we are thirsty|nước
friend|a person you know and like|bạn
family|your parents, brothers and sisters|gia đình
happy|feeling good and glad|vui
sad|feeling not happy|buồn
big|large in size|to
small|not big|nhỏ
beautiful|very nice to look at|đẹp
market|a place where people buy and sell things|chợ
hospital|a place where doctors help sick people|bệnh viện
doctor|a person who helps sick people|bác sĩ
rain|water that falls from the sky|mưa
sun|the star that gives us light|mặt trời
morning|the first part of the day|buổi sáng
night|the dark part of the day|ban đêm
dog|an animal that lives with people and barks|con chó
cat|a small animal that says meow|con mèo
tree|a tall plant with leaves|cái cây
flower|the pretty part of a plant|bông hoa
car|a machine with four wheels|xe hơi
bread|food made from flour|bánh mì
rice|small white grains that we cook and eat|cơm
hungry|wanting to eat|đói
tired|wanting to rest or sleep|mệt
learn|to get to know something new|học
help|to make something easier for someone|giúp đỡ
travel|to go from one place to another|du lịch
music|sounds that are nice to hear|âm nhạc
money|what we use to buy things|tiền
love|a strong feeling of liking someone|tình yêu
kind|good and nice to other people|tốt bụng
""".strip().splitlines()]

# Vietnamese, English
PHRASES = [tuple(row.split("|")) for row in """
xin chào|hello
cảm ơn|thank you
tạm biệt|goodbye
xin lỗi|sorry
chúc ngủ ngon|good night
chào buổi sáng|good morning
bạn khỏe không|how are you
tôi khỏe|I am fine
tôi đói|I am hungry
tôi mệt|I am tired
bạn tên là gì|what is your name
tôi tên là Lan|my name is Lan
bao nhiêu tiền|how much is it
tôi không hiểu|I do not understand
hẹn gặp lại|see you again
chúc mừng sinh nhật|happy birthday
tôi yêu bạn|I love you
mấy giờ rồi|what time is it
nhà vệ sinh ở đâu|where is the toilet
rất vui được gặp bạn|nice to meet you
""".strip().splitlines()]

NUMBERS = ("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
           "sixteen seventeen eighteen nineteen twenty").split()
