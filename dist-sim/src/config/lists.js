import { parse as parseShell } from 'shell-quote';
import * as z from 'zod';
import { kind } from './kinds.js';
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Splits a line into program and arguments as a shell would, without running one; undefined: empty, or needs a shell. */
export function splitCommand(line) {
    const parts = parseShell(line, (name) => `\${${name}}`);
    const words = parts.filter((part) => typeof part === 'string');
    return words.length > 0 && words.length === parts.length ? words : undefined;
}
/** A program and its arguments: a YAML list, a JSON array, or a line that is split as a shell would. */
export function command({ section, text }) {
    const words = z.array(z.string()).min(1);
    const readText = (line) => {
        if (!line.trimStart().startsWith('['))
            return splitCommand(line);
        try {
            return words.safeParse(JSON.parse(line)).data;
        }
        catch {
            return undefined;
        }
    };
    const read = (found) => {
        if (found === null)
            return null;
        const list = typeof found === 'string' ? readText(found) : words.safeParse(found).data;
        return list?.[0] === '' ? undefined : list;
    };
    return kind(read, null, {
        section,
        text,
        unit: 'list of texts',
        allowed: 'a list of texts, the program first, or one line without shell operators',
        range: 'a list of texts, or one line',
        shown: 'none',
        secret: true,
    });
}
/** Variables a container is given: `NAME` comes from the daemon's environment, `NAME=value` and `NAME: value` are fixed. */
export function environment({ section, text }) {
    const add = (list, name, value) => {
        if (!VARIABLE.test(name) || name.startsWith('NIGHTPORTER_') || value?.includes('\0') === true)
            return false;
        list[name] = value;
        return true;
    };
    const readItem = (list, item) => {
        if (typeof item !== 'string')
            return false;
        const sign = item.indexOf('=');
        return sign < 0 ? add(list, item.trim(), null) : add(list, item.slice(0, sign).trim(), item.slice(sign + 1));
    };
    const readPair = (list, [name, value]) => {
        if (value === null)
            return add(list, name, null);
        const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
        return isPlain && add(list, name, String(value));
    };
    const read = (found) => {
        const list = {};
        const items = typeof found === 'string' ? found.split(',').filter((item) => item.trim() !== '') : found;
        if (Array.isArray(items))
            return items.every((item) => readItem(list, item)) ? list : undefined;
        if (typeof items !== 'object')
            return undefined;
        return Object.entries(items ?? {}).every((pair) => readPair(list, pair)) ? list : undefined;
    };
    return kind(read, {}, {
        section,
        text,
        unit: 'list of variables',
        allowed: 'a list of NAME (from the daemon) or NAME=value, or a mapping, none of them NIGHTPORTER_...',
        range: '`NAME`, `NAME=value`',
        shown: 'none',
        secret: true,
    });
}
/** The variables that a container gets: those listed that the daemon has, and the fixed ones. */
export function environmentOf(list, daemon) {
    const given = {};
    for (const [name, fixed] of Object.entries(list)) {
        const value = fixed ?? daemon[name];
        if (value !== undefined)
            given[name] = value;
    }
    return given;
}
//# sourceMappingURL=lists.js.map