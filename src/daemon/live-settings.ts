import type { Reload } from '../config/reload.js';
import { reloadSettings } from '../config/reload.js';
import type { Settings } from '../config.js';

/** The settings in effect. Whoever needs one asks anew, so that a reload holds everywhere at once. */
export class LiveSettings {
  #current: Settings;
  readonly #load: (current: Settings) => Settings;
  readonly #listeners: (() => void)[] = [];

  /** `load` reads them again. @throws WrongSettings */
  constructor(first: Settings, load: (current: Settings) => Settings) {
    this.#current = first;
    this.#load = load;
  }

  readonly current = (): Settings => this.#current;

  /** Told after others came into effect: for what was planned by the old ones, such as timers. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** In one turn of the event loop: of two at once, the second starts from what the first left. */
  reload(): Reload {
    const outcome = reloadSettings(this.#current, () => this.#load(this.#current));
    if (outcome.kind === 'refused') return outcome;
    this.#current = outcome.settings;
    if (outcome.changed.some(({ inEffect }) => inEffect)) for (const listener of this.#listeners) listener();
    return outcome;
  }
}
