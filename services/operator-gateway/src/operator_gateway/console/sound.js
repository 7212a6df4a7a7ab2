// The sound of an emergency: two short tones. Each operator switches it on or off for good; a browser
// lets a page sound only after somebody has touched it, and until then the page says that it cannot.

import { currentSession } from "./api.js";

const TONES = [[880, 0], [1175, 0.22]];
const TONE_SECONDS = 0.18, VOLUME = 0.25;

class Alarm extends EventTarget {
  constructor() {
    super();
    this.context = null;
    // An emergency called while the page could not sound: it is heard as soon as it can.
    this.owed = false;
    const touched = () => this.arm();
    document.addEventListener("pointerdown", touched, { capture: true });
    document.addEventListener("keydown", touched, { capture: true });
  }

  get slot() { return `tartip.sound.${currentSession()?.operator}`; }
  get on() { return localStorage.getItem(this.slot) !== "off"; }
  // "off" by choice, "blocked" by the browser, "on".
  get state() { return !this.on ? "off" : this.context?.state === "running" ? "on" : "blocked"; }

  toggle() {
    localStorage.setItem(this.slot, this.on ? "off" : "on");
    this.arm();
    if (this.state === "on") this.play();
    this.changed();
  }

  // Called in the course of a touch, which is when a browser allows it.
  arm() {
    if (!this.on || !currentSession() || this.context?.state === "running") return;
    if (!this.context) {
      this.context = new AudioContext();
      this.context.onstatechange = () => {
        if (this.owed && this.state === "on") this.play();
        this.changed();
      };
    }
    this.context.resume();
  }

  ring() {
    if (this.state === "on") this.play();
    else { this.owed = this.on; this.changed(); }
  }

  play() {
    this.owed = false;
    for (const [pitch, after] of TONES) {
      const tone = new OscillatorNode(this.context, { frequency: pitch });
      const loudness = new GainNode(this.context, { gain: VOLUME });
      const from = this.context.currentTime + after;
      tone.connect(loudness).connect(this.context.destination);
      tone.start(from);
      tone.stop(from + TONE_SECONDS);
    }
  }

  changed() { this.dispatchEvent(new Event("change")); }
}

export const alarm = new Alarm();
