import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { html, useEffect, useRef } from "../vendor/preact.js";

/** A field to sign in with a finger. @param {{signed: (canvas: HTMLCanvasElement | undefined) => void}} props */
export function Signature({ signed }) {
  const ref = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    const canvas = ref.current;
    if (!canvas) return;
    // It has no size before the dialog is open, and another one when the phone is turned: the signature stays.
    let sized = false;
    const watch = new ResizeObserver(() => {
      const { width, height } = canvas.getBoundingClientRect();
      if (!width || canvas.width === Math.round(width * 2)) return;
      const was = sized && canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height);
      canvas.width = Math.round(width * 2);
      canvas.height = Math.round(height * 2);
      clear(canvas);
      if (was) canvas.getContext("2d")?.putImageData(was, 0, 0);
      sized = true;
    });
    watch.observe(canvas);
    return () => watch.disconnect();
  }, []);
  const draw = (/** @type {PointerEvent} */ e) => {
    const canvas = ref.current;
    if (!canvas || (e.type === "pointermove" && !e.buttons)) return;
    const box = canvas.getBoundingClientRect();
    const [x, y] = [(e.clientX - box.left) * 2, (e.clientY - box.top) * 2];
    const pen = canvas.getContext("2d");
    if (e.type === "pointerdown") {
      canvas.setPointerCapture(e.pointerId);
      pen?.beginPath();
      pen?.moveTo(x, y);
    }
    pen?.lineTo(x, y);
    pen?.stroke();
  };
  const done = () => signed(ref.current ?? undefined);
  const again = () => {
    if (ref.current) clear(ref.current);
    signed(undefined);
  };
  return html`
    <div class="app-signature">
      <p class="strong small">${t("hand.sign")}</p>
      <canvas ref=${ref} role="img" aria-label=${t("hand.sign")} onPointerDown=${draw} onPointerMove=${draw} onPointerUp=${done}></canvas>
      <${Button} kind="quiet" onClick=${again}>${t("hand.sign.again")}<//>
    </div>
  `;
}

/** Dark ink on white, in both themes: it is a picture for others. @param {HTMLCanvasElement} canvas */
function clear(canvas) {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(pen, { strokeStyle: "black", lineWidth: 5, lineCap: "round", lineJoin: "round" });
}
