// Entry of a file worker as a daemon has it that does not run as root: tests do, and root may do everything.
import Database from 'better-sqlite3';

// What is loaded with the first use may be where only root can read it.
new Database(':memory:').close();
await import('../../dist/src/store/worker/child.js');
if (process.getuid() === 0) {
  process.setgroups([]);
  process.setgid(54_321);
  process.setuid(54_321);
}
