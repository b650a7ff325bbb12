// What opens on a tap. The first view does without it; it is fetched as soon as that is shown.
import { t } from "../i18n/index.js";
import { early, Later } from "../parts/later.js";
import { say } from "../parts/toast.js";
import { html } from "../vendor/preact.js";

const modules = {
  Menu: () => import("./menu.js"),
  Problem: () => import("./problem.js"),
  Proof: () => import("./proof.js"),
  Decline: () => import("./decline.js"),
  PhoneApp: () => import("./phone.js"),
};

/** Fetches all of them; what fails is fetched again on the tap. */
export const fetchSheets = () =>
  Object.values(modules).map(load =>
    load().then(
      module => Object.assign(early, module),
      () => {},
    ),
  );

/** @param {{part: keyof typeof modules, close: () => void, [more: string]: any}} props */
export function Sheet({ part, close, ...props }) {
  const failed = () => {
    say(t("sheet.failed"), { kind: "bad" });
    close();
  };
  return html`<${Later} load=${modules[part]} part=${part} failed=${failed} close=${close} ...${props} />`;
}
