// Where the courier is: fixes of the phone, as often as he moves, written to the queue; and
// why there are none.
import { metres } from "../parts/map/glide.js";
import { signal } from "../vendor/preact.js";
import { within } from "./db.js";
import { elsewhere, forget, remind } from "./remind.js";

/** @typedef {{lat: number, lon: number, recorded_at: string, accuracy?: number, speed?: number, heading?: number, altitude?: number, battery?: number}} Fix */

// Milliseconds between fixes that are sent, while moving and at rest; without any until one is
// asked for, and until it is told: boards ask for it every 15 seconds, which makes less than a minute.
const MOVING = 10_000;
const RESTING = 45_000;
const SILENT = 14_000;
const LOST = 40_000;
const STEP = 25; // metres after which a fix is sent at once
const WALK = 0.7; // metres a second

export class Tracker {
  /** @param {import("./day.js").Day} day */
  constructor(day) {
    this.day = day;
    this.last = signal(/** @type {Fix | undefined} */ (undefined));
    this.trouble = signal(/** @type {""|"denied"|"no_fix"|"unsupported"} */ (""));
    this.gap = signal(/** @type {[number, number] | undefined} */ (undefined)); // without a position, as the screen was off
    this.battery = signal(/** @type {number | undefined} */ (undefined));
    this.awake = signal(false);
    this.heardAt = 0; // the last fix
    this.askedAt = 0;
    this.sentAt = 0;
    this.toldAt = 0;
    this.told = false; // the board thinks that there is none
    this.hiddenAt = 0;
    this.reminded = false; // that the page is hidden
    /** @type {number | undefined} */
    this.watchID = undefined;
    /** @type {WakeLockSentinel | undefined} */
    this.lock = undefined;
  }

  /** Whether the courier's position is wanted. */
  get wanted() {
    return this.day.own && this.day.state.value === "ready" && Boolean(this.day.courier.value?.on_duty);
  }

  start() {
    setInterval(() => this.tick(), 1000);
    document.addEventListener("visibilitychange", () => this.seen());
    navigator.permissions?.query({ name: "geolocation" }).then(
      p => p.addEventListener("change", () => this.again()),
      () => {},
    );
    /** @type {any} */ (navigator).getBattery?.().then((/** @type {any} */ b) => {
      const read = () => {
        this.battery.value = Math.round(b.level * 100);
      };
      read();
      b.addEventListener("levelchange", read);
    });
    this.tick();
  }

  tick() {
    if (this.wanted && this.watchID === undefined) this.again();
    if (!this.wanted && this.watchID !== undefined) this.stop();
    if (this.watchID === undefined) return;
    const now = Date.now();
    if (document.hidden) return this.miss(now);
    if (now - this.heardAt > LOST) this.lose(this.trouble.value || "no_fix");
    if (now - Math.max(this.heardAt, this.askedAt) > SILENT) this.ask();
  }

  again() {
    this.stop();
    if (!this.wanted) return;
    if (!navigator.geolocation) return this.lose("unsupported");
    this.heardAt = Date.now();
    this.watchID = navigator.geolocation.watchPosition(
      p => this.heard(p),
      e => this.failed(e),
      { enableHighAccuracy: true, maximumAge: 2000 },
    );
    this.stayAwake();
  }

  /** Phones at rest report nothing by themselves. */
  ask() {
    this.askedAt = Date.now();
    navigator.geolocation.getCurrentPosition(
      p => this.heard(p),
      e => this.failed(e),
      { enableHighAccuracy: true, timeout: SILENT },
    );
  }

  stop() {
    if (this.watchID !== undefined) navigator.geolocation.clearWatch(this.watchID);
    this.watchID = undefined;
    this.trouble.value = "";
    this.lock?.release();
  }

  /** @param {GeolocationPosition} position */
  heard({ coords, timestamp }) {
    const now = Date.now();
    this.heardAt = now;
    this.trouble.value = "";
    // Some phones count from their start or give the time of an old fix.
    const at = Math.abs(now - timestamp) < 60_000 ? timestamp : now;
    const fix = /** @type {Fix} */ (given({ lat: coords.latitude, lon: coords.longitude, recorded_at: new Date(at).toISOString(), accuracy: coords.accuracy,
      speed: coords.speed, heading: coords.heading, altitude: coords.altitude, battery: this.battery.value })); // biome-ignore format: one line a thought
    const was = this.last.value;
    const moved = was ? metres(was, fix) : Number.POSITIVE_INFINITY;
    const moving = (fix.speed ?? 0) > WALK || moved > (fix.accuracy ?? 0);
    if (!this.told && !(moved > STEP && now - this.sentAt > 2000) && now - this.sentAt < (moving ? MOVING : RESTING)) return;
    this.sentAt = now;
    this.told = false;
    this.last.value = fix;
    this.day.here = { lat: fix.lat, lon: fix.lon };
    this.put(fix);
  }

  /** @param {Fix} fix */
  async put(fix) {
    try {
      await within(["fixes"], "readwrite", at => at("fixes").add({ ...fix, who: this.day.id }));
    } catch {
      this.day.outbox.full.value = true;
    }
    this.day.outbox.flush();
  }

  /** @param {GeolocationPositionError} error */
  failed({ code }) {
    if (code === 1) this.lose("denied");
    else if (Date.now() - this.heardAt > LOST) this.lose("no_fix");
  }

  /** @param {"denied"|"no_fix"|"unsupported"} why */
  lose(why) {
    const now = Date.now();
    if (this.trouble.value === why && now - this.toldAt < RESTING) return;
    this.trouble.value = why;
    this.day.here = undefined;
    this.tell(why === "denied" ? "no_permission" : "no_fix");
  }

  /** Tells the board why there is no position. @param {string} why */
  tell(why) {
    this.toldAt = Date.now();
    this.told = true;
    const request = { method: "POST", headers: { "Content-Type": "application/json" }, body: "[]", keepalive: true };
    fetch(`/courier/${this.day.id}/location?without=${why}`, request).catch(() => {}); // it is true now or never
  }

  /** A hidden page gets no fixes: the courier is reminded, and told afterwards for how long. */
  seen() {
    const now = Date.now();
    if (document.hidden) {
      this.hiddenAt = now;
      this.reminded = false;
      if (this.watchID !== undefined) this.tell("screen_off");
      return;
    }
    forget();
    const since = Math.max(this.hiddenAt, this.heardAt);
    if (this.watchID !== undefined && this.hiddenAt && now - since > LOST)
      elsewhere(this.day, this.last.value, since).then(known => {
        if (!known) this.gap.value = [since, now];
      });
    this.heardAt = Math.max(this.heardAt, now - LOST / 2); // it takes a moment to find itself
    if (this.wanted) this.again();
  }

  /** The page has been hidden for a while. @param {number} now */
  async miss(now) {
    if (this.reminded || now - this.hiddenAt < LOST) return;
    this.reminded = true;
    if (!(await elsewhere(this.day, this.last.value, this.hiddenAt)) && document.hidden) remind();
  }

  /** Keeps the screen on: without it there are no fixes. */
  async stayAwake() {
    try {
      this.lock = await navigator.wakeLock?.request("screen");
      this.awake.value = Boolean(this.lock);
      this.lock?.addEventListener("release", () => {
        this.awake.value = false;
      });
    } catch {
      this.awake.value = false; // a low battery
    }
  }
}

/** The values that the phone gave. @param {Record<string, any>} values */
const given = values => Object.fromEntries(Object.entries(values).filter(([, v]) => v !== null && v !== undefined && !Number.isNaN(v)));
