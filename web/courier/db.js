// What the phone keeps, in IndexedDB: the queue of what has to be sent, positions, and the
// last known orders. Used by the page and by the service worker.

/** @typedef {"queue"|"fixes"|"orders"|"kept"} Store */

/** @type {Promise<IDBDatabase> | undefined} */
let opened;

function database() {
  opened ??= new Promise((done, failed) => {
    const request = indexedDB.open("courier", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("queue", { keyPath: "seq", autoIncrement: true });
      request.result.createObjectStore("fixes", { keyPath: "seq", autoIncrement: true });
      request.result.createObjectStore("orders", { keyPath: "id" });
      request.result.createObjectStore("kept");
    };
    request.onsuccess = () => {
      const db = request.result;
      db.onclose = () => forget(); // the browser closed it: the next call opens it again
      db.onversionchange = () => {
        db.close(); // a newer version of the app, in another tab, changes the stores
        forget();
      };
      done(db);
    };
    request.onerror = () => {
      forget();
      failed(request.error);
    };
  });
  return opened;
}

const forget = () => {
  opened = undefined;
};

/**
 * Runs one transaction. What it wrote is on the disk when this resolves; it fails with
 * QuotaExceededError when the disk is full, and then nothing was written.
 * @template T
 * @param {Store[]} stores @param {IDBTransactionMode} mode
 * @param {(store: (name: Store) => IDBObjectStore) => IDBRequest<T> | undefined} work @returns {Promise<T>} the result of that request
 */
export async function within(stores, mode, work) {
  const db = await database();
  return new Promise((done, failed) => {
    const transaction = db.transaction(stores, mode, { durability: mode === "readwrite" ? "strict" : "default" });
    transaction.oncomplete = () => done(/** @type {T} */ (request?.result));
    transaction.onabort = () => failed(transaction.error);
    const request = work(name => transaction.objectStore(name));
  });
}

/** All records of a store, oldest first. @param {Store} store @param {number} [limit] @returns {Promise<any[]>} */
export const all = (store, limit) => within([store], "readonly", at => at(store).getAll(undefined, limit));

/**
 * All records of some stores at one moment.
 * @param {Store[]} stores @returns {Promise<any[][]>}
 */
export async function together(...stores) {
  /** @type {IDBRequest<any[]>[]} */
  let found = [];
  await within(stores, "readonly", at => {
    found = stores.map(store => at(store).getAll());
    return undefined;
  });
  return found.map(request => request.result);
}

/** A kept value. @param {string} name @returns {Promise<any>} */
export const kept = name => within(["kept"], "readonly", at => at("kept").get(name));

/** @param {string} name @param {any} value */
export const keep = (name, value) => within(["kept"], "readwrite", at => at("kept").put(value, name));

/**
 * Puts orders over older versions of them.
 * @param {IDBObjectStore} store @param {{id: string, version: number}[]} orders
 */
export function putNewer(store, orders) {
  for (const order of orders) {
    const request = store.get(order.id);
    request.onsuccess = () => (request.result?.version ?? 0) <= order.version && store.put(order);
  }
}
