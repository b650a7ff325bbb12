// The app's link to the server: the session, and the live stream.
import { call } from "../api.js";
import { Live } from "../client.js";

/**
 * Exchanges the one-time code of the onboarding link for a session.
 * @param {string} code @returns {Promise<""|"code"|"https"|"network">} why it failed
 */
export async function exchange(code) {
  try {
    await call("POST", "/session", { body: { code } });
    navigator.storage?.persist?.(); // the queue is not to be cleaned away
    return "";
  } catch (reason) {
    const { status, code: what } = /** @type {import("../api.js").Refusal} */ (reason);
    return status === 401 ? "code" : what === "https_required" ? "https" : "network";
  }
}

/** Follows the courier's tour and offers. @param {import("./day.js").Day} day */
export function watch(day) {
  const again = () => day.later();
  const live = new Live({
    state: state => {
      if (state === "open" || state === "waiting") again(); // which finds out whether there is a network
    },
    ended: () => {
      day.live = undefined;
    },
    on: {
      offer: again,
      route: again,
      "*": frame => {
        day.offset = Date.parse(frame.at) - Date.now();
      },
    },
  });
  live.subscribe(`courier:${day.id}`);
  return live;
}
