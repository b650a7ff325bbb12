// Photos: turned upright, at most 1600 px, as a new JPEG. Drawing it anew leaves out what
// the camera wrote into the file, such as the place.
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { html, useEffect, useRef } from "../vendor/preact.js";

const SIDE = 1600; // pixels
const MOST = 600_000; // bytes

/**
 * Reads what the camera made; undefined if it's no picture.
 * @param {Blob} file @returns {Promise<{canvas: HTMLCanvasElement, blob: Blob} | undefined>}
 */
export async function shrink(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => undefined);
  if (!picture) return undefined;
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d")?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  for (const quality of [0.82, 0.7, 0.55, 0.4]) {
    const blob = await blobOf(canvas, "image/jpeg", quality);
    if (blob && (blob.size <= MOST || quality === 0.4)) return { canvas, blob };
  }
  return undefined;
}

/** @param {HTMLCanvasElement} canvas @param {string} type @param {number} [quality] @returns {Promise<Blob | null>} */
export const blobOf = (canvas, type, quality) => new Promise(done => canvas.toBlob(done, type, quality));

/** @typedef {{canvas: HTMLCanvasElement, blob: Blob}} Picture */

/** A photo, taken or to be taken. @param {{picture?: Picture, take: (picture: Picture | undefined) => void, label: string}} props */
export function Photo({ picture, take, label }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    place.current?.replaceChildren(...(picture ? [picture.canvas] : []));
  }, [picture]);
  const changed = async () => {
    const file = input.current?.files?.[0];
    if (file) take(await shrink(file));
  };
  return html`
    <div class="app-photo">
      <input ref=${input} hidden type="file" accept="image/*" capture="environment" aria-label=${label} onChange=${changed} />
      ${picture && html`<figure ref=${place}></figure>`}
      <${Button} icon="camera" onClick=${() => input.current?.click()}>${picture ? t("photo.again") : label}<//>
      ${picture && html`<p class="small quiet"><${Icon} name="check" />${t("photo.there")}</p>`}
    </div>
  `;
}
