// Sound and vibration for an offer. Browsers allow sound after the first touch only.

/** @type {AudioContext | undefined} */
let sound;
addEventListener("pointerdown", () => {
  sound ??= "AudioContext" in globalThis ? new AudioContext() : undefined;
  sound?.resume();
});

/** Three short notes, upwards. */
export function ring() {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([200, 100, 200, 100, 400]);
  if (sound?.state !== "running") return;
  for (const [i, pitch] of [660, 880, 1320].entries()) {
    const [note, volume] = [sound.createOscillator(), sound.createGain()];
    const at = sound.currentTime + i * 0.18;
    note.frequency.value = pitch;
    volume.gain.setValueAtTime(0.3, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.16);
    note.connect(volume).connect(sound.destination);
    note.start(at);
    note.stop(at + 0.17);
  }
}
