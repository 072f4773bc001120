import type { Desk } from '../desk.js';
import { releaseReserved } from './register-session.js';

/** Takes away what imports left that were killed, unless one is under way. What goes wrong is told, and done by the next start or import. */
export async function cleanImports(desk: Desk): Promise<void> {
  try {
    if ((await desk.nanoclaw?.clean()) === 'cleaned') releaseReserved(desk);
  } catch (err) {
    desk.log.error({ err }, 'what imports left could not be cleaned up');
  }
}
