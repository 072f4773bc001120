import { createHash } from 'node:crypto';
import { PROTOCOL_VERSION } from '../protocol/schema.js';
import { RUNNER_ENV } from '../protocol/workspace.js';
/** The engine refuses a second container of this name. */
export function containerName(install, session) {
    const digest = createHash('sha256').update(session).digest('hex').slice(0, 16);
    return `np-${install.slice(0, 8)}-${digest}`;
}
/** Changes whenever a container started today would differ from one started before. */
export function specHash(source, record) {
    const template = source.template(record);
    const { provider, command, image, entrypoint, environment, network, limits, heartbeatMs, maxClaims } = template;
    const runner = [image ?? source.runnerVersion, entrypoint];
    const sorted = Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1));
    const parts = [runner, provider, command, sorted, network, limits, heartbeatMs, maxClaims, PROTOCOL_VERSION];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
export function containerSpec(source, record, epoch) {
    const template = source.template(record);
    const places = source.places(record.address);
    return {
        name: containerName(source.install, record.address),
        install: source.install,
        session: record.address,
        epoch,
        specHash: specHash(source, record),
        image: template.image ?? undefined,
        command: template.entrypoint ?? undefined,
        environment: {
            ...template.environment,
            [RUNNER_ENV.workspace]: places.workspace,
            [RUNNER_ENV.inbound]: places.inbound,
            [RUNNER_ENV.session]: record.address,
            [RUNNER_ENV.epoch]: String(epoch),
            [RUNNER_ENV.protocol]: String(PROTOCOL_VERSION),
            [RUNNER_ENV.heartbeatMs]: String(template.heartbeatMs),
            [RUNNER_ENV.maxClaims]: String(template.maxClaims),
            [RUNNER_ENV.provider]: template.provider,
            [RUNNER_ENV.idleMs]: String(template.idleMs),
            [RUNNER_ENV.stopGraceMs]: String(template.stopGraceMs),
            ...(template.command === null ? {} : { [RUNNER_ENV.command]: JSON.stringify(template.command) }),
        },
        inDir: places.inDir,
        outDir: places.outDir,
        hostDir: places.hostDir,
        limits: template.limits,
        network: template.network,
    };
}
//# sourceMappingURL=container-spec.js.map