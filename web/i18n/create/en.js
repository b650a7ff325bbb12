/** @type {Record<string, import("../index.js").Text>} */
export const texts = {
  "create.save": "Create",
  "address.find": "Find the address",
  "address.found": "Addresses found",
  "address.hint": "Enter finds the address.",
  "address.none": "Nothing found. Keep it as written and tap the map.",
  "address.away": "The address search doesn’t answer. Keep it as written and tap the map.",
  "address.street": "street",
  "address.area": "area",
  "create.pin": "Tap the map to set the door.",
  "create.pinned": "The door is set on the map.",
  "create.items": "Items",
  "create.items.hint": "One on each line, such as 2 x Pizza",
};
