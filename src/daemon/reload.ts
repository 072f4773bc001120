import type { Reload } from '../config/reload.js';
import type { Logger } from '../observe/logs.js';
import { tellWarnings } from './assembly.js';
import type { LiveSettings } from './live-settings.js';

/** Reads the settings again and logs what that changed; of a refusal whoever asked tells. */
export function reloadAndTell(live: LiveSettings, log: Logger): Reload {
  const outcome = live.reload();
  if (outcome.kind === 'refused') return outcome;
  tellWarnings(outcome.settings, log);
  const changed = outcome.changed.map(({ setting, shownFrom, shownTo, inEffect }) => {
    return { setting, from: shownFrom, to: shownTo, inEffect };
  });
  log.info({ changed }, 'settings reloaded');
  return outcome;
}

/** HUP no longer ends the process. */
export function reloadOnHangup(live: LiveSettings, log: Logger): { readonly dispose: () => void } {
  let reloads = 0;
  const onHangup = (): void => {
    // Numbered: the log leaves repeats out, and everyone who asks is to be answered.
    const operation = `reload ${String((reloads += 1))}`;
    try {
      const outcome = reloadAndTell(live, log);
      if (outcome.kind === 'reloaded') return;
      log.error({ operation, problems: outcome.problems }, 'settings not reloaded, those before stay in effect');
    } catch (err) {
      log.error({ operation, err }, 'settings not reloaded, those before stay in effect');
    }
  };
  process.on('SIGHUP', onHangup);
  return { dispose: () => process.off('SIGHUP', onHangup) };
}
