"""The sentences of structures.py.

A line is a sentence with slots. (wrong>right:rule) marks a mistake as in everyday.py. Slots in lower case are words;
verbs agree with the last subject and have their typical mistakes:

    {S} {T} {Ts} {P}     a subject: any, a thing, things, a person
    {O}                  an object
    {do} {does} {did} {doing} {done}   a verb with its complement, in that form
    {see} {saw} {seeing} {seen}        a verb without its object
    {is} {was} {has} {doesn't}         forms that agree; with 1, they agree with the first subject
"""

LINES = """
{T} {was} so {adj} that {S} had to {do}.|{T} {was} too {adj} to {do}.|{P} {was} so {adj} that {S} could not {do}.
{T} {was} not {adj} enough for {nouns}.|{S} {was} {adj} enough to {do}.|it was such {anoun} that {S} {did}.|it was so {adj} that {S} {did}.
because {S} {did}, {S} {did}.|because {S} {was} {adj}, {S} {did}.|{S} {did} because {S} {was} {adj}.|{S} {did} because of {O}.
although {S} {was} {adj}, {S} {did}.|although {S} {did}, {S} {was} {adj}.|{S} {did}, although {S} {was} {adj}.|even though {S} {did}, {S} {did}.
{T} {was} {adj}, but {S} {did}.|{T} {was} {adj}, so {S} {did}.|{T} {is} {adj}, but {S} {does}.|{S} {did}, so {S} had to {do}.|{S} {does}, and {S} {does}.
when {S} {did}, {S} {did}.|when {S} {did}, {S} {was} {doing}.|while {S} {was} {doing}, {S} {did}.|{S} {was} {doing} when {S} {did}.
as soon as {S} {does}, {S} will {do}.|as soon as {S} {did}, {S} {did}.|{S} will {do} until {S} {does}.|{S} {did} before {S} {did}.
after {S} had {done}, {S} {did}.|before {doing}, {S} {did}.|after {doing}, {S} {did}.|{S} {did} after {doing}.|since {S} {did}, {S} {has} {done}.
by the time {S} {did}, {S} had already {done}.|{S} had never {done} before.|{S} had just {done} when {S} {did}.|{S} had been {doing} for {n} hours.
if {S} {does}, {S} will {do}.|if {S} {did}, {S} would {do}.|if {S} had {done}, {S} would have {done}.|{S} will {do} if {S} {does}.
if you {do}, you {do}.|unless {S} {does}, {S} will not {do}.|{S} would {do} if {S} {was} {adj}.|if {S} {is} {adj}, please {do}.|what would you do if you {did}?
if I were you, I would {do}.|{S} can {do} as long as {S} {does}.|in case {S} {does}, take {O} with you.|whenever {S} {does}, {S} {does}.
{T} which {S} {saw} {was1} {adj}.|{T} that {S} {saw} {past} {is1} {adj}.|{P} who {did} {is} {adj}.|the {doer} who {did} was {adj}.
the {doer} whose {noun} {S} {saw} {did}.|{S} {did} with the {doer} who {did}.|the {nouns} that {S} {saw} {place} were {adj}.|this is the {noun} that {S} {saw}.
{P}, who {does}, {is} {adj}.|{T}, which {was} {seen} by {P}, {was1} {adj}.|the place where {S} {did} is {adj}.|the day when {S} {did} was {adj}.
{S} {saw} {anoun} which was very {adj}.|everyone who {did} was {adj}.|those who {do} will {do}.|nothing that {S} {saw} was {adj}.|all that {S} could {see} was {O}.
the {nouns} {S} {saw} {past} were {adj}..|the first thing {S} {did} was {adj}.|the reason why {S} {did} is {adj}.
{T} {was} {seen} by {P}.|{T} {was} {seen} {past}.|{Ts} were {seen} in {year}.|{T} {has} been {seen}.|{Ts} have been {seen} by {P}.|{T} will be {seen} {future}.
{T} {is} being {seen} {place}.|{Ts} are {seen} every year.|{T} must be {seen} before {S} {does}.|{T} can be {seen} in {town}.|{T} had been {seen} by {P}.
{S} {was} {seen} to {do}.|{T} should not be {seen}.|{T} {was} not {seen} until {year}.|many {nouns} were {seen} in the {noun}.|{T} {was} called "{Title}".
{S} used to {do}.|{S} used to {do}, but now {S} {does}.|did you use to {do}?|{S} {is} used to {doing}.|{S} got used to {doing}.|{S} didn't use to {do}.
{S} had to {do}.|{S} had to {do} {past}.|{S} {has} to {do}.|{S} will have to {do}.|{S} didn't have to {do}.|do you have to {do}?|{S} had better {do}.
{S} {is} able to {do}.|{S} {was} able to {do}.|{S} will be able to {do} {future}.|{S} {was} not able to {do}.|{S} {is} about to {do}.|{S} {is} supposed to {do}.
{S} would like to {do}.|would you like to {do}?|{S} would rather {do} than {do}.|would you mind {doing}?|I'd like to {do}, please.|I'd rather {do}.
{S} could have {done}.|{S} should have {done}.|{S} might have {done}.|{S} must have {done}.|{S} may not {do}.|{S} might {do} {future}.|{S} shouldn't have {done}.
there were {adv} any {nouns} {place}.|there were {n} {nouns} {place}.|there was {anoun} {place}.|there is no {noun} {place}.|there are many {adj} {nouns} in {town}.
there will be {anoun} {place} {future}.|there has been {anoun} {place}.|there used to be {anoun} {place}.|there must be {anoun}.|is there {anoun} near here?
are there any {nouns} {place}?|there is something {adj} about {O}.|there was nothing to {see}.|there is nobody who can {do}.|there isn't enough {stuff} for {nouns}.
{S} {has} {done}.|{S} {has} just {done}.|{S} {has} already {done}.|{S} {hasn't} {done} yet.|{S} {has} been {doing} for {n} years.|{S} {has} been {doing} since {year}.
have you ever {done}?|{S} {has} never {done}.|how long have you been {doing}?|{S} {has} not {done} since {S} {did}.|it has been {n} years since {S} {did}.
{T} {is} {er} than {O}.|{T} {is} much {er} than {S} thought.|{T} {is} the {est} {noun} {S} {has} ever {seen}.|{S} {does} more {adv} than {O}.|{T} {is} as {adj} as {O}.
the {er} {S} {does}, the {er} {S} {does}.|{T} {is} getting {er} and {er}.|{T} {is} not as {adj} as {S} thought.|{S} {does} as {adv} as {S} can.|it is {er} to {do} than to {do}.
{T} {is} one of the {est} {nouns} in {town}.|{T} {is} less {adj} than {O}.|{S} {has} more {nouns} than {O}.|{S} {has} fewer {nouns} than {O}.|{T} costs twice as much as {O}.
{P} prefers {nouns} to {nouns}.|{T} {is} similar to {O}.|{T} {is} different from {O}.|{T} {is} the same as {O}.|{S} {does} just like {O}.|{T} looks like {anoun}.
do you know how to {do}?|do you know what {S} {did}?|can you tell me how to {do}?|could you tell me where {T} {is}?|could you please {do}?|I wonder if {S} {did}.
I wonder why {S} {did}.|{S} {doesn't} know how to {do}.|{S} asked me if I {did}.|{S} asked whether {S} {was} {adj}.|I don't know whether {S} will {do}.|please tell me when {S} {does}.
{P} told me that {S} {was} {adj}.|{P} said that {S} had {done}.|{P} told me to {do}.|{P} asked {O} to {do}.|{P} told us not to {do}.|{P} explained how to {do}.
{S} thought that {S} {was} {adj}.|{S} believed that {S} would {do}.|I think that {T} {is} {adj}.|I don't think {S} will {do}.|I hope that {S} {does}.|{S} {that} that {S} {did}.
it is said that {S} {did}.|it is {adj} to {do}.|it is {adj} that {S} {did}.|it was {adj} of {O} to {do}.|it is {adj} for {nouns} to {do}.|it was {P} who {did}.
it took {S2} {n} hours to {do}.|it takes {n} minutes to {do}.|it seems that {S} {did}.|it doesn't matter if {S} {does}.|it is no use {doing}.|it's time to {do}.
what {anoun}!|how {adj} {T} {is}!|what a {noun} {S} {has}!|what {S} {did} was {adj}.|what I need is {O}.|what was {adj} about {O}?|don't {do}!|please {do}.|let's {do} {future}.
please don't {do} while {S} {is} {doing}.|never {do} before {doing}.|be {adj} when you {do}.|make sure that {S} {does}.|remember to {do}.|don't forget to {do} before you {do}.
who {did}?|who {does}?|what did {S2} {see}?|why did {S2} {do}?|when will {S2} {do}?|where can I {see} {anoun}?|how did {S2} {do}?|which {noun} did {S2} {see}?|whose {noun} is this?
what kind of {noun} do you {see}?|how many {nouns} did {S2} {see}?|how much {stuff} do you {see}?|what happened to {O}?|why don't you {do}?|how about {doing}?|what about {O}?
isn't {T} {adj}?|aren't you {adj}?|haven't you {done}?|can't {S2} {do}?|{T} {is} {adj}, isn't it?|you {did}, didn't you?|he can {do}, can't he?|you haven't {done}, have you?
did {S2} {do} or {do}?|will {S2} {do} {future}?|has {P} {done}?|have you {done} yet?|are you {doing} {future}?|is {T} {adj} or {adj}?|shall I {do}?|may I {do}?|could I {see} {O}?
neither {T} nor {T} {was} {adj}.|either {S} or {P} {did}.|both {Name} and {Name} {did}.|not only {T} but also {T} {was} {adj}.|{S} neither {did} nor {did}.
despite {O}, {S} {did}.|in spite of {O}, {S} {did}.|instead of {doing}, {S} {did}.|without {doing}, {S} {did}.|{S} {did} without {doing}.|thanks to {O}, {S} {did}.
{S} {did} in order to {do}.|{S} {did} so that {S} could {do}.|{S} {did} to {do}.|{S} {saw} {O} to {do}.|{T} {is} used for {doing}.|{S} {saw} {O} by {doing}.
{adv}, {S} {did}.|{S} {adv} {did}.|{S} {did} {adv}.|{S} {does} {adv} and {adv}.|however, {S} {did}.|for example, {S} {does}.|at first {S} {did}, but then {S} {did}.
on the other hand, {S} {does}.|as a result, {S} {did}.|in fact, {T} {was} {adj}.|after all, {S} {is} only {anoun}.|to be honest, {S} {does}.|as far as I know, {S} {did}.|instead, {S} {did}.
{S} {did}, {did} and {did}.|{S} saw {O}, {O} and {O}.|{T}, {T} and {T} were {seen}.|{S} {was} {adj}, {adj} and {adj}.|{Name}, {Name} and {Name} {did}.|first {S} {did}, then {S} {did}, and finally {S} {did}.
I wish I could {do}.|I wish {S} had {done}.|I wish {T} were {er}.|{S} can't help {doing}.|{S} {is} worth {seeing}.|{S} spent {n} hours {doing}.|{S} had trouble {doing}.
{S} made {O} {do}.|{S} let {O} {do}.|{S} saw {O} {doing}.|{S} heard {O} {doing}.|{S} helped {O} to {do}.|{S} got {O} {seen}.|{S} had {O} {seen}.|{S} found {O} {adj}.|{S} kept {O} {adj}.
{S} gave {O} to {P}.|{S} showed {O} how to {do}.|{S} bought {O} for {price}.|{T} cost {price}.|{T} {is} {num} {unit} from {town}.|{T} weighs {num} kilos.|{T} opened in {year}.|{S} {was} born in {year}.
{S} {did} at {time}.|{T} leaves at {time}.|{S} {did} from {time} to {time}.|on {day}, {S} {did}.|at {time} {S} {was} {doing}.|{S} {did} on {month} {n2}.|in {month}, {S} {does}.|{S} arrived at {n} o'clock.
{S} {did} by {bus}.|{S} {did} with {O}.|{S} {did} during {O}.|{S} {did} for {n} days.|{S} {did} all day.|{S} {did} until {time}.|most of the {nouns} {did}.|some of {owned} were {adj}.|half of the {nouns} were {seen}.
one of the {nouns} (are>is:agree) {adj}.|none of the {nouns} {did}.|each of the {nouns} has {anoun}.|many {nouns} {do}, while others {do}.|a number of {nouns} {did}.|every {noun} (have>has:agree) {anoun}.|few {nouns} {did}.|another {noun} was {seen}.
"{Quote}," said {P}.|"{Quote}," {P} said {adv}.|{P} said, "{Quote}."|"{Quote}?" asked {P}.|"{Quote}!" shouted {P}.|"{Quote}," said {Name}, "because {S} {did}."
yes, {S} {did}.|no, {S} {doesn't} {do}.|oh, {T} {is} {adj}!|well, {S} should {do}.|excuse me, can you {do}?|I'm sorry, but {S} {did}.|thank you for {doing}.|thanks for {nouns}.|I'm afraid {S} {did}.
{S} {is} {doing}.|{S} {is} {doing} at the moment.|{S} {is} {doing} {future}.|{S} {was} {doing} all morning.|{S} will {do} {future}.|{S} {did} {past}.|{past}, {S} {did}.|{S} {does} {habit}.|{S} {doesn't} {do}.|{S} didn't {do}.
{S} {is} {adj} and {adj}.|{S} {was} {adv} {adj}.|{T} {was} very {adj}.|{S} {is} really {adj}.|{T} {is} quite {adj} {too}.|{S} {was} a bit {adj}.|{S} {is} {adj} about {O}.|{S} {is} {adj} with {O}.|{S} {is} good at {doing}.|{S} {is} interested in {doing}.|{S} {is} looking forward to {doing}.|{S} {feel} {adj}.
{S} {want} to {do}.|{S} {enjoy} {doing}.|{S} decided to {do}.|{S} stopped {doing}.|{S} promised to {do}.|{S} refused to {do}.|{S} tried to {do}, but {S} couldn't.|{S} hoped to {do}.|{S} managed to {do}.
the {noun} of the {noun} was {adj}.|the {adj} {noun} in the {noun} is {adj}.|{T} {place} {is} {adj}.|{T} with the {adj} {noun} {did}.|a {adj2}, {adj} {noun} {did}.|{doing} is {adj}.|{doing} makes {O} {adj}.
I've {done}.|you've {done}.|he's {doing} {place}.|she's {adj}.|it's {adj}.|we're {doing} {future}.|they're {adj}, aren't they?|I'd {done} before {S} {did}.|you'd better {do}.
there's {anoun} {place}.|there isn't {anoun} {place}.|there aren't any {nouns}.|there weren't many {nouns} {place}.|{T} wasn't {adj} {too}.|{Ts} weren't {adj} at all.|who's {doing}?|what's {adj} about {O}?
that's {anoun}.|that's why {S} {did}.|that's how {S} {did}.|I'll {do} {too}.|we'll {do} if you {do}.|{S} couldn't {do}.|{S} wouldn't {do}.|you needn't {do}.|you mustn't {do} {place}.|here is {O}.|here are the {nouns}.
{S} {did} {too}.|{S} {does} {too}.|{S} {did} {once}.|{S} {has} {done} {lately}.|{S} {did} {across}.|{S} {does} {across}.|{Ts} {across} were {adj}.|{T} {across} {is} {adj}.|{once}, {S} {did}.|{S} will {do} {across}.|{T} {was} {seen} {across}.
{across}, there was {anoun}.|{across} {S} {saw} {O}.|I left {O} {across}.|{S} put {O} {across}.|between {n} and {n} {nouns} were {seen}.|{S} {did} both {place} and {place}.|according to {P}, {T} {is} {adj}.|apart from {O}, everything was {adj}.
{S} {saw} it {self}.|{S} {did} by {self}.|whatever {S} {does}, {S} will {do}.|wherever {S} {does}, {O} will {do}.|whoever {did} must {do}.|someone else {did}.|nobody else {does}.|everything {S} {did} was {adj}.|anyone can {do}.
{S} {did} ({adv}).|{T} {was} {adj} - {adv} {adj}.|{S} {did}; {S} {did}.|{T} {is} {adj}: {S} {does} {O}.|the {doer}-{noun} is {adj}.|the {nouns}' {noun} was {adj}.|it was a {adj2} day, and {S} {did}.|a few {nouns} later, {S} {did}.
{S} {did} {num} {nouns}.|{S} {saw} about {num} {nouns}.|nearly {num} {nouns} were {seen}.|more than {num} {nouns} {did}.|at least {n} {nouns} {do}.|plenty of {nouns} {do}.|there's too much {stuff} {place}.|{S} {has} a little {stuff} left.
{S} {did} every {noun}.|each {noun} was {seen}.|all the other {nouns} {did}.|no {noun} was {seen}.|several {nouns} {did}.|such {nouns} are {adj}.|any {noun} can {do}.|only one {noun} {did}.|the same {noun} {did}.|the next {noun} {did}.|the last {noun} was {adj}.
{S} {is} {anoun}.|{S} {was} {anoun} {once}.|{S} became {anoun}.|{S} became {adj}.|{P} wants to be {anoun}.|{S} will be {adj}.|{S} seemed {adj}.|{T} looked {adj}.|{T} smelled {adj}.|{T} sounds {adj}.|{S} got {adj}.|{S} went {adj}.|{S} turned {adj}.
I (am not>don't:choice) {do} very often.|{S} must (to {do0}>{do0}:extra).|{S} can (to {do0}>{do0}:extra).|{S} let me (to {do0}>{do0}:extra).|(there have>there are:choice) many {nouns} {place}.
{S} will {do} (in>on:preposition) {day}.|{S} {did} (on>in:preposition) {year}.|{S} {did} (in>at:preposition) {time}.|{T} {is} made (from>of:preposition) {stuff}.|although {S} {was} {adj}, (but {S0}>{S0}:extra) {did}.
{S} {did}, (althought>although:spelling) {S} {was} {adj}.|{S} did it (becaus>because:spelling) {S} {was} {adj}.|if {T} (will be>is:after) {adj}, {S} will {do}.|{T} is {er} (then>than:spelling) {O}.
the {nouns} (was>were:agree) {seen}.|{T} (were>was:agree) {seen} {past}.|many {nouns} (has>have:agree) {done}.|{S} {is} looking forward to (see>seeing:after) {O}.|{S} {did} (yesterday night>last night:choice).
"""
