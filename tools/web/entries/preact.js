// Preact with its hooks, signals, and htm bound to it: the pages import nothing else of them.
import htm from "htm";
import { h } from "preact";

export { batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect } from "@preact/signals";
export { createRef, Fragment, h, render } from "preact";
export { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export const html = htm.bind(h);
