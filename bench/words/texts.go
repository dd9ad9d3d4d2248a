package main

// texts are what learners hear, and what people write: numbers, money, times and
// abbreviations.
var texts = []string{
	"Good morning, everyone, and welcome to our English class. Please open your books and read the first story.",
	"Dr. Smith paid $5.50 for 25 apples. It is 7:15, and on May 5 he was 100% sure!",
	"My sister works in a hospital near the river. We usually have lunch together at noon.",
	"Could you tell me the way to the train station? I have never been to London, but I would like to go.",
	"The weather was cold and windy yesterday. She bought a new coat because it was snowing.",
	"My favourite subject at school is history. I forgot my umbrella, so I got very wet.",
	"Would you like some coffee or a cup of tea? The children were playing football in the park.",
	"He speaks slowly because he wants everyone to understand. I think we should take a taxi to the airport.",
	"What did you do last summer? This restaurant is famous for its fresh fish.",
	"Don't worry, you will do better next time. It takes about half an hour to walk there.",
	"The museum is closed on Mondays. If it rains tomorrow, we will stay at home.",
	"I would rather watch a film than play computer games. Her brother is taller than her father.",
	"There is a small garden behind the house. Have you finished your homework yet?",
	"The bus was late again this morning. Thank you very much for your help.",
	"We need bread, milk and some apples from the market. I am looking forward to hearing from you.",
	"In 2024 the No. 7 bus cost £3, e.g. from St. Mary to the U.S. embassy. Mr. Brown & Mrs. Green took the 10:30.",
}
