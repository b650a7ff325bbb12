// The dispatcher's board.
import { start } from "../start.js";
import { html } from "../vendor/preact.js";
import { App } from "./app.js";
import { Board } from "./board.js";
import { Session } from "./session.js";

start(boot => {
  const session = new Session();
  const board = new Board(boot, session);
  session.start();
  return html`<${App} boot=${boot} session=${session} board=${board} />`;
}, "board");
