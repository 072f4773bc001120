/** Library entry: the daemon and the desk of a data dir, without the command line. */
export { createHost } from './daemon.js';
export type { Host, HostOptions, OpenDesk, StartOptions, SweepOptions } from './cli/host.js';
export { NightporterError } from './protocol/errors.js';
export type { ErrorCode } from './protocol/errors.js';
export { deskApi } from './desk/desk-api.js';
export type { ChannelEvent, DeskApi } from './desk/api.js';
