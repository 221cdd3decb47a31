/** What somebody at this browser has chosen; kept here, applied at once. */

import { computed, effect, signal } from "@preact/signals";
import { isData } from "../client/protocol";
import { readStored, store } from "./storage";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
export const MOTIONS = ["auto", "reduced"] as const;
export type Motion = (typeof MOTIONS)[number];

const NAME = "settings";

export class Settings {
  readonly theme = signal<Theme>("auto");
  readonly motion = signal<Motion>("auto");
  readonly sounds = signal(false);
  /** Whether the browser is to show notifications; it may still forbid it. */
  readonly notifications = signal(false);
  /** Whether it is the night office that shows. */
  readonly night = computed(() =>
    this.theme.value === "auto" ? this.#darkOutside.value : this.theme.value === "dark",
  );
  /** Whether things should stand still. */
  readonly still = computed(() => this.motion.value === "reduced" || this.#stillOutside.value);

  readonly #darkOutside = watched("(prefers-color-scheme: dark)");
  readonly #stillOutside = watched("(prefers-reduced-motion: reduce)");

  start(): void {
    const stored = readStored(NAME);
    if (isData(stored)) {
      this.theme.value = THEMES.find((theme) => theme === stored.theme) ?? "auto";
      this.motion.value = MOTIONS.find((motion) => motion === stored.motion) ?? "auto";
      this.sounds.value = stored.sounds === true;
      this.notifications.value = stored.notifications === true;
    }
    let first = true;
    effect(() => {
      const chosen = {
        theme: this.theme.value,
        motion: this.motion.value,
        sounds: this.sounds.value,
        notifications: this.notifications.value,
      };
      document.documentElement.dataset.theme = chosen.theme;
      document.documentElement.dataset.motion = chosen.motion;
      // What nobody has chosen is not kept.
      if (!first) {
        store(NAME, chosen);
      }
      first = false;
    });
  }
}

function watched(query: string) {
  const media = matchMedia(query);
  const matches = signal(media.matches);
  media.addEventListener("change", () => {
    matches.value = media.matches;
  });
  return matches;
}
