import { Live } from "../client.js";

/** Keeps the board current by the live stream. @param {import("./board.js").Board} board */
export function follow(board) {
  const performs = (/** @type {string | undefined} */ id, /** @type {any} */ position) => {
    if (id) board.performers.set(id, position);
    board.moved.value++;
  };
  const stream = new Live({
    state: state => {
      board.live.value = state;
    },
    ended: why => why?.status === 401 && board.session.start(),
    on: {
      status: frame => board.heard(frame.data),
      note: frame => board.note(frame.data.order_id, frame.data),
      offer: frame => board.note(frame.data.order_id),
      snapshot: frame => (frame.order_id ? performs(frame.order_id, frame.data?.position) : board.positions(frame.data?.couriers)),
      position: frame => performs(frame.order_id, frame.data),
      end: frame => performs(frame.order_id, undefined),
      positions: frame => board.positions(frame.data?.couriers),
      reset: () => board.load(),
    },
  });
  stream.subscribe("orders");
  if (board.session.staff) stream.subscribe("fleet");
  return stream;
}
