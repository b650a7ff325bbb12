/** @type {Record<string, import("../index.js").Text>} */
export const texts = {
  "create.save": "Создать",
  "address.find": "Найти адрес",
  "address.found": "Найденные адреса",
  "address.hint": "Enter — найти адрес.",
  "address.none": "Ничего не нашлось. Оставьте как есть и отметьте дверь на карте.",
  "address.away": "Поиск адресов не отвечает. Оставьте как есть и отметьте дверь на карте.",
  "address.street": "улица",
  "address.area": "район",
  "create.pin": "Коснитесь карты, чтобы отметить адрес.",
  "create.pinned": "Адрес отмечен на карте.",
  "create.items": "Состав",
  "create.items.hint": "По одному в строке, например: 2 x Пицца",
};
