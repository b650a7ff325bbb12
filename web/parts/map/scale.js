import { t } from "../../i18n/index.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { round } from "./glide.js";

const LONGEST = 90; // pixels

/** The map's scale bar. @param {{map: import("leaflet").Map}} props */
export function Scale({ map }) {
  const [scale, setScale] = useState({ metres: 0, pixels: 0 });
  useEffect(() => {
    const measure = () => {
      const y = map.getSize().y / 2;
      const wide = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([LONGEST, y]));
      if (!wide) return;
      const metres = round(wide);
      setScale({ metres, pixels: Math.round((LONGEST * metres) / wide) });
    };
    measure();
    map.on("zoomend resize moveend", measure);
    return () => {
      map.off("zoomend resize moveend", measure);
    };
  }, [map]);
  if (!scale.metres) return null;
  const text = scale.metres < 1000 ? t("map.metres", { n: scale.metres }) : t("map.kilometres", { n: scale.metres / 1000 });
  return html`<span class="scale num" style=${{ inlineSize: `${scale.pixels}px` }}>${text}</span>`;
}
