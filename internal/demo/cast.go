package demo

import "github.com/order-tracking/order-tracking/pkg/client"

// Who plays: made-up people.
var (
	courierNames = []string{
		"Aino", "Eero", "Helmi", "Ilmari", "Kaisa", "Lauri", "Minna", "Niko", "Oona", "Pekka", "Riikka", "Sami", "Tuuli", "Väinö", "Ahmed",
		"Bogdan", "Chi", "Daria", "Emre", "Fatima", "Giorgi", "Hodan", "Ivan", "Juhani", "Katya", "Linh", "Mateo", "Noor", "Otso", "Priya",
	}
	customerNames = []string{
		"Anna Virtanen", "Ben Korhonen", "Cecilia Lindqvist", "David Mäkinen", "Elina Nieminen", "Fanni Laine", "Gustav Holm", "Hanna Heikkinen", "Iida Koskinen",
		"Jonas Berg", "Kerttu Salonen", "Leo Järvinen", "Maria Ahonen", "Olga Smirnova", "Petri Hakala", "Roosa Lehto", "Saku Niemi", "Tiina Rantanen", "Ville Ojala", "Yasmin Ali",
	}
	doorNotes = []string{"", "", "", "Door code 2580", "Third floor, the lift is slow", "Please ring twice", "Leave it with the neighbour if I'm out", "Entrance through the courtyard"}
)

// dish is something to eat and what it costs, in cents.
type dish struct {
	name  string
	cents int64
}

// menus by what OpenStreetMap calls the kitchen's cuisine; "" is for the rest.
var menus = map[string][]dish{
	"pizza":   {{"Pizza Margherita", 1290}, {"Pizza Diavola", 1490}, {"Pizza Funghi", 1390}, {"Tiramisù", 690}},
	"burger":  {{"Cheeseburger", 1150}, {"Double burger", 1450}, {"French fries", 420}, {"Milkshake", 590}},
	"sushi":   {{"Salmon nigiri", 1390}, {"Maki mix", 1590}, {"Miso soup", 450}, {"Edamame", 520}},
	"asian":   {{"Pad thai", 1450}, {"Spring rolls", 690}, {"Beef with ginger", 1590}, {"Jasmine rice", 350}},
	"mexican": {{"Burrito", 1290}, {"Tacos al pastor", 1390}, {"Nachos", 890}, {"Churros", 650}},
	"nordic":  {{"Salmon soup", 1490}, {"Reindeer stew", 2190}, {"Rye bread with herring", 1090}, {"Cinnamon bun", 420}},
	"steak":   {{"Sirloin steak", 2690}, {"Caesar salad", 1490}, {"Garlic potatoes", 690}, {"Chocolate cake", 790}},
	"indian":  {{"Butter chicken", 1590}, {"Palak paneer", 1390}, {"Garlic naan", 390}, {"Mango lassi", 490}},
	"french":  {{"Onion soup", 990}, {"Croque monsieur", 1190}, {"Quiche lorraine", 1250}, {"Crème brûlée", 690}},
	"":        {{"Soup of the day", 1090}, {"Lunch plate", 1390}, {"Green salad", 890}, {"Berry pie", 590}},
}

// alike are cuisines that cook as others do.
var alike = map[string]string{
	"italian_pizza": "pizza", "italian": "pizza", "japanese": "sushi", "chinese": "asian", "thai": "asian", "vietnamese": "asian", "korean": "asian",
	"finnish": "nordic", "regional": "nordic", "steak_house": "steak", "nepalese": "indian", "tex-mex": "mexican",
}

func menuOf(cuisine string) []dish {
	if as, ok := alike[cuisine]; ok {
		cuisine = as
	}
	if menu, ok := menus[cuisine]; ok {
		return menu
	}
	return menus[""]
}

// parcels go from Moscow, where the shop has its stock, to Novosibirsk: the emulated carrier
// knows one journey.
var parcels = []struct{ customer, address string }{
	{"Ольга Иванова", "Новосибирск, Красный проспект, 25"},
	{"Пётр Соколов", "Новосибирск, улица Ленина, 12"},
	{"Мария Кузнецова", "Новосибирск, Вокзальная магистраль, 16"},
}

func euros(cents int64) *client.Money { return &client.Money{Amount: cents, Currency: "EUR"} }
