import { html, useEffect, useState } from "../../vendor/preact.js";
import { MapView } from "../map/map.js";
import { statuses } from "../status.js";
import { StatusMark } from "../status-mark.js";
import { Table } from "../table.js";
import { Block } from "./block.js";

/** @type {import("../table.js").Column<{n: number, status: string}>[]} */
const columns = [
  { key: "n", title: "Order", cell: row => `7K2-${row.n}`, width: "6rem" },
  { key: "status", title: "State", cell: row => html`<${StatusMark} status=${row.status} />` },
  { key: "late", title: "Late", cell: row => row.n % 40, end: true, width: "3rem" },
];
const rows = Array.from({ length: 10_000 }, (_, n) => ({ n, status: statuses[n % statuses.length] }));

/** Tables and maps. @param {{boot: import("../../start.js").Boot, theme: string}} props */
export function Places({ boot, theme }) {
  const [picked, setPicked] = useState("3");
  const [step, setStep] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setStep(s => s + 1), 2000);
    return () => clearInterval(timer);
  }, []);
  const courier = { lat: 60.1699 + 0.0006 * (step % 12), lon: 24.9474 - 0.001 * (step % 12) };
  return html`
    <${Block} title="Table of 10,000 rows">
      <div class="gallery-table"><${Table} label="Orders" rows=${rows} columns=${columns} id=${(/** @type {any} */ r) => String(r.n)} selected=${picked} onPick=${(/** @type {any} */ r) => setPicked(String(r.n))} /></div>
    <//>
    <${Block} title="Map">
      <div class="gallery-map">
        <${MapView} label=${`Map, ${theme}`} base=${boot.map} ahead=${[[courier.lat, courier.lon], [60.1745, 24.9391]]} pins=${[
          { id: "home", kind: "home", lat: 60.1745, lon: 24.9391, label: "Your door" },
          { id: "shop", kind: "shop", lat: 60.1682, lon: 24.9505, label: "Kitchen" },
          { id: "courier", kind: "courier", ...courier, label: "Courier", heading: 315, seen: step * 2000 },
          { id: "stale", kind: "courier", lat: 60.1722, lon: 24.9502, label: "Silent courier", sign: "car", stale: true },
        ]} />
      </div>
    <//>
  `;
}
