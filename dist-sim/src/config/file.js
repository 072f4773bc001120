import { LineCounter, isMap, isNode, isScalar, parseDocument } from 'yaml';
import { GROUP_SETTINGS, HOST_SETTINGS } from '../config.js';
import { NAME_RULE, isName } from '../protocol/address.js';
import { nearest } from './nearest.js';
const GROUP_NAMES = Object.keys(GROUP_SETTINGS.shape);
const TOP_NAMES = [...Object.keys(HOST_SETTINGS.shape), ...GROUP_NAMES];
export function isSettingName(name) {
    return TOP_NAMES.includes(name);
}
function isGroupSettingName(name) {
    return GROUP_NAMES.includes(name);
}
/** Reads a config file; what is wrong with its shape goes to `problems`, never quoting a value. */
export function readLayers(path, text, problems) {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
    const settings = new Map();
    const groups = new Map();
    for (const error of document.errors) {
        problems.push(`${path}:${lines.linePos(error.pos[0]).line}: is not valid YAML (${error.code})`);
    }
    if (document.errors.length > 0 || document.contents === null)
        return { settings, groups };
    if (!isMap(document.contents)) {
        problems.push(`${path}: must be a mapping of settings, such as "MAX_TRIES: 5"`);
        return { settings, groups };
    }
    const file = { path, document, lines, problems };
    for (const entry of entriesOf(file, document.contents, '')) {
        if (entry.key === 'groups')
            readGroups(file, entry, groups);
        else if (entry.key === 'defaults')
            addAll(settings, readGroup(file, entry, 'defaults.'), problems);
        else if (isSettingName(entry.key))
            addAll(settings, [[entry.key, entry]], problems);
        else
            problems.push(`${entry.subject} is no setting; ${nearest(entry.key, [...TOP_NAMES, 'groups', 'defaults'])}`);
    }
    return { settings, groups };
}
function entriesOf(file, map, prefix) {
    return map.items.map(({ key, value }) => {
        const name = isScalar(key) ? String(key.value) : '(a key that is no text)';
        const range = isNode(key) ? key.range : undefined;
        const place = `${file.path}:${file.lines.linePos(range?.[0] ?? 0).line}`;
        return {
            key: name,
            value: isNode(value) ? value.toJS(file.document) : value,
            map: isMap(value) ? value : undefined,
            subject: `${place}: ${prefix}${name}`,
            source: { from: 'file', place },
        };
    });
}
function addAll(settings, given, problems) {
    for (const [name, one] of given) {
        const other = settings.get(name);
        if (other === undefined)
            settings.set(name, one);
        else
            problems.push(`${one.subject} is set a second time (also at ${other.source.place}); keep one of them`);
    }
}
function readGroups(file, { map, value, subject }, groups) {
    if (value === null)
        return;
    if (map === undefined) {
        file.problems.push(`${subject} must be a mapping from the names of groups to their settings`);
        return;
    }
    for (const entry of entriesOf(file, map, 'groups.')) {
        if (isName(entry.key))
            groups.set(entry.key, readGroup(file, entry, `groups.${entry.key}.`));
        else
            file.problems.push(`${entry.subject} is no name of a group (${NAME_RULE})`);
    }
}
function readGroup(file, { map, value, subject }, prefix) {
    const given = new Map();
    if (value === null)
        return given;
    if (map === undefined) {
        file.problems.push(`${subject} must be a mapping of settings`);
        return given;
    }
    for (const entry of entriesOf(file, map, prefix)) {
        if (isGroupSettingName(entry.key))
            given.set(entry.key, entry);
        else if (isSettingName(entry.key))
            file.problems.push(`${entry.subject} can only be set for the whole install`);
        else
            file.problems.push(`${entry.subject} is no setting of a group; ${nearest(entry.key, GROUP_NAMES)}`);
    }
    return given;
}
//# sourceMappingURL=file.js.map