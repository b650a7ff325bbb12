import { html } from "../../vendor/preact.js";
import { Icon } from "../icon.js";
import { Empty, Notice } from "../notice.js";
import { Progress } from "../progress.js";
import { Stars } from "../stars.js";
import { statuses } from "../status.js";
import { StatusMark } from "../status-mark.js";
import { TimeWindow } from "../time-window.js";
import { Timeline } from "../timeline.js";
import { Block } from "./block.js";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const steps = ["Accepted", "Preparing", "On the way", "Delivered"];

/** What only shows. @param {{now: number}} props */
export const Looks = ({ now }) => html`
  <${Block} title="Type"><p class="window-time">14:20–14:35</p><p class="gallery-4">Ivan is on the way</p><p>On a bicycle, 1.2 km away</p><p class="small">Two pizzas</p><p class="tiny quiet">Order 7K2-4QX</p><//>
  <${Block} title="Icons">
    <div class="gallery-row">${[...document.querySelectorAll("symbol")].map(({ id }) => html`<${Icon} name=${id.slice(2)} />`)}</div>
  <//>
  <${Block} title="Status marks"><div class="gallery-marks">${statuses.map(status => html`<${StatusMark} status=${status} />`)}</div><//>
  <${Block} title="Time windows">
    <${TimeWindow} earliest=${now + 11 * MINUTE} latest=${now + 23 * MINUTE} now=${now} />
    <${TimeWindow} earliest=${now + DAY} latest=${now + DAY + 30 * MINUTE} now=${now} />
    <${TimeWindow} earliest=${now - 20 * MINUTE} latest=${now - MINUTE} now=${now} />
    <${TimeWindow} earliest=${now + 3 * DAY} latest=${now + 5 * DAY} now=${now} days />
    <${TimeWindow} earliest=${now - 5 * MINUTE} latest=${now - 5 * MINUTE} now=${now} happened />
  <//>
  <${Block} title="Progress">
    ${[0, 2, 4].map(at => html`<${Progress} steps=${steps} at=${at} />`)}
    <${Progress} steps=${steps} at=${2} stopped />
  <//>
  <${Block} title="Timeline">
    <${Timeline} now=${now} entries=${[
      { id: "3", at: now - 4 * MINUTE, text: "Ivan is on the way", group: "with" },
      { id: "2", at: now - 26 * MINUTE, text: "Picked up", detail: "12 Mannerheimintie, the entrance is in the courtyard", group: "door" },
      { id: "1", at: now - DAY, text: "We've got your order" },
    ]} />
  <//>
  <${Block} title="Notices">
    <${Notice}>The courier's position is 4 minutes old.<//>
    <${Notice} kind="late" title="Later than promised">New time: 14:40–14:55.<//>
    <${Notice} kind="offline">No connection. This is how things stood at 14:02.<//>
    <${Notice} kind="bad" title="The photo was not sent">The network is gone; it is sent when it comes back.<//>
    <${Notice} kind="good">Saved<//>
  <//>
  <${Block} title="Empty and loading">
    <${Empty} icon="box" title="No orders yet">Create one, or send them from your shop.<//>
    <div class="bone gallery-bone"></div>
  <//>
  <${Block} title="Stars"><${Stars} value=${4} /><//>
`;
