import { html, useState } from "../../vendor/preact.js";
import { Button } from "../button.js";
import { Checks, Choice } from "../choice.js";
import { Dialog } from "../dialog.js";
import { Field } from "../field.js";
import { Stars } from "../stars.js";
import { say } from "../toast.js";
import { Block } from "./block.js";

/** What is pressed and written into. @param {{theme: string}} props */
export function Actions({ theme }) {
  const [open, setOpen] = useState("");
  const [text, setText] = useState("");
  const [stars, setStars] = useState(0);
  const [one, setOne] = useState("email");
  const [some, setSome] = useState(["sms", "email"]);
  const channels = [
    ["email", "By e-mail"],
    ["sms", "By SMS"],
    ["live", "On the page"],
  ];
  return html`
    <${Block} title="Buttons">
      <div class="gallery-row">
        <${Button} kind="main">Save<//><${Button}>Cancel<//><${Button} kind="quiet">More<//><${Button} kind="danger">Delete<//>
        <${Button} icon="phone">Call<//><${Button} icon="close" label="Close" /><${Button} kind="main" busy>Saving<//><${Button} disabled>Not now<//>
        <${Button} href="#parts">A link<//>
      </div>
      <${Button} kind="main" size="large">I'm at the door<//>
    <//>
    <${Block} title="Fields">
      <${Field} label="Notes for the courier" value=${text} onInput=${setText} rows=${3} limit=${40} placeholder="Entrance, floor, door code" />
      <${Field} label="Phone" value="12" error="This is too short for a phone number" onInput=${() => {}} />
      <${Choice} label="How" value=${one} options=${channels} onPick=${setOne} hint="The first that reaches the customer" />
      <${Choice} label="How" value="sms" options=${channels} onPick=${() => {}} error="It is not set up" />
      <${Checks} label="How, in order" ordered values=${some} options=${channels} onChange=${setSome} />
      <${Stars} value=${stars} onPick=${setStars} />
    <//>
    <${Block} title="Dialog, drawer, toasts">
      <div class="gallery-row">
        <${Button} onClick=${() => setOpen("dialog")}>Dialog<//><${Button} onClick=${() => setOpen("side")}>Drawer<//>
        <${Button} onClick=${() => say("Saved", { undo: () => say("Undone") })}>Toast<//>
        <${Button} onClick=${() => say("Not saved: the network is gone", { kind: "bad" })}>Bad toast<//>
      </div>
      <div class=${theme}>
        <${Dialog} open=${open !== ""} side=${open === "side"} title="Cancel the order?" onClose=${() => setOpen("")}
          actions=${html`<${Button} onClick=${() => setOpen("")}>Keep it<//><${Button} kind="danger" onClick=${() => setOpen("")}>Cancel it<//>`}>
          <p>The shop is told at once. It can't be taken back.</p>
        <//>
      </div>
    <//>
  `;
}
