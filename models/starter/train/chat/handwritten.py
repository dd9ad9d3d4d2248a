"""Evaluation cases written by hand, never trained: sentences of Vietnamese learners, correct sentences, chat prompts."""

# type, text, right answers (the usual one first)
ERRORS = [
    ("AGREEMENT", "My mother cook very well.", "My mother cooks very well."),
    ("AGREEMENT", "She go to school", "She goes to school"),
    ("AGREEMENT", "He don't like vegetables.", "He doesn't like vegetables."),
    ("AGREEMENT", "They was at the cinema last night.", "They were at the cinema last night."),
    ("AGREEMENT", "My parents lives in the countryside.", "My parents live in the countryside."),
    ("AGREEMENT", "Does your brothers play tennis?", "Do your brothers play tennis?"),
    ("AGREEMENT", "There is many cars on the street.", "There are many cars on the street."),
    ("AGREEMENT", "The children is playing in the yard.", "The children are playing in the yard."),
    ("AGREEMENT", "Everyone in my class like music.", "Everyone in my class likes music."),
    ("AGREEMENT", "My sister and I am students.", "My sister and I are students."),
    ("VERB_TENSE", "Yesterday I go to the supermarket with my mom.", "Yesterday I went to the supermarket with my mom."),
    ("VERB_TENSE", "We visited Da Lat and eat a lot of strawberries last summer.",
     "We visited Da Lat and ate a lot of strawberries last summer."),
    ("VERB_TENSE", "I didn't saw him at the party.", "I didn't see him at the party."),
    ("VERB_TENSE", "She is study in her room now.", "She is studying in her room now.", "She is studying in her room now."),
    ("VERB_TENSE", "I have live in Hanoi for ten years.", "I have lived in Hanoi for ten years."),
    ("VERB_TENSE", "He can speaks three languages.", "He can speak three languages."),
    ("VERB_TENSE", "Last week my father buyed a new motorbike.", "Last week my father bought a new motorbike."),
    ("VERB_TENSE", "Did you finished your homework?", "Did you finish your homework?"),
    ("VERB_TENSE", "I will calling you tonight.", "I will call you tonight."),
    ("VERB_TENSE", "My brother enjoys to play computer games.", "My brother enjoys playing computer games."),
    ("ARTICLE", "I have dog and two birds.", "I have a dog and two birds."),
    ("ARTICLE", "My father is engineer.", "My father is an engineer."),
    ("ARTICLE", "She eats a apple every morning.", "She eats an apple every morning."),
    ("ARTICLE", "He wants to be doctor.", "He wants to be a doctor."),
    ("ARTICLE", "We live in the Vietnam.", "We live in Vietnam."),
    ("ARTICLE", "I usually play the badminton after school.", "I usually play badminton after school."),
    ("ARTICLE", "It takes a hour to get there.", "It takes an hour to get there."),
    ("PREPOSITION", "I get up on six o'clock.", "I get up at six o'clock."),
    ("PREPOSITION", "My birthday is in the 5th of May.", "My birthday is on the 5th of May."),
    ("PREPOSITION", "We have English in Tuesday.", "We have English on Tuesday.", "We have English on Tuesdays."),
    ("PREPOSITION", "She is very good in singing.", "She is very good at singing."),
    ("PREPOSITION", "I like to listen music in my free time.", "I like to listen to music in my free time."),
    ("PREPOSITION", "He is waiting me at the gate.", "He is waiting for me at the gate."),
    ("PREPOSITION", "I am interested on learning English.", "I am interested in learning English."),
    ("PREPOSITION", "We discussed about the plan yesterday.", "We discussed the plan yesterday."),
    ("NOUN_NUMBER", "I have two cat", "I have two cats"),
    ("NOUN_NUMBER", "There are five person in my family.", "There are five people in my family."),
    ("NOUN_NUMBER", "She has many friend in Saigon.", "She has many friends in Saigon."),
    ("NOUN_NUMBER", "Can you give me some informations?", "Can you give me some information?"),
    ("NOUN_NUMBER", "I bought three new shirt yesterday.", "I bought three new shirts yesterday."),
    ("NOUN_NUMBER", "One of my teacher comes from Canada.", "One of my teachers comes from Canada."),
    ("WORD_ORDER", "She has a bag red.", "She has a red bag."),
    ("WORD_ORDER", "I like very much ice cream.", "I like ice cream very much."),
    ("WORD_ORDER", "What time you do get up?", "What time do you get up?"),
    ("WORD_ORDER", "Why you are so sad?", "Why are you so sad?"),
    ("WORD_ORDER", "He goes always to work by bus.", "He always goes to work by bus."),
    ("WORD_ORDER", "I don't know where is the bus stop.", "I don't know where the bus stop is."),
    ("WORD_CHOICE", "I have 15 years old.", "I am 15 years old."),
    ("WORD_CHOICE", "She said me a funny story.", "She told me a funny story."),
    ("WORD_CHOICE", "How much brothers do you have?", "How many brothers do you have?"),
    ("WORD_CHOICE", "My house is more small than your house.", "My house is smaller than your house."),
    ("WORD_CHOICE", "Please open the light, it is dark.", "Please turn on the light, it is dark."),
    ("SPELLING", "My favourite subjet is history.", "My favourite subject is history."),
    ("SPELLING", "We had a wonderfull holiday.", "We had a wonderful holiday."),
    ("SPELLING", "I will see you tomorow.", "I will see you tomorrow."),
    ("SPELLING", "The restaurent near my house is cheap.", "The restaurant near my house is cheap."),
    ("PUNCTUATION", "i live with my grandparents.", "I live with my grandparents."),
    ("PUNCTUATION", "She doesnt want to go out tonight.", "She doesn't want to go out tonight."),
    ("MISSING_WORD", "My sister very beautiful.", "My sister is very beautiful."),
    ("MISSING_WORD", "I want buy a new phone.", "I want to buy a new phone."),
    ("MISSING_WORD", "Is very cold in winter.", "It is very cold in winter."),
    ("MISSING_WORD", "Where you live?", "Where do you live?"),
    ("EXTRA_WORD", "I am have a small house.", "I have a small house."),
    ("EXTRA_WORD", "Although it rained, but we went to school.", "Although it rained, we went to school."),
]

