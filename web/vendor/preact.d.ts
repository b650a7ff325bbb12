import type { VNode } from "preact";

export { batch, computed, effect, type ReadonlySignal, type Signal, signal, untracked, useComputed, useSignal, useSignalEffect } from "@preact/signals";
export { type ComponentType, createRef, Fragment, h, render } from "preact";
export { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
