// The courier's app.
import { start } from "../start.js";
import { html } from "../vendor/preact.js";
import { App } from "./app.js";
import { Day } from "./day.js";
import { install } from "./install.js";
import { language, theme } from "./look.js";
import { fetchSheets } from "./sheet.js";
import { Tracker } from "./tracker.js";

start(
  boot => {
    const day = new Day(boot);
    const tracker = new Tracker(day);
    theme(tracker);
    install().then(fetchSheets);
    day.start();
    tracker.start();
    return html`<${App} boot=${boot} day=${day} tracker=${tracker} />`;
  },
  "courier",
  language(),
);
