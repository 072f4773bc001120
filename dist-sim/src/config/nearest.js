import { closest } from 'fastest-levenshtein';
/** Finishes a sentence about an unknown name with the known one that is most like it. */
export function nearest(name, known) {
    const byUpperCase = new Map(known.map((candidate) => [candidate.toUpperCase(), candidate]));
    const found = byUpperCase.get(closest(name.toUpperCase(), [...byUpperCase.keys()]));
    return `the nearest known name is ${found ?? 'none'}`;
}
//# sourceMappingURL=nearest.js.map