CORRECT = """
I am a student.
My sister is a nurse and works in a big hospital.
We went to the beach last weekend.
Do you have any brothers or sisters?
There are two bedrooms in our apartment.
He usually drinks tea in the morning.
I have never eaten Korean food before.
She was cooking dinner when I arrived.
What did you do yesterday evening?
My best friend's name is Quỳnh Anh.
The weather was terrible, so we stayed inside.
I would like a glass of orange juice, please.
English is more difficult than I thought.
Could you tell me the way to the post office?
They have been married for twenty years.
If I had more time, I would learn to swim.
My grandfather was born in Nam Định in 1950.
Students must not use their phones in class.
I forgot to bring my umbrella today.
How long does it take to get to the airport?
This is the best cake I have ever eaten.
He asked me whether I was hungry.
Let's meet in front of the library at half past four.
Her new shoes were made in Italy.
I'm sorry, but I can't come to your party.
Nobody knows what happened to him.
The book that you gave me is very interesting.
We don't eat meat on Mondays.
You should drink more water and sleep earlier.
My little brother is afraid of spiders.
I'm looking forward to seeing you soon.
The bus was so crowded that I had to stand.
Did you hear the news about Mr Thompson?
Turn left at the traffic lights and walk for five minutes.
Playing the violin makes her happy.
She speaks French as well as English.
It has been raining since last night.
Which colour do you prefer, blue or green?
Thank you for helping me with my homework!
I hope to visit Phú Quốc next year.
""".strip().splitlines()

# kind (see checks.py), prompt, what the answer must hold
CHAT = [
    ("greeting", "Hello, how is it going?"), ("greeting", "Hi there! Good to see you."), ("greeting", "Hey, good morning!"),
    ("greeting", "Good evening, teacher."), ("greeting", "Hello, how are you doing today?"), ("greeting", "Xin chào cô giáo!"),
    ("greeting", "Chào buổi sáng!"), ("greeting", "hello hello"), ("greeting", "Good afternoon, my friend!"),
    ("greeting", "Hi, are you well today?"),
    ("introduction", "Hello, my name is Thảo and I am from Đà Lạt.", "Thảo"), ("introduction", "Hi! I'm Khoa.", "Khoa"),
    ("introduction", "My name is Robert, nice to meet you.", "Robert"), ("introduction", "Let me introduce myself: my name is Bích.", "Bích"),
    ("introduction", "Hello teacher, I am Zuzana.", "Zuzana"), ("introduction", "Good morning, my name is Hoàng Long.", "Hoàng Long"),
    ("introduction", "You can call me Tina.", "Tina"), ("place", "I come from Quảng Ninh.", "Quảng Ninh"),
    ("place", "I am living in Hải Dương now.", "Hải Dương"), ("place", "I'm from Poland.", "Poland"),
    ("say", "How do I say \"quả táo\" in English?", "apple"), ("say", "How do you say con chó in English?", "dog"),
    ("say", "How can I say \"cảm ơn\" in English, please?", "thank you"), ("say", "What is \"tạm biệt\" in English?", "goodbye"),
    ("say", "Please tell me how to say \"tôi đói\" in English.", "hungry"), ("say", "\"gia đình\" trong tiếng Anh là gì?", "family"),
    ("say", "How do I say 'xin lỗi' in English?", "sorry"), ("say", "How do you say \"I am tired\" in Vietnamese?", "mệt"),
    ("say", "How do I say \"teacher\" in Vietnamese?", "giáo viên"), ("say", "Dịch sang tiếng Anh: chúc ngủ ngon", "good night"),
    ("meaning", "What does the word \"market\" mean?", "buy", "chợ"), ("meaning", "Can you tell me what hungry means?", "eat", "đói"),
    ("meaning", "What's the meaning of the word rain?", "water", "mưa"), ("meaning", "Hi, what does doctor mean?", "sick", "bác sĩ"),
    ("meaning", "I don't understand the word \"hospital\". What does it mean?", "doctors", "bệnh viện"),
    ("meaning", "beautiful nghĩa là gì vậy?", "đẹp"), ("meaning", "Please explain the word friend.", "know", "bạn"),
    ("meaning", "What does 'kitchen' mean in English?", "cook", "bếp"), ("meaning", "Meaning of night?", "dark", "đêm"),
    ("meaning", "Từ \"bridge\" có nghĩa là gì?", "cầu"),
    ("unknown", "What does \"photosynthesis\" mean?"), ("unknown", "What does flibbertigibbet mean?"),
    ("unknown", "Who is the president of Brazil?"), ("unknown", "How do I say \"cách mạng công nghiệp\" in English?"),
    ("unknown", "What is 37 times 12?"),
    ("past", "What's the past tense of \"take\"?", "took"), ("past", "Past tense of buy?", "bought"),
    ("about", "Hello! Who are you?"), ("about", "Tell me what you can do."), ("thanks", "Thank you so much for your help!"),
]
